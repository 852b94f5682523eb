/*
** zmq.c: ZeroMQ sockets: life, endpoints, messages.
*/

#include "io/zmq_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* zmq.h's numbers of the types. */
enum {
  TYPE_PAIR = 0,
  TYPE_ROUTER = 6,
  TYPE_XPUB = 9,
  TYPE_STREAM = 11,
  TYPE_SERVER = 12,
  TYPE_DGRAM = 18,
  TYPE_PEER = 19
};

static int type_is_choosy(int type)
{
  return type == TYPE_ROUTER || type == TYPE_XPUB || type == TYPE_STREAM ||
         type == TYPE_SERVER || type == TYPE_PEER;
}

/* -- Life ----------------------------------------------------------------- */

size_t green_zmq_size(void)
{
  return sizeof(green_zmq);
}

void green_zmq_init(green_zmq *z, green_hub *hub)
{
  memset(z, 0, sizeof(*z));
  z->hub = hub;
  z->f.fd = -1;
  green__zmq_wait_init(z);
}

void green_zmq_deinit(green_zmq *z)
{
  green_zmq_close(z, -2);
}

/* libzmq's number is libzmq's to close: a dup of it is watched. */
static int zmq_open_fd(green_zmq *z, void *socket)
{
  int fd = green__zmq_fd(socket, &z->poller);
  if (fd < 0) return fd;
  fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int err = green__fd_adopt(&z->f, z->hub, fd);
  if (err < 0) close(fd);
  return err;
}

int green_zmq_open(green_zmq *z, green_zmq_context *ctx, int type)
{
  if (!ctx || green_fork_differs(ctx->generation)) return GREEN_ECLOSED;
  if (z->socket) return GREEN_EINVAL;
  void *socket = lib.f_socket(ctx->ctx, type);
  if (!socket) return green__zmq_error();
  int err = zmq_open_fd(z, socket);
  if (err < 0) {
    green__zmq_poller_end(&z->poller);
    lib.f_close(socket);
    return err;
  }
  z->socket = socket;
  z->ctx = green_zmq_ctx_ref(ctx);
  z->generation = ctx->generation;
  z->type = type;
  z->is_choosy = (uint8_t)type_is_choosy(type);
  lib.f_msg_init(&z->msg);
  green__zmq_wait_open(z);
  return 0;
}

/* In a child it is forgotten: libzmq's threads are not there to end it. */
static void zmq_end(green_zmq *z, int linger)
{
  if (green_fork_differs(z->generation)) return;
  green__zmq_poller_end(&z->poller);
  lib.f_msg_close(&z->msg);
  if (linger >= -1)
    lib.f_setsockopt(z->socket, GREEN__ZMQ_LINGER, &linger, sizeof(linger));
  lib.f_close(z->socket);
}

int green_zmq_close(green_zmq *z, int linger)
{
  if (!z->socket) return 0;
  if (z->leave) z->leave(z);
  green__zmq_wait_deinit(z);
  green_idle_deinit(&z->set);
  green_fd_close(&z->f);
  zmq_end(z, linger);
  z->socket = NULL;
  z->part = (green_zmq_part){NULL, 0, 0};
  green_zmq_ctx_unref(z->ctx);
  z->ctx = NULL;
  return 0;
}

int green_zmq_is_closed(const green_zmq *z)
{
  return !z->socket;
}

/* -- Endpoints ------------------------------------------------------------ */

/* 0, or libzmq's error. What changes peers wakes who waits for one. */
static int zmq_result(green_zmq *z, int r)
{
  r = r < 0 ? green__zmq_error() : 0;
  green__zmq_called(z, -1, r);
  return r;
}

int green_zmq_bind(green_zmq *z, const char *endpoint)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  r = green__zmq_bind(z->socket, endpoint);
  green__zmq_called(z, -1, r);
  return r;
}

int green_zmq_connect(green_zmq *z, const char *endpoint)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  return zmq_result(z, lib.f_connect(z->socket, endpoint));
}

int green_zmq_unbind(green_zmq *z, const char *endpoint)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  return zmq_result(z, lib.f_unbind(z->socket, endpoint));
}

int green_zmq_disconnect(green_zmq *z, const char *endpoint)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  return zmq_result(z, lib.f_disconnect(z->socket, endpoint));
}

int green_zmq_set(green_zmq *z, int option, const void *value, size_t n)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  return zmq_result(z, lib.f_setsockopt(z->socket, option, value, n));
}

int green_zmq_get(green_zmq *z, int option, void *value, size_t *n)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  return zmq_result(z, lib.f_getsockopt(z->socket, option, value, n));
}

/* -- Receiving ------------------------------------------------------------ */

/* The data come from another CPU's cache, a line at a time: while the caller
** finds its way to them, the last one comes too. */
static inline int recv_part(green_zmq *z)
{
  int n;
  do n = lib.f_msg_recv(&z->msg, z->socket, GREEN__ZMQ_DONTWAIT);
  while (green_unlikely(n < 0) && green__zmq_error() == GREEN_EINTR);
  if (green_unlikely(n < 0)) return green__zmq_error();
  z->part.data = lib.f_msg_data(&z->msg);
  z->part.size = n < INT_MAX ? (size_t)n : lib.f_msg_size(&z->msg);
  if (n > 0) __builtin_prefetch(z->part.data + n - 1);
  z->part.more = lib.f_msg_more(&z->msg);
  z->in_message = (uint8_t)z->part.more;
  return n;
}

int green_zmq_recv(green_zmq *z, int told)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  if (told)
    z->told[GREEN_ZMQ_IN] = 0;
  else if (green__zmq_is_taken(z, GREEN_ZMQ_IN))
    return GREEN_EAGAIN;
  if (green_unlikely(z->in_message)) green_zmq_drop(z);
  r = recv_part(z);
  green__zmq_called(z, GREEN_ZMQ_IN, r);
  return r;
}

