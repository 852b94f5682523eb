/*
** fetch_test.c: ready connections are read some at a time, and handed out one
** by one.
*/

#include "httpd/httpd_kit.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

/* Has what this client said been read? */
static int is_read(int fd)
{
  int left = 1;
  if (ioctl(fd, SIOCOUTQ, &left) < 0) abort();
  return left == 0;
}

static void open_all(house *h, int *fd, int n)
{
  for (int i = 0; i < n; i++) fd[i] = client_open(h);
}

static void say_all(const int *fd, int n, const char *text)
{
  for (int i = 0; i < n; i++) say(fd[i], text);
}

static void close_all(const int *fd, int n)
{
  for (int i = 0; i < n; i++) close(fd[i]);
}

static int count_read(const int *fd, int n)
{
  int k = 0;
  for (int i = 0; i < n; i++) k += is_read(fd[i]);
  return k;
}

static void test_read_together(void)
{
  enum { N = HTTPD_TOGETHER + 3 };
  house h = house_open();
  int fd[N], n = 0;
  green_conn *c;
  open_all(&h, fd, N);
  say_all(fd, N, GET);
  turns(h.hub, 2);
  is(count_read(fd, N), 0, "nobody asks, nothing is read");
  c = green_httpd_next(h.d);
  is(count_read(fd, N), HTTPD_TOGETHER, "many are read for the first");
  is(green_httpd_ready(h.d), N - 1, "all others count as ready");
  for (; c; c = green_httpd_next(h.d), n++) serve(c);
  is(n, N, "each is handed out");
  is(green_httpd_ready(h.d), 0, "once");
  close_all(fd, N);
  house_close(&h);
}

static void test_neither_set_starves(void)
{
  enum { N = HTTPD_TOGETHER };
  house h = house_open();
  int old[N], young[N];
  open_all(&h, old, N);
  say_all(old, N, GET);
  turns(h.hub, 2);
  for (green_conn *c; (c = green_httpd_next(h.d)) != NULL;) serve(c);
  open_all(&h, young, N);
  say_all(old, N, GET);
  say_all(young, N, GET);
  turns(h.hub, 2);
  serve(green_httpd_next(h.d));
  is(count_read(old, N), N / 2, "half of them are between requests");
  is(count_read(young, N), N / 2, "half have yet to send a first");
  close_all(old, N);
  close_all(young, N);
  house_close(&h);
}

/* Two clients that have sent: the first is handed out, the second fetched. */
typedef struct couple {
  house h;
  int first, second;
  green_conn *c;
} couple;

static couple couple_open(const char *text)
{
  couple k = {.h = house_open()};
  k.first = client_open(&k.h);
  k.second = client_open(&k.h);
  say(k.first, GET);
  turns(k.h.hub, 1);
  say(k.second, text);
  turns(k.h.hub, 1);
  k.c = green_httpd_next(k.h.d);
  ok(is_read(k.second), "the second is fetched");
  return k;
}

static void couple_close(couple *k)
{
  close(k->first);
  close(k->second);
  house_close(&k->h);
}

static void test_more_comes_meanwhile(void)
{
  couple k = couple_open("GET / HTTP/1.1\r\nHo");
  say(k.second, "st: a\r\n\r\n");
  turns(k.h.hub, 30);
  is(green_httpd_ready(k.h.d), 1, "it is not listed again");
  green_hub_check(k.h.hub);
  serve(green_httpd_next(k.h.d));
  hear(k.second);
  ok(heard("hello"), "what came is read");
  serve(k.c);
  ok(!green_httpd_next(k.h.d), "that was all");
  couple_close(&k);
}

static void test_nothing_to_do_for_a_worker(void)
{
  couple k = couple_open("GET / HTTP/1.1\r\nHo");
  ok(!green_httpd_next(k.h.d), "a part of a head goes back to rest");
  is(green_httpd_ready(k.h.d), 0, "and is ready no more");
  serve(next_after(&k.h, k.second, "st: a\r\n\r\n"));
  hear(k.second);
  ok(heard("hello"), "until the rest comes");
  serve(k.c);
  couple_close(&k);
}

