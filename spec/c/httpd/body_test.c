/*
** body_test.c: request bodies: read, given back, drained, refused.
*/

#include "httpd/httpd_kit.h"

#define POST(len) \
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " len "\r\n\r\n"
#define CHUNKED \
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static char body[1 << 17];

static int more(house *h, green_conn *c, int fd, const char *text)
{
  say(fd, text);
  turns(h->hub, 2);
  httpd_conn_of(c)->sock.f.drained = 0; /* As after a park. */
  return take_body(c, body, sizeof(body));
}

static void test_length(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, POST("10") "abc");
  body[0] = '\0';
  is(take_body(c, body, sizeof(body)), GREEN_EAGAIN, "not all has come");
  is(more(&h, c, fd, "def"), GREEN_EAGAIN, "nor now");
  is(more(&h, c, fd, "ghij" GET "bad"), 0, "now it has");
  is_str(body, "abcdefghij", "the bytes of the body and no more");
  is(take_body(c, body, sizeof(body)), 0, "the end is told again");
  is(serve(c), 1, "the next request follows");
  is(serve(c), 0, "and is answered");
  close(fd);
  house_close(&h);
}

static void test_chunked(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, CHUNKED "3;x=\"y\"\r\nabc\r\n4\r");
  body[0] = '\0';
  is(take_body(c, body, sizeof(body)), GREEN_EAGAIN, "a chunk and a half");
  is(more(&h, c, fd, "\ndefg\r\n0\r\nTrailer: x\r\n\r\n" GET), 0, "the end");
  is_str(body, "abcdefg", "without its framing");
  is(serve(c), 1, "the next request follows");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_given_back(void)
{
  house h = house_open();
  int fd = client_open(&h);
  const char *p;
  green_conn *c = next_after(&h, fd, POST("6") "abcdef" GET);
  is(green_conn_body(c, &p), 6, "all at once");
  ok(green_conn_body_ended(c), "no more will come");
  green_conn_unread(c, 4);
  ok(!green_conn_body_ended(c), "what was given back will come");
  is(green_conn_body(c, &p), 4, "four come again");
  ok(!memcmp(p, "cdef", 4), "the last ones");
  green_conn_unread(c, 1);
  is(green_conn_body(c, &p), 1, "one more time");
  ok(*p == 'f', "the last");
  green_conn_unread(c, 1);
  is(serve(c), 1, "what was given back does not hurt the next request");
  is(green_conn_body(c, &p), 0, "nor is it that one's body");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_given_back_is_handed_over(void)
{
  house h = house_open();
  int fd = client_open(&h);
  const char *p;
  char text[32];
  green_sock *s = green_sock_new(h.hub);
  green_conn *c = next_after(&h, fd, POST("6") "abcdefghi");
  green_conn_body(c, &p);
  green_conn_unread(c, 2);
  green_conn_detach(c, s);
  is(green_sock_recv(s, text, sizeof(text)), 5, "body bytes and those behind");
  ok(!memcmp(text, "efghi", 5), "in order");
  green_sock_free(s);
  close(fd);
  house_close(&h);
}

/* n more bytes, and what skip says of what there is. */
static int skip_more(house *h, green_conn *c, int fd, const char *text)
{
  say(fd, text);
  turns(h->hub, 2);
  httpd_conn_of(c)->sock.f.drained = 0; /* As after a park. */
  return green_conn_skip(c);
}

static void test_skipped(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, POST("10") "abc");
  is(green_conn_skip(c), 3, "what came with the head");
  is(green_conn_skip(c), GREEN_EAGAIN, "no more has come");
  is(skip_more(&h, c, fd, "def"), 3, "past the buffer");
  body[0] = '\0';
  is(more(&h, c, fd, "gh"), GREEN_EAGAIN, "the next are wanted again");
  is_str(body, "gh", "and are those behind");
  is(skip_more(&h, c, fd, "ij" GET), 2, "no more than the body");
  ok(green_conn_body_ended(c), "that was all");
  is(green_conn_skip(c), 0, "the end");
  is(serve(c), 0, "what came behind is in the socket");
  turns(h.hub, 2);
  ok(green_httpd_next(h.d) == c, "and is the next request");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_skipped_is_cut(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, POST("10") "abc");
  green_conn_skip(c);
  shutdown(fd, SHUT_WR);
  is(skip_more(&h, c, fd, ""), GREEN_EEOF, "the client stops in the middle");
  is(green_conn_skip(c), GREEN_EPROTO, "that is the end");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_skipped_chunks(void)
{
  house h = house_open();
  int fd = client_open(&h);
  h.d->max_body = 5;
  green_conn *c = next_after(&h, fd, CHUNKED "3\r\nabc\r\n0\r\n\r\n" GET);
  is(green_conn_skip(c), 3, "without their framing");
  is(green_conn_skip(c), 0, "the end");
  is(serve(c), 1, "the next request follows");
  serve(c);
  c = next_after(&h, fd, CHUNKED "6\r\nabcdef\r\n");
  is(green_conn_skip(c), GREEN_ETOOBIG, "over max_body");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_unread_body_is_drained(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, POST("10") "abc");
  is(serve(c), 0, "answered without reading");
  is(hear(fd), '-', "the connection stays");
  say(fd, "defg");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "the rest is dropped");
  c = next_after(&h, fd, "hij" GET);
  ok(c && c->head->method == GREEN_M_GET, "behind it is the next request");
  is(c->served, 1, "the second");
  serve(c);
  c = next_after(&h, fd, CHUNKED "3\r\nabc\r\n");
  serve(c);
  c = next_after(&h, fd, "0\r\n\r\n" GET);
  ok(c && c->head->method == GREEN_M_GET, "chunks are dropped, too");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_drain_has_bounds(void)
{
  house h = house_open();
  h.d->max_drain = 8;
  int plain = client_open(&h), chunks = client_open(&h), bad = client_open(&h);
  int late = client_open(&h);
  serve(next_after(&h, plain, POST("9")));
  is(hear(plain), '.', "a body too long to drop ends the connection");
  ok(heard("Connection: close"), "as the answer says");
  serve(next_after(&h, chunks, CHUNKED "4\r\nabcd\r\n"));
  is(hear(chunks), '-', "nobody knows how many chunks come");
  say(chunks, "5\r\nabcde\r\n");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "until they are too many");
  is(hear(chunks), '.', "then it ends, without a reset");
  serve(next_after(&h, bad, CHUNKED "4\r\nabcd\r\n"));
  say(bad, "5x\r\n");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "chunks that are none");
  hear(bad);
  is(heard_count("hello"), 1, "do not hurt the answer");
  serve(next_after(&h, late, POST("3")));
  pass(&h, 40 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "a rest that does not come");
  is(hear(late), '.', "is waited for, but not for ever");
  int fds[] = {plain, chunks, bad, late};
  for (int i = 0; i < 4; i++) close(fds[i]);
  turns(h.hub, 2);
  is(h.d->connections, 0, "all are gone");
  house_close(&h);
}

