/*
** http_response_real_test.c: heads as servers send them.
**
** Recorded from nginx, Apache, lighttpd, Python's http.server, Node and Go on
** loopback; the fuzzer begins with the same files. What is expected of them was
** told by another program from the text.
*/

#include "proto/http_response_cut.h"
#include "t.h"

#define SEEDS "spec/fuzz/corpus/http_response/"

struct real {
  const char *file;
  int asked, status, framing, keep_alive, timeout;
  uint32_t fields;
  int64_t length;
};

static const struct real reals[] = {
    {"apache_206", 0, 206, GREEN_BODY_LENGTH, 1, -1, 9, 10},
    {"apache_301", 0, 301, GREEN_BODY_LENGTH, 1, -1, 5, 269},
    {"apache_400", 0, 400, GREEN_BODY_LENGTH, 0, -1, 5, 266},
    {"apache_404", 0, 404, GREEN_BODY_LENGTH, 0, -1, 5, 236},
    {"apache_expect", 0, 100, GREEN_BODY_NONE, 1, -1, 0, -1},
    {"apache_file", 0, 200, GREEN_BODY_LENGTH, 1, -1, 8, 520},
    {"apache_gzip", 0, 200, GREEN_BODY_LENGTH, 1, -1, 9, 38},
    {"apache_head", GREEN_ASKED_HEAD, 200, GREEN_BODY_NONE, 1, -1, 8, 520},
    {"apache_old", 0, 200, GREEN_BODY_LENGTH, 0, -1, 9, 520},
    {"go_204", 0, 204, GREEN_BODY_NONE, 1, -1, 1, -1},
    {"go_400", 0, 400, GREEN_BODY_CLOSE, 0, -1, 2, -1},
    {"go_404", 0, 404, GREEN_BODY_LENGTH, 0, -1, 5, 19},
    {"go_chunk", 0, 200, GREEN_BODY_CHUNKED, 1, -1, 2, -1},
    {"go_file", 0, 301, GREEN_BODY_LENGTH, 1, -1, 3, 0},
    {"go_hints", 0, 103, GREEN_BODY_NONE, 1, -1, 1, -1},
    {"lighttpd_206", 0, 206, GREEN_BODY_LENGTH, 1, -1, 8, 10},
    {"lighttpd_301", 0, 301, GREEN_BODY_LENGTH, 1, -1, 4, 0},
    {"lighttpd_304", 0, 304, GREEN_BODY_NONE, 1, -1, 5, -1},
    {"lighttpd_400", 0, 400, GREEN_BODY_LENGTH, 0, -1, 5, 345},
    {"lighttpd_404", 0, 404, GREEN_BODY_LENGTH, 0, -1, 5, 341},
    {"lighttpd_expect", 0, 501, GREEN_BODY_LENGTH, 0, -1, 5, 353},
    {"lighttpd_file", 0, 200, GREEN_BODY_LENGTH, 1, -1, 7, 520},
    {"lighttpd_old", 0, 200, GREEN_BODY_LENGTH, 0, -1, 7, 520},
    {"nginx_204", 0, 204, GREEN_BODY_NONE, 1, 30, 4, -1},
    {"nginx_206", 0, 206, GREEN_BODY_LENGTH, 1, 30, 9, 10},
    {"nginx_301", 0, 301, GREEN_BODY_LENGTH, 1, 30, 7, 169},
    {"nginx_400", 0, 400, GREEN_BODY_LENGTH, 0, -1, 5, 157},
    {"nginx_404", 0, 404, GREEN_BODY_LENGTH, 0, -1, 5, 153},
    {"nginx_cookies", 0, 200, GREEN_BODY_LENGTH, 1, 30, 8, 1},
    {"nginx_expect", 0, 405, GREEN_BODY_LENGTH, 1, 30, 6, 157},
    {"nginx_file", 0, 200, GREEN_BODY_LENGTH, 1, 30, 9, 520},
    {"nginx_gzip", 0, 200, GREEN_BODY_CHUNKED, 1, 30, 9, -1},
    {"nginx_head", GREEN_ASKED_HEAD, 200, GREEN_BODY_NONE, 1, 30, 9, 520},
    {"nginx_old", 0, 200, GREEN_BODY_LENGTH, 0, -1, 8, 520},
    {"node_204", 0, 204, GREEN_BODY_NONE, 1, 5, 3, -1},
    {"node_400", 0, 400, GREEN_BODY_CLOSE, 0, -1, 1, -1},
    {"node_chunk", 0, 200, GREEN_BODY_CHUNKED, 1, 5, 4, -1},
    {"node_close", 0, 200, GREEN_BODY_LENGTH, 0, -1, 5, 1},
    {"node_head", GREEN_ASKED_HEAD, 200, GREEN_BODY_NONE, 1, 5, 3, -1},
    {"node_hints", 0, 103, GREEN_BODY_NONE, 1, -1, 1, -1},
    {"node_len", 0, 200, GREEN_BODY_LENGTH, 1, 5, 6, 1},
    {"node_odd", 0, 299, GREEN_BODY_CHUNKED, 1, 5, 4, -1},
    {"node_old", 0, 200, GREEN_BODY_LENGTH, 0, -1, 5, 1},
    {"node_x", 0, 404, GREEN_BODY_LENGTH, 1, 5, 4, 2},
    {"python_301", 0, 301, GREEN_BODY_LENGTH, 0, -1, 4, 0},
    {"python_304", 0, 304, GREEN_BODY_NONE, 0, -1, 2, -1},
    {"python_404", 0, 404, GREEN_BODY_LENGTH, 0, -1, 5, 335},
    {"python_expect", 0, 501, GREEN_BODY_LENGTH, 0, -1, 5, 356},
    {"python_file", 0, 200, GREEN_BODY_LENGTH, 0, -1, 5, 520},
    {"python_old", 0, 200, GREEN_BODY_LENGTH, 0, -1, 5, 520},
};

static size_t seed(const char *name, char *out, size_t cap)
{
  char path[256];
  snprintf(path, sizeof(path), SEEDS "%s", name);
  FILE *f = fopen(path, "rb");
  if (!f) return 0;
  size_t n = fread(out, 1, cap, f);
  fclose(f);
  return n;
}

static int real_is(const struct real *w)
{
  static char in[4096];
  static green_http_response r;
  green_http_response_init(&r);
  r.asked = (uint8_t)w->asked;
  size_t n = seed(w->file, in, sizeof(in));
  if (!n || cut_verdict(&r, w->file, in, n) != (int)n) return 0;
  return r.status == w->status && r.framing == w->framing &&
         r.keep_alive == w->keep_alive && r.keep_timeout == w->timeout &&
         r.fields.n == w->fields && r.content_length == w->length;
}

int main(void)
{
  t_start();
  for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++)
    ok(real_is(&reals[i]), reals[i].file);
  return t_done();
}