int green_zmq_recv_more(green_zmq *z)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  return z->in_message ? recv_part(z) : GREEN_EFSM;
}

void green_zmq_drop(green_zmq *z)
{
  if (green__zmq_usable(z) < 0) return;
  while (z->in_message)
    if (recv_part(z) < 0) z->in_message = 0;
  lib.f_msg_close(&z->msg);
  lib.f_msg_init(&z->msg);
  z->part = (green_zmq_part){NULL, 0, 0};
}

const green_zmq_part *green_zmq_input(const green_zmq *z)
{
  return &z->part;
}

const char *green_zmq_metadata(const green_zmq *z, const char *name)
{
  return green__zmq_usable(z) < 0 ? NULL : lib.f_msg_gets(&z->msg, name);
}

/* -- Sending -------------------------------------------------------------- */

/* libzmq frees what a DGRAM without an endpoint is to send, and says that it
** has not sent it: zmq_send then frees it again, and ends the process. */
static int send_dgram(green_zmq *z, const void *data, size_t n, int flags)
{
  green__zmq_msg m;
  if (lib.f_msg_init_size(&m, n) < 0) return green__zmq_error();
  if (n > 0) memcpy(lib.f_msg_data(&m), data, n);
  if (lib.f_msg_send(&m, z->socket, flags | GREEN__ZMQ_DONTWAIT) >= 0) return 0;
  int r = green__zmq_error();
  return lib.f_msg_close(&m) < 0 ? GREEN_EHOSTUNREACH : r;
}

static int send_copy(green_zmq *z, const void *data, size_t n, int flags)
{
  int r;
  if (green_unlikely(z->type == TYPE_DGRAM))
    return send_dgram(z, data, n, flags);
  do r = lib.f_send(z->socket, data, n, flags | GREEN__ZMQ_DONTWAIT);
  while (green_unlikely(r < 0) && green__zmq_error() == GREEN_EINTR);
  return r < 0 ? green__zmq_error() : 0;
}

/* The loan comes back when the message is closed, here or by libzmq. */
static int send_lent(green_zmq *z, const green_iov *part, green_zmq_loan *loan,
                     int flags)
{
  green__zmq_msg m;
  int r = lib.f_msg_init_data(&m, (void *)part->ptr, part->len,
                              green_zmq_loan_return, loan);
  if (r < 0) {
    r = green__zmq_error();
    green_zmq_loan_return(NULL, loan);
    return r;
  }
  do r = lib.f_msg_send(&m, z->socket, flags | GREEN__ZMQ_DONTWAIT);
  while (green_unlikely(r < 0) && green__zmq_error() == GREEN_EINTR);
  if (r >= 0) return 0;
  r = green__zmq_error();
  lib.f_msg_close(&m);
  return r;
}

/* Is it this task's turn? GREEN_EAGAIN: no. */
static int send_begin(green_zmq *z, int told)
{
  int r = green__zmq_usable(z);
  if (r < 0) return r;
  if (told)
    z->told[GREEN_ZMQ_OUT] = 0;
  else if (z->is_choosy)
    z->in_vain = 0; /* It may take the news of those who wait. */
  else if (green__zmq_is_taken(z, GREEN_ZMQ_OUT))
    return GREEN_EAGAIN;
  return 0;
}

int green_zmq_send(green_zmq *z, const void *data, size_t n, int told)
{
  int r = send_begin(z, told);
  if (r < 0) return r;
  r = send_copy(z, data, n, 0);
  green__zmq_called(z, GREEN_ZMQ_OUT, r);
  return r;
}

/* A message of n parts; loans: NULL, or by part, NULL: it is copied. */
typedef struct message {
  const green_iov *v;
  green_zmq_loan **loans;
  int n;
} message;

static int send_part(green_zmq *z, const message *m, int i)
{
  const green_iov *part = &m->v[i];
  int flags = i + 1 < m->n ? GREEN__ZMQ_SNDMORE : 0;
  green_zmq_loan *loan = m->loans ? m->loans[i] : NULL;
  if (!loan || z->type == TYPE_DGRAM)
    return send_copy(z, part->ptr, part->len, flags);
  m->loans[i] = NULL;
  return send_lent(z, part, loan, flags);
}

/* The peer has gone in the middle of the message, and takes the parts that it
** has along. libzmq throws away what else comes of the same message: so that
** the next one is not taken for the rest, it has to come. A PAIR forgets it at
** once. */
static void send_rest(green_zmq *z, const message *m, int i)
{
  if (z->type == TYPE_PAIR) return;
  for (; i < m->n; i++)
    if (send_part(z, m, i) < 0) return;
}

static int send_parts(green_zmq *z, const message *m)
{
  for (int i = 0; i < m->n; i++) {
    int r = send_part(z, m, i);
    if (r == 0) continue;
    if (i > 0) send_rest(z, m, i + 1);
    return r;
  }
  return 0;
}

static int send_message(green_zmq *z, const message *m, int told)
{
  int r = send_begin(z, told);
  if (r < 0) return r;
  r = send_parts(z, m);
  green__zmq_called(z, GREEN_ZMQ_OUT, r);
  return r;
}

int green_zmq_sendv(green_zmq *z, const green_iov *parts, int n, int told)
{
  return send_message(z, &(message){parts, NULL, n}, told);
}

int green_zmq_sendv_lent(green_zmq *z, const green_iov *parts,
                         green_zmq_loan **loans, int n, int told)
{
  int r = send_message(z, &(message){parts, loans, n}, told);
  for (int i = 0; i < n; i++)
    if (loans[i]) green_zmq_loan_return(NULL, loans[i]);
  return r;
}
