/*
** stdfd.h: an inherited descriptor (0, 1, 2) without stopping the loop.
**
** Whoever started us may share the open file description, so its flags are left
** alone: O_NONBLOCK set here would make a shell's or a sibling's writes fail. A
** pipe or terminal is opened anew through /proc/self/fd, which gives a private
** description; a socket has MSG_DONTWAIT; where the first does not work (no
** /proc, a terminal of another user) a private dup is asked with poll before
** each small write, which only a second writer can spoil.
**
** What cannot be written at once is queued, in order, up to a limit; in a child
** of a fork the queue is empty, what was in it is the parent's. A write is
** taken whole or not at all. The number may be given to another file meanwhile
** (dup2): the next write goes there.
*/
#ifndef GREEN_STDFD_H
#define GREEN_STDFD_H

#include "hub/hub.h"

/* ffi */
typedef struct green_hub green_hub;
typedef struct green_waitq green_waitq;
typedef struct green_stdfd green_stdfd; /* Begins with a green_fd. */

/* The memory that one takes, for green_stdfd_init. */
GREEN_API size_t green_stdfd_size(void);

/* Make one, in zeroed memory aligned for pointers, of a number that is open:
** for reading, or for writing. The memory stays the caller's; it must not move,
** and green_stdfd_deinit comes before it is freed and before the hub is.
** 0; GREEN_EOPNOTSUPP: nothing there stops a loop (a regular file, /dev/null),
** use C's stdio; GREEN_EBADF: it is not open; GREEN_ENOMEM, GREEN_EMFILE. */
GREEN_API int green_stdfd_init(green_stdfd *s, green_hub *hub, int number,
                               int for_write);

/* Write what is queued for as long as the reader makes progress at least every
** linger seconds (and 10 times that at most), report what was dropped on
** descriptor 2, let go. Idempotent. Later puts go out at once and may wait. */
GREEN_API void green_stdfd_deinit(green_stdfd *s);

/* Most bytes in the queue (1 MiB) and what deinit gives a reader (5 s). */
GREEN_API void green_stdfd_set(green_stdfd *s, size_t limit, double linger);

/* Is it a terminal now? */
GREEN_API int green_stdfd_is_tty(const green_stdfd *s);

/* Write n bytes, or queue them. lazy: they may wait for the end of this turn.
** 0; GREEN_EAGAIN: no room, nothing was taken: park on the room, then again;
** GREEN_ENOBUFS: no room and given up, n were counted as dropped; else what
** write(2) said, now or about bytes that had been queued. */
GREEN_API int green_stdfd_put(green_stdfd *s, const char *p, size_t n,
                              int lazy);

/* Write what can be written. 0: the queue is empty; GREEN_EAGAIN: not yet; else
** what write(2) said, and the queue is empty too. */
GREEN_API int green_stdfd_flush(green_stdfd *s);

/* Where to park for room: woken when half of the limit is free. */
GREEN_API green_waitq *green_stdfd_room(green_stdfd *s);

/* Count n bytes as dropped. */
GREEN_API void green_stdfd_drop(green_stdfd *s, size_t n);

/* The reader does not read: no more waiting for room until it does. */
GREEN_API void green_stdfd_give_up(green_stdfd *s);

/* Bytes in the queue, and bytes dropped so far. */
GREEN_API double green_stdfd_queued(const green_stdfd *s);
GREEN_API double green_stdfd_dropped(const green_stdfd *s);

/* For those who count: has it a descriptor of its own, which the hub watches;
** and does it wait for that one to take more? 1 or 0. */
GREEN_API int green_stdfd_is_open(const green_stdfd *s);
GREEN_API int green_stdfd_is_waiting(const green_stdfd *s);

/* Read up to n bytes: a count, 0 at the end of the stream (a terminal goes on
** after it), GREEN_EAGAIN: park on it for reading, or what read(2) said. */
GREEN_API int64_t green_stdfd_read(green_stdfd *s, char *p, size_t n);

/* Take up to n bytes that C's stdin has read ahead; 0 when there are none. */
GREEN_API size_t green_stdfd_read_ahead(char *p, size_t n);
/* end ffi */

#endif
