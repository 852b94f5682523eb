/*
** server_test.c: connections of an HTTP server: accepted, handed out, kept,
** taken over. How they end: end_test.c.
*/

#include "httpd/httpd_kit.h"

#include <netinet/in.h>

/* wrap: accept4 green__sendmsg green__send green__recv */

static int accept_error, sends, recvs;

int __real_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);
int __wrap_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags);
ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __real_green__sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags);

int __wrap_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
  if (!accept_error) return __real_accept4(fd, a, len, flags);
  errno = accept_error;
  return -1;
}

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  sends++;
  return __real_green__send(fd, p, n, flags);
}

ssize_t __wrap_green__sendmsg(int fd, const struct msghdr *m, int flags)
{
  sends++;
  return __real_green__sendmsg(fd, m, flags);
}

ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags)
{
  recvs++;
  return __real_green__recv(fd, p, n, flags);
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
  green_conn *c = next_after(&h, fd[1], GET);
  green_conn_peer(c, &peer);
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
  green_conn *c = next(&h);
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
    green_conn *c = next_after(&h, fd, GET);
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
  green_conn *c = next_after(&h, fd, GET "GET /x HT");
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
  green_conn *c = next_after(&h, fd, GET GET);
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
  green_conn *c = next_after(&h, fd, GET GET);
  serve(c);
  green_conn_close(c);
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
  green_conn *c = next(&h);
  recvs = 0;
  while (serve(c)) runs++;
  ok(runs > 100 && runs < 999, "what one read brought");
  is(recvs, 0, "and nothing more was read");
  turns(h.hub, 2);
  is(green_httpd_ready(h.d), 1, "the rest waits its turn");
  while ((c = next(&h)) != NULL) {
    do {
      runs++;
    } while (serve(c));
  }
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
  green_conn *a = next(&h), *b = green_httpd_next(h.d);
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
  green_conn *c = NULL;
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

static void test_detach(void)
{
  house h = house_open();
  int fd = client_open(&h);
  char text[32];
  green_conn *c = next_after(&h, fd, GET GET "raw bytes");
  green_sock *s = green_sock_new(h.hub);
  serve(c);
  is(green_conn_detach(c, s), 0, "taken over");
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

/* -- Workers -------------------------------------------------------------- */

typedef struct crew {
  actor a[8];
  house *h;
  int seen; /* Connections taken. */
} crew;

static crew the_crew;
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
  turns(h.hub, 3);
  is(told, 0, "nobody has said anything");
  for (int i = 0; i < 2; i++) say(fd[i], GET);
  turns(h.hub, 2);
  ok(told == 0 && h.d->wanted > 0, "workers are wanted");
  turns(h.hub, 1);
  is(told, 1, "which is told");
  ok(h.d->wanted <= 2, "not more than there are connections");
  h.d->full = true;
  turns(h.hub, 10);
  int before = told;
  turns(h.hub, 10);
  is(told, before, "but not to somebody who can make no more");
  h.d->full = false;
  turns(h.hub, 2);
  ok(told > before, "until he can");
  while (serve(green_httpd_next(h.d))) continue;
  while (serve(green_httpd_next(h.d))) continue;
  turns(h.hub, 1);
  before = told;
  turns(h.hub, 10);
  is(told, before, "all are taken: nobody is told");
  green_task_end(&a.task);
  for (int i = 0; i < 3; i++) close(fd[i]);
  house_close(&h);
}

/* A worker whose handler answers at once: it takes all there are. */
static void step_quick(actor *a)
{
  green_conn *c;
  while ((c = green_httpd_next(the_crew.h->d)) != NULL) {
    while (serve(c)) continue;
    the_crew.seen++;
  }
  green_task_park(&a->task, a->q, GREEN_NEVER);
}

/* One whose handler waits: it takes one, and is not seen again. */
static void step_slow(actor *a)
{
  green_conn *c = a->runs > 1 ? green_httpd_next(the_crew.h->d) : NULL;
  if (c) {
    while (serve(c)) continue;
    the_crew.seen++;
  }
  green_task_park(&a->task, c ? NULL : a->q, GREEN_NEVER);
}

static int crew_runs(void)
{
  int n = 0;
  for (int i = 0; i < 8; i++) n += the_crew.a[i].runs;
  return n;
}

/* Six requests at once, before so many workers; the turns it took. */
static int crew_work(house *h, void (*step)(actor *), int *runs)
{
  int fd[6], n = 0;
  the_crew.h = h;
  the_crew.seen = 0;
  for (int i = 0; i < 8; i++) actor_start(&the_crew.a[i], h->hub, i, step);
  for (int i = 0; i < 8; i++) the_crew.a[i].q = green_httpd_queue(h->d);
  for (int i = 0; i < 6; i++) fd[i] = client_open(h);
  turns(h->hub, 2);
  *runs = crew_runs();
  for (int i = 0; i < 6; i++) say(fd[i], GET);
  while (the_crew.seen < 6 && n++ < 20) turns(h->hub, 1);
  *runs = crew_runs() - *runs;
  for (int i = 0; i < 8; i++) green_task_end(&the_crew.a[i].task);
  for (int i = 0; i < 6; i++) close(fd[i]);
  return n;
}

static void test_few_workers_are_woken(void)
{
  house h = house_open();
  int runs;
  crew_work(&h, step_quick, &runs);
  is(the_crew.seen, 6, "all requests are answered");
  is(runs, 1, "by the one worker that was woken");
  house_close(&h);
}

static void test_more_when_handlers_wait(void)
{
  house h = house_open();
  int runs, n = crew_work(&h, step_slow, &runs);
  is(the_crew.seen, 6, "all requests are answered");
  ok(runs >= 6, "by six workers");
  ok(n <= 5, "ever more of them are woken");
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
  test_detach();
  test_shortage();
  test_few_workers_are_woken();
  test_more_when_handlers_wait();
  return t_done();
}
