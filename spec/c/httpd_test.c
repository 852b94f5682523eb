/*
** httpd_test.c: connections of an HTTP server: waiting, handed out, refused,
** timed out, closed.
*/

#include "httpd_kit.h"

#include <netinet/in.h>

/* wrap: accept4 sendmsg send recv */

static int accept_error, sends, recvs;

int __real_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);
ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);

int __wrap_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
  if (!accept_error) return __real_accept4(fd, a, len, flags);
  errno = accept_error;
  return -1;
}

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
  sends++;
  return __real_send(fd, p, n, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
  sends++;
  return __real_sendmsg(fd, m, flags);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
  recvs++;
  return __real_recv(fd, p, n, flags);
}

/* -- Accepting ------------------------------------------------------------ */

static green_sock *listener_open(house *h, struct sockaddr_in *a)
{
  green_addr where;
  green_sock *l = green_sock_new(h->hub);
  socklen_t len = sizeof(*a);
  memset(a, 0, sizeof(*a));
  a->sin_family = AF_INET;
  a->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  green_addr_set(&where, (struct sockaddr *)a, sizeof(*a));
  if (green_sock_open(l, GREEN_INET, GREEN_STREAM) < 0) abort();
  if (green_sock_bind(l, &where) < 0 || green_sock_listen(l, 16) < 0) abort();
  getsockname(green_sock_fileno(l), (struct sockaddr *)a, &len);
  return l;
}

static int dial(const struct sockaddr_in *a)
{
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (const struct sockaddr *)a, sizeof(*a))) abort();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void test_accept(void)
{
  house h = house_open();
  struct sockaddr_in a;
  green_addr peer;
  char text[GREEN_ADDR_TEXT] = "";
  green_sock *l = listener_open(&h, &a);
  is(green_httpd_accept(h.d, l, 8), GREEN_EAGAIN, "nobody there");
  int fd[3] = {dial(&a), dial(&a), dial(&a)};
  is(green_httpd_accept(h.d, l, 2), 2, "at most as many as asked for");
  h.d->max_connections = 2;
  is(green_httpd_accept(h.d, l, 8), GREEN_EBUSY, "none over max_connections");
  h.d->max_connections = 3;
  accept_error = EMFILE;
  is(green_httpd_accept(h.d, l, 8), GREEN_EMFILE, "no file left");
  accept_error = 0;
  is(green_httpd_accept(h.d, l, 8), 1, "and it goes on");
  is(h.d->connections, 3, "open ones are counted");
  is(h.d->accepted, 3, "accepted ones too");
  green_httpconn *c = next_after(&h, fd[1], GET);
  green_httpconn_peer(c, &peer);
  green_addr_host(&peer, text, sizeof(text));
  is_str(text, "127.0.0.1", "the peer is known");
  is(serve(c), 0, "and answered");
  hear(fd[1]);
  ok(heard("hello"), "over TCP");
  for (int i = 0; i < 3; i++) close(fd[i]);
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "ends of connections are nobody's work");
  is(h.d->connections, 0, "and counted");
  green_sock_free(l);
  house_close(&h);
}

static void test_adopt_takes_buffered_input(void)
{
  house h = house_open();
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  green_sock *s = green_sock_new(h.hub);
  green_sock_adopt(s, fds[0]);
  say(fds[1], GET);
  green_sock_fill(s, 1);
  is(green_httpd_adopt(h.d, s), 0, "taken");
  is(green_sock_fileno(s), GREEN_ECLOSED, "the socket is closed");
  green_httpconn *c = next(&h);
  ok(c, "what was read before is the first request");
  serve(c);
  is(green_httpd_adopt(h.d, s), GREEN_ECLOSED, "a closed one is refused");
  green_sock_free(s);
  close(fds[1]);
  house_close(&h);
}

/* -- Requests ------------------------------------------------------------- */

static void test_keep_alive(void)
{
  house h = house_open();
  int fd = client_open(&h);
  for (int i = 0; i < 3; i++) {
    green_httpconn *c = next_after(&h, fd, GET);
    ok(c && c->found == GREEN_HTTPD_REQUEST, "a request");
    is(c->served, i, "so many before it");
    is(serve(c), 0, "answered");
    is(hear(fd), '-', "the connection stays");
    is(heard_count("HTTP/1.1 200 OK"), 1, "one answer");
    turns(h.hub, 1);
    is(h.d->idle, 1, "idle now");
    ok(!httpd_conn_of(c)->req, "without a buffer");
  }
  is(h.d->requests, 3, "requests are counted");
  close(fd);
  house_close(&h);
}

