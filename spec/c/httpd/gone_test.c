/*
** gone_test.c: clients that go while a worker has their request.
*/

#include "child.h"
#include "httpd/httpd_kit.h"

#include <netinet/in.h>
#include <poll.h>

static const char *backend; /* Of the hub. */

static house gone_house(void)
{
  house h = house_open();
  if (green_hub_use(h.hub, backend) < 0) abort();
  return h;
}

/* Over TCP, where a reset is one. */
static int tcp_open(house *h)
{
  int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t len = sizeof(at);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(l, (struct sockaddr *)&at, len) < 0 || listen(l, 1) < 0) abort();
  getsockname(l, (struct sockaddr *)&at, &len);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&at, len) < 0) abort();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  int other = accept(l, NULL, NULL);
  close(l);
  green_sock *s = green_sock_new(h->hub);
  if (green_sock_adopt(s, other) < 0) abort();
  if (green_httpd_adopt(h->d, s) < 0) abort();
  green_sock_free(s);
  return fd;
}

static void reset(int fd)
{
  struct linger now = {.l_onoff = 1};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(fd);
}

static green_conn *watched(house *h, int fd, const char *text)
{
  green_conn *c = next_after(h, fd, text);
  is(green_conn_watch(c), 0, "it is watched");
  return c;
}

static int is_readable(const house *h, int ms)
{
  const green_fd *f = green_httpd_gone_fd(h->d);
  struct pollfd p = {.fd = f ? f->fd : -1, .events = POLLIN};
  return poll(&p, 1, ms) == 1;
}

/* The system needs a moment, even for itself. */
enum { PATIENCE = 10000 };

static green_conn *gone(house *h)
{
  is_readable(h, PATIENCE);
  return green_httpd_gone(h->d);
}

static int tells_nobody(const house *h)
{
  return !is_readable(h, 20) && !green_httpd_gone(h->d);
}

static void test_reset(void)
{
  house h = gone_house();
  int fd = tcp_open(&h);
  ok(!green_httpd_gone_fd(h.d), "who does not ask has no descriptor");
  green_conn *c = watched(&h, fd, GET);
  ok(tells_nobody(&h) && !green_conn_has_gone(c), "it is there");
  reset(fd);
  ok(gone(&h) == c, "it is told");
  ok(green_conn_has_gone(c), "and known");
  is_str(c->reason, "client has gone", "also for the log");
  ok(tells_nobody(&h), "once");
  green_conn_close(c);
  house_close(&h);
}

static void test_task_is_woken(void)
{
  house h = gone_house();
  actor a;
  int fd = tcp_open(&h);
  green_conn *c = watched(&h, fd, GET);
  actor_start(&a, h.hub, 0, step_read);
  a.fd = green_httpd_gone_fd(h.d);
  turns(h.hub, 2);
  is(a.runs, 1, "who waits for it waits");
  reset(fd);
  is_readable(&h, PATIENCE);
  turns(h.hub, 3);
  is(a.runs, 2, "and is woken");
  ok(green_httpd_gone(h.d) == c, "to be told who");
  green_conn_close(c);
  house_close(&h);
}

static void test_half_close(void)
{
  house h = gone_house();
  int fd = tcp_open(&h);
  green_conn *c = watched(&h, fd, GET);
  shutdown(fd, SHUT_WR);
  ok(tells_nobody(&h), "who has ended his side waits for the answer");
  ok(!green_conn_has_gone(c), "and is there");
  serve(c);
  hear(fd);
  ok(heard("hello"), "he gets it");
  close(fd);
  h.d->half_close = false;
  fd = tcp_open(&h);
  c = watched(&h, fd, GET);
  shutdown(fd, SHUT_WR);
  ok(gone(&h) == c, "unless that is what going means");
  ok(green_conn_has_gone(c), "to ask, too");
  green_conn_close(c);
  close(fd);
  house_close(&h);
}

static void test_unix_socket(void)
{
  house h = gone_house();
  int fd = client_open(&h);
  green_conn *c = watched(&h, fd, GET);
  shutdown(fd, SHUT_WR);
  ok(tells_nobody(&h), "half closed");
  close(fd);
  ok(gone(&h) == c, "closed is a hang-up");
  green_conn_close(c);
  house_close(&h);
}

/* Bytes that wait neither tell nor hide anything, and stay. */
static void test_bytes_behind(void)
{
  house h = gone_house();
  int fd = tcp_open(&h);
  green_conn *c = watched(&h, fd, GET);
  say(fd, GET GET);
  ok(tells_nobody(&h), "further requests are no end");
  is(serve(c), 0, "the first is answered");
  c = next(&h);
  is(green_conn_watch(c), 0, "watched still");
  is(serve(c), 1, "the second is whole,");
  is(serve(c), 0, "and so is the third");
  turns(h.hub, 2);
  hear(fd);
  is(heard_count("hello"), 3, "all are answered");
  c = watched(&h, fd, GET);
  say(fd, GET);
  reset(fd);
  ok(gone(&h) == c, "a reset behind bytes is told");
  green_conn_close(c);
  house_close(&h);
}

static void test_end_behind_bytes(void)
{
  house h = gone_house();
  h.d->half_close = false;
  int fd = tcp_open(&h);
  green_conn *c = watched(&h, fd, GET);
  say(fd, GET);
  shutdown(fd, SHUT_WR);
  ok(gone(&h) == c, "an end behind bytes is told");
  is(serve(c), 0, "the answer leaves all the same");
  c = next(&h);
  ok(c != NULL, "and the next request is found");
  is(green_conn_watch(c), 0, "who asks for that one");
  ok(gone(&h) == c, "is told, too");
  serve(c);
  close(fd);
  house_close(&h);
}

