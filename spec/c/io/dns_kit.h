/*
** dns_kit.h: a name server on the test's own hub, with what tests of resolvers
** share. What it answers is a function's decision.
**
** The clock is virtual and stands still: time passes where a test says so.
*/
#ifndef GREEN_DNS_KIT_H
#define GREEN_DNS_KIT_H

#include "base/mem.h"
#include "hub/fd.h"
#include "hub/hub.h"
#include "io/dns_lib.h"
#include "io/resolver.h"
#include "t.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

static green_hub *hub;

typedef struct server server;

/* Write an answer to the query q[0..n) to out (64 KB): its length; 0: none. */
typedef int reply_fn(server *s, const uint8_t *q, int n, int tcp, uint8_t *out);

enum { SERVER_PEERS = 8 };

typedef struct peer { /* A connection by TCP. */
  green_task task;
  green_fd fd;
  server *server;
  int lives;
} peer;

struct server {
  green_task udp_task, tcp_task;
  green_fd udp, tcp;
  peer peers[SERVER_PEERS];
  reply_fn *reply;
  green_addr addr;
  int asked[2];   /* By UDP, by TCP. */
  int n_edns;     /* Those with an OPT. */
  int ports[700]; /* From which, by UDP. */
  uint8_t last[600];
  int last_len;
};

static uint8_t reply_room[65536 + 2];

/* -- Answers -------------------------------------------------------------- */

static inline int question_len(const uint8_t *q)
{
  int at = 12;
  while (q[at]) at += q[at] + 1;
  return at + 5 - 12;
}

/* The head and the question, with that answer code. */
static inline int reply_code(const uint8_t *q, uint8_t *out, int rcode)
{
  int n = 12 + question_len(q);
  memcpy(out, q, (size_t)n);
  out[2] = 0x81;
  out[3] = (uint8_t)(0x80 | rcode);
  memset(out + 6, 0, 6);
  return n;
}

/* A record of that many bytes behind the question. */
static inline int reply_bytes(const uint8_t *q, uint8_t *out, int type,
                              const void *data, int len)
{
  int n = reply_code(q, out, 0);
  const uint8_t head[12] = {
      0xc0, 12, 0,  (uint8_t)type,       0,           1, 0,
      0,    0,  60, (uint8_t)(len >> 8), (uint8_t)len};
  out[7] = 1;
  memcpy(out + n, head, 12);
  memcpy(out + n + 12, data, (size_t)len);
  return n + 12 + len;
}

static inline int reply_address(server *s, const uint8_t *q, int n, int tcp,
                                uint8_t *out)
{
  (void)s, (void)n, (void)tcp;
  return reply_bytes(q, out, 1, "\xc0\0\2\1", 4);
}

static inline int reply_nothing(server *s, const uint8_t *q, int n, int tcp,
                                uint8_t *out)
{
  (void)s, (void)q, (void)n, (void)tcp, (void)out;
  return 0;
}

/* -- The server ----------------------------------------------------------- */

static int server_answer(server *s, const uint8_t *q, int n, int tcp)
{
  s->asked[tcp]++;
  s->n_edns += q[11];
  if (n <= (int)sizeof(s->last)) memcpy(s->last, q, (size_t)n);
  s->last_len = n;
  return s->reply ? s->reply(s, q, n, tcp, reply_room + 2)
                  : reply_address(s, q, n, tcp, reply_room + 2);
}

static void server_hear(green_task *t)
{
  server *s = green_container(t, server, udp_task);
  struct sockaddr_in from;
  socklen_t len = sizeof(from);
  uint8_t q[1500];
  ssize_t n;
  while (s->udp.fd >= 0 && (n = recvfrom(s->udp.fd, q, sizeof(q), 0,
                                         (struct sockaddr *)&from, &len)) > 0) {
    if (s->asked[0] < 700) s->ports[s->asked[0]] = ntohs(from.sin_port);
    int m = server_answer(s, q, (int)n, 0);
    if (m > 0)
      sendto(s->udp.fd, reply_room + 2, (size_t)m, 0, (struct sockaddr *)&from,
             len);
  }
  if (s->udp.fd < 0 || green_fd_park(&s->udp, t, GREEN_READ, GREEN_NEVER) < 0)
    green_task_end(t);
}

static void peer_end(peer *p)
{
  green_fd_close(&p->fd);
  green_task_end(&p->task);
  p->lives = 0;
}

