/*
** sock.c: socket calls that try once, and the input buffer.
*/

#include "io/sock.h"
#include "io/filter.h"
#include "io/sock_call.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(GREEN_STREAM == (int)SOCK_STREAM &&
                   GREEN_DGRAM == (int)SOCK_DGRAM &&
                   GREEN_SEQPACKET == (int)SOCK_SEQPACKET,
               "types");
_Static_assert(sizeof(green_iov) == sizeof(struct iovec) &&
                   offsetof(green_iov, len) == offsetof(struct iovec, iov_len),
               "green_iov is an iovec");
_Static_assert(SHUT_RD == GREEN_READ - 1 && SHUT_WR == GREEN_WRITE - 1 &&
                   SHUT_RDWR == (GREEN_READ | GREEN_WRITE) - 1,
               "how to shut down");

/* A fill asks for no less than the first, for no more than the last at once;
** how much it asks for unasked grows to the one in the middle. */
#define FILL_FIRST 4096
#define FILL_GROWN 65536
#define FILL_MOST 262144

/* Connections that ended in the queue are passed over; not for ever. */
#define ACCEPT_TRIES 64

/* -- Life ----------------------------------------------------------------- */

static void sock_describe(green_sock *s, int family, int type, int tcp)
{
  green_buf_reset(&s->in);
  green_filter_drop(s); /* Of a stale one. */
  s->chunk = FILL_FIRST;
  s->family = (int16_t)family;
  s->type = (uint8_t)type;
  s->tcp = (uint8_t)tcp;
  s->bound = 0;
  s->reuse_set = 0;
}

static int is_inet(int family)
{
  return family == AF_INET || family == AF_INET6;
}