static void test_pipelined(void)
{
  house h = house_open();
  int fd = client_open(&h);
  say(fd, GET GET);
  green_httpconn *c = next_after(&h, fd, GET "GET /x HT");
  sends = 0;
  is(serve(c), 1, "the second is there");
  is(serve(c), 1, "the third, too");
  is(sends, 0, "nothing was sent yet");
  is(serve(c), 0, "the fourth is not whole");
  is(sends, 1, "one write for three answers");
  hear(fd);
  is(heard_count("hello"), 3, "all are there");
  c = next_after(&h, fd, "TP/1.1\r\nHost: a\r\n\r\n");
  ok(c && c->text[c->head->target_off + 1] == 'x', "the fourth goes on");
  serve(c);
  close(fd);
  house_close(&h);
}

/* A handler that waits does not hold back the answers before it. */
static void test_deferred_flush(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_httpconn *c = next_after(&h, fd, GET GET);
  is(serve(c), 1, "one is answered, the next begins");
  is(hear(fd), '-', "not sent yet");
  is(heard_len, 0, "in this turn");
  turns(h.hub, 1);
  hear(fd);
  is(heard_count("hello"), 1, "at the end of the turn");
  is(serve(c), 0, "the second");
  hear(fd);
  is(heard_count("hello"), 1, "follows alone");
  close(fd);
  house_close(&h);
}

static void test_deferred_flush_of_a_closed_connection(void)
{
  house h = house_open();
  int fd = client_open(&h), gone = client_open(&h);
  green_httpconn *c = next_after(&h, fd, GET GET);
  serve(c);
  green_httpconn_close(c);
  c = next_after(&h, gone, GET GET);
  serve(c);
  close(gone);
  turns(h.hub, 2);
  is(serve(c), 0, "the client has gone: finish closes");
  ok(hear(fd) != '-', "closed by its worker, with input unread");
  is(h.d->connections, 0, "both are closed");
  close(fd);
  house_close(&h);
}

/* A client that sends without end gets its turn, as everybody does. */
static void test_endless_pipeline(void)
{
  house h = house_open();
  int fd = client_open(&h), runs = 0;
  char *many = repeated(GET, 1000);
  say(fd, many);
  free(many);
  green_httpconn *c = next(&h);
  recvs = 0;
  while (serve(c)) runs++;
  ok(runs > 100 && runs < 999, "what one read brought");
  is(recvs, 0, "and nothing more was read");
  turns(h.hub, 2);
  is(green_httpd_ready(h.d), 1, "the rest waits its turn");
  while ((c = next(&h)) != NULL) do
      runs++;
    while (serve(c));
  is(runs, 999, "all are answered in the end");
  close(fd);
  house_close(&h);
}

static void test_two_connections_take_turns(void)
{
  house h = house_open();
  int old = client_open(&h), young = client_open(&h);
  serve(next_after(&h, old, GET));
  say(young, GET);
  say(old, GET);
  green_httpconn *a = next(&h), *b = green_httpd_next(h.d);
  ok(a && b && a != b, "kept ones do not starve new ones");
  ok(!green_httpd_next(h.d), "each is handed out once");
  serve(a);
  serve(b);
  close(old);
  close(young);
  house_close(&h);
}

static void test_big_heads(void)
{
  house h = house_open();
  h.d->max_field = 65000;
  int fd = client_open(&h);
  char *fill = repeated("x", 60000), body[16] = "", text[70000];
  snprintf(
      text, sizeof(text),
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nX: %s\r\n\r\nabc",
      fill);
  free(fill);
  green_httpconn *c = NULL;
  for (char *p = text; *p && !c; p += strlen(p) > 3000 ? 3000 : strlen(p)) {
    say_n(fd, p, strlen(p) > 3000 ? 3000 : strlen(p));
    c = next(&h);
  }
  ok(c && c->found == GREEN_HTTPD_REQUEST, "60 KB come in pieces");
  if (!c) abort();
  is(take_body(c, body, sizeof(body)), GREEN_EAGAIN, "the body has begun");
  is_str(body, "abc", "its first bytes");
  say(fd, "defghi" GET);
  turns(h.hub, 2);
  is(take_body(c, body, sizeof(body)), 0, "the end");
  is_str(body, "abcdefghi", "in a window of its own");
  ok(!memcmp(c->text + c->head->method_off, "POST", 4), "the head stays");
  is(serve(c), 1, "the next request was behind it");
  is(serve(c), 0, "and is answered");
  hear(fd);
  is(heard_count("hello"), 2, "both");
  close(fd);
  house_close(&h);
}