static void test_bad_bodies(void)
{
  house h = house_open();
  h.d->max_body = 5;
  const char *bad[] = {"-3\r\nabc",     "0x3\r\nabc",   "1_0\r\nabc",
                       "3\r\nabcd\r\n", "3\nabc",       "\r\n",
                       " 3\r\nabc",     "3 \r\nabc\r\n"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    int fd = client_open(&h);
    say(fd, CHUNKED);
    green_conn *c = next_after(&h, fd, bad[i]);
    body[0] = '\0';
    is(take_body(c, body, sizeof(body)), GREEN_EPROTO, "a bad chunk");
    is(take_body(c, body, sizeof(body)), GREEN_EPROTO, "again");
    serve(c);
    hear(fd);
    ok(heard("Connection: close"), "ends the connection");
    close(fd);
  }
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, CHUNKED "3\r\nabc\r\n3\r\nabc\r\n");
  body[0] = '\0';
  is(take_body(c, body, sizeof(body)), GREEN_ETOOBIG, "over max_body");
  serve(c);
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd, POST("5") "ab");
  shutdown(fd, SHUT_WR);
  turns(h.hub, 2);
  httpd_conn_of(c)->sock.f.drained = 0;
  is(take_body(c, body, sizeof(body)), GREEN_EEOF, "stopped in the middle");
  serve(c);
  hear(fd);
  ok(heard("hello"), "a client that has ended its side gets its answer");
  close(fd);
  house_close(&h);
}