/* Small answers must not wait for the peer's acknowledgement. On Linux what a
** listener accepts inherits it. Failing is harmless. */
static void sock_set_nodelay(green_sock *s)
{
  int on = 1;
  if (s->tcp) setsockopt(s->f.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Take over a number that has all its flags; on failure it is closed. A stale
** object may still stand in an idle set: close takes it out. */
static int sock_own(green_sock *s, int fd)
{
  green_fd_close(&s->f);
  int err = green__fd_adopt(&s->f, s->f.hub, fd);
  if (err < 0) close(fd);
  return err;
}

size_t green_sock_size(void)
{
  return sizeof(green_sock);
}

void green_sock_init(green_sock *s, green_hub *hub)
{
  s->f.hub = hub;
  s->f.fd = -1;
}

void green_sock_deinit(green_sock *s)
{
  green_sock_close(s);
  s->f.hub = NULL;
}

green_sock *green_sock_new(green_hub *hub)
{
  green_sock *s = green__zalloc(sizeof(*s));
  if (s) green_sock_init(s, hub);
  return s;
}

void green_sock_free(green_sock *s)
{
  if (!s) return;
  green_sock_deinit(s);
  green__free(s);
}

/* 0, or why it cannot be opened. */
static int sock_openable(const green_sock *s)
{
  if (!s->f.hub) return GREEN_ECLOSED;
  return s->f.fd >= 0 ? GREEN_EINVAL : 0;
}

int green_sock_open(green_sock *s, int family, int type)
{
  int bad = sock_openable(s);
  if (bad < 0) return bad;
  int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int err = sock_own(s, fd);
  if (err < 0) return err;
  sock_describe(s, family, type, is_inet(family) && type == SOCK_STREAM);
  sock_set_nodelay(s);
  return 0;
}

/* An int option of the system's, or a negative error. */
static int fd_getopt(int fd, int option)
{
  int value = 0;
  socklen_t len = sizeof(value);
  int r = getsockopt(fd, SOL_SOCKET, option, &value, &len);
  return r < 0 ? -errno : value;
}

int green_sock_adopt(green_sock *s, int fd)
{
  int bad = sock_openable(s);
  if (bad < 0) return bad;
  int family = fd_getopt(fd, SO_DOMAIN);
  if (family < 0) return family;
  int type = fd_getopt(fd, SO_TYPE);
  green_fd_close(&s->f); /* As in sock_own. */
  int err = green_fd_open(&s->f, s->f.hub, fd);
  if (err < 0) return err;
  sock_describe(s, family, type, fd_getopt(fd, SO_PROTOCOL) == IPPROTO_TCP);
  sock_set_nodelay(s);
  return 0;
}

int green_sock_pair(green_sock *a, green_sock *b, int type)
{
  int fds[2], bad = sock_openable(a);
  if (bad == 0) bad = sock_openable(b);
  if (a == b || bad < 0) return a == b ? GREEN_EINVAL : bad;
  int r = socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
  if (r < 0) return -errno;
  int err = sock_own(a, fds[0]);
  if (err < 0) goto fail_second;
  err = sock_own(b, fds[1]);
  if (err < 0) goto fail_first;
  sock_describe(a, AF_UNIX, type, 0);
  sock_describe(b, AF_UNIX, type, 0);
  return 0;
fail_second:
  close(fds[1]);
  return err;
fail_first:
  green_fd_close(&a->f);
  return err;
}

int green_sock_dup(green_sock *s, green_sock *copy)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (s->filter) return GREEN_EOPNOTSUPP;
  int bad = sock_openable(copy);
  if (bad < 0) return bad;
  int fd = fcntl(s->f.fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int err = sock_own(copy, fd);
  if (err < 0) return err;
  sock_describe(copy, s->family, s->type, s->tcp);
  return 0;
}

int green_sock_close(green_sock *s)
{
  green_buf_reset(&s->in);
  green_filter_drop(s);
  green_fd_close(&s->f);
  return 0;
}

int green_sock_detach(green_sock *s)
{
  green_buf_reset(&s->in);
  green_filter_drop(s);
  int fd = green_fd_detach(&s->f);
  return fd < 0 ? GREEN_ECLOSED : fd;
}

/* What is not the number: to has one already. */
static void sock_give(green_sock *from, green_sock *to)
{
  uint32_t max = to->in.max;
  sock_describe(to, from->family, from->type, from->tcp);
  to->in = from->in;
  to->in.max = max;
  green_buf_init(&from->in, from->in.max);
  to->filter = from->filter;
  to->filter_data = from->filter_data;
  from->filter = NULL;
  from->filter_data = NULL;
}

int green_sock_move(green_sock *from, green_sock *to)
{
  if (from->f.fd < 0) return GREEN_ECLOSED;
  int bad = sock_openable(to);
  if (bad < 0) return bad;
  green_assert(from->f.hub == to->f.hub, "a closed socket of the same hub");
  int err = sock_own(to, green_fd_detach(&from->f));
  if (err == 0)
    sock_give(from, to);
  else
    green_sock_close(from);
  return err;
}

int green_sock_fileno(const green_sock *s)
{
  return s->f.fd < 0 ? GREEN_ECLOSED : s->f.fd;
}

int green_sock_family(const green_sock *s)
{
  return s->f.fd < 0 ? GREEN_ECLOSED : s->family;
}

int green_sock_type(const green_sock *s)
{
  return s->f.fd < 0 ? GREEN_ECLOSED : s->type;
}

double green_sock_now(const green_sock *s)
{
  return s->f.hub ? (double)green_hub_now(s->f.hub) * 1e-9 : 0;
}

/* -- Connections ---------------------------------------------------------- */

int green_sock_bind(green_sock *s, const green_addr *addr)
{
  int on = 1;
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (s->tcp && !s->reuse_set)
    setsockopt(s->f.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  int r = bind(s->f.fd, green_addr_get(addr), addr->len);
  if (r < 0) return -errno;
  s->bound = 1;
  return 0;
}

int green_sock_listen(green_sock *s, int backlog)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int r = listen(s->f.fd, backlog);
  return r < 0 ? -errno : 0;
}

/* What accept says of one connection that is gone, not of the listener. */
static int accept_is_passing(int error)
{
  switch (error) {
  case EINTR:
  case ECONNABORTED:
  case EPROTO:
  case EPERM:
  case ENOPROTOOPT:
  case ENETDOWN:
  case ENETUNREACH:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case ENONET:
  case ETIMEDOUT:
    return 1;
  default:
    return 0;
  }
}

/* A descriptor or a negative error. */
static int accept_next(int listener, struct sockaddr *sa, socklen_t *len)
{
  socklen_t room = len ? *len : 0;
  for (int i = 0; i < ACCEPT_TRIES; i++) {
    if (len) *len = room;
    int fd = accept4(listener, sa, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (!accept_is_passing(errno)) return -errno;
  }
  return GREEN_EAGAIN; /* The next wait ends at once. */
}

int green_sock_accept(green_sock *s, green_sock *conn, green_addr *peer)
{
  socklen_t len = sizeof(struct sockaddr_storage); /* addr.c: it fits. */
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int bad = sock_openable(conn);
  if (bad < 0) return bad;
  int fd = accept_next(s->f.fd, peer ? (void *)peer->u.bytes : NULL,
                       peer ? &len : NULL);
  if (fd < 0) return fd;
  if (peer) peer->len = len;
  int err = sock_own(conn, fd);
  if (err < 0) return err;
  sock_describe(conn, s->family, s->type, s->tcp);
  return 0;
}

/* A connect to a local port that nobody listens on can meet itself, when the
** system picks that very port for our end. */
static int sock_is_self(green_sock *s, const green_addr *peer)
{
  green_addr own;
  if (!s->tcp || s->bound) return 0;
  return green_sock_sockname(s, &own) == 0 && green_addr_equal(&own, peer);
}

int green_sock_connect(green_sock *s, const green_addr *addr)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int r = connect(s->f.fd, green_addr_get(addr), addr->len);
  int error = r < 0 ? errno : 0;
  switch (error) {
  case 0:
    return sock_is_self(s, addr) ? GREEN_ECONNREFUSED : 0;
  case EINTR: /* It goes on without us. */
  case EALREADY:
    return GREEN_EINPROGRESS;
  case EAGAIN:
    return s->family == AF_UNIX ? GREEN_EAGAIN : GREEN_EADDRNOTAVAIL;
  default:
    return -error;
  }
}

/* Not connected and no error: still at it, or has the error been told? */
static int sock_connect_state(green_sock *s)
{
  struct pollfd p = {.fd = s->f.fd, .events = POLLOUT};
  return poll(&p, 1, 0) > 0 ? GREEN_ENOTCONN : GREEN_EINPROGRESS;
}

int green_sock_connect_finish(green_sock *s)
{
  green_addr peer;
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int error = fd_getopt(s->f.fd, SO_ERROR);
  if (error) return error < 0 ? error : -error;
  int err = green_sock_peername(s, &peer);
  if (err == GREEN_ENOTCONN) return sock_connect_state(s);
  if (err < 0) return err;
  return sock_is_self(s, &peer) ? GREEN_ECONNREFUSED : 0;
}

int green_sock_shutdown(green_sock *s, int how)
{
  if (how < GREEN_READ || how > (GREEN_READ | GREEN_WRITE)) return GREEN_EINVAL;
  if (s->f.fd < 0) return 0;
  /* The filter's word to the peer leaves before the system's. */
  int err = s->filter && how & GREEN_WRITE ? s->filter->end(s) : 0;
  if (err == GREEN_EAGAIN) return err;
  if (how & GREEN_READ) s->f.drained = 0;
  int r = shutdown(s->f.fd, how - 1);
  return r < 0 && errno != ENOTCONN ? -errno : 0;
}

typedef int name_fn(int fd, struct sockaddr *sa, socklen_t *len);

static int sock_name(green_sock *s, green_addr *addr, name_fn *ask)
{
  struct sockaddr_storage ss;
  socklen_t len = sizeof(ss);
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int r = ask(s->f.fd, (struct sockaddr *)&ss, &len);
  return r < 0 ? -errno : green_addr_set(addr, (struct sockaddr *)&ss, len);
}

int green_sock_sockname(green_sock *s, green_addr *addr)
{
  return sock_name(s, addr, getsockname);
}

int green_sock_peername(green_sock *s, green_addr *addr)
{
  return sock_name(s, addr, getpeername);
}

int green_sock_peercred(green_sock *s, int32_t cred[3])
{
  struct ucred u;
  socklen_t len = sizeof(u);
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int r = getsockopt(s->f.fd, SOL_SOCKET, SO_PEERCRED, &u, &len);
  if (r < 0) return -errno;
  cred[0] = u.pid;
  cred[1] = (int32_t)u.uid;
  cred[2] = (int32_t)u.gid;
  return 0;
}

/* -- Bytes ---------------------------------------------------------------- */

static int fd_recv(int fd, void *ptr, size_t n, int flags)
{
  ssize_t r;
  if (n > GREEN_SOCK_CHUNK) n = GREEN_SOCK_CHUNK;
  do r = green__recv(fd, ptr, n, flags);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : (int)r;
}

/* After a short read the next would be EAGAIN: do not ask before the poll has
** said otherwise. The end of the stream stays. */
int green__sock_recv_raw(green_sock *s, void *ptr, size_t n)
{
  if (s->f.drained) return GREEN_EAGAIN;
  int r = fd_recv(s->f.fd, ptr, n, 0);
  if (s->type == SOCK_STREAM)
    s->f.drained = r == GREEN_EAGAIN || (r > 0 && (size_t)r < n);
  return r;
}

/* Receive past the buffer. */
static int sock_recv(green_sock *s, void *ptr, size_t n)
{
  if (green_unlikely(s->filter != NULL)) return s->filter->recv(s, ptr, n);
  return green__sock_recv_raw(s, ptr, n);
}

/* The first bytes of the buffer; how many. */
static int sock_copy(green_sock *s, void *ptr, size_t n)
{
  size_t len = green_buf_len(&s->in);
  if (n > len) n = len;
  if (n) memcpy(ptr, green_buf_data(&s->in), n);
  return (int)n;
}

int green_sock_recv(green_sock *s, void *ptr, size_t n)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (!green_buf_len(&s->in)) return sock_recv(s, ptr, n);
  int r = sock_copy(s, ptr, n);
  green_buf_consume(&s->in, (size_t)r);
  if (!green_buf_len(&s->in)) green_buf_reset(&s->in);
  return r;
}

int green_sock_peek(green_sock *s, void *ptr, size_t n)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (!green_buf_len(&s->in) && !s->filter)
    return fd_recv(s->f.fd, ptr, n, MSG_PEEK);
  int r = green_buf_len(&s->in) ? 1 : green_sock_fill(s, n);
  return r > 0 ? sock_copy(s, ptr, n) : r;
}

