/*
** httpd_fuzz.c: a connection's whole life: any bytes into a server.
**
** The bytes go through a socket pair, cut where a 0xff stands (which is sent,
** too) or where the first byte says; a handler answers in a way that the
** request's place decides. Whatever comes: no crash, no leak, the hub is clean
** in the end, and all that comes back is whole answers, the last of which may
** be cut off only if the connection has ended.
*/

#include "httpd/httpd_kit.h"

#include <stdint.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static char back[1 << 22];
static size_t back_len;
static char piece[20000];

static int listen_in(int fd)
{
  int end = hear(fd);
  if (back_len + heard_len < sizeof(back)) {
    memcpy(back + back_len, heard_text, heard_len);
    back_len += heard_len;
  }
  return end;
}

/* -- A handler --------------------------------------------------------------
 */

static int read_some_body(green_conn *c, int most)
{
  const char *p;
  int n = 1;
  while (most-- > 0 && (n = green_conn_body(c, &p)) > 0) {
    CHECK(p[0] == p[n - 1] || n > 1);
    if (most == 3) green_conn_unread(c, (uint32_t)(n + 1) / 2);
  }
  return n;
}

static int write_answer(green_conn *c, unsigned way)
{
  int err = green_conn_begin(c, way % 7 == 3 ? 204 : 200);
  if (err == 0) err = green_conn_header(c, "x-a", 3, "b", 1, true);
  if (err < 0) return err;
  if (way % 5 == 1) return green_conn_whole(c, "hello", 5);
  if (way % 5 == 2) return green_conn_whole(c, piece, sizeof(piece));
  err = green_conn_stream(c);
  for (unsigned i = 0; i < way % 4 && err >= 0; i++)
    err = green_conn_piece(c, piece, 100 * (way % 11));
  if (way % 13 == 12) read_some_body(c, 2);
  return err < 0 ? err : green_conn_end(c);
}

static void handle(green_conn *c, unsigned way)
{
  if (way % 3 && read_some_body(c, (int)(way % 6)) < 0 && way % 2)
    c->close = true;
  if (way % 17 == 16) green_conn_continue(c);
  CHECK(write_answer(c, way) == 0);
  if (way % 19 != 18) return;
  c->close = true;
  if (green_conn_rollback(c) == 0) CHECK(answer(c, 500, "sorry") == 0);
}

static void work(house *h, int fd, green_conn *c, unsigned salt)
{
  int r = 1;
  while (r == 1) {
    unsigned way = c->served + salt;
    CHECK(c->head || c->found != GREEN_HTTPD_REQUEST);
    if (c->found == GREEN_HTTPD_REQUEST) handle(c, way);
    if (c->found == GREEN_HTTPD_REQUEST && way % 23 == 22) {
      green_conn_close(c);
      return;
    }
    while ((r = green_conn_finish(c)) == GREEN_EAGAIN) {
      listen_in(fd);
      turns(h->hub, 1);
    }
  }
}

/* -- What came back -----------------------------------------------------------
 */

static const char *find(const char *p, const char *end, const char *what)
{
  return memmem(p, (size_t)(end - p), what, strlen(what));
}

/* Behind the chunks of a body, or NULL. */
static const char *skip_chunks(const char *p, const char *end)
{
  for (;;) {
    const char *eol = find(p, end, "\r\n");
    if (!eol) return NULL;
    char *stop;
    unsigned long n = strtoul(p, &stop, 16);
    CHECK(stop == eol);
    p = eol + 2;
    if ((size_t)(end - p) < n + 2) return NULL;
    CHECK(!memcmp(p + n, "\r\n", 2));
    p += n + 2;
    if (n == 0) return p;
  }
}

/* Answers to HEAD have no body although they look so: what follows decides. */
static const char *skip_answer(const char *p, const char *end)
{
  const char *head_end = find(p, end, "\r\n\r\n");
  if (!head_end) return NULL;
  CHECK(!memcmp(p, "HTTP/1.1 ", 9));
  const char *body = head_end + 4;
  const char *length = find(p, body, "Content-Length: ");
  if ((size_t)(end - body) >= 5 && !memcmp(body, "HTTP/", 5)) return body;
  if (body == end) return body;
  if (length) {
    size_t n = strtoul(length + 16, NULL, 10);
    return (size_t)(end - body) >= n ? body + n : NULL;
  }
  if (find(p, body, "chunked")) return skip_chunks(body, end);
  return find(p, body, "Connection: close") ? end : body;
}

static void check_answers(int ended)
{
  const char *p = back, *end = back + back_len;
  while (p < end) {
    const char *after = skip_answer(p, end);
    CHECK(after || ended);
    if (!after) return;
    p = after;
  }
}

/* -- The input ----------------------------------------------------------------
 */

static int feed(house *h, int fd, const char *p, size_t n, unsigned salt)
{
  green_conn *c;
  int end = '-';
  while (n > 0) {
    const char *cut = memchr(p, 0xff, n);
    size_t part = cut ? (size_t)(cut - p) + 1 : n;
    if (salt % 4 == 1 && part > salt / 4u + 1) part = salt / 4u + 1;
    ssize_t k = send(fd, p, part, MSG_NOSIGNAL);
    if (k < 0 && errno != EAGAIN) break;
    if (k > 0) p += k, n -= (size_t)k;
    turns(h->hub, 2);
    while ((c = green_httpd_next(h->d)) != NULL) work(h, fd, c, salt);
    end = listen_in(fd);
  }
  return end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 2 || size > 1 << 17) return 0;
  unsigned salt = data[0];
  green_conn *c;
  house h = {.hub = hub_open_virtual()};
  h.d = green_httpd_new(h.hub);
  h.d->max_body = 1000;
  h.d->max_drain = 300;
  h.d->max_requests = salt % 16 == 15 ? 3 : 0;
  h.d->gather = salt & 32;
  h.d->connect = salt & 64;
  back_len = 0;
  int fd = client_open(&h);
  int end = feed(&h, fd, (const char *)data + 1, size - 1, salt);
  if (salt % 8 == 7) shutdown(fd, SHUT_WR);
  pass(&h, 100 * GREEN_SECOND);
  while ((c = green_httpd_next(h.d)) != NULL) work(&h, fd, c, salt);
  if (end == '-') end = listen_in(fd);
  check_answers(end != '-');
  pass(&h, 100 * GREEN_SECOND);
  CHECK(!green_httpd_next(h.d));
  CHECK(h.d->connections == 0); /* Idle ones time out, lingering ones, too. */
  close(fd);
  green_httpd_free(h.d);
  turns(h.hub, 1);
  CHECK(is_clean(h.hub));
  green_hub_free(h.hub);
  return 0;
}
