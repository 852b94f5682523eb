/*
** dns_udp.c: questions by UDP, from a socket of our own for each channel.
**
** What is asked in one turn of the hub is sent at its end, many messages in one
** call of the system; answers are fetched the same way. The socket is
** connected: the kernel hands over what comes from the server alone. It is open
** while a question is under way: the next one has another port.
*/

#include "io/dns_priv.h"

#include "base/mem.h"
#include "proto/dns_message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  SEND_MOST = 32, /* Messages a call of the system takes, at most, */
  READ_MOST = 16, /* and brings. */
  ROUNDS = 16,    /* Such calls in a row. */
  IDS = 64,       /* A power of two. */
  PLAIN = 512     /* The largest datagram, where nothing was said (RFC 1035). */
};

typedef struct dns_udp dns_udp;

/* A task for each direction. */
typedef struct udp_side {
  green_task task;
  dns_udp *udp;
  uint8_t mode;
  uint8_t lives;
  uint8_t began; /* It has parked once. */
} udp_side;

struct dns_udp {
  green__dns_channel ours;
  green_addr server;
  green_fd fd;
  udp_side read;
  udp_side write;   /* Only while the kernel takes no more. */
  green_list line;  /* Calls that are not sent yet. */
  green_defer send; /* For those. */
  uint32_t size;    /* Of the largest datagram. */
  uint8_t *room;    /* For READ_MOST of them, while the socket is open. */
  green__dns_call *sent[IDS]; /* By their ids. */
};

static dns_udp *udp_of(green__dns_channel *c)
{
  return green_container(c, dns_udp, ours);
}

/* -- Calls ---------------------------------------------------------------- */

static green__dns_call **slot_of(dns_udp *u, const uint8_t *message)
{
  return &u->sent[message[1] & (IDS - 1)];
}

static void line_fail(dns_udp *u, int status)
{
  for (green_link *k; (k = green_list_pop(&u->line));)
    green__dns_channel_over(&u->ours, green_container(k, green__dns_call, link),
                            status);
}

static void sent_fail(dns_udp *u, int status)
{
  for (int i = 0; i < IDS; i++)
    for (green__dns_call *call; (call = u->sent[i]);) {
      u->sent[i] = call->next;
      green__dns_channel_over(&u->ours, call, status);
    }
}

/* -- The socket ----------------------------------------------------------- */

static void udp_close(dns_udp *u)
{
  green_fd_close(&u->fd);
  green__free(u->room);
  u->room = NULL;
}

static void udp_fail(dns_udp *u, int status)
{
  udp_close(u);
  sent_fail(u, status);
  line_fail(u, status);
}

static void side_resume(green_task *t);

static void side_start(udp_side *side, dns_udp *u, int mode)
{
  if (side->lives) return;
  memset(side, 0, sizeof(*side));
  side->udp = u;
  side->mode = (uint8_t)mode;
  side->lives = 1;
  green_task_init(&side->task, u->ours.hub, side_resume);
  green_task_start(&side->task);
}

static void side_end(udp_side *side)
{
  if (!side->lives) return;
  side->lives = 0;
  green_task_end(&side->task);
}

/* Of connect(2), by UDP. */
static int connect_error(int error)
{
  return error == EAGAIN ? GREEN_EADDRNOTAVAIL : -error; /* No port is free. */
}

/* The port is the kernel's choice, at random. */
static int udp_connect(dns_udp *u)
{
  int family = green_addr_family(&u->server);
  int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int err = connect(fd, green_addr_get(&u->server), u->server.len);
  err =
      err < 0 ? connect_error(errno) : green__fd_adopt(&u->fd, u->ours.hub, fd);
  if (err < 0) close(fd);
  return err;
}

static int udp_open(dns_udp *u)
{
  if (u->fd.fd >= 0) return 0;
  green__free(u->room); /* The hub may have let go of the number. */
  u->room = green__alloc((size_t)u->size * READ_MOST);
  int err = u->room ? udp_connect(u) : GREEN_ENOMEM;
  if (err == 0) side_start(&u->read, u, GREEN_READ);
  return err;
}

/* -- Sending -------------------------------------------------------------- */

/* The first of those in line. How many were sent, or an error. */
static int line_send(dns_udp *u)
{
  struct mmsghdr m[SEND_MOST];
  struct iovec v[SEND_MOST];
  unsigned n = 0;
  for (green_link *k = u->line.next; k != &u->line && n < SEND_MOST;
       k = k->next, n++) {
    const green__dns_call *call = green_container(k, green__dns_call, link);
    v[n].iov_base = (void *)(uintptr_t)call->query;
    v[n].iov_len = call->query_len;
    m[n] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[n], .msg_iovlen = 1}};
  }
  int sent = sendmmsg(u->fd.fd, m, n, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent;
}

static void line_forward(dns_udp *u, int n)
{
  while (n-- > 0) {
    green_link *k = green_list_pop(&u->line);
    green__dns_call *call = green_container(k, green__dns_call, link);
    green__dns_call **slot = slot_of(u, call->query);
    call->next = *slot;
    *slot = call;
  }
}

/* What hinders us hinders those in line; what is said of the server is said of
** all. */
static void udp_send(dns_udp *u)
{
  int n = udp_open(u);
  if (n < 0) {
    udp_fail(u, n);
    return;
  }
  while (!green_list_empty(&u->line) && (n = line_send(u)) > 0)
    line_forward(u, n);
  if (n == GREEN_EAGAIN)
    side_start(&u->write, u, GREEN_WRITE);
  else if (n < 0 && green__dns_is_ours(n))
    line_fail(u, n);
  else if (n < 0)
    udp_fail(u, n);
}

