/*
** floor_client.c: the least that an HTTP client can do and still be honest: one
** thread, epoll through libev, connections that are kept; a fixed request, and
** of each answer its length and the digits of its status. It parses the first
** answer, and takes the others to be as long.
**
**   floor_client PORT REQUESTS CONNECTIONS WARMUP
**
** Prints the fields that each client of this row prints: requests, errors,
** seconds, and cpu_ns, its own CPU time for a request, those of the warm-up not
** counted. Status 1 when an answer was wrong.
*/

#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ_MAX = 64 << 10 };

typedef struct floor_get {
  ev_io in;
  size_t have; /* Bytes of the present answer. */
} floor_get;

static char request[128];
static size_t request_len, answer_len;
static long to_ask, to_come, errors, warmup;
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

/* The length of a whole answer that begins at p; 0: it is none. */
static size_t answer_length(const char *p, size_t n)
{
  const char *end = memmem(p, n, "\r\n\r\n", 4);
  const char *length = memmem(p, n, "Content-Length: ", 16);
  if (!end || !length || length > end) return 0;
  return (size_t)(end + 4 - p) + strtoul(length + 16, NULL, 10);
}

static void ask(const floor_get *g)
{
  if (to_ask == 0) return;
  to_ask--;
  if (write(g->in.fd, request, request_len) != (ssize_t)request_len) errors++;
}

static void answered(struct ev_loop *loop, floor_get *g, const char *p)
{
  if (memcmp(p + 9, "200", 3)) errors++;
  g->have = 0;
  to_come--;
  if (warmup > 0 && --warmup == 0) start_clocks();
  if (to_come == 0)
    ev_break(loop, EVBREAK_ALL);
  else
    ask(g);
}

static void on_read(struct ev_loop *loop, ev_io *w, int events)
{
  static char buf[READ_MAX];
  floor_get *g = (floor_get *)w;
  (void)events;
  ssize_t n = read(w->fd, buf, sizeof buf);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0 && answer_len == 0) answer_len = answer_length(buf, (size_t)n);
  if (n <= 0 || answer_len == 0 || g->have + (size_t)n > answer_len) {
    errors++;
    ev_break(loop, EVBREAK_ALL);
    return;
  }
  g->have += (size_t)n;
  if (g->have == answer_len) answered(loop, g, buf);
}

static int connect_to(int port)
{
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
    perror("floor_client: connect");
    exit(1);
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

int main(int argc, char **argv)
{
  if (argc != 5) {
    fputs("usage: floor_client PORT REQUESTS CONNECTIONS WARMUP\n", stderr);
    return 2;
  }
  long count = atol(argv[2]), conns = atol(argv[3]);
  warmup = atol(argv[4]);
  to_ask = to_come = count + warmup;
  request_len = (size_t)snprintf(request, sizeof request,
                                 "GET / HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n"
                                 "Accept: */*\r\n\r\n",
                                 argv[1]);
  struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
  floor_get *gets = calloc((size_t)conns, sizeof *gets);
  for (long i = 0; i < conns; i++) {
    ev_io_init(&gets[i].in, on_read, connect_to(atoi(argv[1])), EV_READ);
    ev_io_start(loop, &gets[i].in);
  }
  if (warmup == 0) start_clocks();
  for (long i = 0; i < conns; i++) ask(&gets[i]);
  ev_run(loop, 0);
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  double wall = seconds(CLOCK_MONOTONIC) - wall_start;
  printf("requests=%ld errors=%ld seconds=%.3f cpu_ns=%.0f\n", count, errors,
         wall, cpu * 1e9 / (double)count);
  return errors || to_come > 0;
}
