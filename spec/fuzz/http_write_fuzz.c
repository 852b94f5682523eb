/*
** http_write_fuzz.c: any bytes as pieces of a response head.
**
** What is written must come back through the request parser as the same field
** and nothing more. The input is "name:value" or any other bytes.
*/

#include "guard.h"
#include "proto/http_request.h"
#include "proto/http_write.h"

#include <stdio.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static const char line[] = "GET / HTTP/1.0\r\n";

/* A field that was written, read back as part of a request. */
static void check_back(const char *field, size_t n, const char *name,
                       size_t name_len, const char *value, size_t value_len)
{
  static char in[70000];
  static green_http_request req;
  green_http_request_init(&req);
  req.max_field = 65535;
  size_t len = sizeof(line) - 1;
  memcpy(in, line, len);
  memcpy(in + len, field, n);
  memcpy(in + len + n, "\r\n", 2);
  int rc = green_http_request_parse(&req, in, len + n + 2, 0);
  CHECK(rc == (int)(len + n + 2) || (rc == GREEN_EPROTO && req.fields.n == 1));
  const green_http_field *h = &req.fields.list[0];
  CHECK(req.fields.n == 1 && h->name_len == name_len);
  CHECK(!memcmp(in + h->name_off, name, name_len));
  while (value_len && (*value == ' ' || *value == '\t')) value++, value_len--;
  while (value_len && strchr(" \t", value[value_len - 1])) value_len--;
  CHECK(h->value_len == value_len);
  CHECK(!memcmp(in + h->value_off, value, value_len));
}

static void check_header(const char *in, size_t n)
{
  const char *colon = memchr(in, ':', n);
  size_t name_len = colon ? (size_t)(colon - in) : n;
  const char *value = colon ? colon + 1 : in + n;
  size_t value_len = (size_t)(in + n - value);
  size_t need = name_len + value_len + 4;
  char *p = malloc(need);
  int rc = green_http_write_header(p, need, in, name_len, value, value_len);
  CHECK(rc == (int)need || rc == GREEN_EINVAL);
  bool good = green_http_write_is_token(in, name_len) &&
              green_http_write_is_value(value, value_len);
  CHECK(good == (rc > 0));
  int less =
      green_http_write_header(p, need - 1, in, name_len, value, value_len);
  CHECK(less == (good ? GREEN_ENOBUFS : GREEN_EINVAL));
  if (good) {
    green_http_write_header(p, need, in, name_len, value, value_len);
    check_back(p, need, in, name_len, value, value_len);
    green_http_write_capitalize(p, name_len);
    CHECK(green_http_write_is_token(p, name_len));
  }
  free(p);
}

static void check_status(const char *in, size_t n)
{
  char *p = malloc(n + 64);
  int rc = green_http_write_status_line(p, n + 64, in, n);
  CHECK(rc == GREEN_EINVAL || rc >= (int)n + 11);
  if (rc > 0) {
    CHECK(!memcmp(p, "HTTP/1.1 ", 9) && !memcmp(p + 9, in, n));
    CHECK(p[12] == ' ' && memchr(p, '\n', (size_t)rc) == p + rc - 1);
    CHECK(memchr(p, '\r', (size_t)rc) == p + rc - 2);
  }
  free(p);
}

static void check_numbers(const char *in, size_t n)
{
  int64_t v = 0;
  char p[32], want[32];
  memcpy(&v, in, n < 8 ? n : 8);
  int rc = green_http_write_decimal(p, sizeof(p), v);
  CHECK(rc == snprintf(want, sizeof(want), "%lld", (long long)v));
  CHECK(!memcmp(p, want, (size_t)rc));
  rc = green_http_write_chunk(p, sizeof(p), (uint64_t)v);
  CHECK(rc == snprintf(want, sizeof(want), "%llx\r\n", (unsigned long long)v));
  CHECK(!memcmp(p, want, (size_t)rc));
  rc = green_http_write_date(p, 29, v);
  CHECK(rc == 29 || rc == GREEN_EINVAL);
  rc = green_http_write_date(p, 29, v % 253402300800);
  CHECK(rc == 29 || v < -62135596800);
  rc = green_http_write_status(p, sizeof(p), (int)v);
  CHECK(rc == GREEN_EINVAL || rc == GREEN_ENOBUFS || rc >= 15);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *in = (const char *)data;
  if (size > 60000) return 0;
  check_header(in, size);
  check_status(in, size);
  check_numbers(in, size);
  return 0;
}