static void udp_later(green_defer *d)
{
  dns_udp *u = green_container(d, dns_udp, send);
  if (!u->ours.closing && !green_list_empty(&u->line)) udp_send(u);
  if (!green_list_empty(&u->ours.done)) green__dns_channel_soon(&u->ours);
}

/* -- Reading -------------------------------------------------------------- */

/* What was asked for by nobody is nothing. */
static void udp_take(dns_udp *u, uint8_t *p, size_t n, int is_cut)
{
  green__dns_call **at = slot_of(u, p);
  while (*at && !green__dns_is_same(p, n, (*at)->query)) at = &(*at)->next;
  green__dns_call *call = *at;
  if (!call) return;
  *at = call->next;
  if (is_cut) p[2] |= GREEN_DNS_TC >> 8;
  green__dns_channel_answer(&u->ours, call, p, n);
}

/* How many datagrams came, or an error. */
static int udp_fetch(dns_udp *u)
{
  struct mmsghdr m[READ_MOST];
  struct iovec v[READ_MOST];
  for (int i = 0; i < READ_MOST; i++) {
    v[i].iov_base = u->room + (size_t)i * u->size;
    v[i].iov_len = u->size;
    m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
  }
  int n = recvmmsg(u->fd.fd, m, READ_MOST, 0, NULL);
  if (n < 0) return -errno;
  for (int i = 0; i < n; i++)
    if (m[i].msg_len > 1)
      udp_take(u, v[i].iov_base, m[i].msg_len,
               (m[i].msg_hdr.msg_flags & MSG_TRUNC) != 0);
  return n;
}

/* Whoever sends more than that has to wait for the others. */
static void udp_read(dns_udp *u)
{
  int n, rounds = 0;
  do n = udp_fetch(u);
  while (n == READ_MOST && ++rounds < ROUNDS);
  if (n < 0 && n != GREEN_EAGAIN && n != GREEN_EINTR)
    udp_fail(u, n);
  else if (!u->ours.pending)
    udp_close(u);
}

/* -- Events --------------------------------------------------------------- */

static int side_is_wanted(const udp_side *side)
{
  const dns_udp *u = side->udp;
  if (u->fd.fd < 0) return 0;
  return side->mode == GREEN_READ || !green_list_empty(&u->line);
}

/* Where the wait cannot be, no answer would be heard. */
static int side_park(udp_side *side)
{
  dns_udp *u = side->udp;
  int err = green_fd_park(&u->fd, &side->task, side->mode, GREEN_NEVER);
  if (err < 0) udp_fail(u, err);
  return err;
}

/* Readiness, or the end of the wait; the first time neither. The channel is
** closed later, whatever done does; but at once in a child, whose parent's
** answers these are. */
static void side_resume(green_task *t)
{
  udp_side *side = green_container(t, udp_side, task);
  dns_udp *u = side->udp;
  if (green_hub_check_fork(t->hub)) return;
  int is_ready = side->began && t->status == 0 && u->fd.fd >= 0;
  if (is_ready && side->mode == GREEN_READ) udp_read(u);
  if (is_ready && side->mode == GREEN_WRITE) udp_send(u);
  side->began = 1;
  if (!side_is_wanted(side) || side_park(side) < 0) side_end(side);
  green__dns_channel_tell(&u->ours);
}

/* -- Channels ------------------------------------------------------------- */

static void udp_ask(green__dns_channel *c, green__dns_call *call)
{
  dns_udp *u = udp_of(c);
  green_list_push(&u->line, &call->link);
  green_hub_defer(c->hub, &u->send);
}

/* What is said of the server instead is said of all. */
static int udp_again(green__dns_channel *c, const green__dns_call *call)
{
  dns_udp *u = udp_of(c);
  if (u->fd.fd < 0 || green_link_in(&call->link)) return 0;
  if (send(u->fd.fd, call->query, call->query_len, MSG_NOSIGNAL) >= 0) return 1;
  int err = -errno;
  if (err != GREEN_EAGAIN && !green__dns_is_ours(err)) {
    udp_fail(u, err);
    green__dns_channel_soon(c);
  }
  return 0;
}

static void udp_end(green__dns_channel *c)
{
  dns_udp *u = udp_of(c);
  green_hub_undefer(&u->send);
  side_end(&u->read);
  side_end(&u->write);
  udp_fail(u, GREEN_ECLOSED);
}

static const green__dns_way by_udp = {udp_ask, udp_again, udp_end};

int green__dns_udp_new(green__dns_channel **out, green_hub *hub,
                       const green_addr *server, int edns, int at_once)
{
  dns_udp *u = green__zalloc(sizeof(*u));
  if (!u) return GREEN_ENOMEM;
  green__dns_channel_init(&u->ours, hub, &by_udp);
  u->server = *server;
  u->size = edns ? (uint32_t)edns : PLAIN;
  u->fd.fd = -1;
  u->send.run = udp_later;
  green_list_init(&u->line);
  int err = at_once ? udp_open(u) : 0;
  if (err < 0)
    green__dns_channel_free(&u->ours);
  else
    *out = &u->ours;
  return err;
}
