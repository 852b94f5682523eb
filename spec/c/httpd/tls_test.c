/*
** tls_test.c: a server that speaks TLS: its handshakes, and that requests,
** bodies, answers and ends are as without it.
*/

/* wrap: green__send */

#include "httpd/tls_house_kit.h"

ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);

static int is_jammed; /* The server's sockets, not those of the clients here. */

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  if (!is_jammed || flags & MSG_DONTWAIT)
    return __real_green__send(fd, p, n, flags);
  errno = EAGAIN;
  return -1;
}

/* -- Handshakes ----------------------------------------------------------- */

static void test_request(void)
{
  house h = tls_house();
  peer p = peer_open(&h);
  is(shake(&h, &p), 0, "the handshake is done");
  is(h.d->handshakes, 1, "and counted");
  is(h.d->requests, 0, "it is no request");
  green_conn *c = asks(&h, &p, GET);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "a request");
  green_tls_info info;
  ok(c && green_conn_tls(c), "its TLS can be asked");
  is(green_tls_get_info(green_conn_tls(c), &info), 0, "what was agreed");
  is(serve(c), 0, "answered");
  turns(h.hub, 1);
  is(listens(&p), '-', "the connection goes on");
  ok(heard("hello"), "the answer came");
  c = asks(&h, &p, GET GET GET);
  is(serve(c), 1, "more requests in one record");
  is(serve(c), 1, "one after the other");
  is(serve(c), 0, "that was the last");
  turns(h.hub, 1);
  listens(&p);
  is(heard_count("hello"), 3, "three answers");
  peer_free(&p);
  house_close(&h);
}

static void test_silent(void)
{
  house h = tls_house();
  h.d->header_timeout = 1000 * MS;
  peer p = peer_open(&h);
  ok(!next(&h), "nobody has anything to do");
  is(green_httpd_ready(h.d), 0, "nor would have");
  is(h.d->wanted, 0, "no worker is asked for");
  pass(&h, 999 * MS);
  is(h.d->connections, 1, "it has its time");
  pass(&h, 2 * MS);
  ok(!next(&h), "when that is up there is nothing to be told");
  is(h.d->connections, 0, "it is closed");
  is(h.d->timeouts, 1, "and counted");
  is(hear(p.fd), '.', "without a word");
  peer_free(&p);
  house_close(&h);
}

static void test_expiry_in_handshake(void)
{
  house h = tls_house();
  h.d->header_timeout = 1000 * MS;
  peer p = peer_open(&h);
  peer_shake(&p);
  ok(!next(&h), "his hello is answered");
  pass(&h, 600 * MS);
  is(h.d->connections, 1, "he is waited for");
  pass(&h, 600 * MS);
  ok(!next(&h), "not from his last byte on");
  is(h.d->connections, 0, "he is too slow");
  is(h.d->timeouts, 1, "which is counted");
  peer_free(&p);
  p = peer_ready(&h);
  pass(&h, 1100 * MS);
  ok(!next(&h), "who is done with it and asks nothing");
  is(h.d->timeouts, 2, "is too slow with his head");
  is(listens(&p), '.', "and hears the end from TLS");
  peer_free(&p);
  house_close(&h);
}

static void test_bytewise(void)
{
  house h = tls_house();
  peer p = peer_open(&h);
  const char *out;
  int r = GREEN_EAGAIN;
  for (int i = 0; i < 10 && r == GREEN_EAGAIN; i++) {
    r = green_tls_handshake(p.tls);
    while (green_tls_output(p.tls, &out) > 0) {
      say_n(p.fd, out, 1);
      green_tls_sent(p.tls, 1);
      next(&h);
    }
    peer_take(&p, GREEN_TLS_INPUT);
  }
  is(h.d->handshakes, 1, "a handshake byte by byte");
  green_conn *c = asks(&h, &p, GET);
  ok(c, "is followed by a request");
  if (c) serve(c);
  peer_free(&p);
  house_close(&h);
}

/* A part of it that does not leave is waited for like an answer. */
static void test_stuck_flight(void)
{
  house h = tls_house();
  peer p = peer_open(&h);
  peer_shake(&p);
  is_jammed = 1;
  ok(!next(&h), "it is no request");
  is(green_httpd_ready(h.d), 1, "but there is something to do");
  green_conn *c = next(&h);
  ok(c && c->found == GREEN_HTTPD_UNSENT, "a worker has it");
  is(green_conn_finish(c), GREEN_EAGAIN, "and waits for writing");
  ok(!green_conn_is_slow(c), "it is no answer that waits");
  is_jammed = 0;
  is(green_conn_finish(c), 0, "until it has left");
  is(shake(&h, &p), 0, "the handshake goes on");
  c = asks(&h, &p, GET);
  ok(c, "and a request comes");
  if (c) serve(c);
  peer_free(&p);
  p = peer_open(&h);
  peer_shake(&p);
  is_jammed = 1;
  next(&h);
  c = next(&h);
  is_jammed = 0;
  green_conn_close(c);
  is(h.d->connections, 0, "or the worker closes it");
  peer_free(&p);
  house_close(&h);
}