static void test_time_runs_out(void)
{
  couple k = couple_open(GET);
  pass(&k.h, 31 * GREEN_SECOND);
  is(green_httpd_ready(k.h.d), 1, "it is not listed again");
  is(serve(green_httpd_next(k.h.d)), 0, "what had come in time is answered");
  hear(k.second);
  ok(heard("hello"), "as ever");
  serve(k.c);
  couple_close(&k);
  k = couple_open("GET / HT");
  pass(&k.h, 31 * GREEN_SECOND);
  green_conn *c = green_httpd_next(k.h.d);
  ok(c && c->status == 408, "a part of a head had its time");
  if (c) green_conn_finish(c);
  is(k.h.d->timeouts, 1, "that is counted");
  serve(k.c);
  couple_close(&k);
}

static void test_client_goes(void)
{
  enum { N = 3 * HTTPD_TOGETHER };
  couple k = couple_open(GET);
  close(k.second);
  turns(k.h.hub, 2);
  serve(green_httpd_next(k.h.d));
  turns(k.h.hub, 2);
  ok(!green_httpd_next(k.h.d), "its request was there, then it has gone");
  is(k.h.d->connections, 1, "and is forgotten");
  serve(k.c);
  int fd[N];
  open_all(&k.h, fd, N);
  turns(k.h.hub, 2);
  close_all(fd, N);
  turns(k.h.hub, 2);
  ok(!green_httpd_next(k.h.d), "many that go are no request");
  is(k.h.d->connections, 1, "and are forgotten in one go");
  couple_close(&k);
}

static void test_closing(void)
{
  couple k = couple_open(GET);
  k.h.d->closing = true;
  green_httpd_close_idle(k.h.d, false);
  is(k.h.d->connections, 2, "a request that was read is no idle connection");
  serve(green_httpd_next(k.h.d));
  hear(k.second);
  ok(heard("hello"), "it is answered");
  serve(k.c);
  couple_close(&k);
  k = couple_open(GET);
  green_httpd_close_idle(k.h.d, true);
  is(k.h.d->connections, 1, "all means those, too");
  is(green_httpd_ready(k.h.d), 0, "they are ready no more");
  ok(!green_httpd_next(k.h.d), "nor handed out");
  serve(k.c);
  couple_close(&k);
  k = couple_open(GET);
  green_httpd_deinit(k.h.d);
  is(hear(k.second), '.', "the server's end closes them");
  couple_close(&k);
}

static void test_adopted_bytes(void)
{
  house h = house_open();
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  green_sock *s = green_sock_new(h.hub);
  if (green_sock_adopt(s, fds[0]) < 0) abort();
  green_buf_append(green_sock_input(s), TEXT(GET));
  if (green_httpd_adopt(h.d, s) < 0) abort();
  green_sock_free(s);
  say(fds[1], GET);
  turns(h.hub, 2);
  green_conn *c = green_httpd_next(h.d);
  ok(!is_read(fds[1]), "what it brought is looked at first");
  serve(c);
  c = green_httpd_next(h.d);
  if (!c) c = next(&h);
  serve(c);
  hear(fds[1]);
  is(heard_count("hello"), 2, "then the socket");
  close(fds[1]);
  house_close(&h);
}

static void test_share_of_a_turn(void)
{
  enum { N = 20 };
  house h = house_open();
  int fd[N], n = 0;
  open_all(&h, fd, N);
  say_all(fd, N, GET);
  turns(h.hub, 2);
  for (green_conn *c; (c = green_httpd_next(h.d)) != NULL; n++) {
    serve(c);
    green_hub_advance(h.hub, 10 * MS);
  }
  ok(n > 5 && n < N, "others have their turn after a while");
  is(green_httpd_ready(h.d), (uint32_t)(N - n), "those fetched wait for it");
  turns(h.hub, 1);
  for (green_conn *c; (c = green_httpd_next(h.d)) != NULL; n++) serve(c);
  is(n, N, "and go on then, without a new event");
  close_all(fd, N);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_read_together();
  test_neither_set_starves();
  test_more_comes_meanwhile();
  test_nothing_to_do_for_a_worker();
  test_time_runs_out();
  test_client_goes();
  test_closing();
  test_adopted_bytes();
  test_share_of_a_turn();
  return t_done();
}
