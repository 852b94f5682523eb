/*
** sock.h: sockets that never wait.
**
** Each call does at once what it can and returns a count, 0, or a negative
** GREEN_E*. GREEN_EAGAIN: park on green_sock_fd in the direction of the call,
** then call again. Interrupted calls are repeated inside. All but new and free
** give GREEN_ECLOSED on a socket that is closed, handed over or stale. Nothing
** here raises SIGPIPE, but for green_sock_sendfile and what splices.
**
** Counts are ints: a call takes at most GREEN_SOCK_CHUNK bytes at a time.
*/
#ifndef GREEN_SOCK_H
#define GREEN_SOCK_H

#include "base/addr.h"
#include "base/buf.h"
#include "hub/fd.h"

/* ffi needs: addr buf */
/* ffi */
typedef struct green_hub green_hub;
typedef struct green_sock green_sock;

/* Linux's numbers; sock.c asserts them. */
enum { GREEN_STREAM = 1, GREEN_DGRAM = 2, GREEN_SEQPACKET = 5 };

enum { GREEN_SOCK_CHUNK = 0x40000000 };

/* A struct iovec. */
typedef struct green_iov {
  const void *ptr;
  size_t len;
} green_iov;

/* -- Life ----------------------------------------------------------------- */

/* How much memory a socket takes, for green_sock_init. */
GREEN_API size_t green_sock_size(void);

/* Open a closed socket: family GREEN_INET, GREEN_INET6, GREEN_UNIX, ... and
** type GREEN_STREAM, ... (protocol 0). TCP gets TCP_NODELAY. 0, GREEN_EINVAL
** (it is open), GREEN_ENOMEM, or what socket(2) said. */
GREEN_API int green_sock_open(green_sock *s, int family, int type);

/* **Takes** an open socket's number: non-blocking and close-on-exec from here
** on, TCP_NODELAY if it is TCP. 0, GREEN_EBADF or GREEN_ENOMEM or GREEN_EINVAL
** (s is open, or fd is no socket); on failure fd stays the caller's. */
GREEN_API int green_sock_adopt(green_sock *s, int fd);

/* A connected pair of UNIX sockets in two closed objects. As green_sock_open;
** on failure both are closed. */
GREEN_API int green_sock_pair(green_sock *a, green_sock *b, int type);

/* A second number for the same connection, in a closed object.
** GREEN_EOPNOTSUPP: it has a filter, of which there is one. */
GREEN_API int green_sock_dup(green_sock *s, green_sock *copy);

/* Forget buffered input and filter, wake who waits with GREEN_ECLOSED, close
** the number: once, however often it is called. 0 always. */
GREEN_API int green_sock_close(green_sock *s);

/* Hand the open number to the caller, non-blocking as it is; s is closed from
** here on, its waiters are woken as by close. Buffered input and filter are
** forgotten: take them first, or use green_sock_move. The number or
** GREEN_ECLOSED. */
GREEN_API int green_sock_detach(green_sock *s);

/* The number, family (GREEN_INET, ...) and type (GREEN_STREAM, ...). */
GREEN_API int green_sock_fileno(const green_sock *s);
GREEN_API int green_sock_family(const green_sock *s);
GREEN_API int green_sock_type(const green_sock *s);

/* Its hub's clock, in seconds. */
GREEN_API double green_sock_now(const green_sock *s);

/* -- Connections ---------------------------------------------------------- */

/* TCP gets SO_REUSEADDR first, unless the option was set before. 0 or what
** bind(2) said. A UNIX path that exists is GREEN_EADDRINUSE: removing it is the
** caller's affair. */
GREEN_API int green_sock_bind(green_sock *s, const green_addr *addr);

GREEN_API int green_sock_listen(green_sock *s, int backlog);

/* Take the next connection into conn, a closed socket. peer may be NULL. 0;
** GREEN_EAGAIN: wait for GREEN_READ. Connections that ended in the queue are
** passed over. GREEN_EMFILE, GREEN_ENFILE, GREEN_ENOBUFS, GREEN_ENOMEM: out of
** something for the moment, the listener is well: back off and try again. */
GREEN_API int green_sock_accept(green_sock *s, green_sock *conn,
                                green_addr *peer);