/* -- 100 Continue -----------------------------------------------------------
 */

#define EXPECT \
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: " \
  "100-Continue\r\n\r\n"

static void test_continue(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, EXPECT);
  hear(fd);
  is(heard_len, 0, "not sent before somebody reads");
  green_conn_continue_lines(c, "X: 1\r\n", 6);
  green_conn_continue_lines(c, "Y: 2\r\n", 6);
  body[0] = '\0';
  is(take_body(c, body, sizeof(body)), GREEN_EAGAIN, "somebody reads");
  hear(fd);
  is_str(heard_text, "HTTP/1.1 100 Continue\r\nY: 2\r\n\r\n", "sent");
  is(green_conn_continue(c), 1, "several are allowed");
  green_conn_flush(c);
  hear(fd);
  is(heard_count("100 Continue"), 1, "sent again");
  is(more(&h, c, fd, "abc"), 0, "the body comes");
  is(heard_count("100 Continue"), 1, "nothing is sent for it");
  is(serve(c), 0, "answered");
  is(hear(fd), '-', "and the connection stays");
  ok(heard("hello") && !heard("Connection: close"), "in the usual way");
  close(fd);
  house_close(&h);
}

static void test_continue_not_sent(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, EXPECT);
  serve(c);
  is(hear(fd), '.', "answered without reading: nobody knows what follows");
  ok(heard("Connection: close") && !heard("100"), "so it ends");
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd, EXPECT);
  green_conn_begin(c, 200);
  green_conn_stream(c);
  green_conn_piece(c, "x", 1);
  is(green_conn_body(c, &(const char *){NULL}), GREEN_EAGAIN, "too late");
  green_conn_end(c);
  green_conn_finish(c);
  hear(fd);
  ok(!heard("100 Continue"), "not after an answer has begun");
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd,
                 "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n");
  is(green_conn_body(c, &(const char *){NULL}), 0, "no body");
  is(green_conn_continue(c), 0, "it says that it was not sent");
  serve(c);
  is(hear(fd), '-', "nothing to wait for");
  ok(!heard("100 Continue"), "nothing to ask for");
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd,
                 "POST / HTTP/1.0\r\nContent-Length: 3\r\n"
                 "Expect: 100-continue\r\n\r\n");
  green_conn_body(c, &(const char *){NULL});
  hear(fd);
  is(heard_len, 0, "HTTP/1.0 knows no 100");
  green_conn_close(c);
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd, EXPECT "a");
  is(take_body(c, body, sizeof(body)), GREEN_EAGAIN, "the body has begun");
  is(more(&h, c, fd, "bc"), 0, "and comes");
  serve(c);
  is(hear(fd), '-', "so it goes on");
  ok(!heard("100 Continue"), "who sends already need not be asked");
  close(fd);
  house_close(&h);
}

/* Behind answers of which some are not sent yet. */
static void test_continue_in_a_pipeline(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET EXPECT);
  serve(c);
  body[0] = '\0';
  take_body(c, body, sizeof(body));
  hear(fd);
  ok(strstr(heard_text, "hello") < strstr(heard_text, "100 Continue"), "order");
  is(more(&h, c, fd, "abc"), 0, "the body");
  answer(c, 500, "no");
  is(green_conn_rollback(c), 0, "the answer has not left");
  serve(c);
  hear(fd);
  is(heard_count("HTTP/1.1"), 1, "only the other one has");
  close(fd);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_length();
  test_chunked();
  test_given_back();
  test_given_back_is_handed_over();
  test_skipped();
  test_skipped_is_cut();
  test_skipped_chunks();
  test_unread_body_is_drained();
  test_drain_has_bounds();
  test_bad_bodies();
  test_continue();
  test_continue_not_sent();
  test_continue_in_a_pipeline();
  return t_done();
}
