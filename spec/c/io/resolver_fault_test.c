/*
** resolver_fault_test.c: lookups where memory or a call of the system fails,
** and in a child of a fork.
*/

/* wrap: socket connect sendmsg recv sendmmsg recvmmsg getrandom */

#include "child.h"
#include "io/dns_kit.h"

#include <sys/random.h>

/* -- The system, made to fail --------------------------------------------- */

/* The resolver's calls; the server of the test makes others. */
static struct {
  int countdown; /* The call that fails, 1: the next; 0: none. */
  int calls;     /* Since it was set. */
  int error;
} fault;

static int fails(void)
{
  if (++fault.calls != fault.countdown) return 0;
  errno = fault.error;
  return 1;
}

int __real_socket(int f, int t, int p);
int __real_connect(int fd, const struct sockaddr *a, socklen_t n);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
int __real_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __real_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t);
ssize_t __real_getrandom(void *p, size_t n, unsigned flags);
int __wrap_socket(int f, int t, int p);
int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);

int __wrap_socket(int f, int t, int p)
{
  return fails() ? -1 : __real_socket(f, t, p);
}

int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n)
{
  return fails() ? -1 : __real_connect(fd, a, n);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
  return fails() ? -1 : __real_sendmsg(fd, m, flags);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
  return fails() ? -1 : __real_recv(fd, p, n, flags);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
  return fails() ? -1 : __real_sendmmsg(fd, m, n, flags);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t)
{
  return fails() ? -1 : __real_recvmmsg(fd, m, n, flags, t);
}

ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
  return fails() ? -1 : __real_getrandom(p, n, flags);
}

/* -- Calls ---------------------------------------------------------------- */

static int reply_cut(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  int len = reply_address(s, q, n, tcp, out);
  if (tcp) return len;
  out[2] |= 2;
  out[7] = 0;
  return 12 + question_len(q);
}

/* The n-th call fails with that error: the answer comes nevertheless, or there
** is an error, and nothing is left. 0: there were fewer calls. */
static int try_call(server *s, int n, int error, int *good)
{
  green_resolver *r = resolver_new(NULL, s, NULL);
  uint32_t fds = fds_of_hub();
  fault.countdown = n;
  fault.calls = 0;
  fault.error = error;
  green_question *q = ask(r, "a.test");
  int result = result_of(q);
  int calls = fault.calls;
  fault.countdown = 0;
  if (result != 0 && result != -error && result != GREEN_ECONNREFUSED)
    *good = 0;
  green_resolver_forget(q);
  settle();
  if (fds_of_hub() > fds) *good = 0; /* Less: connections of the server. */
  if (look_up(r, "b.test") != 0) *good = 0;
  settle();
  resolver_free(r);
  return calls >= n;
}

static void test_each_call_fails(void)
{
  static const int errors[] = {EMFILE, ENETUNREACH, ECONNREFUSED,
                               EPERM,  ENOBUFS,     EIO};
  server s;
  server_start(&s, reply_cut);
  for (int i = 0; i < 6; i++) {
    int n = 0, good = 1;
    do n++;
    while (try_call(&s, n, errors[i], &good) && n < 60);
    ok(n > 5 && n < 60, "each call failed in turn");
    ok(good, "and nothing was wrong but that");
  }
  server_stop(&s);
}

/* -- Memory --------------------------------------------------------------- */

static int try_alloc(server *s, int n, int *good)
{
  uint32_t fds = fds_of_hub();
  green__alloc_fail_from(n);
  green_resolver *r = calloc(1, green_resolver_size());
  green_question *q = NULL;
  int err = green_resolver_init(r, hub);
  if (err == 0) err = green_resolver_set(r, &usual, &s->addr, 1);
  if (err == 0) err = green_resolver_ask(&q, r, "a.test", 6, 1);
  if (err == 0) err = result_of(q);
  int calls = green__alloc_fail_from(0);
  if (err != 0 && err != GREEN_ENOMEM && err != GREEN_ECONNREFUSED &&
      err != GREEN_EAGAIN)
    *good = 0;
  green_resolver_forget(q);
  resolver_free(r);
  settle();
  if (fds_of_hub() > fds) *good = 0;
  return calls >= n;
}

static void test_each_allocation_fails(void)
{
  server s;
  int n = 0, good = 1;
  server_start(&s, NULL);
  do n++;
  while (try_alloc(&s, n, &good) && n < 200);
  ok(n > 5 && n < 200, "each allocation failed in turn");
  ok(good, "and was told");
  green_resolver *r = resolver_new(NULL, &s, NULL);
  is(look_up(r, "a.test"), 0, "then all is well");
  resolver_free(r);
  server_stop(&s);
}

/* More than one socket has room for. */
enum { CROWD = 50 };

static int try_crowd(server *s, int n, int *good)
{
  green_resolver_opts opts = usual;
  green_question *q[CROWD];
  char name[32];
  opts.edns = 4096;
  uint32_t fds = fds_of_hub();
  green_resolver *r = resolver_new(&opts, s, NULL);
  green__alloc_fail_from(n);
  for (int i = 0; i < CROWD; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    q[i] = ask(r, name);
  }
  for (int i = 0; i < CROWD; i++)
    if (q[i] && result_of(q[i]) != 0 && q[i]->result != GREEN_ENOMEM) *good = 0;
  int calls = green__alloc_fail_from(0);
  for (int i = 0; i < CROWD; i++) green_resolver_forget(q[i]);
  settle();
  if (fds_of_hub() > fds || stats_of(r).out) *good = 0;
  if (look_up(r, "a.test") != 0) *good = 0;
  resolver_free(r);
  settle();
  return calls >= n;
}

