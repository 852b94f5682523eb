/*
** floor_zmq.c: ZeroMQ as a blocking C program uses it: libzmq's own calls, one
** thread, no loop.
**
**   floor_zmq push ENDPOINT COUNT SIZE    connects and sends
**   floor_zmq pull ENDPOINT COUNT SIZE    binds and receives
**   floor_zmq req  ENDPOINT COUNT SIZE    connects, asks, has answers
**   floor_zmq rep  ENDPOINT COUNT SIZE    binds and sends back what it got
**   floor_zmq echo ENDPOINT               a ROUTER that does so, for ever
**   floor_zmq inproc COUNT SIZE           PUSH and PULL in two threads
**
** A tenth as many go before and are not counted. No message is the one before:
** its number stands at its beginning, and the receiver compares it. Prints
** ACT_ns: CPU time of all threads of the process for a message, and ACT_own_ns,
** that of the thread which sends or receives; inproc prints cpu_ns, and for
** as many more, which are received into memory of the program's, into_ns.
*/

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static void *context;
static const char *endpoint, *act;
static long count, warmup, to_push;
static size_t size;
static double cpu_start, own_start;

static double ns_of(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void start_clocks(void)
{
  cpu_start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
  own_start = ns_of(CLOCK_THREAD_CPUTIME_ID);
}

static void need(int fine)
{
  if (fine) return;
  fprintf(stderr, "floor_zmq: %s\n", zmq_strerror(zmq_errno()));
  exit(1);
}

static void *open_socket(int type, int binds)
{
  void *s = zmq_socket(context, type);
  need(s != NULL);
  need((binds ? zmq_bind(s, endpoint) : zmq_connect(s, endpoint)) == 0);
  return s;
}

static void send_number(void *s, char *text, int64_t n)
{
  memcpy(text, &n, sizeof n);
  need(zmq_send(s, text, size, 0) == (int)size);
}

/* A message as a program gets it that does not know how long it is. */
static void take_number(void *s, int64_t n)
{
  zmq_msg_t m;
  int64_t got;
  zmq_msg_init(&m);
  need(zmq_msg_recv(&m, s, 0) == (int)size);
  memcpy(&got, zmq_msg_data(&m), sizeof got);
  if (got != n && got != -1) exit(1); /* -1: who sends does not count */
  zmq_msg_close(&m);
}

static void push(void *s, char *text)
{
  for (int64_t n = 0; n < to_push; n++) {
    if (n == warmup) start_clocks();
    send_number(s, text, n);
  }
}

static void pull(void *s, char *text)
{
  (void)text;
  for (int64_t n = 0; n < warmup + count; n++) {
    if (n == warmup) start_clocks();
    take_number(s, n);
  }
}

static void req(void *s, char *text)
{
  for (int64_t n = 0; n < warmup + count; n++) {
    if (n == warmup) start_clocks();
    send_number(s, text, n);
    take_number(s, n);
  }
}

static void send_back(void *s, zmq_msg_t *m)
{
  need(zmq_msg_send(m, s, zmq_msg_more(m) ? ZMQ_SNDMORE : 0) >= 0);
}

static void rep(void *s, char *text)
{
  zmq_msg_t m;
  (void)text;
  for (int64_t n = 0; n < warmup + count; n++) {
    if (n == warmup) start_clocks();
    zmq_msg_init(&m);
    need(zmq_msg_recv(&m, s, 0) == (int)size);
    send_back(s, &m);
  }
}

static void echo(void)
{
  void *s = open_socket(ZMQ_ROUTER, 1);
  zmq_msg_t m;
  for (;;) {
    zmq_msg_init(&m);
    need(zmq_msg_recv(&m, s, 0) >= 0);
    send_back(s, &m);
  }
}

static void *push_thread(void *text)
{
  void *s = open_socket(ZMQ_PUSH, 0);
  push(s, text);
  zmq_close(s);
  return NULL;
}

static void pull_into(void *s, int64_t n)
{
  char *text = malloc(size);
  int64_t got;
  for (int64_t end = n + count; n < end; n++) {
    need(zmq_recv(s, text, size, 0) == (int)size);
    memcpy(&got, text, sizeof got);
    if (got != n) exit(1);
  }
  free(text);
}

static void inproc(char *text)
{
  pthread_t other;
  endpoint = "inproc://bench";
  to_push = warmup + 2 * count;
  void *s = open_socket(ZMQ_PULL, 1);
  if (pthread_create(&other, NULL, push_thread, text)) abort();
  pull(s, text);
  double middle = ns_of(CLOCK_PROCESS_CPUTIME_ID), ns = middle - cpu_start;
  pull_into(s, warmup + count);
  double into = ns_of(CLOCK_PROCESS_CPUTIME_ID) - middle;
  pthread_join(other, NULL);
  printf("cpu_ns=%.1f into_ns=%.1f\n", ns / (double)count,
         into / (double)count);
  zmq_close(s);
}

/* libzmq throws away what is in the kernel when PUSH is closed while PULL's
** line is full. So it stays until PULL, which has everything, has removed the
** endpoint's file. */
static void let_go(void)
{
  const struct timespec pause = {.tv_nsec = 2000000};
  const char *path = endpoint + strlen("ipc://");
  if (strncmp(endpoint, "ipc://", strlen("ipc://")) != 0) return;
  if (!strcmp(act, "pull")) unlink(path);
  while (!strcmp(act, "push") && access(path, F_OK) == 0)
    nanosleep(&pause, NULL);
}

/* One end; what is unsent has gone when the context has ended. */
static void run(int type, int binds, void (*work)(void *, char *), char *text)
{
  void *s = open_socket(type, binds);
  work(s, text);
  double own = ns_of(CLOCK_THREAD_CPUTIME_ID) - own_start;
  let_go();
  zmq_close(s);
  zmq_ctx_term(context);
  double cpu = ns_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  printf("%s_ns=%.1f %s_own_ns=%.1f\n", act, cpu / (double)count, act,
         own / (double)count);
}

static int by_name(char *text)
{
  if (!strcmp(act, "push")) return run(ZMQ_PUSH, 0, push, text), 0;
  if (!strcmp(act, "pull")) return run(ZMQ_PULL, 1, pull, text), 0;
  if (!strcmp(act, "req")) return run(ZMQ_REQ, 0, req, text), 0;
  if (!strcmp(act, "rep")) return run(ZMQ_REP, 1, rep, text), 0;
  if (!strcmp(act, "inproc")) return inproc(text), 0;
  return 2;
}

int main(int argc, char **argv)
{
  if (argc < 3) return 2;
  act = argv[1];
  endpoint = argv[2];
  context = zmq_ctx_new();
  if (!strcmp(act, "echo")) echo();
  if (argc < 4) return 2;
  count = atol(argv[argc - 2]);
  size = (size_t)atol(argv[argc - 1]);
  warmup = count / 10;
  to_push = warmup + count;
  if (size < sizeof(int64_t)) return 2;
  return by_name(calloc(1, size));
}
