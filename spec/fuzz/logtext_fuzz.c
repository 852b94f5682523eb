/*
** logtext_fuzz.c: any bytes as a text of a line of a log: JSON is one string of
** valid UTF-8, what is shown holds nothing that ends a line or speaks to a
** terminal, and both are the same in any cut of characters.
*/

#include "proto/logtext.h"
#include "proto/utf8.h"

#include <string.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const green_buf *b)
{
  const char *p = green_buf_data(b);
  size_t n = green_buf_len(b);
  CHECK(n == 0 || green_utf8_check(p, n));
  for (size_t i = 0; i < n; i++) {
    CHECK((unsigned char)p[i] >= 0x20 && p[i] != 0x7f);
    CHECK(i + 1 >= n || (unsigned char)p[i] != 0xc2 ||
          (unsigned char)p[i + 1] >= 0xa0);
  }
}

/* The quote that begins the string is ended by the last byte alone. */
static void check_string(const green_buf *b)
{
  const char *p = green_buf_data(b);
  size_t n = green_buf_len(b), i = 1;
  CHECK(n >= 2 && p[0] == '"');
  while (i < n - 1) {
    CHECK(p[i] != '"');
    i += p[i] == '\\' ? 2 : 1;
  }
  CHECK(i == n - 1 && p[i] == '"');
}

static void write_number(green_buf *b, const uint8_t *data, size_t size)
{
  double n;
  if (size < sizeof(n)) return;
  memcpy(&n, data, sizeof(n));
  CHECK(green_logtext_number(b, "x", 1, n, GREEN_LOGTEXT_JSON) == 0);
  check_line(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_buf b = {0};
  const char *p = (const char *)data;
  for (int form = GREEN_LOGTEXT_JSON; form <= GREEN_LOGTEXT_VALUE; form++) {
    CHECK(green_logtext_text(&b, "", 0, p, size, form) == 0);
    check_line(&b);
    if (form == GREEN_LOGTEXT_JSON) check_string(&b);
    green_buf_reset(&b);
  }
  write_number(&b, data, size);
  green_buf_reset(&b);
  return 0;
}
