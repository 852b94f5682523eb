/*
** zmq_loan_test.c: what is lent to libzmq comes back, from wherever it has got
** to; and outlives who has lent it.
*/

#include "actor.h"
#include "base/mem.h"
#include "child.h"
#include "io/zmq_priv.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { PULL = 7, PUSH = 8, DEALER = 5, SNDHWM = 23, RCVHWM = 24 };
enum { SIZE = 100000, COUNT = 2000 };

/* libzmq was not built for it. */
#ifdef __SANITIZE_THREAD__
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
  return "race:libzmq.so\nrace:libpgm\nmutex:libzmq.so\n"
         "called_from_lib:libzmq.so\n";
}
#endif

static green_hub *hub;
static char text[SIZE], ipc[64];

typedef struct pair {
  green_zmq_context *ctx;
  green_zmq *pull, *push;
} pair;

static green_zmq *socket_new(green_zmq_context *ctx, int type, int hwm)
{
  green_zmq *z = green__alloc(green_zmq_size());
  green_zmq_init(z, hub);
  if (green_zmq_open(z, ctx, type) < 0) abort();
  green_zmq_set(z, SNDHWM, &hwm, sizeof(hwm));
  green_zmq_set(z, RCVHWM, &hwm, sizeof(hwm));
  return z;
}

static void socket_free(green_zmq *z)
{
  green_zmq_close(z, 0);
  green_zmq_deinit(z);
  green__free(z);
}

static pair pair_new(int hwm, const char *endpoint)
{
  pair p = {.ctx = green_zmq_ctx_new(1)};
  p.pull = socket_new(p.ctx, PULL, hwm);
  p.push = socket_new(p.ctx, PUSH, hwm);
  if (green_zmq_bind(p.pull, endpoint) < 0) abort();
  if (green_zmq_connect(p.push, endpoint) < 0) abort();
  return p;
}

static void pair_free(pair *p)
{
  socket_free(p->pull);
  socket_free(p->push);
  green_zmq_ctx_unref(p->ctx);
}

/* The text, lent. */
static int send_lent(green_zmq *z, green_zmq_loans *l)
{
  green_iov part = {text, SIZE};
  if (green_zmq_loans_spare(l, 1) < 0) abort();
  green_zmq_loan *loan = green_zmq_loans_give(l, text);
  return green_zmq_sendv_lent(z, &part, &loan, 1, 0);
}

static int recv_text(green_zmq *z)
{
  int n;
  while ((n = green_zmq_recv(z, 0)) == GREEN_EAGAIN) usleep(100);
  int is_same = n == SIZE && !memcmp(green_zmq_input(z)->data, text, SIZE);
  green_zmq_drop(z);
  return is_same;
}

/* -- Coming back ---------------------------------------------------------- */

static void test_received(void)
{
  pair p = pair_new(0, "inproc://loan");
  green_zmq_loans *l = green_zmq_loans_new();
  is(send_lent(p.push, l), 0, "a text is lent");
  is(green_zmq_loans_back(l), 0, "it is not back while it is in a line");
  is(green_zmq_loans_out(l), 1, "it is out");
  is(green_zmq_recv(p.pull, 0), SIZE, "it is received");
  ok(green_zmq_input(p.pull)->data == text, "where it lies");
  is(green_zmq_loans_back(l), 0, "and is not back while it is looked at");
  green_zmq_drop(p.pull);
  is(green_zmq_loans_back(l), 1, "then it is");
  is(green_zmq_loans_back(l), 0, "once");
  is(green_zmq_loans_out(l), 0, "and none is out");
  is(green_zmq_loans_end(l), 0, "so it may end");
  pair_free(&p);
}

static void test_refused(void)
{
  pair p = pair_new(1, "inproc://loan");
  green_zmq_loans *l = green_zmq_loans_new();
  int sent = 0, back = 0;
  while (send_lent(p.push, l) == 0) sent++;
  is(sent, 2, "there is room for two");
  is(green_zmq_loans_back(l), 3, "what is refused is back at once");
  green_iov parts[3] = {{text, SIZE}, {"x", 1}, {text, SIZE}};
  if (green_zmq_loans_spare(l, 2) < 0) abort();
  green_zmq_loan *loans[3] = {green_zmq_loans_give(l, text), NULL,
                              green_zmq_loans_give(l, text)};
  is(green_zmq_sendv_lent(p.push, parts, loans, 3, 0), GREEN_EAGAIN,
     "a message of several parts is refused");
  while (green_zmq_loans_back(l)) back++;
  is(back, 2, "and all of it is back");
  green_zmq_close(p.push, 0);
  is(send_lent(p.push, l), GREEN_ECLOSED, "so is a closed socket's");
  ok(green_zmq_loans_back(l) > 0, "that is back, too");
  green_zmq_close(p.pull, 0);
  for (back = 0; back < 2;) back += green_zmq_loans_back(l) > 0;
  is(green_zmq_loans_end(l), 0, "what was in lines is back when they are");
  pair_free(&p);
}

static void test_numbers(void)
{
  green_zmq_loans *l = green_zmq_loans_new();
  green__alloc_fail_from(3);
  is(green_zmq_loans_spare(l, 4), GREEN_ENOMEM, "there is no memory for four");
  green__alloc_fail_from(0);
  is(green_zmq_loans_spare(l, 4), 0, "there is");
  int seen = 0;
  for (int i = 0; i < 4; i++) seen |= 1 << green_zmq_loans_number(l, i);
  is(seen, 30, "their numbers are 1 to 4");
  is(green_zmq_loans_end(l), 0, "spare ones are nobody's");
}

