/*
** http_body_fuzz.c: any bytes as a body of any framing.
**
** The first byte chooses the framing and, for a length, the length. In every
** cut, by both calls, data and verdict must be the same, and be what the
** framing says.
*/

#include "guard.h"
#include "proto/http_body.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

typedef struct run {
  int rc; /* 0, GREEN_EAGAIN or the error. */
  size_t used;
  size_t len;
  char *data;
} run;

/* Feed in[0..n) in pieces of at most step bytes, each until it is used up. */
static void run_all(green_http_body b, const char *in, size_t n, size_t step,
                    int gather, run *r)
{
  r->rc = GREEN_EAGAIN;
  r->used = r->len = 0;
  do {
    size_t len = n - r->used < step ? n - r->used : step;
    char *p = guard_copy(in + r->used, len);
    r->rc = gather ? green_http_body_gather(&b, p, len)
                   : green_http_body_next(&b, p, len);
    CHECK(b.used <= len && b.data_off + b.data_len <= b.used);
    CHECK((r->rc == 1) == (b.data_len > 0));
    CHECK(b.framing != GREEN_BODY_CHUNKED || b.chunk.trailer_len <= b.used);
    CHECK(r->rc != 0 || b.done);
    CHECK(r->rc != GREEN_EAGAIN || b.used == len);
    memcpy(r->data + r->len, p + b.data_off, b.data_len);
    r->len += b.data_len;
    r->used += b.used;
  } while (r->rc == 1 || (r->rc == GREEN_EAGAIN && r->used < n));
  CHECK(b.total == (int64_t)r->len);
  int end = green_http_body_eof(&b);
  bool whole = r->rc == 0 || b.framing == GREEN_BODY_CLOSE;
  CHECK(end == (whole ? 0 : r->rc == GREEN_EAGAIN ? GREEN_EEOF : r->rc));
}

static void check_plain(const green_http_body *b, const char *in, size_t n,
                        const run *r)
{
  size_t want = b->framing == GREEN_BODY_NONE ? 0 : n;
  bool length = b->framing == GREEN_BODY_LENGTH;
  if (length && (int64_t)n > b->left) want = (size_t)b->left;
  bool ends =
      b->framing == GREEN_BODY_NONE || (length && (int64_t)n >= b->left);
  CHECK(r->used == want && r->len == want && !memcmp(r->data, in, want));
  CHECK(r->rc == (ends ? 0 : GREEN_EAGAIN));
}

/* As the decoder alone says. */
static void check_chunked(const char *in, size_t n, const run *r)
{
  green_chunked c;
  green_chunked_init(&c);
  char *out = malloc(n + 1);
  int len = green_chunked_read(&c, in, n, out, n);
  if (len < 0) len = 0;
  CHECK(r->len == (size_t)len && !memcmp(r->data, out, r->len));
  CHECK((r->rc == 0) == c.done && (r->rc == c.error || !c.error));
  CHECK(r->used == c.used);
  free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1 || size > 65536) return 0;
  const char *in = (const char *)data + 1;
  size_t n = size - 1;
  green_http_body b;
  green_http_body_init(&b, data[0] & 3, data[0] >> 2);
  run whole = {.data = malloc(size)}, other = {.data = malloc(size)};
  run_all(b, in, n, n ? n : 1, 0, &whole);
  if (b.framing == GREEN_BODY_CHUNKED)
    check_chunked(in, n, &whole);
  else
    check_plain(&b, in, n, &whole);
  for (size_t step = 1; step < 8; step++) {
    run_all(b, in, n, step < 7 ? step : n + 1, step & 1, &other);
    CHECK(other.rc == whole.rc && other.used == whole.used);
    CHECK(other.len == whole.len && !memcmp(other.data, whole.data, whole.len));
  }
  free(whole.data);
  free(other.data);
  return 0;
}
