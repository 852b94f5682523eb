/*
** load_zmq.c: DEALERs that are cheap: they speak ZMTP 3.0 themselves, NULL,
** over a UNIX socket, each with one message under way.
**
**   load_zmq PATH PID CLIENTS COUNT SIZE SECONDS
**
** Waits until something listens on PATH. Each answer must be the very bytes of
** what was sent. Prints requests, errors, seconds, rate, cpu_ns (the CPU time
** that process PID used for a message) and own_ns (that of its first thread
** alone); a tenth as many go before and are not counted. Status 1 when an
** answer was wrong.
*/

#include "meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { GREETING = 64, TEXT_MAX = 255, READ_MAX = 4096, EVENTS = 64 };

typedef struct client {
  int fd;
  size_t have, wanted; /* Of the answer; of ZMTP's own talk at first. */
  int is_open;
  unsigned char sent[2 + TEXT_MAX], got[READ_MAX];
} client;

static long to_send, to_come, warmup, errors, count;
static size_t size;
static pid_t server;
static int64_t cpu_start, own_start, wall_start;

/* What the first thread of the server has used; of a command that started it:
** of its only child. */
static int64_t own_cpu(void)
{
  char path[64];
  long long ns = 0, child = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%d/children", server, server);
  FILE *f = fopen(path, "re");
  if (f && fscanf(f, "%lld", &child) != 1) child = server;
  if (f) fclose(f);
  snprintf(path, sizeof path, "/proc/%lld/task/%lld/schedstat", child, child);
  f = fopen(path, "re");
  if (f && fscanf(f, "%lld", &ns) != 1) ns = 0;
  if (f) fclose(f);
  return ns;
}

static void put(client *c, const void *p, size_t n)
{
  if (write(c->fd, p, n) != (ssize_t)n) errors++;
}

static void greet(client *c)
{
  static const unsigned char mine[GREETING] = {
      0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0, 'N', 'U', 'L', 'L'};
  static const char ready[] = "\4\x1c\5READY\vSocket-Type\0\0\0\6DEALER";
  put(c, mine, sizeof mine);
  put(c, ready, sizeof ready - 1);
}

static void ask(client *c)
{
  static int64_t number;
  if (to_send-- <= 0) return;
  number++;
  c->sent[0] = 0;
  c->sent[1] = (unsigned char)size;
  memcpy(c->sent + 2, &number, sizeof number);
  c->have = 0;
  c->wanted = size + 2;
  put(c, c->sent, size + 2);
}

/* The greeting and READY of the other side: when they are here, ask. */
static void open_if_whole(client *c)
{
  if (c->have < GREETING + 2) return;
  c->wanted = GREETING + 2u + c->got[GREETING + 1];
  if (c->have < c->wanted) return;
  c->is_open = 1;
  ask(c);
}

static void answered(client *c)
{
  if (c->have > c->wanted || memcmp(c->got, c->sent, c->wanted) != 0) errors++;
  if (warmup > 0 && --warmup == 0) {
    cpu_start = meter_cpu(server);
    own_start = own_cpu();
    wall_start = meter_now();
  }
  to_come--;
  ask(c);
}

static void on_read(client *c)
{
  ssize_t n = read(c->fd, c->got + c->have, READ_MAX - c->have);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    errors++;
    to_come = 0;
    return;
  }
  c->have += (size_t)n;
  if (!c->is_open)
    open_if_whole(c);
  else if (c->have >= c->wanted)
    answered(c);
}

static int connect_to(const char *path)
{
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  struct timespec pause = {.tv_nsec = 20000000};
  snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
  for (int tries = 0; tries < 500; tries++) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
    close(fd);
    nanosleep(&pause, NULL);
  }
  perror("load_zmq: connect");
  exit(1);
}

static void open_all(client *all, long clients, int poll, const char *path)
{
  for (long i = 0; i < clients; i++) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
    all[i].fd = connect_to(path);
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &e);
    greet(&all[i]);
  }
}

static void turn(int poll)
{
  struct epoll_event ready[EVENTS];
  int n = epoll_wait(poll, ready, EVENTS, 5000);
  if (n == 0) to_come = 0, errors++;
  for (int i = 0; i < n; i++) on_read(ready[i].data.ptr);
}

int main(int argc, char **argv)
{
  if (argc != 7) return 2;
  server = atoi(argv[2]);
  long clients = atol(argv[3]);
  count = atol(argv[4]);
  size = (size_t)atol(argv[5]);
  double most = atof(argv[6]);
  if (size < sizeof(int64_t) || size > TEXT_MAX) return 2;
  warmup = count / 10;
  to_send = to_come = count + warmup;
  client *all = calloc((size_t)clients, sizeof *all);
  int poll = epoll_create1(EPOLL_CLOEXEC);
  open_all(all, clients, poll, argv[1]);
  while (to_come > 0 && errors == 0 &&
         (warmup > 0 || (double)(meter_now() - wall_start) < most * 1e9))
    turn(poll);
  double cpu = (double)(meter_cpu(server) - cpu_start);
  double own = (double)(own_cpu() - own_start);
  double wall = (double)(meter_now() - wall_start) / 1e9;
  long done = count - (to_come > 0 ? to_come : 0);
  printf("requests=%ld errors=%ld seconds=%.3f rate=%.0f cpu_ns=%.0f "
         "own_ns=%.0f\n",
         done, errors, wall, (double)done / wall, cpu / (double)done,
         own / (double)done);
  return errors > 0 || done <= 0;
}