/* As libzmq's threads do, but where ThreadSanitizer sees it. */
static green_zmq_loan *given[COUNT];

static void *return_all(void *arg)
{
  (void)arg;
  for (int i = 0; i < COUNT; i++) green_zmq_loan_return(NULL, given[i]);
  return NULL;
}

static void test_own_thread(int ends)
{
  green_zmq_loans *l = green_zmq_loans_new();
  pthread_t thread;
  int back = 0;
  for (int i = 0; i < COUNT; i++) {
    if (green_zmq_loans_spare(l, 1) < 0) abort();
    given[i] = green_zmq_loans_give(l, text);
  }
  if (pthread_create(&thread, NULL, return_all, NULL)) abort();
  while (back < (ends ? COUNT / 2 : COUNT)) back += green_zmq_loans_back(l) > 0;
  if (green_zmq_loans_end(l)) green_zmq_loans_settle(l, (green_zmq_heap){0});
  pthread_join(thread, NULL);
  ok(1, "another thread returns them, while the owner lives, or ends");
}

static void test_thread(void)
{
  pair p = pair_new(10, ipc);
  green_zmq_loans *l = green_zmq_loans_new();
  int n = 0, most = 0;
  for (int sent = 0; n < COUNT;) {
    if (sent < COUNT && send_lent(p.push, l) == 0) sent++;
    int number = green_zmq_loans_back(l);
    if (number > most) most = number;
    if (green_zmq_recv(p.pull, 0) != SIZE) continue;
    n++;
    green_zmq_drop(p.pull);
  }
  ok(most < COUNT / 2, "numbers are used again");
  while (green_zmq_loans_out(l)) green_zmq_loans_back(l);
  is(green_zmq_loans_end(l), 0, "all come back by another thread");
  pair_free(&p);
  unlink(ipc + strlen("ipc://"));
}

/* -- The end of who has lent ---------------------------------------------- */

typedef struct heap {
  int freed;
  int over;
  char *last;
} heap;

static heap seen; /* Of libzmq's threads: looked at when there is none. */

static void *heap_alloc(void *ud, void *p, size_t osize, size_t nsize)
{
  heap *h = ud;
  must(nsize == 0 && osize == SIZE + 100);
  h->freed++;
  h->last = p;
  green__free(p);
  return NULL;
}

static void heap_over(green_zmq_heap *h)
{
  ((heap *)h->ud)->over++;
}

static void context_end(pair *p)
{
  pair_free(p);
  must(green_zmq_ctx_end_wait(green_hub_now(hub) + 20000000000) == 0);
}

static void test_outlives(const char *endpoint, int to_receive)
{
  pair p = pair_new(0, endpoint);
  green_zmq_loans *l = green_zmq_loans_new();
  char *block = green__alloc(SIZE + 100);
  seen = (heap){0};
  memcpy(block + 24, text, SIZE);
  green_iov part = {block + 24, SIZE};
  for (int i = 0; i < 3; i++) { /* The same one. */
    if (green_zmq_loans_spare(l, 1) < 0) abort();
    green_zmq_loan *loan = green_zmq_loans_give(l, part.ptr);
    if (green_zmq_sendv_lent(p.push, &part, &loan, 1, 0) < 0) abort();
  }
  is(green_zmq_loans_end(l), 1, "some are out when who has lent them ends");
  is((long)green_zmq_loans_keep(l, text, SIZE), 0, "another block is his");
  is((long)green_zmq_loans_keep(l, block, SIZE + 100), 24, "that one is not");
  green_zmq_loans_settle(l, (green_zmq_heap){heap_alloc, &seen, heap_over});
  for (int i = 0; i < to_receive; i++)
    ok(recv_text(p.pull), "it is whole when he has gone");
  context_end(&p);
  is(seen.freed, 1, "it is freed once");
  is(seen.over, 1, "and all is over");
}

static void in_a_child(void *arg)
{
  must(green_zmq_loans_forked(arg) == 1);
}

static void test_fork(void)
{
  pair p = pair_new(0, "inproc://loan");
  green_zmq_loans *l = green_zmq_loans_new();
  is(send_lent(p.push, l), 0, "one is out");
  if (!t_under_tsan) is(in_child(in_a_child, l), 0, "a child forgets it");
  is(green_zmq_loans_forked(l), 0, "the parent does not");
  ok(recv_text(p.pull), "it is whole");
  is(green_zmq_loans_back(l), 1, "and comes back");
  is(green_zmq_loans_end(l), 0, "so that is the end");
  pair_free(&p);
}

int main(void)
{
  if (green_hub_new(&hub, NULL) < 0) return 1;
  if (green_zmq_ctx_load() < 0) {
    printf("1..0 # SKIP %s\n", green_zmq_ctx_why());
    return 0;
  }
  memset(text, 'x', SIZE);
  snprintf(ipc, sizeof(ipc), "ipc:///tmp/green-zmq-loan-%d", (int)getpid());
  test_received();
  test_refused();
  test_numbers();
  test_own_thread(0);
  for (int i = 0; i < 20; i++) test_own_thread(1);
  if (!t_under_tsan) test_thread();
  test_outlives("inproc://loan", 3);
  test_outlives("inproc://loan", 0);
  if (!t_under_tsan) test_outlives(ipc, 3);
  unlink(ipc + strlen("ipc://"));
  test_fork();
  green_hub_free(hub);
  return t_done();
}
