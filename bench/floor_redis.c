/*
** floor_redis.c: the least that a client of Redis can do and still be honest:
** one thread, epoll through libev, connections that are kept; fixed commands,
** and of each answer its length and its first byte.
**
**   floor_redis PORT COMMANDS CONNECTIONS DEPTH WARMUP
**
** SET and GET of 64 bytes in turn, DEPTH of them in one write. Prints the
** fields that each client of this row prints: commands, errors, seconds, and
** cpu_ns, its own CPU time for a command, those of the warm-up not counted.
** Status 1 when an answer was wrong.
*/

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SET "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$64\r\n%064d\r\n"
#define GET "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"

enum { READ_MAX = 64 << 10, TEXT_MAX = 8 << 10, SET_LEN = 5, GET_LEN = 71 };

/* What is sent at once, and the answer to it. */
typedef struct floor_batch {
  char text[TEXT_MAX];
  size_t len, answer_len;
  char first; /* of the answer */
} floor_batch;

typedef struct floor_conn {
  ev_io in;
  size_t have; /* Bytes of the present answer. */
  int turn;
} floor_conn;

static floor_batch batches[2];
static long depth, to_ask, to_come, errors, warmup;
static double cpu_start, wall_start;

static double seconds(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_clocks(void)
{
  cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
  wall_start = seconds(CLOCK_MONOTONIC);
}

/* DEPTH commands, the first one SET if first is 0, else GET. */
static void make_batch(floor_batch *b, int first)
{
  for (int i = 0; i < depth; i++) {
    int is_get = (i + first) % 2;
    b->len += (size_t)(is_get ? sprintf(b->text + b->len, GET)
                              : sprintf(b->text + b->len, SET, 7));
    b->answer_len += is_get ? GET_LEN : SET_LEN;
  }
  b->first = first ? '$' : '+';
}

static void ask(floor_conn *c)
{
  const floor_batch *b = &batches[c->turn];
  if (to_ask <= 0) return;
  to_ask -= depth;
  if (write(c->in.fd, b->text, b->len) != (ssize_t)b->len) errors++;
}

static void answered(struct ev_loop *loop, floor_conn *c)
{
  c->have = 0;
  c->turn = depth == 1 ? !c->turn : 0;
  to_come -= depth;
  if (warmup > 0 && (warmup -= depth) <= 0) start_clocks();
  if (to_come <= 0)
    ev_break(loop, EVBREAK_ALL);
  else
    ask(c);
}

static void on_read(struct ev_loop *loop, ev_io *w, int events)
{
  static char buf[READ_MAX];
  floor_conn *c = (floor_conn *)w;
  const floor_batch *b = &batches[c->turn];
  (void)events;
  ssize_t n = read(w->fd, buf, sizeof buf);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0 || c->have + (size_t)n > b->answer_len ||
      (c->have == 0 && *buf != b->first)) {
    errors++;
    ev_break(loop, EVBREAK_ALL);
    return;
  }
  c->have += (size_t)n;
  if (c->have == b->answer_len) answered(loop, c);
}

static int connect_to(int port)
{
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
    perror("floor_redis: connect");
    exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

int main(int argc, char **argv)
{
  if (argc != 6) {
    fputs("usage: floor_redis PORT COMMANDS CONNECTIONS DEPTH WARMUP\n",
          stderr);
    return 2;
  }
  long count = atol(argv[2]), conns = atol(argv[3]);
  depth = atol(argv[4]);
  warmup = atol(argv[5]);
  to_ask = to_come = count + warmup;
  if (depth < 1 || depth > 64) return 2;
  make_batch(&batches[0], 0);
  make_batch(&batches[1], 1);
  struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
  floor_conn *all = calloc((size_t)conns, sizeof *all);
  for (long i = 0; i < conns; i++) {
    ev_io_init(&all[i].in, on_read, connect_to(atoi(argv[1])), EV_READ);
    ev_io_start(loop, &all[i].in);
  }
  if (warmup == 0) start_clocks();
  for (long i = 0; i < conns; i++) ask(&all[i]);
  ev_run(loop, 0);
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  double wall = seconds(CLOCK_MONOTONIC) - wall_start;
  printf("commands=%ld errors=%ld seconds=%.3f cpu_ns=%.0f\n", count, errors,
         wall, cpu * 1e9 / (double)count);
  return errors || to_come > 0;
}
