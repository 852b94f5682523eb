/*
** evict_test.c: connections between requests that make room for others.
*/

#include "httpd/httpd_kit.h"

#include <netinet/in.h>
#include <sys/resource.h>

typedef struct gate {
  house h;
  green_sock *listener;
  green_addr at;
} gate;

static gate gate_open(uint32_t max_connections)
{
  gate g = {.h = house_open()};
  g.h.d->max_connections = max_connections;
  g.listener = green_sock_new(g.h.hub);
  green_addr_parse(&g.at, "127.0.0.1:0", 11, 0);
  green_sock_open(g.listener, GREEN_INET, GREEN_STREAM);
  green_sock_bind(g.listener, &g.at);
  green_sock_listen(g.listener, 64);
  green_sock_sockname(g.listener, &g.at);
  return g;
}

static void gate_close(gate *g)
{
  green_sock_free(g->listener);
  house_close(&g->h);
}

static int client(const gate *g)
{
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (const struct sockaddr *)g->at.u.bytes, g->at.len) < 0)
    abort();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static int let_in(gate *g)
{
  return green_httpd_accept(g->h.d, g->listener, 16);
}

/* A client whose connection is between requests. */
static int idle_client(gate *g)
{
  int fd = client(g);
  let_in(g);
  serve(next_after(&g->h, fd, GET));
  turns(g->h.hub, 1);
  hear(fd);
  pass(&g->h, MS);
  return fd;
}

static int is_closed(int fd)
{
  return hear(fd) != '-';
}

static void test_oldest_goes(void)
{
  gate g = gate_open(3);
  int a = idle_client(&g), b = idle_client(&g), c = idle_client(&g);
  is(let_in(&g), GREEN_EAGAIN, "nobody comes, nobody goes");
  is(g.h.d->evicted, 0, "none so far");
  int d = client(&g);
  is(let_in(&g), 1, "who comes is let in");
  ok(is_closed(a) && !is_closed(b) && !is_closed(c), "the oldest goes");
  is(g.h.d->evicted, 1, "that is counted");
  is(g.h.d->connections, 3, "there are no more than the limit");
  serve(next_after(&g.h, d, GET));
  turns(g.h.hub, 1);
  hear(d);
  ok(heard("hello"), "he is served");
  int e = client(&g), f = client(&g), all = let_in(&g);
  is(all, 2, "two come together");
  ok(is_closed(b) && is_closed(c) && !is_closed(d), "two go");
  int used[] = {a, b, c, d, e, f};
  for (int i = 0; i < 6; i++) close(used[i]);
  gate_close(&g);
}

static void test_who_stays(void)
{
  gate g = gate_open(4);
  int busy = client(&g), fresh = client(&g), half = client(&g);
  let_in(&g);
  green_conn *c = next_after(&g.h, busy, GET);
  ok(!next_after(&g.h, half, "GET / HT"), "one is in a head");
  int idle = idle_client(&g);
  say(idle, GET); /* The poll has not told yet. */
  int other = client(&g);
  is(let_in(&g), GREEN_EBUSY, "there is none to spare");
  is(g.h.d->evicted, 0, "none has gone");
  serve(next(&g.h));
  turns(g.h.hub, 1);
  is(let_in(&g), 1, "when one is answered it makes room");
  ok(is_closed(idle), "it does");
  ok(heard("hello"), "with its answer");
  serve(c);
  hear(busy);
  ok(heard("hello"), "the one in hand has its answer");
  ok(!is_closed(fresh) && !is_closed(half), "the others are there");
  int used[] = {busy, fresh, half, idle, other};
  for (int i = 0; i < 5; i++) close(used[i]);
  gate_close(&g);
}

static void test_fetched(void)
{
  gate g = gate_open(2);
  int a = idle_client(&g), b = idle_client(&g);
  say(a, GET);
  say(b, GET);
  green_conn *c = next(&g.h);
  is(green_httpd_ready(g.h.d), 1, "the request of another was read");
  int d = client(&g);
  is(let_in(&g), GREEN_EBUSY, "it is none to spare");
  serve(c);
  serve(next(&g.h));
  ok(!is_closed(a) && heard("hello"), "one is answered");
  ok(!is_closed(b) && heard("hello"), "and the other");
  int used[] = {a, b, d};
  for (int i = 0; i < 3; i++) close(used[i]);
  gate_close(&g);
}

/* Those whose time is up, and who have not been looked at, go first. */
static void test_expired(void)
{
  gate g = gate_open(2);
  g.h.d->keepalive_timeout = 100 * MS;
  int a = idle_client(&g), b = idle_client(&g);
  green_hub_advance(g.h.hub, 100 * MS);
  turns(g.h.hub, 1);
  int c = client(&g);
  is(let_in(&g), 1, "who comes is let in");
  ok(is_closed(a) && !is_closed(b), "the first of them goes");
  ok(!next(&g.h), "the other");
  ok(is_closed(b), "as ever");
  int used[] = {a, b, c};
  for (int i = 0; i < 3; i++) close(used[i]);
  gate_close(&g);
}

/* No descriptor is left; the next one is the lowest free number. */
static struct rlimit no_more(void)
{
  struct rlimit was, now;
  int next = dup(0);
  close(next);
  getrlimit(RLIMIT_NOFILE, &was);
  now = was;
  now.rlim_cur = (rlim_t)next;
  setrlimit(RLIMIT_NOFILE, &now);
  return was;
}

static void test_out_of_descriptors(void)
{
  if (t_under_memcheck()) {
    t_skip("out of descriptors", "valgrind has limits of its own for them");
    return;
  }
  gate g = gate_open(UINT32_MAX);
  int a = idle_client(&g), b = idle_client(&g);
  struct rlimit was = no_more();
  is(let_in(&g), GREEN_EAGAIN, "nobody comes: no error");
  setrlimit(RLIMIT_NOFILE, &was);
  int c = client(&g);
  was = no_more();
  is(let_in(&g), 1, "who comes is let in");
  ok(is_closed(a) && !is_closed(b), "the oldest has gone");
  is(g.h.d->evicted, 1, "that is counted");
  setrlimit(RLIMIT_NOFILE, &was);
  green_conn *h = next_after(&g.h, b, GET);
  serve(next_after(&g.h, c, GET_CLOSE));
  hear(c);
  int d = client(&g);
  was = no_more();
  is(let_in(&g), GREEN_EMFILE, "none is to spare: as it is");
  setrlimit(RLIMIT_NOFILE, &was);
  is(let_in(&g), 1, "nobody was lost");
  serve(h);
  int used[] = {a, b, c, d};
  for (int i = 0; i < 4; i++) close(used[i]);
  gate_close(&g);
}

int main(void)
{
  t_start();
  test_oldest_goes();
  test_who_stays();
  test_fetched();
  test_expired();
  test_out_of_descriptors();
  return t_done();
}