static void test_each_allocation_of_a_crowd_fails(void)
{
  server s;
  int n = 0, good = 1;
  server_start(&s, NULL);
  do n++;
  while (try_crowd(&s, n, &good) && n < 400);
  ok(n > CROWD && n < 400, "each allocation failed in turn");
  ok(good, "was told, and nothing is left");
  server_stop(&s);
}

/* Two who look for one name, and one who finds it known. */
static int look_three_times(green_resolver *r, green_question **q)
{
  int err = green_resolver_look(&q[0], r, "a.test", 6, 1);
  if (err == 0) err = green_resolver_look(&q[1], r, "a.test", 6, 1);
  if (err == 0) err = result_of(q[1]);
  if (err == 0) err = green_resolver_look(&q[2], r, "a.test", 6, 1);
  return err == 0 ? result_of(q[2]) : err;
}

static int try_look(server *s, int n, int *good)
{
  green_resolver_opts o = usual;
  green_question *q[3] = {NULL, NULL, NULL};
  uint32_t fds = fds_of_hub();
  o.known = 10;
  green_resolver *r = resolver_new(&o, s, NULL);
  green__alloc_fail_from(n);
  int err = look_three_times(r, q);
  int calls = green__alloc_fail_from(0);
  if (err != 0 && err != GREEN_ENOMEM) *good = 0;
  for (int i = 0; i < 3; i++) green_resolver_forget(q[i]);
  settle();
  q[0] = q[1] = q[2] = NULL;
  if (look_three_times(r, q) != 0) *good = 0;
  for (int i = 0; i < 3; i++) green_resolver_forget(q[i]);
  resolver_free(r);
  settle();
  if (fds_of_hub() > fds) *good = 0;
  return calls >= n;
}

static void test_each_allocation_of_a_look_fails(void)
{
  server s;
  int n = 0, good = 1;
  server_start(&s, NULL);
  do n++;
  while (try_look(&s, n, &good) && n < 100);
  ok(n > 4 && n < 100, "each allocation failed in turn");
  ok(good, "was told, and nothing was kept of what was not there");
  server_stop(&s);
}

/* -- A child -------------------------------------------------------------- */

typedef struct scene {
  green_resolver *r;
  green_question *q;
  server *s;
  int port;
} scene;

static void asks_anew(void *arg)
{
  scene *c = arg;
  green_hub_check_fork(hub);
  c->s->reply = NULL;
  must(result_of(c->q) == 0);
  must(c->s->asked[0] == 2);
  must(c->s->ports[1] != c->port);
  green_resolver_forget(c->q);
  must(look_up(c->r, "b.test") == 0);
  green_resolver_deinit(c->r);
}

/* The child has the server, too; both are on one hub. */
static void test_a_child_asks_anew(void)
{
  server s;
  server_start(&s, reply_nothing);
  scene c = {.r = resolver_new(NULL, &s, NULL), .s = &s};
  c.q = ask(c.r, "a.test");
  settle();
  c.port = s.ports[0];
  uint8_t before[2] = {s.last[0], s.last[1]};
  is(in_child(asks_anew, &c), 0, "in the child");
  is(c.q->result, GREEN_EAGAIN, "the parent waits still");
  s.reply = NULL;
  green_hub_advance(hub, GREEN_SECOND);
  is(result_of(c.q), 0, "and is answered");
  ok(s.last[0] != before[0] || s.last[1] != before[1], "with another id");
  green_resolver_forget(c.q);
  resolver_free(c.r);
  server_stop(&s);
}

/* Forgotten are first the last of those that were out in the parent. */
enum { MANY = 300, FIRST = GREEN_RESOLVER_OUT - (MANY - GREEN_RESOLVER_OUT) };

static void lets_some_go(void *arg)
{
  scene *c = arg;
  green_question **q = (green_question **)(void *)c->q;
  green_hub_check_fork(hub);
  settle();
  must(stats_of(c->r).out == GREEN_RESOLVER_OUT);
  must(stats_of(c->r).waiting == MANY - GREEN_RESOLVER_OUT);
  for (int i = 0; i < MANY; i++) {
    green_resolver_forget(q[(i + FIRST) % MANY]);
    uint32_t left = (uint32_t)(MANY - 1 - i);
    must(stats_of(c->r).out ==
         (left < GREEN_RESOLVER_OUT ? left : GREEN_RESOLVER_OUT));
  }
  must(stats_of(c->r).waiting == 0);
  green_resolver_deinit(c->r);
}

/* More than may be out: who was out stays before those who were in line. */
static void test_a_child_counts_anew(void)
{
  server s;
  green_question *q[MANY];
  char name[40];
  server_start(&s, reply_nothing);
  scene c = {.r = resolver_new(NULL, &s, NULL), .s = &s, .q = (void *)q};
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    q[i] = ask(c.r, name);
  }
  is(in_child(lets_some_go, &c), 0, "in the child");
  for (int i = 0; i < MANY; i++) green_resolver_forget(q[i]);
  resolver_free(c.r);
  server_stop(&s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  green_hub_set_virtual(hub, 1);
  test_each_call_fails();
  test_each_allocation_fails();
  test_each_allocation_of_a_crowd_fails();
  test_each_allocation_of_a_look_fails();
  test_a_child_asks_anew();
  test_a_child_counts_anew();
  green_hub_free(hub);
  return t_done();
}
