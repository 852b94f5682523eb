/*
** resolver_threads_test.c: hubs of several threads, each with a resolver of its
** own, by UDP and TCP: nothing is shared but c-ares.
*/

#include "hub/hub.h"
#include "io/resolver.h"
#include "t.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum { THREADS = 4, LOOKUPS = 100 };

static int udp, tcp;
static green_addr address;
static atomic_int is_over;

/* -- The name server: a thread that blocks -------------------------------- */

/* An address; by UDP the names that begin with a "t" are cut short. */
static size_t reply(uint8_t *m, int is_tcp)
{
  static const uint8_t record[] = {0xc0, 12, 0, 1, 0,    1, 0, 0,
                                   0,    60, 0, 4, 0xc0, 0, 2, 1};
  size_t at = 12;
  int is_cut = !is_tcp && (m[13] | 0x20) == 't';
  while (m[at]) at += m[at] + 1u;
  at += 5;
  m[2] = (uint8_t)(0x81 | (is_cut ? 2 : 0));
  m[3] = 0x80;
  memset(m + 6, 0, 6);
  m[7] = (uint8_t)!is_cut;
  if (is_cut) return at;
  memcpy(m + at, record, sizeof(record));
  return at + sizeof(record);
}

static void answer_udp(void)
{
  uint8_t m[1500];
  struct sockaddr_in from;
  socklen_t len = sizeof(from);
  ssize_t n = recvfrom(udp, m, 600, 0, (struct sockaddr *)&from, &len);
  if (n > 16) sendto(udp, m, reply(m, 0), 0, (struct sockaddr *)&from, len);
}

/* One question a connection. */
static void answer_tcp(void)
{
  uint8_t m[1500];
  int fd = accept(tcp, NULL, NULL);
  ssize_t n = recv(fd, m, 600, 0);
  size_t len = n > 18 ? reply(m + 2, 1) : 0;
  m[0] = (uint8_t)(len >> 8);
  m[1] = (uint8_t)len;
  if (len) send(fd, m, len + 2, MSG_NOSIGNAL);
  recv(fd, m, 1, 0); /* Its end. */
  close(fd);
}

static void *serve(void *unused)
{
  struct pollfd fds[] = {{.fd = udp, .events = POLLIN},
                         {.fd = tcp, .events = POLLIN}};
  (void)unused;
  while (!is_over) {
    if (poll(fds, 2, 20) <= 0) continue;
    if (fds[0].revents) answer_udp();
    if (fds[1].revents) answer_tcp();
  }
  return NULL;
}

static void open_server(void)
{
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t len = sizeof(a);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  do {
    udp = socket(AF_INET, SOCK_DGRAM, 0);
    tcp = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_port = 0;
    if (bind(udp, (struct sockaddr *)&a, len) < 0) abort();
    getsockname(udp, (struct sockaddr *)&a, &len);
    if (bind(tcp, (struct sockaddr *)&a, len) == 0) break;
    close(udp);
    close(tcp);
  } while (1);
  listen(tcp, 64);
  green_addr_set(&address, (struct sockaddr *)&a, len);
}

/* -- Those who ask -------------------------------------------------------- */

static int look_up(green_hub *hub, green_resolver *r, int i)
{
  green_question *q;
  char name[32];
  int n = snprintf(name, sizeof(name), "%c%d.test", i % 10 ? 'a' : 't', i);
  if (green_resolver_look(&q, r, name, (size_t)n, 1) < 0) return 0;
  while (q->result == GREEN_EAGAIN) green_hub_turn(hub, 1);
  int good = q->result == 0 && q->count == 1;
  green_resolver_forget(q);
  return good;
}

static void *look_up_many(void *arg)
{
  int *good = arg;
  green_hub *hub;
  green_resolver_opts opts = {
      .timeout = 10 * GREEN_SECOND, .tries = 2, .edns = 1232, .known = 10};
  green_resolver *r = calloc(1, green_resolver_size());
  if (green_hub_new(&hub, NULL) < 0 || green_resolver_init(r, hub) < 0 ||
      green_resolver_set(r, &opts, &address, 1) < 0)
    abort();
  for (int i = 0; i < LOOKUPS; i++) *good += look_up(hub, r, i);
  green_resolver_deinit(r);
  green_hub_free(hub);
  free(r);
  return NULL;
}

static void test_threads(void)
{
  pthread_t server, threads[THREADS];
  int good[THREADS] = {0};
  open_server();
  pthread_create(&server, NULL, serve, NULL);
  for (int i = 0; i < THREADS; i++)
    pthread_create(&threads[i], NULL, look_up_many, &good[i]);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    is(good[i], LOOKUPS, "a thread has all its answers");
  }
  is_over = 1;
  pthread_join(server, NULL);
  close(udp);
  close(tcp);
}

int main(void)
{
  t_start();
  test_threads();
  return t_done();
}