/* 0: connected. GREEN_EINPROGRESS: wait for GREEN_WRITE, then
** green_sock_connect_finish. GREEN_EAGAIN (UNIX only): the listener's queue is
** full and nothing will tell when it is not: try again later. Any other code
** ends the attempt: open another socket for the next. */
GREEN_API int green_sock_connect(green_sock *s, const green_addr *addr);

/* 0: connected. GREEN_EINPROGRESS: not yet, wait again. Else why it failed. A
** TCP socket that met itself on an unused local port was refused. */
GREEN_API int green_sock_connect_finish(green_sock *s);

/* how: GREEN_READ, GREEN_WRITE or both. 0; sockets that are closed or no longer
** connected are fine too. Input that is buffered stays. With a filter, for
** GREEN_WRITE: it tells the peer; GREEN_EAGAIN: what it holds must leave first,
** wait for GREEN_WRITE and call again. */
GREEN_API int green_sock_shutdown(green_sock *s, int how);

/* Our address, and the peer's. An unconnected socket: GREEN_ENOTCONN. */
GREEN_API int green_sock_sockname(green_sock *s, green_addr *addr);
GREEN_API int green_sock_peername(green_sock *s, green_addr *addr);

/* Process, user and group of a UNIX peer, as of its connect or listen. */
GREEN_API int green_sock_peercred(green_sock *s, int32_t cred[3]);

/* -- Bytes ---------------------------------------------------------------- */

/* Receive at most n bytes, buffered ones first. The count; 0: the end of the
** stream (or an empty datagram; or n was 0 and there is something to read);
** GREEN_EAGAIN: wait for GREEN_READ; GREEN_ECONNRESET and the like. On a stream
** a read that came back short makes the next ones GREEN_EAGAIN without a system
** call until the socket was ready again: wait, never spin. */
GREEN_API int green_sock_recv(green_sock *s, void *ptr, size_t n);

/* The same, and the bytes stay to be read again. */
GREEN_API int green_sock_peek(green_sock *s, void *ptr, size_t n);

/* The count, which may be less than n; GREEN_EAGAIN: wait for GREEN_WRITE;
** GREEN_EPIPE, GREEN_ECONNRESET and the like: the connection is over. */
GREEN_API int green_sock_send(green_sock *s, const void *ptr, size_t n);

/* The same for several pieces; no more than the first 1,024 are looked at. */
GREEN_API int green_sock_sendv(green_sock *s, const green_iov *v, int n);

/* Send at most n bytes of the file fd from offset on, by sendfile; where the
** file stands does not matter, and stays. The count; 0: the file ends there;
** GREEN_EAGAIN: wait for GREEN_WRITE; GREEN_EINVAL, GREEN_EBADF: it is no file
** that can be sent so; GREEN_EOPNOTSUPP: there is a filter, or no sendfile.
** Waits for the disk if need be; raises SIGPIPE where that is not ignored. */
GREEN_API int green_sock_sendfile(green_sock *s, int fd, int64_t offset,
                                  int64_t n);

/* One datagram. from and whole may be NULL; *whole: its full length, more than
** the count if n was too small and its end is lost. */
GREEN_API int green_sock_recvfrom(green_sock *s, void *ptr, size_t n,
                                  green_addr *from, uint32_t *whole);
/* to may be NULL on a connected socket. */
GREEN_API int green_sock_sendto(green_sock *s, const void *ptr, size_t n,
                                const green_addr *to);

/* -- Buffered input ------------------------------------------------------- */

/* Read into the buffer, making room for want bytes or more (want is a hint).
** The count of new bytes; 0: the end of the stream; GREEN_EAGAIN (an empty
** buffer holds no memory then); GREEN_ETOOBIG: the buffer is full to its limit;
** GREEN_ENOMEM: nothing was lost, try again. */
GREEN_API int green_sock_fill(green_sock *s, size_t want);

/* Let fill ask for as little as at the beginning: what comes next is a head,
** and what is behind it goes elsewhere. */
GREEN_API void green_sock_fill_anew(green_sock *s);

/* The buffer; it lives as long as s does. Consume from it at will, set its max,
** and reset it when empty before waiting long without a green_sock_fill. */
GREEN_API green_buf *green_sock_input(green_sock *s);

/* -- Options -------------------------------------------------------------- */

