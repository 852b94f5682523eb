/*
** dns_tcp.c: c-ares' channels on a hub, by TCP.
**
** c-ares makes its system calls through functions of ours, so each socket is
** non-blocking from its birth, has a green_fd, and is read until it is empty.
** Callbacks of c-ares only note what came: it is no moment to do anything else.
*/

#include "io/dns_priv.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* No question of c-ares' own runs out: a day, in milliseconds. */
#define NEVER_MS 86400000
/* Events of one socket are heard that many times in a row, at most. */
#define ROUNDS 256

typedef struct dns_tcp {
  green__dns_channel ours;
  ares_channel ares;
  green_addr server;
  green_list sockets;
  int32_t error; /* The last system call that failed, or 0. */
} dns_tcp;

static dns_tcp *channel_of(green__dns_channel *c)
{
  return green_container(c, dns_tcp, ours);
}

typedef struct dns_socket dns_socket;

/* A task for each direction that c-ares wants to hear of. */
typedef struct dns_side {
  green_task task;
  dns_socket *socket;
  uint8_t mode;
  uint8_t lives;
  uint8_t wanted;
  uint8_t began; /* It has parked once. */
} dns_side;

struct dns_socket {
  green_link link;
  green_fd fd;
  dns_tcp *channel;
  dns_side read;
  dns_side write;
  uint8_t drained;
  uint8_t busy; /* c-ares is called on its behalf: it must not go. */
};

/* -- Sockets -------------------------------------------------------------- */

static dns_socket *socket_of(const dns_tcp *c, ares_socket_t fd)
{
  green_link *k = c->sockets.next;
  for (; k != &c->sockets; k = k->next) {
    dns_socket *s = green_container(k, dns_socket, link);
    if (s->fd.fd == fd) return s;
  }
  return NULL;
}

static void socket_free(dns_socket *s)
{
  if (s->busy || s->fd.fd >= 0 || s->read.lives || s->write.lives) return;
  green__free(s);
}

static void side_end(dns_side *side)
{
  if (!side->lives) return;
  side->lives = 0;
  green_task_end(&side->task);
}

/* The task that runs now ends by itself. */
static void side_stop(dns_side *side)
{
  if (!side->lives) return;
  if (green_hub_current(side->task.hub) != &side->task) side_end(side);
}

static void side_resume(green_task *t);

/* c-ares wants to hear of it, or not. A task that waits may go on. */
static void side_want(dns_side *side, int wanted)
{
  side->wanted = (uint8_t)wanted;
  if (!wanted || side->lives) return;
  memset(&side->task, 0, sizeof(side->task));
  green_task_init(&side->task, side->socket->channel->ours.hub, side_resume);
  green_task_start(&side->task);
  side->lives = 1;
  side->began = 0;
}

static void side_init(dns_side *side, dns_socket *s, int mode)
{
  side->socket = s;
  side->mode = (uint8_t)mode;
}

/* -- System calls, for c-ares --------------------------------------------- */

static int call_failed(dns_tcp *c, int error)
{
  c->error = -error;
  errno = error;
  return -1;
}

static ares_socket_t call_socket(int family, int type, int protocol, void *data)
{
  dns_tcp *c = data;
  dns_socket *s = green__zalloc(sizeof(*s));
  if (!s) return call_failed(c, ENOMEM);
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  int err = fd < 0 ? -errno : green__fd_adopt(&s->fd, c->ours.hub, fd);
  if (err < 0) {
    if (fd >= 0) close(fd);
    green__free(s);
    return call_failed(c, -err);
  }
  s->channel = c;
  side_init(&s->read, s, GREEN_READ);
  side_init(&s->write, s, GREEN_WRITE);
  green_list_push(&c->sockets, &s->link);
  return fd;
}

static int call_close(ares_socket_t fd, void *data)
{
  dns_socket *s = socket_of(data, fd);
  if (!s) return 0;
  green_link_remove(&s->link);
  side_stop(&s->read);
  side_stop(&s->write);
  green_fd_close(&s->fd);
  socket_free(s);
  return 0;
}

/* Its own copy of the address has the scope of a link-local server. */
static int call_connect(ares_socket_t fd, const struct sockaddr *addr,
                        ares_socklen_t len, void *data)
{
  dns_tcp *c = data;
  (void)addr, (void)len;
  if (connect(fd, green_addr_get(&c->server), c->server.len) == 0) return 0;
  int error = errno;
  if (error != EINPROGRESS) return call_failed(c, error);
  errno = error;
  return -1;
}

/* It reads from connections alone, and wants to hear of no sender. */
static ares_ssize_t call_receive(ares_socket_t fd, void *p, size_t n, int flags,
                                 struct sockaddr *from, ares_socklen_t *len,
                                 void *data)
{
  dns_socket *s = socket_of(data, fd);
  (void)from, (void)len;
  ssize_t got = recv(fd, p, n, flags);
  if (got >= 0) return got;
  int error = errno;
  if (error == EAGAIN || error == EINTR) {
    if (s && error == EAGAIN) s->drained = 1;
    errno = EAGAIN;
    return -1;
  }
  return call_failed(data, error);
}

static ares_ssize_t call_send(ares_socket_t fd, const struct iovec *iov, int n,
                              void *data)
{
  struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                     .msg_iovlen = (size_t)n};
  ssize_t sent = sendmsg(fd, &m, MSG_NOSIGNAL);
  if (sent >= 0) return sent;
  int error = errno;
  if (error != EAGAIN) return call_failed(data, error);
  errno = error;
  return -1;
}

static const struct ares_socket_functions calls = {
    call_socket, call_close, call_connect, call_receive, call_send};

/* -- What c-ares tells ---------------------------------------------------- */

