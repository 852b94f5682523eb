/*
** zmq_test.c: ZeroMQ sockets on a hub: who waits is woken, in order, and
** nothing is left; what is short of memory or descriptors fails and may be done
** again; a child touches nothing of its parent's.
*/
/* wrap: fcntl */

#include "actor.h"
#include "base/mem.h"
#include "child.h"
#include "io/zmq_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#if defined(__has_include)
#if __has_include(<zmq.h>)
#include <zmq.h>
#endif
#endif

/* libzmq and what it brings along were not built for it. */
#ifdef __SANITIZE_THREAD__
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
  return "race:libzmq.so\nrace:libpgm\nmutex:libzmq.so\n"
         "called_from_lib:libzmq.so\n";
}
#endif

static int fail_dup;

int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...)
{
  va_list args;
  va_start(args, cmd);
  long arg = va_arg(args, long);
  va_end(args);
  if (cmd == F_DUPFD_CLOEXEC && fail_dup) {
    errno = EMFILE;
    return -1;
  }
  return __real_fcntl(fd, cmd, arg);
}

static green_hub *hub;

enum { PULL = 7, PUSH = 8, REQ = 3, DEALER = 5, ROUTER = 6 };

/* -- Pairs ---------------------------------------------------------------- */

typedef struct pair {
  green_zmq_context *ctx;
  green_zmq *a, *b;
} pair;

static green_zmq *zmq_new(green_zmq_context *ctx, int type)
{
  green_zmq *z = green__alloc(green_zmq_size());
  green_zmq_init(z, hub);
  if (green_zmq_open(z, ctx, type) < 0) abort();
  return z;
}

static void zmq_free(green_zmq *z)
{
  green_zmq_close(z, 0);
  green_zmq_deinit(z);
  green__free(z);
}

static pair pair_new(int a, int b, int hwm)
{
  pair p = {.ctx = green_zmq_ctx_new(1)};
  p.a = zmq_new(p.ctx, a);
  p.b = zmq_new(p.ctx, b);
  enum { SNDHWM = 23, RCVHWM = 24 };
  green_zmq_set(p.a, RCVHWM, &hwm, sizeof(hwm));
  green_zmq_set(p.b, SNDHWM, &hwm, sizeof(hwm));
  if (green_zmq_bind(p.a, "inproc://test") < 0) abort();
  if (green_zmq_connect(p.b, "inproc://test") < 0) abort();
  return p;
}

static void pair_free(pair *p)
{
  zmq_free(p->a);
  zmq_free(p->b);
  green_zmq_ctx_unref(p->ctx);
}

/* -- Tasks that receive and send ------------------------------------------ */

typedef struct user {
  actor actor;
  green_zmq *z;
  int direction;
  int told;
  int result;
  int left; /* Messages. */
  int *order;
} user;

static int orders;

static int user_try(user *u)
{
  if (u->direction == GREEN_ZMQ_IN) return green_zmq_recv(u->z, u->told);
  green_iov parts[2] = {{"one", 3}, {"two", 3}};
  return green_zmq_sendv(u->z, parts, 2, u->told);
}

static void user_step(actor *a)
{
  user *u = green_container(a, user, actor);
  if (a->runs > 1 && a->task.status < 0) {
    u->result = a->task.status;
    green_zmq_leave(u->z);
    return;
  }
  u->told = a->runs > 1;
  while (u->left && (u->result = user_try(u)) >= 0) {
    green_zmq_drop(u->z);
    if (--u->left == 0 && u->order) *u->order = ++orders;
    u->told = 0;
  }
  if (!u->left || u->result != GREEN_EAGAIN) return;
  int err = green_zmq_wait(u->z, u->direction);
  if (err < 0) {
    u->result = err;
    return;
  }
  green_waitq *q = green_zmq_line(u->z, u->direction, u->told);
  if (green_task_park(&a->task, q, a->deadline ? a->deadline : GREEN_NEVER) < 0)
    abort();
}

static void user_start(user *u, green_zmq *z, int direction, int n)
{
  *u = (user){.z = z};
  actor_init(&u->actor, hub, 0, user_step);
  u->direction = direction;
  u->left = n;
  green_task_start(&u->actor.task);
}