/* One for all of it, also what was waited for in between. */
static void test_stuck_deadline(void)
{
  house h = tls_house();
  h.d->header_timeout = 1000 * MS;
  peer p = peer_open(&h), q = peer_open(&h);
  peer_shake(&p);
  pass(&h, 600 * MS);
  is_jammed = 1;
  next(&h);
  green_conn *c = next(&h);
  ok(c && c->found == GREEN_HTTPD_UNSENT, "a flight that does not leave");
  pass(&h, 200 * MS);
  is(green_conn_finish(c), GREEN_EAGAIN, "is waited for");
  is_jammed = 0;
  is(green_conn_finish(c), 0, "and leaves");
  pass(&h, 190 * MS);
  is(h.d->connections, 2, "the rest has what is left of its time");
  pass(&h, 20 * MS);
  while (next(&h)) continue;
  is(h.d->connections, 0, "no more");
  is(h.d->timeouts, 2, "as who has said nothing");
  peer_free(&p);
  peer_free(&q);
  p = peer_open(&h);
  peer_shake(&p);
  is_jammed = 1;
  next(&h);
  c = next(&h);
  pass(&h, 1010 * MS);
  is(green_conn_finish(c), 0, "nor has who does not take it");
  is(h.d->connections, 0, "he is closed");
  is(h.d->timeouts, 3, "and counted");
  peer_free(&p);
  p = peer_open(&h);
  turns(h.hub, 2);
  peer_shake(&p);
  green_hub_advance(h.hub, 1010 * MS);
  ok(!next(&h), "nor who comes too late");
  is(h.d->connections, 0, "to be answered");
  is_jammed = 0;
  peer_free(&p);
  house_close(&h);
}

static void test_plain(void)
{
  house h = tls_house();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  ok(c && c->found == GREEN_HTTPD_REFUSED, "who speaks plainly is refused");
  is(c->status, 400, "as a bad request");
  is_str(c->reason, "plain HTTP on a TLS port", "with the reason");
  is(green_conn_finish(c), 0, "finished");
  turns(h.hub, 1);
  is(hear(fd), '.', "he gets the end");
  ok(heard("HTTP/1.1 400 Bad Request") && heard("TLS"), "and reads why");
  is(h.d->refused, 1, "counted as refused");
  is(h.d->handshakes_failed, 0, "not as a handshake");
  close(fd);
  turns(h.hub, 2);
  house_close(&h);
}

static void test_garbage(void)
{
  house h = tls_house();
  int fd = client_open(&h);
  say_n(fd, "\x16\x03\x01\x00\x04zzzz", 9);
  ok(!next(&h), "no hello, no request");
  is(h.d->handshakes_failed, 1, "counted");
  is(h.d->refused, 0, "nothing for the log of requests");
  hear(fd);
  ok(heard_len == 7 && heard_text[0] == 21, "he gets an alert");
  close(fd);
  pass(&h, 3000 * MS);
  is(h.d->connections, 0, "he is gone");
  fd = client_open(&h);
  close(fd);
  ok(!next(&h), "who leaves at once");
  is(h.d->connections, 0, "is no trouble");
  house_close(&h);
}

static void test_buffered_hello(void)
{
  house h = tls_house();
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  peer p = peer_new(fds[1], 0);
  green_sock *s = green_sock_new(h.hub);
  green_sock_adopt(s, fds[0]);
  peer_shake(&p);
  ok(green_sock_fill(s, 4096) > 0, "a hello was read before");
  is(green_httpd_adopt(h.d, s), 0, "the server takes it");
  is(shake(&h, &p), 0, "as the first of a handshake");
  green_sock_free(s);
  peer_free(&p);
  house_close(&h);
}

/* Many of them do not make all others wait for all. */
static void test_budget(void)
{
  house h = tls_house();
  httpd *d = httpd_of(h.d);
  peer p = peer_open(&h);
  peer_shake(&p);
  turns(h.hub, 2);
  d->taken = 0;
  green_httpd_next(h.d);
  is(d->taken, 16, "behind a handshake the clock is looked at");
  peer_free(&p);
  house_close(&h);
}