/* One query a read: they are small. */
static void peer_hear(green_task *t)
{
  peer *p = green_container(t, peer, task);
  uint8_t q[1500];
  ssize_t n = p->fd.fd < 0 ? 0 : read(p->fd.fd, q, sizeof(q));
  if (n > 2) {
    int m = server_answer(p->server, q + 2, (int)n - 2, 1);
    reply_room[0] = (uint8_t)(m >> 8);
    reply_room[1] = (uint8_t)m;
    if (m <= 0 || write(p->fd.fd, reply_room, (size_t)m + 2) < 0) n = 0;
  }
  if (n == 0 || (n < 0 && errno != EAGAIN) ||
      green_fd_park(&p->fd, t, GREEN_READ, GREEN_NEVER) < 0)
    peer_end(p);
}

static void server_accept(green_task *t)
{
  server *s = green_container(t, server, tcp_task);
  int fd = s->tcp.fd < 0 ? -1 : accept(s->tcp.fd, NULL, NULL);
  for (int i = 0; i < SERVER_PEERS && fd >= 0; i++) {
    peer *p = &s->peers[i];
    if (p->lives) continue;
    memset(p, 0, sizeof(*p));
    p->server = s;
    p->lives = 1;
    green_fd_open(&p->fd, hub, fd);
    green_task_init(&p->task, hub, peer_hear);
    green_task_start(&p->task);
    break;
  }
  if (s->tcp.fd < 0 || green_fd_park(&s->tcp, t, GREEN_READ, GREEN_NEVER) < 0)
    green_task_end(t);
}

static int bound(int type, int *port)
{
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)*port)};
  socklen_t len = sizeof(a);
  int one = 1, fd = socket(AF_INET, type, 0);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(fd, (struct sockaddr *)&a, len) < 0) {
    close(fd);
    return -1;
  }
  if (type == SOCK_STREAM) listen(fd, 16);
  getsockname(fd, (struct sockaddr *)&a, &len);
  *port = ntohs(a.sin_port);
  return fd;
}

static void server_start(server *s, reply_fn *reply)
{
  int port, udp, tcp = -1;
  memset(s, 0, sizeof(*s));
  do {
    port = 0;
    udp = bound(SOCK_DGRAM, &port);
    tcp = bound(SOCK_STREAM, &port);
    if (tcp < 0) close(udp);
  } while (tcp < 0);
  s->reply = reply;
  green_addr_ip(&s->addr, "127.0.0.1", 9, port);
  green_fd_open(&s->udp, hub, udp);
  green_fd_open(&s->tcp, hub, tcp);
  green_task_init(&s->udp_task, hub, server_hear);
  green_task_init(&s->tcp_task, hub, server_accept);
  green_task_start(&s->udp_task);
  green_task_start(&s->tcp_task);
  green_hub_turn(hub, 0);
}

static void server_stop(server *s)
{
  green_fd_close(&s->udp);
  green_fd_close(&s->tcp);
  for (int i = 0; i < SERVER_PEERS; i++)
    if (s->peers[i].lives) green_fd_close(&s->peers[i].fd);
  for (int i = 0; i < 4; i++) green_hub_turn(hub, 0);
}

/* -- Resolvers ------------------------------------------------------------ */

static const green_resolver_opts usual = {
    .timeout = GREEN_SECOND, .tries = 2, .edns = 1232};

static inline green_resolver *resolver_new(const green_resolver_opts *opts,
                                           server *a, server *b)
{
  green_resolver *r = calloc(1, green_resolver_size());
  green_addr servers[2] = {a->addr, b ? b->addr : a->addr};
  if (green_resolver_init(r, hub) < 0 ||
      green_resolver_set(r, opts ? opts : &usual, servers, b ? 2 : 1) < 0)
    abort();
  return r;
}

static inline void resolver_free(green_resolver *r)
{
  green_resolver_deinit(r);
  free(r);
}

static inline green_question *ask(green_resolver *r, const char *name)
{
  green_question *q = NULL;
  return green_resolver_ask(&q, r, name, strlen(name), 1) < 0 ? NULL : q;
}

/* Turn until it is answered; what needs time to pass never is. */
static inline int result_of(green_question *q)
{
  for (int i = 0; i < 2000 && q->result == GREEN_EAGAIN; i++) {
    green_hub_turn(hub, 0);
    if (i > 100) usleep(500); /* The kernel's turn. */
  }
  return q->result;
}

/* Turn until nothing more comes without time. */
static inline void settle(void)
{
  for (int i = 0; i < 20; i++) green_hub_turn(hub, 0);
}

static inline green_resolver_stats stats_of(green_resolver *r)
{
  green_resolver_stats s;
  green_resolver_stats_get(r, &s);
  return s;
}

static inline uint32_t fds_of_hub(void)
{
  green_hub_stats s;
  green_hub_stats_get(hub, &s);
  return s.fds;
}

/* Ask, wait, forget: what came of it. */
static inline int look_up(green_resolver *r, const char *name)
{
  green_question *q = ask(r, name);
  int result = result_of(q);
  green_resolver_forget(q);
  return result;
}

#endif