static int is_dead(const user *u)
{
  return u->actor.task.state == GREEN_TASK_DEAD;
}

static void run(user *u, int n)
{
  for (int i = 0; i < n; i++)
    while (!is_dead(&u[i])) green_hub_turn(hub, 1);
}

static uint32_t waits(void)
{
  green_hub_stats s;
  green_hub_stats_get(hub, &s);
  return s.waits;
}

/* -- Waiting -------------------------------------------------------------- */

static void test_both_ends(void)
{
  pair p = pair_new(PULL, PUSH, 3);
  user u[2];
  double before = green_zmq_looks();
  user_start(&u[0], p.a, GREEN_ZMQ_IN, 1000);
  user_start(&u[1], p.b, GREEN_ZMQ_OUT, 1000);
  run(u, 2);
  is(u[0].left + u[1].left, 0, "a thousand messages through a narrow pair");
  ok(green_zmq_looks() > before, "looks for room are counted");
  green_hub_check(hub);
  pair_free(&p);
  is(waits(), 0, "nobody waits any more");
}

static void test_order(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  user u[5];
  int order[5] = {0};
  orders = 0;
  for (int i = 0; i < 5; i++) {
    user_start(&u[i], p.a, GREEN_ZMQ_IN, 1);
    u[i].order = &order[i];
  }
  turns(hub, 2);
  for (int i = 0; i < 5; i++) green_zmq_send(p.b, "x", 1, 0);
  run(u, 5);
  for (int i = 0; i < 5; i++) is(order[i], i + 1, "in the order they came");
  pair_free(&p);
}

static void test_kill(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  user u[2];
  user_start(&u[0], p.a, GREEN_ZMQ_IN, 1);
  user_start(&u[1], p.a, GREEN_ZMQ_IN, 1);
  turns(hub, 2);
  is(waits(), 1, "the socket waits, however many stand in line");
  green_task_kill(&u[0].actor.task);
  green_zmq_send(p.b, "x", 1, 0);
  run(u, 2);
  is(u[0].result, GREEN_ECANCELED, "one is killed");
  is(u[1].left, 0, "the next has the message");
  is(waits(), 0, "nothing is left");
  pair_free(&p);
}

/* Who was woken may end before it runs: its turn is the next one's. */
static void test_abandoned(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  user u[2];
  user_start(&u[0], p.a, GREEN_ZMQ_IN, 1);
  user_start(&u[1], p.a, GREEN_ZMQ_IN, 1);
  turns(hub, 2);
  green_zmq_send(p.b, "x", 1, 0);
  while (u[0].actor.task.state != GREEN_TASK_READY) green_hub_turn(hub, 1);
  green_task_end(&u[0].actor.task);
  run(&u[1], 1);
  is(u[1].left, 0, "the turn of one that ended is handed on");
  pair_free(&p);
}

static void test_timeout(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  user u;
  user_start(&u, p.a, GREEN_ZMQ_IN, 1);
  u.actor.deadline = green_hub_now(hub) + 1000000;
  run(&u, 1);
  is(u.result, GREEN_ETIMEDOUT, "its time is up");
  is(waits(), 0, "nothing is left");
  pair_free(&p);
}

static void test_close(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  user u;
  user_start(&u, p.a, GREEN_ZMQ_IN, 1);
  turns(hub, 2);
  green_zmq_close(p.a, 0);
  run(&u, 1);
  is(u.result, GREEN_ECLOSED, "closed under one who waits");
  is(green_zmq_recv(p.a, 0), GREEN_ECLOSED, "and for all later calls");
  is(green_zmq_bind(p.a, "inproc://x"), GREEN_ECLOSED, "bind, too");
  is(green_zmq_wait(p.a, GREEN_ZMQ_IN), GREEN_ECLOSED, "and waits");
  is(green_zmq_is_closed(p.a), 1, "it says so");
  pair_free(&p);
}

