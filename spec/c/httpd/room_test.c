/*
** room_test.c: the room that bodies take: requests one behind the other,
** whose bodies nobody reads, whose heads must stay readable.
*/

#include "httpd/httpd_kit.h"

#define HEAD "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n"
#define CHUNKED \
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

enum { BODY = 20000, ROUNDS = 200 };

/* As much of the text, again and again from where it stopped, as goes in. */
static void fill(int fd, const char *text, size_t len, size_t *at)
{
  ssize_t n;
  while ((n = write(fd, text + *at, len - *at)) > 0)
    *at = (*at + (size_t)n) % len;
}

static uint32_t room(green_conn *c)
{
  return httpd_conn_of(c)->req->in_cap;
}

/* Is the method of the request where the offsets say? */
static int head_is_there(const green_conn *c)
{
  return !memcmp(c->text + c->head->method_off, "POST ", 5) &&
         !memcmp(c->text + c->head->path_off, "/a HTTP/1.1", 11);
}

/* Serve what comes; with read set, each body is read first. The client is never
** behind: there is always more of the next request. */
static void pump(int read)
{
  house h = house_open();
  int fd = client_open(&h), served = 0, heads = 1;
  size_t len = strlen(HEAD) + BODY, at = 0;
  uint32_t most = 0;
  char *text = repeated("x", len);
  memcpy(text, HEAD, strlen(HEAD));
  while (served < ROUNDS) {
    fill(fd, text, len, &at);
    green_conn *c = next(&h);
    int again = c != NULL;
    while (again && served < ROUNDS) {
      const char *p;
      int n = 1;
      while (read && n > 0) n = green_conn_body(c, &p);
      heads &= head_is_there(c);
      if (room(c) > most) most = room(c);
      fill(fd, text, len, &at);
      httpd_conn_of(c)->sock.f.drained = 0; /* As after a park. */
      if (n == GREEN_EAGAIN) continue;
      again = serve(c) == 1;
      served++;
    }
    hear(fd);
  }
  ok(most <= 2 * HTTPD_BUFFER, "the buffer stays as it is");
  ok(heads, "heads are where they are said to be");
  free(text);
  green_httpd_close_idle(h.d, true);
  close(fd);
  house_close(&h);
}

/* A head that leaves little room behind it: the buffer grows once. */
static void test_long_head(void)
{
  house h = house_open();
  int fd = client_open(&h);
  char *fill_up = repeated("x", 7000);
  char *rest = repeated("y", BODY);
  green_conn *c;
  const char *p;
  int64_t n = 0, k;
  say(fd, "POST /a HTTP/1.1\r\nHost: a\r\nX: ");
  say(fd, fill_up);
  say(fd, "\r\nY: ");
  say(fd, fill_up);
  c = next_after(&h, fd, "\r\nContent-Length: 20000\r\n\r\n");
  say(fd, rest);
  turns(h.hub, 2);
  httpd_conn_of(c)->sock.f.drained = 0;
  while ((k = green_conn_body(c, &p)) > 0) n += k;
  is((int)n, BODY, "all of the body");
  ok(head_is_there(c), "the head has moved with the buffer");
  ok(room(c) == 2 * HTTPD_BUFFER, "which has grown once");
  serve(c);
  free(rest);
  free(fill_up);
  close(fd);
  house_close(&h);
}

/* Chunks of one byte are handed out together, and what follows the body is
** known as soon as its last byte is. */
static void test_small_chunks(void)
{
  house h = house_open();
  int fd = client_open(&h);
  const char *p;
  say(fd, CHUNKED "1\r\na\r\n2;x=y\r\nbc\r\n1\r\nd\r\n0\r\nX: y\r\n\r\n");
  green_conn *c = next_after(&h, fd, GET);
  is(green_conn_body(c, &p), 4, "all that is in the buffer");
  ok(!memcmp(p, "abcd", 4), "without its framing");
  is(serve(c), 1, "the next request was there");
  serve(c);
  c = next_after(&h, fd, CHUNKED "1\r\na\r\n1\r\nb\r\n-");
  is(green_conn_body(c, &p), 2, "what came before an error");
  is(green_conn_body(c, &p), GREEN_EPROTO, "the error");
  serve(c);
  close(fd);
  green_httpd_close_idle(h.d, true);
  house_close(&h);
}

int main(void)
{
  t_start();
  pump(0);
  pump(1);
  test_long_head();
  test_small_chunks();
  return t_done();
}
