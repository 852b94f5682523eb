/*
** pipe.h: pipes, FIFOs, terminals and devices that never wait.
**
** Each call does at once what it can and returns a count, 0, or a negative
** GREEN_E*. GREEN_EAGAIN: park on green_pipe_fd in the direction of the call,
** then call again. Interrupted calls are repeated inside. All but new and free
** give GREEN_ECLOSED on a pipe that is closed, handed over or stale. A write
** to a pipe that nobody reads raises SIGPIPE where that is neither ignored nor
** handled (green_signal_absorb).
**
** The non-blocking flag belongs to a description, which other processes may
** share. So a pipe, a FIFO or a terminal that was handed in is opened once
** more by way of /proc/self/fd: that description is ours alone. Where that does
** not work (GREEN_PIPE_SHARED) poll(2) is asked before each call, which is then
** for little. A socket is asked call by call. All else, the master of a
** terminal too, is taken for ours and gets the flag.
**
** Counts are ints: a call takes at most GREEN_PIPE_CHUNK bytes at a time.
*/
#ifndef GREEN_PIPE_H
#define GREEN_PIPE_H

#include "base/buf.h"
#include "hub/fd.h"

/* ffi needs: buf */
/* ffi */
typedef struct green_hub green_hub;
typedef struct green_pipe green_pipe;

enum { GREEN_PIPE_CHUNK = 0x40000000 };

/* How it is asked not to wait. */
enum {
  GREEN_PIPE_OWN = 1, /* By the flag of a description that is ours. */
  GREEN_PIPE_SOCKET,  /* Call by call. */
  GREEN_PIPE_SHARED   /* By poll, before each call. */
};

/* -- Life ----------------------------------------------------------------- */

/* How much memory one takes, for green_pipe_init. */
GREEN_API size_t green_pipe_size(void);

/* A pipe: its two ends in two closed objects. 0; GREEN_EINVAL: one is open, or
** they are one; else what pipe(2) said; on failure both are closed. */
GREEN_API int green_pipe_pair(green_pipe *reader, green_pipe *writer);

/* **Takes** an open number, which stays the same; close-on-exec from here on.
** mode: GREEN_READ, GREEN_WRITE or both; 0: those that it was opened for. 0; on
** failure fd stays the caller's: GREEN_EBADF: it is not open, or not for that
** direction; GREEN_EOPNOTSUPP: a regular file, a folder or a disk, for which
** nobody can wait; GREEN_EINVAL (p is open), GREEN_ENOMEM. */
GREEN_API int green_pipe_adopt(green_pipe *p, int fd, int mode);

/* The same for a copy of a number of somebody else's, which stays as it is. */
GREEN_API int green_pipe_copy(green_pipe *p, int fd, int mode);

/* Open a FIFO, a terminal or a device by its path; it does not become our
** controlling terminal. As adopt, and what open(2) said, of which ENXIO is that
** nobody reads yet the FIFO that is to be written to. One that is read waits
** for its first writer: it has not ended before that came and went. */
GREEN_API int green_pipe_open(green_pipe *p, const char *path, int mode);

/* A number that was adopted is a FIFO's that was opened a moment ago: as open,
** it has not ended before its first writer came and went. */
GREEN_API void green_pipe_await(green_pipe *p);

/* -- For other programs --------------------------------------------------- */

/* A pipe of which p, a closed object, is the end for mode (GREEN_READ or
** GREEN_WRITE); *other is the other end's number, the caller's, as programs
** expect it: it waits, and is close-on-exec. As pair. */
GREEN_API int green_pipe_half(green_pipe *p, int mode, int32_t *other);

/* The numbers of a pipe's two ends, both like that. */
GREEN_API int green_pipe_plain(int32_t ends[2]);

/* A new terminal with a window of that size: p is its master, *slave a number
** like that of the terminal itself. */
GREEN_API int green_pipe_terminal(green_pipe *p, int rows, int cols,
                                  int32_t *slave);

/* A number like that for what p is. GREEN_EOPNOTSUPP: there can be none, its
** flag is p's; GREEN_ECLOSED. */
GREEN_API int green_pipe_lend(const green_pipe *p, int32_t *fd);

/* Close such a number. */
GREEN_API void green_pipe_drop(int fd);

