/*
** fork_test.c: the end of a server, and what a child does with one.
*/

#include "child.h"
#include "httpd/httpd_kit.h"

/* One in each state: fresh, idle, in a head, lingering, draining, ready,
** fetched. */
enum { STATES = 7 };

typedef struct scene {
  house h;
  int fd[STATES];
} scene;

static void scene_open(scene *s)
{
  s->h = house_open();
  house *h = &s->h;
  for (int i = 0; i < STATES; i++) s->fd[i] = client_open(h);
  serve(next_after(h, s->fd[1], GET));
  hear(s->fd[1]);
  if (next_after(h, s->fd[2], "GET / HT")) abort();
  green_conn_finish(next_after(h, s->fd[3], "bad\r\n\r\n"));
  serve(next_after(h, s->fd[4],
                   "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"));
  hear(s->fd[4]);
  say(s->fd[6], GET);
  turns(h->hub, 2);
  if (green__httpd_fetch(httpd_of(h->d)) != 1) abort();
  say(s->fd[5], GET);
  turns(h->hub, 2);
  if (h->d->connections != STATES) abort();
}

static void scene_close(scene *s)
{
  house_close(&s->h);
  for (int i = 0; i < STATES; i++) close(s->fd[i]);
}

/* -- The end -------------------------------------------------------------- */

static green_sock *listener(green_hub *hub, green_addr *at)
{
  green_sock *s = green_sock_new(hub);
  green_addr_parse(at, "127.0.0.1:0", 11, 0);
  green_sock_open(s, GREEN_INET, GREEN_STREAM);
  green_sock_bind(s, at);
  green_sock_listen(s, 16);
  green_sock_sockname(s, at);
  return s;
}

static void refuses_all(green_hub *hub, green_httpd *d)
{
  green_addr at;
  int fds[2];
  green_sock *l = listener(hub, &at), *s = green_sock_new(hub);
  is(green_httpd_accept(d, l, 10), GREEN_ECLOSED, "nothing is accepted");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) abort();
  green_sock_adopt(s, fds[0]);
  is(green_httpd_adopt(d, s), GREEN_ECLOSED, "nor adopted");
  ok(!green_httpd_next(d), "there is nothing to do");
  is(green_httpd_ready(d), 0, "nor ready");
  green_httpd_close_idle(d, true);
  is(d->connections, 0, "no connection is left");
  green_sock_free(s);
  green_sock_free(l);
  close(fds[1]);
}

static void test_deinit(void)
{
  scene s;
  scene_open(&s);
  green_httpd_deinit(s.h.d);
  is(s.h.d->connections, 0, "the end closes all");
  int ended = 0;
  for (int i = 0; i < STATES; i++) ended += hear(s.fd[i]) != '-';
  is(ended, STATES, "the clients see it");
  green_httpd_deinit(s.h.d);
  refuses_all(s.h.hub, s.h.d);
  scene_close(&s);
}

static void test_deinit_tells_workers(void)
{
  house h = house_open();
  actor worker, maker;
  actor_start(&worker, h.hub, 0, step_park);
  worker.q = green_httpd_queue(h.d);
  actor_start(&maker, h.hub, 0, step_park);
  maker.q = green_httpd_shortage(h.d);
  turns(h.hub, 1);
  green_httpd_deinit(h.d);
  turns(h.hub, 1);
  is(worker.task.status, GREEN_ECLOSED, "a worker hears of the end");
  is(maker.task.status, GREEN_ECLOSED, "and who makes workers");
  house_close(&h);
}

static void test_memory_of_ones_own(void)
{
  green_hub *hub = hub_open_virtual();
  green_httpd *d = calloc(1, green_httpd_size());
  if (!d) abort();
  green_httpd_init(d, hub);
  house h = {.hub = hub, .d = d};
  int fd = client_open(&h);
  serve(next_after(&h, fd, GET));
  is(hear(fd), '-', "a server in memory of one's own");
  ok(heard("hello"), "answers");
  green_httpd_deinit(d);
  green_httpd_deinit(d);
  refuses_all(hub, d);
  free(d);
  turns(hub, 2);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
  close(fd);
}

static void test_end_before_a_connection(void)
{
  green_hub *hub = hub_open_virtual();
  green_httpd *d = green_httpd_new(hub);
  green_httpd_deinit(d);
  refuses_all(hub, d);
  green_httpd_free(d);
  green_httpd_free(NULL);
  turns(hub, 1);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* -- In a child ----------------------------------------------------------- */

static void close_in_a_child(void *arg)
{
  scene *s = arg;
  must(s->h.d->connections == STATES);
  must(green_hub_check_fork(s->h.hub) == 1);
  must(s->h.d->connections == 0);
  must(!green_httpd_next(s->h.d));
  turns(s->h.hub, 2);
  must(stats_of(s->h.hub).waits == 0);
  must(stats_of(s->h.hub).fds == 0);
}

/* The same before its hub has looked where it is. */
static void turn_in_a_child(void *arg)
{
  scene *s = arg;
  turns(s->h.hub, 2);
  must(s->h.d->connections == 0);
  must(!green_httpd_next(s->h.d));
}

static void free_in_a_child(void *arg)
{
  scene *s = arg;
  green_httpd_free(s->h.d);
  turns(s->h.hub, 1);
  must(is_clean(s->h.hub));
  green_hub_free(s->h.hub);
}

static void serve_in_a_child(void *arg)
{
  scene *s = arg;
  turns(s->h.hub, 1);
  int fd = client_open(&s->h);
  must(s->h.d->connections == 1);
  green_conn *c = next_after(&s->h, fd, GET);
  must(c && serve(c) == 0);
  must(hear(fd) == '-' && heard("hello"));
  must(s->h.d->requests > 0);
}

static void test_children(pid_t (*make)(void))
{
  static child_fn *const children[] = {close_in_a_child, turn_in_a_child,
                                       free_in_a_child, serve_in_a_child};
  scene s;
  scene_open(&s);
  for (size_t i = 0; i < 4; i++)
    is(in_child_by(make, children[i], &s), 0,
       "a child closes what is its parent's");
  is(s.h.d->connections, STATES, "the parent has them all");
  green_conn *c = next(&s.h);
  ok(c && serve(c) == 0, "and goes on with what was fetched");
  is(hear(s.fd[6]), '-', "which stays open");
  ok(heard("hello"), "answered");
  c = next(&s.h);
  ok(c && serve(c) == 0, "and with what was ready");
  is(hear(s.fd[5]), '-', "which stays open");
  ok(heard("hello"), "answered");
  c = next_after(&s.h, s.fd[1], GET);
  ok(c && serve(c) == 0, "an idle one");
  is(hear(s.fd[1]), '-', "stays open too");
  c = next_after(&s.h, s.fd[2], "TP/1.1\r\nHost: a\r\n\r\n");
  ok(c && serve(c) == 0, "and one in a head");
  is(hear(s.fd[2]), '-', "ends its head");
  ok(heard("hello"), "and is answered");
  scene_close(&s);
}

static void test_ready_ones_keep_their_place(void)
{
  scene s;
  scene_open(&s);
  is(in_child(close_in_a_child, &s), 0, "closed in a child");
  is(green_httpd_ready(s.h.d), 2, "ready in the parent");
  scene_close(&s);
}

int main(void)
{
  t_start();
  test_deinit();
  test_deinit_tells_workers();
  test_memory_of_ones_own();
  test_end_before_a_connection();
  test_children(fork_by_c);
  test_children(fork_by_clone);
  test_ready_ones_keep_their_place();
  return t_done();
}