static int fd_sendmsg(int fd, const struct msghdr *msg)
{
  ssize_t r;
  do r = green__sendmsg(fd, msg, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : (int)r;
}

static int fd_send(int fd, const void *ptr, size_t n)
{
  ssize_t r;
  do r = green__send(fd, ptr, n, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  return r < 0 ? -errno : (int)r;
}

int green__sock_send_raw(green_sock *s, const void *ptr, size_t n)
{
  return fd_send(s->f.fd, ptr, n);
}

static int filter_send(green_sock *s, const void *ptr, size_t n)
{
  green_iov v = {ptr, n};
  return s->filter->sendv(s, &v, 1);
}

int green_sock_send(green_sock *s, const void *ptr, size_t n)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (n > GREEN_SOCK_CHUNK) {
    if (s->type != SOCK_STREAM) return GREEN_EMSGSIZE;
    n = GREEN_SOCK_CHUNK;
  }
  if (green_unlikely(s->filter != NULL)) return filter_send(s, ptr, n);
  return fd_send(s->f.fd, ptr, n);
}

int green_sock_sendv(green_sock *s, const green_iov *v, int n)
{
  struct msghdr msg = {0};
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (n < 0) return GREEN_EINVAL;
  if (n > IOV_MAX) {
    if (s->type != SOCK_STREAM) return GREEN_EMSGSIZE;
    n = IOV_MAX;
  }
  if (green_unlikely(s->filter != NULL)) return s->filter->sendv(s, v, n);
  msg.msg_iov = (struct iovec *)(uintptr_t)v;
  msg.msg_iovlen = (size_t)n;
  return fd_sendmsg(s->f.fd, &msg);
}

int green_sock_recvfrom(green_sock *s, void *ptr, size_t n, green_addr *from,
                        uint32_t *whole)
{
  struct sockaddr_storage ss;
  struct iovec iov = {ptr, n < GREEN_SOCK_CHUNK ? n : GREEN_SOCK_CHUNK};
  struct msghdr msg = {.msg_name = &ss,
                       .msg_namelen = sizeof(ss),
                       .msg_iov = &iov,
                       .msg_iovlen = 1};
  /* On TCP the flag would throw bytes away. */
  int flags = s->type == SOCK_STREAM ? 0 : MSG_TRUNC;
  ssize_t r;
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (s->filter) return GREEN_EOPNOTSUPP;
  do r = recvmsg(s->f.fd, &msg, flags);
  while (r < 0 && errno == EINTR);
  if (r < 0) return -errno;
  if (from) green_addr_set(from, (struct sockaddr *)&ss, msg.msg_namelen);
  if (whole) *whole = (uint32_t)r;
  return (size_t)r < iov.iov_len ? (int)r : (int)iov.iov_len;
}

int green_sock_sendto(green_sock *s, const void *ptr, size_t n,
                      const green_addr *to)
{
  struct iovec iov = {(void *)(uintptr_t)ptr, n};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  if (!to || s->f.fd < 0) return green_sock_send(s, ptr, n);
  msg.msg_name = (void *)(uintptr_t)green_addr_get(to);
  msg.msg_namelen = to->len;
  return fd_sendmsg(s->f.fd, &msg);
}

/* -- Buffered input ------------------------------------------------------- */

/* How much to read: the room there is, if that is enough; else what is wanted
** or has been useful, within the limit; 0: the buffer is full. */
static size_t fill_room(const green_sock *s, size_t want)
{
  size_t len = green_buf_len(&s->in), room = green_buf_room(&s->in);
  size_t limit = s->in.max ? s->in.max : GREEN_BUF_MAX;
  size_t left = limit > len ? limit - len : 0;
  if (want > FILL_MOST) want = FILL_MOST;
  if (room < want || room < s->chunk / 4)
    room = want > s->chunk ? want : s->chunk;
  return room < left ? room : left;
}

/* Full reads ask for larger ones, small ones for smaller. */
static void fill_adapt(green_sock *s, size_t asked, size_t got)
{
  if (got == asked && s->chunk < FILL_GROWN)
    s->chunk *= 2;
  else if (got < s->chunk / 4 && s->chunk > FILL_FIRST)
    s->chunk /= 2;
}

static int sock_fill(green_sock *s, size_t want)
{
  if (s->f.drained && !green_filter_pending(s)) return GREEN_EAGAIN;
  size_t room = fill_room(s, want);
  if (!room) return GREEN_ETOOBIG;
  int err = green_buf_reserve(&s->in, room);
  if (err < 0) return err;
  int r = sock_recv(s, green_buf_space(&s->in), room);
  if (r <= 0) return r;
  green_buf_commit(&s->in, (size_t)r);
  fill_adapt(s, room, (size_t)r);
  return r;
}

int green_sock_fill(green_sock *s, size_t want)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int r = sock_fill(s, want);
  if (r <= 0 && !green_buf_len(&s->in)) green_buf_reset(&s->in);
  return r;
}

void green_sock_fill_anew(green_sock *s)
{
  s->chunk = FILL_FIRST;
}

green_buf *green_sock_input(green_sock *s)
{
  return &s->in;
}
