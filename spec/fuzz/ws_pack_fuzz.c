/*
** ws_pack_fuzz.c: any bytes as a packed message behind another, in any cut, and
** any message packed and back. The first byte says where the two are parted.
*/

#include "proto/ws_pack_cut.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

enum { MAX = 20000 };

/* Two messages, the second in two pieces, by one window, there and back. */
static void check_round(const char *p, size_t m, size_t n, int level, int bits)
{
  green_deflate d;
  green_buf one = {0}, two = {0};
  cut_message msg = {0};
  CHECK(green_deflate_init(&d, GREEN_Z_RAW, level, bits) == 0);
  CHECK(green_ws_pack(&d, p, m, true, &one) == 0);
  CHECK(green_ws_pack(&d, p + m, n / 3, false, &two) == 0);
  CHECK(green_ws_pack(&d, p + m + n / 3, n - n / 3, true, &two) == 0);
  CHECK(green_buf_len(&one) && green_buf_len(&two));
  CHECK(cut_pack(green_buf_data(&one), green_buf_len(&one),
                 green_buf_data(&two), green_buf_len(&two), 3, 2 * MAX,
                 &msg) == 0);
  CHECK(cut_message_is(&msg, p + m, n));
  green_buf_reset(&msg.out);
  green_buf_reset(&one);
  green_buf_reset(&two);
  green_deflate_deinit(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1 || size > MAX) return 0;
  const char *in = (const char *)data + 1;
  size_t n = size - 1, m = data[0] < n ? data[0] : 0;
  cut_message msg = {0};
  int rc = cut_pack(in, m, in + m, n - m, 3, MAX, &msg);
  CHECK(rc == 0 || rc == GREEN_EPROTO || rc == GREEN_ETOOBIG);
  CHECK(green_buf_len(&msg.out) <= MAX || rc == GREEN_ETOOBIG);
  CHECK(msg.out.cap <= 4 * MAX);
  green_buf_reset(&msg.out);
  check_round(in, m, n - m, data[0] % 10, 9 + data[0] % 7);
  return 0;
}