/* A send takes the news of a message away from one who waits for it. */
static void test_news_taken(void)
{
  pair p = pair_new(ROUTER, DEALER, 0);
  user u;
  user_start(&u, p.b, GREEN_ZMQ_IN, 1);
  turns(hub, 2);
  green_zmq_send(p.b, "q", 1, 0);
  while (green_zmq_recv(p.a, 0) < 0) usleep(100);
  char id[64];
  size_t n = green_zmq_input(p.a)->size;
  memcpy(id, green_zmq_input(p.a)->data, n);
  green_iov parts[2] = {{id, n}, {"a", 1}};
  is(green_zmq_recv_more(p.a), 1, "the second part");
  is(green_zmq_recv_more(p.a), GREEN_EFSM, "and no third");
  is(green_zmq_sendv(p.a, parts, 2, 0), 0, "an answer");
  usleep(2000);
  green_zmq_events(p.b); /* Takes it away. */
  run(&u, 1);
  is(u.left, 0, "it is woken all the same");
  pair_free(&p);
}

static void watch_step(actor *a)
{
  user *u = green_container(a, user, actor);
  if (a->runs > 1) {
    u->result = a->task.status;
    return;
  }
  if (green_zmq_watch(u->z, GREEN_READ) < 0) abort();
  green_task_park(&a->task, green_zmq_watchers(u->z), GREEN_NEVER);
}

static void test_watchers(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  user u[3];
  for (int i = 0; i < 3; i++) {
    u[i] = (user){.z = p.a};
    actor_init(&u[i].actor, hub, 0, watch_step);
    green_task_start(&u[i].actor.task);
  }
  turns(hub, 3);
  ok(!is_dead(&u[0]), "there is nothing to read");
  green_zmq_send(p.b, "x", 1, 0);
  run(u, 3);
  is(u[0].result, GREEN_READ, "all are told what there is");
  is(u[2].result, GREEN_READ, "the last one, too");
  is(green_zmq_recv(p.a, 0), 1, "and nothing is taken");
  pair_free(&p);
}

/* -- Messages ------------------------------------------------------------- */

static void test_whole(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  green_iov parts[3] = {{"one", 3}, {"", 0}, {"three", 5}};
  is(green_zmq_sendv(p.b, parts, 3, 0), 0, "three parts");
  is(green_zmq_send(p.b, "next", 4, 0), 0, "and another message");
  is(green_zmq_recv(p.a, 0), 3, "the first part");
  is(green_zmq_input(p.a)->more, 1, "of several");
  is(green_zmq_recv(p.a, 0), 4, "what is not wanted of a message is passed");
  is(green_zmq_input(p.a)->more, 0, "the next one is of one part");
  is(green_zmq_recv(p.a, 0), GREEN_EAGAIN, "there is no more");
  is(green_zmq_recv(p.b, 0), -ENOTSUP, "a PUSH receives nothing");
  pair_free(&p);
}

/* -- Failures ------------------------------------------------------------- */

static void test_short(void)
{
  green_zmq_context *ctx = green_zmq_ctx_new(1);
  green_zmq *z = green__alloc(green_zmq_size());
  green_zmq_init(z, hub);
  fail_dup = 1;
  is(green_zmq_open(z, ctx, PULL), GREEN_EMFILE, "no descriptor");
  fail_dup = 0;
  is(green_zmq_open(z, ctx, 99), GREEN_EINVAL, "no such type");
  is(green_zmq_open(z, ctx, PULL), 0, "later it opens");
  is(green_zmq_open(z, ctx, PULL), GREEN_EINVAL, "once");
  zmq_free(z);
  green_zmq_ctx_unref(ctx);
  is(green_zmq_open(NULL, NULL, PULL), GREEN_ECLOSED, "no context");
}

static void test_no_memory(void)
{
  green_zmq_context *c = NULL;
  int n = 0;
  while (!c) {
    green__alloc_fail_from(++n);
    c = green_zmq_ctx_new(0);
    green__alloc_fail_from(0);
    if (n > 20) abort();
  }
  ok(n > 1, "each allocation of a context may fail");
  green__alloc_fail_from(1);
  green_zmq_ctx_unref(c);
  green__alloc_fail_from(0);
  c = green_zmq_ctx_new(0);
  ok(c != NULL, "and there is another one behind it");
  green_zmq_context *other = green_zmq_ctx_new(0);
  is(green_zmq_ctx_id(c), green_zmq_ctx_id(other), "the process has one");
  green_zmq_ctx_unref(other);
  uint32_t id = green_zmq_ctx_id(c);
  green_zmq_ctx_unref(c);
  is(green_zmq_ctx_end_wait(green_hub_now(hub) + 10000000000), 0, "it ends");
  is(green_zmq_ctx_ending(id), 0, "and is not being ended then");
}