/* -- What it is ----------------------------------------------------------- */

/* Forget buffered input, wake who waits with GREEN_ECLOSED, close the number:
** once, however often it is called. 0 always. */
GREEN_API int green_pipe_close(green_pipe *p);

/* Hand the open number to the caller, non-blocking or not as it is; p is closed
** from here on. Buffered input is forgotten. The number or GREEN_ECLOSED. */
GREEN_API int green_pipe_detach(green_pipe *p);

/* The number; the directions; how it is asked (GREEN_PIPE_OWN, ...). */
GREEN_API int green_pipe_fileno(const green_pipe *p);
GREEN_API int green_pipe_mode(const green_pipe *p);
GREEN_API int green_pipe_way(const green_pipe *p);

/* Is it a terminal, or the master of one? */
GREEN_API int green_pipe_is_tty(const green_pipe *p);

/* -- Bytes ---------------------------------------------------------------- */

/* Read at most n bytes, buffered ones first. The count; 0: the end, which for
** the master of a terminal is that nobody has the terminal open any more;
** GREEN_EAGAIN: wait for GREEN_READ. After a read that came back short the next
** ones give GREEN_EAGAIN without a system call until it was ready again: wait,
** never spin. GREEN_EBADF: it is not for reading. */
GREEN_API int green_pipe_recv(green_pipe *p, void *ptr, size_t n);

/* Read into the buffer, making room for want bytes or more (want is a hint).
** The count of new bytes; as recv; GREEN_ETOOBIG: the buffer is full to its
** limit; GREEN_ENOMEM: nothing was lost, try again. */
GREEN_API int green_pipe_fill(green_pipe *p, size_t want);

/* The buffer; it lives as long as p does. */
GREEN_API green_buf *green_pipe_input(green_pipe *p);

/* The count, which may be less than n; GREEN_EAGAIN: wait for GREEN_WRITE;
** GREEN_EPIPE: nobody reads it any more; GREEN_EBADF: it is not for writing. */
GREEN_API int green_pipe_send(green_pipe *p, const void *ptr, size_t n);

/* -- Size ----------------------------------------------------------------- */

/* How many bytes the system keeps between writer and reader, and to change it:
** the new size, which may be more. GREEN_EOPNOTSUPP: it is no pipe;
** GREEN_EPERM: more than the system allows; GREEN_EBUSY: more than that are in
** it. */
GREEN_API int green_pipe_room(const green_pipe *p);
GREEN_API int green_pipe_set_room(green_pipe *p, int bytes);

/* Rows and columns of a terminal's window, by either end of it; a change is
** told to those in the foreground there by SIGWINCH. 0; GREEN_EOPNOTSUPP: it is
** no terminal. */
GREEN_API int green_pipe_window(const green_pipe *p, int32_t size[2]);
GREEN_API int green_pipe_set_window(green_pipe *p, int rows, int cols);
/* end ffi */

/* Read-only outside of greenc. */
struct green_pipe {
  green_fd f;     /* f.hub and f.fd are valid while it is closed, too. */
  green_buf in;   /* Read and not consumed; memory only while it has bytes. */
  uint32_t chunk; /* What green_pipe_fill reads at least, grows with use. */
  uint32_t seen;  /* Bytes read before it got more room; UINT32_MAX: it has. */
  uint8_t mode;
  uint8_t way;
  uint8_t is_pipe : 1;
  uint8_t is_tty : 1;
  uint8_t is_master : 1;
};

/* Make a closed pipe of this hub, which must outlive it while it is open, in
** zeroed memory that stays the caller's. */
GREEN_API void green_pipe_init(green_pipe *p, green_hub *hub);

/* Close it (green_pipe_close), for good: it cannot be opened again. Idempotent;
** the hub may have ended before. */
GREEN_API void green_pipe_deinit(green_pipe *p);

/* The same in memory of its own. NULL: out of memory. **Free with**
** green_pipe_free, for which NULL is fine. */
GREEN_API green_pipe *green_pipe_new(green_hub *hub);
GREEN_API void green_pipe_free(green_pipe *p);

/* What to park on. */
static inline green_fd *green_pipe_fd(green_pipe *p)
{
  return &p->f;
}

#endif
