/*
** fd.h: an open descriptor (a socket, a pipe), and the tasks that wait until it
** can be read or written.
**
** Waiters belong to the object, not to the number: closing wakes them, and a
** number that the system hands out again makes the stale object invalid.
** A read registration stays armed between waits; it is taken back when an
** event finds nobody waiting.
*/
#ifndef GREEN_FD_H
#define GREEN_FD_H

#include "hub/loop.h"
#include "hub/task.h"

/* Embed in the owner. Fields are read-only outside greenc. */
struct green_fd {
  green_hub *hub;
  int fd;                   /* -1: closed, handed over, or stale. */
  uint8_t drained : 1;      /* The last read was short: wait before the next. */
  uint8_t idle_expired : 1; /* Its time in the idle set was up. */
  uint8_t armed;       /* GREEN_READ | GREEN_WRITE: what the poll watches. */
  uint8_t idle_events; /* Since it is ready there. */
  uint8_t woken;       /* The turn in which a reader was woken last, modulo
                           256. */
  green_task *readers; /* A ring through their links, or NULL: one reader at
                          most, who is the first, then those who watch. */
  green_task *writer;
  struct green_idle *idle; /* Waits there without a task, or NULL (idle.h). */
  green_link idle_link;    /* In the set. */
  green_link ready_link;   /* In its ready list. */
  int64_t idle_due;
  green_link touched; /* Its registration changed since the last poll. */
  green__watcher watcher;
};

/* Take over an open descriptor: non-blocking and close-on-exec from here on;
** an older object with the same number turns stale, its waiters are woken
** with GREEN_ECLOSED. 0, GREEN_EBADF or GREEN_ENOMEM (fd stays the caller's).
*/
GREEN_API int green_fd_open(green_fd *f, green_hub *hub, int fd);

/* The same for a number known to be close-on-exec, and non-blocking if whoever
** adopts it reads or writes it (accept4, socket with the flags). No system call
** is made. */
int green__fd_adopt(green_fd *f, green_hub *hub, int fd);

/* Wake the waiters with GREEN_ECLOSED, disarm, close the number. Idempotent.
** Returns 0 or what close said; the object is closed in any case. */
GREEN_API int green_fd_close(green_fd *f);

/* As close, but hand the open number to the caller (-1 if there is none). */
GREEN_API int green_fd_detach(green_fd *f);

/* From inside resume: park t until f is ready in this direction (GREEN_READ or
** GREEN_WRITE), the deadline passes (GREEN_ETIMEDOUT) or f is closed
** (GREEN_ECLOSED). Ready includes error and hang-up: the next call tells.
** 0; at once and unparked: GREEN_EBUSY (another task waits in this direction),
** GREEN_ECLOSED, GREEN_EBADF (the number is not open: f is released, later
** calls give GREEN_ECLOSED, nothing is left behind), GREEN_ENOMEM. t and f are
** of one hub. */
GREEN_API int green_fd_park(green_fd *f, green_task *t, int mode,
                            int64_t deadline);

/* The same, until f is ready for reading, beside a reader and any number of
** others who watch: t wants to know, it does not read. */
GREEN_API int green_fd_watch(green_fd *f, green_task *t, int64_t deadline);

/* Wake who waits for it, with this status; it stays open. */
GREEN_API void green_fd_wake(green_fd *f, int status);

/* For idle.c: watch for reading with no task. 0, GREEN_ECLOSED, GREEN_EBADF. */
int green__fd_arm_read(green_fd *f);

/* The registered object with the least number that is not below fd; NULL: there
** is none. For those who look. */
GREEN_API green_fd *green_hub_fd_from(const green_hub *hub, int fd);

/* Who waits for the direction, or NULL; those who watch do not count. */
static inline green_task *green_fd_waiter(const green_fd *f, int mode)
{
  if (mode == GREEN_WRITE) return f->writer;
  int has_reader = f->readers && f->readers->place == GREEN_AT_READ;
  return has_reader ? f->readers : NULL;
}

_Static_assert((int)GREEN_READ == GREEN_AT_READ, "a task's place says which");
_Static_assert((int)GREEN_WRITE == GREEN_AT_WRITE, "direction it waits for");

/* -- For hub.c ------------------------------------------------------------ */

void green__fds_init(green_hub *hub);
/* Every object is closed; the numbers stay open. Before the loop is. */
void green__fds_deinit(green_hub *hub);

/* Before the kernel is told what to watch: let go of the numbers that are not
** open any more. Those touched since the last poll, or all. */
void green__fds_drop_closed(green_hub *hub, int all);

/* Watch on another loop what is watched now. */
void green__fds_move(green_hub *hub, green__loop *to);

#ifdef GREEN_DEBUG
/* For green_hub_check: every registered fd, and who waits for it. Returns how
** many tasks do. */
uint32_t green__fds_check(const green_hub *hub);
#endif

#endif