static void test_gone_before(void)
{
  house h = gone_house();
  int fd = tcp_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  reset(fd);
  for (int i = 0; !green_conn_has_gone(c) && i < PATIENCE; i++) usleep(1000);
  ok(green_conn_has_gone(c), "gone before it is watched");
  is(green_conn_watch(c), 0, "then watched");
  ok(gone(&h) == c, "it is told at once");
  green_conn_close(c);
  house_close(&h);
}

/* What nobody has in hand is nobody's business. */
static void test_between_requests(void)
{
  house h = gone_house();
  int fd = tcp_open(&h);
  serve(watched(&h, fd, GET));
  turns(h.hub, 1);
  reset(fd);
  int told = 0, requests = 0;
  for (int i = 0; h.d->connections && i < PATIENCE; i++, usleep(1000)) {
    told += green_httpd_gone(h.d) != NULL;
    requests += next(&h) != NULL;
  }
  is(told, 0, "idle ones are not told");
  is(requests, 0, "they are closed");
  is(h.d->connections, 0, "as ever");
  house_close(&h);
}

static void test_ends_of_watching(void)
{
  house h = gone_house();
  int a = tcp_open(&h), b = tcp_open(&h), c = tcp_open(&h);
  green_conn *ca = watched(&h, a, GET), *cb = watched(&h, b, GET),
             *cc = watched(&h, c, GET);
  green_sock *s = green_sock_new(h.hub);
  is(green_conn_detach(ca, s), 0, "one is taken over");
  green_conn_cut(cb, 0);
  ok(green_conn_has_gone(cb), "one is cut");
  is(green_conn_watch(cb), GREEN_ECLOSED, "and cannot be watched");
  green_conn_close(cc);
  reset(a);
  reset(b);
  reset(c);
  ok(tells_nobody(&h), "of all these nothing is heard");
  green_conn_close(cb);
  green_sock_free(s);
  h.d->closing = true;
  green_httpd_close_idle(h.d, true);
  ok(!green_httpd_gone_fd(h.d), "the end of the server closes it");
  house_close(&h);
}

/* A server that ends while somebody waits. */
static void test_server_ends(void)
{
  house h = gone_house();
  actor a;
  int fd = tcp_open(&h);
  watched(&h, fd, GET);
  actor_start(&a, h.hub, 0, step_read);
  a.fd = green_httpd_gone_fd(h.d);
  turns(h.hub, 2);
  green_httpd_deinit(h.d);
  turns(h.hub, 1);
  is(a.runs, 2, "who waits is told");
  is(a.task.status, GREEN_ECLOSED, "that it is closed");
  ok(!green_httpd_gone(h.d), "nobody has gone");
  close(fd);
  house_close(&h);
}

/* Descriptors that a child keeps report themselves in the parent: they are
** nobody's. And a child does not stop what its parent watches. */
static void test_forks(void)
{
  for (int keeps = 0; keeps <= 1; keeps++) {
    house h = gone_house();
    h.d->half_close = !keeps;
    int fd = tcp_open(&h), other = tcp_open(&h);
    green_conn *c = watched(&h, fd, GET), *o = watched(&h, other, GET);
    pid_t pid = fork();
    if (pid == 0) {
      green_hub_set_inherit(h.hub, keeps);
      green_conn_close(o); /* Before the hub has noticed. */
      turns(h.hub, 1);
      must(!!green_httpd_gone_fd(h.d) == keeps);
      if (keeps) shutdown(fd, SHUT_RDWR);
      if (keeps) must(gone(&h) == c);
      _exit(child_failed);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    is(status, 0,
       keeps ? "a child that goes on watches itself"
             : "another one watches nobody");
    if (!keeps) {
      ok(tells_nobody(&h), "the parent has heard nothing");
      reset(fd);
      ok(gone(&h) == c, "and hears as before");
    }
    green_conn_close(c);
    green_conn_close(o);
    close(other);
    house_close(&h);
  }
}

static void test_many(void)
{
  enum { N = 300 };
  house h = gone_house();
  int fds[N], n = 0;
  green_conn *all[N];
  for (int i = 0; i < N; i++) {
    fds[i] = client_open(&h);
    all[i] = next_after(&h, fds[i], GET);
    n += green_conn_watch(all[i]) == 0;
  }
  is(n, N, "many are watched");
  for (int i = 0; i < N; i += 2) close(fds[i]);
  int told = 0, right = 0;
  for (green_conn *c; (c = green_httpd_gone(h.d)) != NULL; told++)
    for (int i = 0; i < N; i += 2) right += all[i] == c;
  is(told, N / 2, "half of them go");
  is(right, N / 2, "these");
  for (int i = 0; i < N; i++) green_conn_close(all[i]);
  for (int i = 1; i < N; i += 2) close(fds[i]);
  house_close(&h);
}

int main(void)
{
  const char *const backends[] = {"epoll", "poll", "select"};
  t_start();
  for (int i = 0; i < 3; i++) {
    backend = backends[i];
    test_reset();
    test_task_is_woken();
    test_half_close();
    test_unix_socket();
    test_bytes_behind();
    test_end_behind_bytes();
    test_gone_before();
    test_between_requests();
    test_ends_of_watching();
    test_server_ends();
    test_forks();
    test_many();
  }
  return t_done();
}