/* -- Refusals ------------------------------------------------------------- */

static void test_refused(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_httpconn *c = next_after(&h, fd, GET "GET / HTTP/1.1\r\n\r\nmore");
  is(serve(c), 1, "a good one, then");
  is(c->found, GREEN_HTTPD_REFUSED, "one without Host");
  is(c->status, 400, "is refused");
  ok(c->reason && !c->head, "with a reason, without a head");
  is(green_httpconn_finish(c), 0, "answered");
  is(h.d->refused, 1, "counted");
  say(fd, "and more");
  is(hear(fd), '.', "a clean end, although there was more");
  ok(heard("200 OK") && heard("400 Bad") && heard("Connection: close"), "told");
  turns(h.hub, 2);
  is(h.d->connections, 1, "it lingers");
  ok(!green_httpd_next(h.d), "without a worker");
  say(fd, GET);
  turns(h.hub, 3);
  is(hear(fd), '.', "what comes then is read and dropped");
  close(fd);
  turns(h.hub, 3);
  is(h.d->connections, 0, "until the client closes");
  house_close(&h);
}

static void test_linger_has_bounds(void)
{
  house h = house_open();
  int slow = client_open(&h), fast = client_open(&h);
  char block[65536] = "";
  green_httpconn_finish(next_after(&h, slow, "bad\r\n\r\n"));
  green_httpconn_finish(next_after(&h, fast, "bad\r\n\r\n"));
  int most = 2000;
  while (most-- > 0) {
    ssize_t n = send(fast, block, sizeof(block), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN) break;
    turns(h.hub, 1);
  }
  ok(most > 0, "a client that never stops sending is cut off");
  is(h.d->connections, 1, "the other one stays");
  pass(&h, GREEN_SECOND);
  is(h.d->connections, 1, "for a while");
  pass(&h, 2 * GREEN_SECOND);
  is(h.d->connections, 0, "not for ever");
  close(slow);
  close(fast);
  house_close(&h);
}

static void test_too_large_a_body(void)
{
  house h = house_open();
  h.d->max_body = 10;
  int fd = client_open(&h);
  green_httpconn *c = next_after(
      &h, fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n");
  is(c->found, GREEN_HTTPD_REFUSED, "refused at once");
  is(c->status, 413, "as too large");
  green_httpconn_finish(c);
  hear(fd);
  ok(heard("413 Content Too Large"), "told");
  close(fd);
  house_close(&h);
}

/* -- Time ----------------------------------------------------------------- */

static void test_header_timeout(void)
{
  house h = house_open();
  int fd = client_open(&h), mute = client_open(&h);
  const char *text = "GET / HTTP/1.1\r\nHost: a";
  for (int i = 0; i < 20; i++) {
    say_n(fd, text + i, 1);
    pass(&h, GREEN_SECOND);
    if (green_httpd_next(h.d)) abort();
  }
  is(h.d->connections, 2, "both wait");
  pass(&h, 11 * GREEN_SECOND);
  green_httpconn *c = green_httpd_next(h.d);
  ok(c && c->found == GREEN_HTTPD_REFUSED, "single bytes win no time");
  is(c->status, 408, "told so");
  is(green_httpconn_finish(c), 0, "sent");
  ok(!green_httpd_next(h.d), "who said nothing is told nothing");
  is(hear(fd), '.', "one is ended");
  ok(heard("408 Request Timeout"), "with an answer");
  is(hear(mute), '.', "the other, too");
  is(heard_len, 0, "without");
  is(h.d->timeouts, 2, "both are counted");
  close(fd);
  close(mute);
  house_close(&h);
}

static void test_data_beats_the_deadline(void)
{
  house h = house_open();
  int head = client_open(&h), kept = client_open(&h), part = client_open(&h);
  serve(next_after(&h, kept, GET));
  serve(next_after(&h, part, GET));
  say(head, "GET / HT");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "half a head");
  say(head, "TP/1.1\r\nHost: a\r\n\r\n");
  say(kept, GET);
  say(part, "GET ");
  pass(&h, 100 * GREEN_SECOND);
  int served = 0;
  for (green_httpconn *c; (c = green_httpd_next(h.d)) != NULL; served++) {
    is(c->found, GREEN_HTTPD_REQUEST, "arrived in time");
    serve(c);
  }
  is(served, 2, "what has arrived is served");
  is(h.d->connections, 3, "and a head that has begun may go on");
  close(head);
  close(kept);
  close(part);
  house_close(&h);
}