static void in_a_child(void *arg)
{
  pair *p = arg;
  must(green_zmq_recv(p->a, 0) == GREEN_ZMQ_FORKED);
  must(green_zmq_send(p->b, "x", 1, 0) == GREEN_ZMQ_FORKED);
  must(green_zmq_wait(p->a, GREEN_ZMQ_IN) == GREEN_ZMQ_FORKED);
  must(green_zmq_events(p->a) == GREEN_ZMQ_FORKED);
  green_hub_check_fork(hub);
  green_zmq *z = green__alloc(green_zmq_size());
  green_zmq_init(z, hub);
  must(green_zmq_open(z, p->ctx, PULL) == GREEN_ECLOSED);
  must(green_zmq_ctx_get(p->ctx, 1) == GREEN_ECLOSED);
  green_zmq_close(p->a, 0);
  green_zmq_context *own = green_zmq_ctx_new(0);
  must(own && green_zmq_open(z, own, PULL) == 0);
  green_zmq_close(z, 0);
  green_zmq_ctx_unref(own);
  must(green_zmq_ctx_end_wait(green_hub_now(hub) + 10000000000) == 0);
}

static void test_fork(void)
{
  pair p = pair_new(PULL, PUSH, 0);
  if (!t_under_tsan) is(in_child(in_a_child, &p), 0, "a child has its own");
  is(green_zmq_send(p.b, "x", 1, 0), 0, "the parent's are as before");
  is(green_zmq_recv(p.a, 0), 1, "and carry messages");
  pair_free(&p);
}

/* -- What the library declares -------------------------------------------- */

static void test_numbers(void)
{
#ifdef ZMQ_VERSION
  is(GREEN__ZMQ_DONTWAIT, ZMQ_DONTWAIT, "ZMQ_DONTWAIT");
  is(GREEN__ZMQ_SNDMORE, ZMQ_SNDMORE, "ZMQ_SNDMORE");
  is(GREEN__ZMQ_POLLIN, ZMQ_POLLIN, "ZMQ_POLLIN");
  is(GREEN__ZMQ_POLLOUT, ZMQ_POLLOUT, "ZMQ_POLLOUT");
  is(GREEN__ZMQ_FD, ZMQ_FD, "ZMQ_FD");
  is(GREEN__ZMQ_EVENTS, ZMQ_EVENTS, "ZMQ_EVENTS");
  is(GREEN__ZMQ_LINGER, ZMQ_LINGER, "ZMQ_LINGER");
  is(GREEN__ZMQ_BACKLOG, ZMQ_BACKLOG, "ZMQ_BACKLOG");
  is(GREEN__ZMQ_LAST_ENDPOINT, ZMQ_LAST_ENDPOINT, "ZMQ_LAST_ENDPOINT");
  is(GREEN__ZMQ_USE_FD, ZMQ_USE_FD, "ZMQ_USE_FD");
  is(sizeof(green__zmq_msg), sizeof(zmq_msg_t), "a message's memory");
  is(_Alignof(green__zmq_msg), _Alignof(zmq_msg_t), "and where it may stand");
  ok(EFSM == 156384712 + 51 && ETERM == 156384712 + 53, "errors of its own");
#else
  ok(1, "zmq.h is not here # SKIP");
#endif
}

int main(void)
{
  if (green_hub_new(&hub, NULL) < 0) return 1;
  if (green_zmq_ctx_load() < 0) {
    printf("1..0 # SKIP %s\n", green_zmq_ctx_why());
    return 0;
  }
  test_numbers();
  test_both_ends();
  test_order();
  test_kill();
  test_abandoned();
  test_timeout();
  test_close();
  test_news_taken();
  test_watchers();
  test_whole();
  test_short();
  test_no_memory();
  test_fork();
  green_hub_check(hub);
  green_hub_free(hub);
  return t_done();
}