static void test_renewed(void)
{
  house h = tls_house();
  peer a = peer_ready(&h);
  green_tls_ctx *c = peer_server_ctx();
  is(green_httpd_set_tls(h.d, c), 0, "another context");
  green_tls_ctx_free(c);
  peer b = peer_ready(&h);
  is(h.d->handshakes, 2, "is for who comes");
  green_conn *conn = asks(&h, &a, GET);
  ok(conn, "who was there goes on");
  serve(conn);
  peer_free(&a);
  peer_free(&b);
  house_close(&h);
}

/* -- Requests and answers -------------------------------------------------- */

static void test_body(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  char *body = repeated("0123456789", 5000);
  char *text = calloc(1, 60000);
  green_conn *c = asks(
      &h, &p, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n");
  is(take_body(c, text, 60000), GREEN_EAGAIN, "the body has not come");
  peer_say_n(&p, body, 20000);
  turns(h.hub, 2);
  is(take_body(c, text, 60000), GREEN_EAGAIN, "a part");
  is(strlen(text), 20000, "all of that");
  peer_say_n(&p, body + 20000, 30000);
  green_conn_sock(c)->f.drained = 0; /* As for who waits for it. */
  is(take_body(c, text, 60000), 0, "the rest");
  is_str(text, body, "as it was sent");
  serve(c);
  turns(h.hub, 1);
  listens(&p);
  ok(heard("hello"), "answered");
  c = asks(&h, &p,
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
           "chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n" GET);
  text[0] = '\0';
  is(take_body(c, text, 60000), 0, "a chunked one");
  is_str(text, "abcde", "by its chunks");
  is(serve(c), 1, "with a request behind it");
  is(serve(c), 0, "answered, too");
  free(body);
  free(text);
  peer_free(&p);
  house_close(&h);
}

/* One raw read may bring more than a request's buffer has room for: the poll
** will not tell of the rest. */
static void test_pending_while_idle(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  char *pad = repeated("x", 5600), *all = malloc(64000);
  int want = 0, n = 0;
  all[0] = '\0';
  for (; want < 3; want++)
    sprintf(all + strlen(all), "GET /%d HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n",
            want, pad);
  peer_say(&p, all);
  for (int i = 0; i < 40; i++) {
    green_conn *c = next(&h);
    if (!c) continue;
    n++;
    while (serve(c) == 1) n++;
  }
  is(n, want, "all of them are found");
  turns(h.hub, 2);
  listens(&p);
  is(heard_count("hello"), want, "and answered");
  free(all);
  free(pad);
  peer_free(&p);
  house_close(&h);
}

static void test_big_answer(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  size_t n = 900000;
  char *body = repeated("z", n);
  green_conn *c = asks(&h, &p, GET);
  limit_send(green_sock_fileno(green_conn_sock(c)), 8192);
  green_conn_begin(c, 200);
  is(green_conn_whole(c, body, n), 0, "a large body");
  int r = green_conn_finish(c);
  is(r, GREEN_EAGAIN, "is waited for");
  ok(green_conn_is_slow(c), "the client is slow");
  char *all = malloc(2 * n);
  size_t len = 0;
  for (int i = 0; i < 2000 && (r == GREEN_EAGAIN || len < n); i++) {
    listens(&p);
    memcpy(all + len, heard_text, heard_len);
    len += heard_len;
    if (r == GREEN_EAGAIN) r = green_conn_finish(c);
  }
  is(r, 0, "until all has left");
  all[len] = '\0';
  const char *end = strstr(all, "\r\n\r\n");
  is_str(end ? end + 4 : "", body, "and has arrived");
  ok(serve(asks(&h, &p, GET)) == 0, "the connection goes on");
  free(all);
  free(body);
  peer_free(&p);
  house_close(&h);
}

/* A client that takes nothing: who writes hears of it though the codec took
** all. */
static void test_kept_piece(void)
{
  static char piece[20000];
  house h = tls_house();
  peer p = peer_ready(&h);
  green_conn *c = asks(&h, &p, GET);
  green_conn_begin(c, 200);
  green_conn_header(c, "Content-Length", 14, "20000", 5, false);
  is(green_conn_stream(c), 0, "an answer in pieces");
  is_jammed = 1;
  ok(green_conn_piece(c, piece, sizeof(piece)) > 0, "what is kept counts");
  is(green_conn_flush(c), GREEN_EAGAIN, "and is waited for");
  is_jammed = 0;
  is(green_conn_flush(c), 0, "until it has left");
  is(green_conn_end(c), 0, "the answer is complete");
  is(green_conn_finish(c), 0, "finished");
  peer_free(&p);
  house_close(&h);
}

static void test_context(void)
{
  house h = tls_house();
  green_tls_ctx *c = peer_client_ctx(GREEN_TLS_1_3);
  is(green_httpd_set_tls(h.d, c), GREEN_EINVAL, "a client's context");
  green_tls_ctx_free(c);
  c = green_tls_ctx_new(true);
  is(green_httpd_set_tls(h.d, c), GREEN_EINVAL, "one that is not sealed");
  green_tls_ctx_free(c);
  house_close(&h);
}

static void test_file(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  FILE *f = tmpfile();
  int64_t size = 300000, at = 0, n;
  for (int i = 0; i < size; i++) fputc('a' + i % 26, f);
  fflush(f);
  green_conn *c = asks(&h, &p, GET);
  green_conn_begin(c, 200);
  is(green_conn_file(c, size), size, "a file");
  while ((n = green_conn_sendfile(c, fileno(f), at, size - at)) > 0 &&
         at < size) {
    at += n;
    listens(&p);
    if (at == size) break;
  }
  is(at, size, "is given to the end");
  is(green_conn_end(c), 0, "that is its length");
  fclose(f);
  is(green_conn_finish(c), 0, "it has left");
  peer_free(&p);
  house_close(&h);
}

static void test_file_whole(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  FILE *f = tmpfile();
  for (int i = 0; i < 50000; i++) fputc('a' + i % 26, f);
  fflush(f);
  green_conn *c = asks(&h, &p, GET_CLOSE);
  green_conn_begin(c, 200);
  green_conn_file(c, 50000);
  is(green_conn_sendfile(c, fileno(f), 0, 50000), 50000, "in one piece");
  green_conn_end(c);
  fclose(f);
  is(green_conn_finish(c), 0, "sent");
  is(listens(&p), '.', "with TLS's end behind it");
  const char *end = strstr(heard_text, "\r\n\r\n");
  size_t len = end ? strlen(end + 4) : 0, good = 0;
  while (good < len && end[4 + good] == (char)('a' + good % 26)) good++;
  is(good, 50000, "byte by byte what is in the file");
  peer_free(&p);
  house_close(&h);
}

/* -- Ends ------------------------------------------------------------------ */

static void test_close(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  serve(asks(&h, &p, GET_CLOSE));
  is(listens(&p), '.', "behind the last answer there is TLS's end");
  ok(heard("hello"), "and all before it");
  is(h.d->connections, 0, "nothing lingers");
  peer_free(&p);
  house_close(&h);
}

static void test_cut_answer(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  green_conn *c = asks(&h, &p, "GET / HTTP/1.0\r\n\r\n");
  green_conn_begin(c, 200);
  green_conn_stream(c);
  green_conn_piece(c, "half", 4);
  green_conn_finish(c);
  is(listens(&p), '!', "an answer without its end is no whole one");
  ok(heard("half"), "though what there is has come");
  peer_free(&p);
  pass(&h, 3000 * MS);
  house_close(&h);
}

static void test_linger(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  green_conn *c = asks(&h, &p,
                       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
                       "9000000\r\n\r\nabc");
  serve(c);
  turns(h.hub, 2);
  is(h.d->connections, 1, "it lingers for the body nobody wants");
  is(listens(&p), '.', "we are done, says TLS");
  ok(heard("hello"), "the answer is there");
  peer_say(&p, "more of the body");
  turns(h.hub, 2);
  is(h.d->connections, 1, "what comes is thrown away");
  peer_free(&p);
  turns(h.hub, 2);
  is(h.d->connections, 0, "until the client goes");
  house_close(&h);
}

static void test_detach(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  green_sock *s = green_sock_new(h.hub);
  char text[100] = "";
  green_conn *c = asks(&h, &p, GET "after");
  is(green_conn_detach(c, s), 0, "taken over");
  is(h.d->connections, 0, "it is the server's no more");
  is(green_sock_recv(s, text, 99), 5, "with what came behind the head");
  is(green_sock_send(s, "ours", 4), 4, "and its TLS");
  is(listens(&p), '-', "the client has noticed nothing");
  is_str(heard_text, "ours", "it reads what we write");
  peer_say(&p, GET);
  turns(h.hub, 1);
  is(green_httpd_adopt(h.d, s), 0, "and given back");
  c = next(&h);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "it goes on");
  if (c) serve(c);
  green_sock_free(s);
  peer_free(&p);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_request();
  test_silent();
  test_expiry_in_handshake();
  test_bytewise();
  test_stuck_flight();
  test_stuck_deadline();
  test_plain();
  test_garbage();
  test_buffered_hello();
  test_budget();
  test_renewed();
  test_body();
  test_pending_while_idle();
  test_big_answer();
  test_kept_piece();
  test_context();
  test_file();
  test_file_whole();
  test_close();
  test_cut_answer();
  test_linger();
  test_detach();
  return t_done();
}
