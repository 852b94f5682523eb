/*
** chunked_fuzz.c: any bytes as a chunked body, and any data through the coding
** and back.
*/

#include "proto/chunked_cut.h"
#include "proto/http_write.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* Encode data in chunks whose sizes come from the data, decode, compare. */
static void check_round(const char *data, size_t n)
{
  char *in = malloc(n * 8 + 64), *p = in;
  for (size_t at = 0; at < n;) {
    size_t len = 1 + (unsigned char)data[at] % (n - at);
    p += green_http_write_chunk(p, 32, len);
    memcpy(p, data + at, len);
    p += len;
    *p++ = '\r';
    *p++ = '\n';
    at += len;
  }
  memcpy(p, "0\r\n\r\n", 5);
  p += 5;
  green_chunked c;
  green_chunked_init(&c);
  cut_body body = {.data = malloc(n + 1)};
  cut_next(c, in, (size_t)(p - in), 1 + n / 3, &body);
  CHECK(body.rc == 0 && body.used == (size_t)(p - in));
  CHECK(body.len == n && !memcmp(body.data, data, n));
  free(body.data);
  free(in);
}

/* What a plain reading of the grammar says of a body that was taken: walk it
** from chunk to chunk. */
static void check_walk(const char *in, const cut_body *b)
{
  const char *p = in, *end = in + b->used;
  size_t len = 0;
  for (;;) {
    size_t size = strtoul(p, NULL, 16);
    p = memmem(p, (size_t)(end - p), "\r\n", 2);
    CHECK(p);
    p += 2;
    if (!size) break;
    CHECK((size_t)(end - p) > size && !memcmp(b->data + len, p, size));
    len += size;
    p += size;
    CHECK(!memcmp(p, "\r\n", 2));
    p += 2;
  }
  CHECK(len == b->len);
  CHECK(!memcmp(end - 2, "\r\n", 2));
  if (p == end - 2) return;
  CHECK(memmem(p, (size_t)(end - p), "\r\n\r\n", 4) == end - 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  const char *in = (const char *)data;
  if (size > 65536) return 0;
  green_chunked c;
  green_chunked_init(&c);
  if (size && data[0] >= 0x80) {
    c.max_ext = data[0] & 15;
    c.max_trailer = data[0] >> 2 & 31;
    in++;
    size--;
  }
  cut_body body = {.data = malloc(size + 1)};
  CHECK(cut_chunked(c, in, size, size < 6 ? size : 6, &body));
  CHECK(body.rc == 0 || body.rc == GREEN_EAGAIN || body.rc == GREEN_EPROTO ||
        body.rc == GREEN_ETOOBIG);
  CHECK((body.rc < 0 && body.rc != GREEN_EAGAIN) == (body.reason != NULL));
  char *text = malloc(size + 1); /* strtoul wants an end. */
  memcpy(text, in, size);
  text[size] = '\0';
  if (body.rc == 0) check_walk(text, &body);
  free(text);
  check_round(in, size);
  free(body.data);
  return 0;
}