/* How an option's value looks. Numbers go through getnum and setnum, the last
** three through getstr and setstr. */
enum {
  GREEN_OPT_INT = 1,
  GREEN_OPT_BOOL,   /* 0 or 1 */
  GREEN_OPT_LINGER, /* Seconds, or negative: off. */
  GREEN_OPT_TIME,   /* Seconds with fractions; 0: none. */
  GREEN_OPT_STRING, /* Bytes as they are. */
  GREEN_OPT_MREQ,   /* "239.1.2.3", with an interface "239.1.2.3%eth0" or
                       "ff02::1%2"; set only. */
  GREEN_OPT_IFACE   /* An interface's name, number or IPv4 address. */
};

/* The kind of the option with that name ("SO_KEEPALIVE", "TCP_USER_TIMEOUT"),
** or GREEN_ENOPROTOOPT: no such name. Any thread. */
GREEN_API int green_sock_optkind(const char *name);

/* The i-th name, from 0; NULL behind the last. Any thread. */
GREEN_API const char *green_sock_optname(int i);

/* 0; GREEN_ENOPROTOOPT: no such name, or not for this socket; GREEN_EINVAL: the
** value does not fit the kind; else what setsockopt(2) said. */
GREEN_API int green_sock_setnum(green_sock *s, const char *name, double value);
GREEN_API int green_sock_setstr(green_sock *s, const char *name,
                                const char *text, size_t n);

/* The same; *value, or the length of the text (GREEN_EOVERFLOW: longer than
** size). No NUL is added. */
GREEN_API int green_sock_getnum(green_sock *s, const char *name, double *value);
GREEN_API int green_sock_getstr(green_sock *s, const char *name, char *text,
                                size_t size);

/* By the system's numbers, for what the table lacks. getraw returns the
** length. */
GREEN_API int green_sock_setraw(green_sock *s, int level, int option,
                                const void *ptr, size_t n);
GREEN_API int green_sock_getraw(green_sock *s, int level, int option, void *ptr,
                                size_t size);
/* end ffi */

typedef struct green_filter green_filter; /* filter.h */

/* Read-only outside of greenc. */
struct green_sock {
  green_fd f;   /* f.hub and f.fd are valid while it is closed, too. */
  green_buf in; /* Read and not consumed; memory only while it has bytes. */
  const green_filter *filter; /* NULL: none. */
  void *filter_data;
  uint32_t chunk; /* What green_sock_fill reads at least, grows with use. */
  int16_t family;
  uint8_t type;
  uint8_t tcp : 1;
  uint8_t bound : 1;
  uint8_t reuse_set : 1; /* The user has decided about SO_REUSEADDR. */
};

/* Make a closed socket of this hub, which must outlive it while it is open, in
** zeroed memory that stays the caller's. */
GREEN_API void green_sock_init(green_sock *s, green_hub *hub);

/* Close it (green_sock_close), for good: it cannot be opened again. Idempotent;
** the hub may have ended before. */
GREEN_API void green_sock_deinit(green_sock *s);

/* The same in memory of its own. NULL: out of memory. **Free with**
** green_sock_free, for which NULL is fine. */
GREEN_API green_sock *green_sock_new(green_hub *hub);
GREEN_API void green_sock_free(green_sock *s);

/* Move at most n bytes between s and a pipe, by splice, and past s's filter and
** buffer, which must not be: GREEN_EOPNOTSUPP. The count, which may be less; 0:
** the end of the stream; GREEN_EAGAIN: wait for GREEN_READ or GREEN_WRITE, the
** pipe being empty, or not, as it must be; GREEN_EINVAL: the system cannot. */
int green_sock_splice_in(green_sock *s, int pipe, size_t n);
int green_sock_splice_out(green_sock *s, int pipe, size_t n);

/* As green_sock_send, of what is to leave together with what is sent next. */
int green_sock_send_more(green_sock *s, const void *ptr, size_t n);

/* Make to, a closed socket of the same hub, what from is: number, buffered
** input, filter. from is closed then, its waiters are woken as by close. 0;
** GREEN_ECLOSED: from is not open; GREEN_EINVAL: to is; GREEN_ENOMEM: both are
** closed. */
GREEN_API int green_sock_move(green_sock *from, green_sock *to);

/* What to park on. */
static inline green_fd *green_sock_fd(green_sock *s)
{
  return &s->f;
}

static inline green_sock *green_sock_of(green_fd *f)
{
  return green_container(f, green_sock, f);
}

#endif