static void test_keepalive_timeout(void)
{
  house h = house_open();
  h.d->keepalive_timeout = 5 * GREEN_SECOND;
  int fd = client_open(&h);
  serve(next_after(&h, fd, GET));
  pass(&h, 4 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "it waits");
  is(h.d->connections, 1, "still");
  pass(&h, 2 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "nobody's work");
  is(h.d->connections, 0, "closed");
  is(h.d->timeouts, 0, "that is nobody's fault");
  hear(fd);
  is(heard_count("HTTP/"), 1, "without a word");
  close(fd);
  house_close(&h);
}

static void test_timeouts_change(void)
{
  house h = house_open();
  int first = client_open(&h), second = client_open(&h), third;
  serve(next_after(&h, first, GET));
  h.d->keepalive_timeout = 5 * GREEN_SECOND;
  h.d->header_timeout = 3 * GREEN_SECOND;
  serve(next_after(&h, second, GET));
  third = client_open(&h);
  pass(&h, 4 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "idle ones are closed");
  is(h.d->connections, 2, "the one without a head first");
  pass(&h, 2 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "then those");
  is(h.d->connections, 0, "that wait with a shorter time now");
  close(first);
  close(second);
  close(third);
  house_close(&h);
}

/* -- Closing -------------------------------------------------------------- */

static void test_max_requests(void)
{
  house h = house_open();
  h.d->max_requests = 2;
  int fd = client_open(&h);
  green_httpconn *c = next_after(&h, fd, GET GET GET);
  is(serve(c), 1, "one");
  is(serve(c), 0, "two and no more");
  is(hear(fd), '.', "closed without a reset");
  is(heard_count("hello"), 2, "two answers");
  is(heard_count("Connection: close"), 1, "the last says so");
  close(fd);
  house_close(&h);
}

static void test_closing(void)
{
  house h = house_open();
  int idle = client_open(&h), fresh = client_open(&h), part = client_open(&h);
  int busy = client_open(&h), soon = client_open(&h);
  serve(next_after(&h, idle, GET));
  serve(next_after(&h, soon, GET));
  green_httpconn *c = next_after(&h, busy, GET);
  say(part, "GET / HTTP/1.1\r\n");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "a part of a head");
  say(soon, GET);
  turns(h.hub, 2);
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(hear(idle), '.', "an idle one is closed");
  is(hear(fresh), '.', "a fresh one, too");
  is(h.d->connections, 3, "the others go on");
  is(serve(c), 0, "an answer is finished");
  hear(busy);
  ok(heard("hello") && heard("Connection: close"), "and says that it ends");
  c = green_httpd_next(h.d);
  ok(c, "a request that has arrived is served");
  serve(c);
  is(hear(soon), '.', "and closed then");
  c = next_after(&h, part, "Host: a\r\n\r\n");
  ok(c, "a head that was on its way is served");
  serve(c);
  is(hear(part), '.', "and closed");
  ok(heard("hello"), "answered");
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 0, "none is left");
  is(stats_of(h.hub).timers, 0, "and no deadline");
  int fds[] = {idle, fresh, part, busy, soon};
  for (int i = 0; i < 5; i++) close(fds[i]);
  house_close(&h);
}

