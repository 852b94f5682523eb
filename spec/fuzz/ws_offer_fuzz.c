/*
** ws_offer_fuzz.c: any bytes as Sec-WebSocket-Extensions, of a client and of a
** server.
*/

#include "proto/ws_offer.h"
#include "guard.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static bool bits_are_good(int bits)
{
  return !bits || (bits >= 8 && bits <= 15);
}

static bool same(const green_ws_offer *a, const green_ws_offer *b)
{
  return a->server_no_takeover == b->server_no_takeover &&
         a->client_no_takeover == b->client_no_takeover &&
         a->server_bits == b->server_bits && a->client_bits == b->client_bits &&
         a->client_bits_free == b->client_bits_free;
}

/* An offer that was read is written, and read once more. */
static void check_offer(const green_ws_offer *o)
{
  char text[GREEN_WS_OFFER_MAX];
  size_t pos = 0;
  green_ws_offer again;
  CHECK(bits_are_good(o->server_bits) && bits_are_good(o->client_bits));
  CHECK(!o->client_bits || !o->client_bits_free);
  int n = green_ws_offer_write(text, sizeof(text), o, false);
  CHECK(n > 0);
  CHECK(green_ws_offer_next(text, (size_t)n, &pos, &again) == 1);
  CHECK(pos == (size_t)n && same(o, &again));
}

/* How many offers there are; the last one is left in o. -1: no such field. */
static int check_all(const char *p, size_t n, green_ws_offer *o)
{
  size_t pos = 0, before = 0;
  green_ws_offer next;
  int rc, count = 0;
  while ((rc = green_ws_offer_next(p, n, &pos, &next)) == 1) {
    CHECK(pos > before && pos <= n);
    before = pos;
    check_offer(&next);
    *o = next;
    count++;
  }
  CHECK(rc == 0 || (rc == GREEN_EPROTO && !count));
  CHECK(rc || pos == n);
  return rc ? -1 : count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > 4096) return 0;
  const char *p = guard_copy(data, size);
  green_ws_offer last, answer;
  int count = check_all(p, size, &last);
  int rc = green_ws_offer_answer(p, size, &answer);
  CHECK(rc == 0 || rc == 1 || rc == GREEN_EPROTO);
  if (rc == 1) CHECK(count == 1 && same(&answer, &last));
  if (rc == 0) CHECK(count == 0);
  if (count < 0) CHECK(rc == GREEN_EPROTO);
  return 0;
}
