/*
** http_hop_fuzz.c: any bytes as a head that a proxy hands on.
**
** As a request and as a response: what passes, put together again as a proxy
** does, is a head with the same fields in the same order, of which all pass
** once more. Which pass is told a second time, by libc's means.
*/

#include "proto/http_hop.h"
#include "proto/http_request.h"
#include "proto/http_response.h"
#include "guard.h"

#include <strings.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static bool is_name(const char *p, size_t n, const char *name)
{
  return n == strlen(name) && !strncasecmp(p, name, n);
}

/* Does a list with commas have that word? */
static bool list_has(const char *p, size_t n, const char *word, size_t len)
{
  const char *end = p + n;
  while (p <= end) {
    const char *stop = memchr(p, ',', (size_t)(end - p));
    const char *to = stop ? stop : end;
    const char *next = to + 1;
    while (p < to && strchr(" \t", *p)) p++;
    while (to > p && strchr(" \t", to[-1])) to--;
    if ((size_t)(to - p) == len && !strncasecmp(p, word, len)) return true;
    p = next;
  }
  return false;
}

static bool is_wanted(const green_http_fields *f, const char *buf,
                      const green_http_field *x)
{
  static const char *const own[] = {"connection",        "keep-alive", "te",
                                    "trailer",           "upgrade",    "expect",
                                    "transfer-encoding", NULL};
  const char *name = buf + x->name_off;
  if (is_name(name, x->name_len, "host")) return true;
  if (is_name(name, x->name_len, "content-length")) return true;
  for (int i = 0; own[i]; i++)
    if (is_name(name, x->name_len, own[i])) return false;
  if (x->name_len > 6 && !strncasecmp(name, "proxy-", 6)) return false;
  for (uint32_t i = 0; i < f->n; i++) {
    const green_http_field *c = &f->list[i];
    if (is_name(buf + c->name_off, c->name_len, "connection") &&
        list_has(buf + c->value_off, c->value_len, name, x->name_len))
      return false;
  }
  return true;
}

static char out[2 * GUARD_SIZE];

/* The fields that pass behind a line, as relays write them. */
static size_t put_together(const green_http_fields *f, const char *buf,
                           const char *line, size_t n)
{
  memcpy(out, line, n);
  for (uint32_t i = 0; i < f->n; i++) {
    const green_http_field *x = &f->list[i];
    bool passes = green_http_hop_passes(f, buf, i);
    CHECK(passes == is_wanted(f, buf, x));
    if (!passes) continue;
    memcpy(out + n, buf + x->name_off, x->name_len);
    n += x->name_len;
    out[n++] = ':';
    out[n++] = ' ';
    memcpy(out + n, buf + x->value_off, x->value_len);
    n += x->value_len;
    out[n++] = '\r';
    out[n++] = '\n';
  }
  memcpy(out + n, "\r\n", 2);
  return n + 2;
}

/* What was read of it has what has passed, and nothing else. */
static void check_again(const green_http_fields *f, const char *buf,
                        const green_http_fields *g)
{
  uint32_t k = 0;
  for (uint32_t i = 0; i < f->n; i++) {
    const green_http_field *x = &f->list[i], *y = &g->list[k];
    if (!green_http_hop_passes(f, buf, i)) continue;
    CHECK(k < g->n && green_http_hop_passes(g, out, k));
    CHECK(x->id == y->id && x->name_len == y->name_len);
    CHECK(x->value_len == y->value_len);
    CHECK(!memcmp(buf + x->name_off, out + y->name_off, x->name_len));
    CHECK(!memcmp(buf + x->value_off, out + y->value_off, x->value_len));
    k++;
  }
  CHECK(k == g->n);
}

static void check_response(const char *in, size_t n)
{
  static green_http_response r, again;
  green_http_response_init(&r);
  r.max_line = r.max_field = 65535;
  r.max_head = GUARD_SIZE;
  if (green_http_response_parse(&r, in, n, 0) <= 0) return;
  size_t line = r.phrase_off + r.phrase_len + 2;
  size_t len = put_together(&r.fields, in, in, line);
  again = r;
  CHECK(green_http_response_parse(&again, out, len, 0) == (int)len);
  check_again(&r.fields, in, &again.fields);
}

/* A request without its coding would be another one: relays say that again. */
static void check_request(const char *in, size_t n)
{
  static green_http_request q, again;
  green_http_request_init(&q);
  q.max_head = GUARD_SIZE;
  if (green_http_request_parse(&q, in, n, 0) <= 0) return;
  const char *end = memmem(in, n, "\r\n", 2);
  CHECK(end);
  while (end == in) { /* Empty lines before the first one. */
    in += 2, n -= 2;
    green_http_request_init(&q);
    q.max_head = GUARD_SIZE;
    CHECK(green_http_request_parse(&q, in, n, 0) > 0);
    end = memmem(in, n, "\r\n", 2);
  }
  size_t len = put_together(&q.fields, in, in, (size_t)(end - in) + 2);
  green_http_request_init(&again);
  again.max_head = 2 * GUARD_SIZE;
  CHECK(green_http_request_parse(&again, out, len, 0) == (int)len);
  check_again(&q.fields, in, &again.fields);
  CHECK(!again.chunked && !again.upgrade && !again.expect_continue);
  CHECK(q.chunked || q.content_length == again.content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size > GUARD_SIZE / 2) return 0;
  const char *in = guard_copy(data, size);
  check_response(in, size);
  check_request(in, size);
  return 0;
}