static void on_interest(void *data, ares_socket_t fd, int readable,
                        int writable)
{
  dns_socket *s = socket_of(data, fd);
  if (!s) return;
  side_want(&s->read, readable);
  side_want(&s->write, writable);
}

static int status_of(const dns_tcp *c, int status)
{
  switch (status) {
  case ARES_SUCCESS:
    return 0;
  case ARES_ENOMEM:
    return GREEN_ENOMEM;
  case ARES_EDESTRUCTION:
  case ARES_ECANCELLED:
    return GREEN_ECLOSED;
  case ARES_ETIMEOUT:
    return GREEN_ETIMEDOUT;
  case ARES_EBADRESP:
    return GREEN_EPROTO;
  default:
    return c->error ? c->error : GREEN_ECONNREFUSED;
  }
}

/* May come from inside of ares_send. */
static void on_answer(void *arg, int status, int timeouts, unsigned char *p,
                      int n)
{
  green__dns_call *call = arg;
  dns_tcp *c = channel_of(call->channel);
  (void)timeouts;
  if (status == ARES_SUCCESS)
    green__dns_channel_answer(&c->ours, call, p, (size_t)n);
  else
    green__dns_channel_over(&c->ours, call, status_of(c, status));
}

/* -- Events --------------------------------------------------------------- */

static void socket_process(dns_socket *s, int mode)
{
  ares_socket_t in = mode == GREEN_READ ? s->fd.fd : ARES_SOCKET_BAD;
  ares_socket_t out = mode == GREEN_WRITE ? s->fd.fd : ARES_SOCKET_BAD;
  dns_tcp *c = s->channel;
  s->busy++;
  s->drained = mode == GREEN_WRITE;
  int rounds = 0;
  do green__dns_lib.ares_process_fd(c->ares, in, out);
  while (!s->drained && s->fd.fd >= 0 && ++rounds < ROUNDS);
  s->busy--;
}

/* Readiness, or the end of the wait; the first time neither. The channel is
** closed later, whatever done does; but at once in a child, whose parent's
** answers these are. */
static void side_resume(green_task *t)
{
  dns_side *side = green_container(t, dns_side, task);
  dns_socket *s = side->socket;
  if (green_hub_check_fork(t->hub)) {
    side_end(side);
    socket_free(s);
    return;
  }
  dns_tcp *c = s->channel;
  int is_ready = side->began && t->status == 0 && side->wanted;
  if (is_ready && s->fd.fd >= 0) socket_process(s, side->mode);
  side->began = 1;
  int goes_on = s->fd.fd >= 0 && side->wanted &&
                green_fd_park(&s->fd, t, side->mode, GREEN_NEVER) == 0;
  if (!goes_on) {
    side_end(side);
    socket_free(s);
  }
  if (is_ready) green__dns_channel_tell(&c->ours);
}

/* -- Channels ------------------------------------------------------------- */

/* All that c-ares would look up in files and the environment is said, so it
** looks at none. */
static int channel_open(dns_tcp *c)
{
  struct ares_options o = {
      .flags = ARES_FLAG_NOCHECKRESP | ARES_FLAG_NOSEARCH |
               ARES_FLAG_NOALIASES | ARES_FLAG_USEVC,
      .timeout = NEVER_MS,
      .tries = 1,
      .lookups = (char *)(uintptr_t) "b",
      .resolvconf_path = (char *)(uintptr_t) "/dev/null",
      .sock_state_cb = on_interest,
      .sock_state_cb_data = c,
  };
  int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
             ARES_OPT_NDOTS | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
             ARES_OPT_LOOKUPS | ARES_OPT_SORTLIST | ARES_OPT_NOROTATE |
             ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
  switch (green__dns_lib.ares_init_options(&c->ares, &o, mask)) {
  case ARES_SUCCESS:
    return 0;
  case ARES_ENOMEM:
    return GREEN_ENOMEM;
  default:
    return GREEN_EAI_FAIL;
  }
}

static int channel_set_server(dns_tcp *c)
{
  const char *bytes;
  uint32_t size = green_addr_bytes(&c->server, &bytes);
  struct ares_addr_port_node node = {.family = green_addr_family(&c->server)};
  if (size == 0) return GREEN_EINVAL;
  node.udp_port = node.tcp_port = green_addr_port(&c->server);
  memcpy(&node.addr, bytes, size);
  int status = green__dns_lib.ares_set_servers_ports(c->ares, &node);
  return status == ARES_SUCCESS ? 0 : GREEN_ENOMEM;
}

/* What c-ares says at once is told later. */
static void channel_ask(green__dns_channel *ours, green__dns_call *call)
{
  dns_tcp *c = channel_of(ours);
  c->error = 0;
  green__dns_lib.ares_send(c->ares, call->query, call->query_len, on_answer,
                           call);
  if (!green_list_empty(&ours->done)) green__dns_channel_soon(ours);
}

static void channel_end(green__dns_channel *ours)
{
  green__dns_lib.ares_destroy(channel_of(ours)->ares);
}

static const green__dns_way by_tcp = {channel_ask, NULL, channel_end};

int green__dns_tcp_new(green__dns_channel **out, green_hub *hub,
                       const green_addr *server)
{
  dns_tcp *c = green__zalloc(sizeof(*c));
  if (!c) return GREEN_ENOMEM;
  green__dns_channel_init(&c->ours, hub, &by_tcp);
  c->server = *server;
  green_list_init(&c->sockets);
  int err = channel_open(c);
  if (err < 0) goto fail_open;
  err = channel_set_server(c);
  if (err < 0) goto fail_server;
  green__dns_lib.ares_set_socket_functions(c->ares, &calls, c);
  *out = &c->ours;
  return 0;

fail_server:
  green__dns_lib.ares_destroy(c->ares);
fail_open:
  green__free(c);
  return err;
}