/* One connection in each state when the server is freed. */
static void test_free_in_every_state(void)
{
  house h = house_open();
  int fd[8];
  for (int i = 0; i < 8; i++) fd[i] = client_open(&h);
  serve(next_after(&h, fd[1], GET));
  ok(!next_after(&h, fd[2], "GET / HT"), "in a head");
  green_httpconn_finish(next_after(&h, fd[3], "bad\r\n\r\n"));
  serve(next_after(&h, fd[4],
                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"));
  say(fd[5], GET);
  say(fd[6], "bad\r\n\r\n");
  turns(h.hub, 2);
  green_httpconn *c = green_httpd_next(h.d);
  serve(c);
  is(h.d->connections, 8, "fresh, idle, head, linger, drain, ready, refused");
  for (int i = 0; i < 8; i++) close(fd[i]);
  house_close(&h);
}

static void test_half_closed(void)
{
  house h = house_open();
  int fd = client_open(&h);
  say(fd, GET GET);
  shutdown(fd, SHUT_WR);
  green_httpconn *c = next(&h);
  is(serve(c), 1, "a client that has ended its side");
  serve(c);
  is(hear(fd), '-', "gets its answers");
  is(heard_count("hello"), 2, "all of them");
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "then");
  is(hear(fd), '.', "it ends");
  close(fd);
  house_close(&h);
}

static void test_detach(void)
{
  house h = house_open();
  int fd = client_open(&h);
  char text[32];
  green_httpconn *c = next_after(&h, fd, GET GET "raw bytes");
  green_sock *s = green_sock_new(h.hub);
  serve(c);
  is(green_httpconn_detach(c, s), 0, "taken over");
  is(h.d->connections, 0, "the server has it no more");
  hear(fd);
  is(heard_count("hello"), 1, "what was answered has been sent before");
  is(green_sock_recv(s, text, sizeof(text)), 9, "what came behind the head");
  ok(!memcmp(text, "raw bytes", 9), "is there");
  is(green_sock_send(s, "ok", 2), 2, "it can be written");
  hear(fd);
  is_str(heard_text, "ok", "and read");
  green_sock_free(s);
  close(fd);
  house_close(&h);
}

static void test_closed_behind_our_back(void)
{
  house h = house_open();
  int idle = client_open(&h), busy = client_open(&h);
  green_httpconn *c = next_after(&h, idle, GET);
  serve(c);
  close(httpd_conn_of(c)->sock.f.fd);
  c = next_after(&h, busy, GET);
  close(httpd_conn_of(c)->sock.f.fd);
  is(serve(c), 0, "an answer that cannot be sent");
  pass(&h, 100 * GREEN_SECOND);
  ok(!green_httpd_next(h.d), "and a connection that nobody hears of again");
  is(h.d->connections, 0, "are given up");
  close(idle);
  close(busy);
  house_close(&h);
}

/* -- Workers -------------------------------------------------------------- */

static int told;

static void step_told(actor *a)
{
  if (a->runs > 1) told++;
  green_task_park(&a->task, a->q, GREEN_NEVER);
}

static void test_shortage(void)
{
  house h = house_open();
  actor a;
  int fd[3];
  actor_start(&a, h.hub, 0, step_told);
  a.q = green_httpd_shortage(h.d);
  turns(h.hub, 1);
  for (int i = 0; i < 3; i++) fd[i] = client_open(&h);
  say(fd[0], GET);
  turns(h.hub, 10);
  is(told, 1, "told once that a worker is missing, not every turn");
  say(fd[1], GET);
  turns(h.hub, 10);
  is(told, 2, "and once for the next connection");
  serve(green_httpd_next(h.d));
  serve(green_httpd_next(h.d));
  turns(h.hub, 10);
  is(told, 2, "not when they are taken");
  say(fd[2], GET);
  turns(h.hub, 10);
  is(told, 3, "but again later");
  say(fd[0], GET); /* Comes in the turn in which the other one is taken. */
  turns(h.hub, 1);
  serve(green_httpd_next(h.d));
  turns(h.hub, 10);
  is(told, 4, "one that takes the place of another is told of, too");
  green_task_end(&a.task);
  for (int i = 0; i < 3; i++) close(fd[i]);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_accept();
  test_adopt_takes_buffered_input();
  test_keep_alive();
  test_pipelined();
  test_deferred_flush();
  test_deferred_flush_of_a_closed_connection();
  test_endless_pipeline();
  test_two_connections_take_turns();
  test_big_heads();
  test_refused();
  test_linger_has_bounds();
  test_too_large_a_body();
  test_header_timeout();
  test_data_beats_the_deadline();
  test_keepalive_timeout();
  test_timeouts_change();
  test_max_requests();
  test_closing();
  test_free_in_every_state();
  test_half_closed();
  test_detach();
  test_closed_behind_our_back();
  test_shortage();
  return t_done();
}
