/*
** child.h: other programs: started, waited for, signalled.
**
** A child is started by clone(2) as posix_spawn does it: until the new program
** has been loaded it has our memory, and this thread stands still. So it costs
** the same however large we are, and says in our memory which of its steps
** failed and why. Each is known by a pidfd: no number that somebody else may
** have by now is ever waited for or signalled.
**
** As soon as it has ended it is reaped, whether or not anybody waits: there are
** no zombies. A child whose end somebody else has taken (a library that waits
** for any process, or SIGCHLD ignored) is GREEN_CHILD_LOST.
*/
#ifndef GREEN_CHILD_H
#define GREEN_CHILD_H

#include "hub/hub.h"

/* ffi */
typedef struct green_hub green_hub;
typedef struct green_waitq green_waitq;
typedef struct green_child green_child;

enum {
  GREEN_CHILD_NEW,
  GREEN_CHILD_RUNNING,
  GREEN_CHILD_EXITED, /* code: its exit status */
  GREEN_CHILD_KILLED, /* code: the signal's number */
  GREEN_CHILD_LOST    /* code: why its end is not known: ECHILD, ... */
};

/* flags of a plan */
enum {
  GREEN_CHILD_SESSION = 1, /* A session, and group, of its own. */
  GREEN_CHILD_GROUP = 2,   /* A process group: the plan's, 0: its own. */
  GREEN_CHILD_TERMINAL = 4 /* Number 0 is its controlling terminal. */
};

/* What a number of the child's is instead of one of ours. */
enum { GREEN_CHILD_CLOSED = -1, GREEN_CHILD_NULL = -2 };

enum { GREEN_CHILD_FDS = 64 }; /* Numbers at most. */

typedef struct green_child_limit {
  int32_t resource; /* green_child_resource */
  double soft;      /* Infinite: none. */
  double hard;
} green_child_limit;

/* What to start, and how. Lists of texts end with NULL. */
typedef struct green_child_plan {
  const char *const *paths; /* The first that is there is executed. */
  const char *const *argv;
  const char *const *envp; /* NULL: ours */
  const char *folder;      /* NULL: ours */
  const int32_t *fds;      /* Number i of the child is a copy of our fds[i]; */
  int32_t n_fds;           /* all others are closed in it. One that is to stay
                              (fds[i] is i) and is closed is the null device. */
  int32_t flags;
  int32_t group;
  int32_t n_limits;
  const green_child_limit *limits;
  const uint32_t *groups; /* Supplementary ones. */
  int32_t n_groups;       /* -1: as ours */
  int64_t gid;            /* -1: as ours */
  int64_t uid;
} green_child_plan;

typedef struct green_child_usage {
  double user; /* Seconds of CPU, */
  double system;
  double real;   /* and between start and end. */
  double memory; /* Bytes, at most at once. */
} green_child_usage;

/* How much memory a child takes, for green_child_init. */
GREEN_API size_t green_child_size(void);

/* Start a new one. It has default actions for all signals, none of them
** blocked; its groups, group and user are set in that order, and its folder
** after them. 0; GREEN_EINVAL: it was started before, or the plan makes no
** sense; GREEN_ENOMEM; else what the step of green_child_step said. */
GREEN_API int green_child_spawn(green_child *c, const green_child_plan *plan);

/* The step that failed: "start", "session", "terminal", "limits", "setgroups",
** "setgid", "setuid", "folder", "descriptors" or "exec"; NULL: none. */
GREEN_API const char *green_child_step(const green_child *c);

/* GREEN_CHILD_NEW, ...; what that is followed by; the process's number, 0: it
** was not started; has it dumped core? */
GREEN_API int green_child_state(const green_child *c);
GREEN_API int green_child_code(const green_child *c);
GREEN_API int green_child_pid(const green_child *c);
GREEN_API int green_child_dumped(const green_child *c);

/* Of one that has ended, with its own children that it waited for. */
GREEN_API void green_child_usage_get(const green_child *c,
                                     green_child_usage *u);

/* To park on while it runs; all are woken, with status 0, when it has ended. */
GREEN_API green_waitq *green_child_waiters(green_child *c);

/* Send a signal to it; with group, to all of the group that it leads, even
** when it has ended itself. 0; ESRCH: it has ended; GREEN_EINVAL: no such
** signal, or it leads none; GREEN_EPERM. */
GREEN_API int green_child_signal(green_child *c, int signo, int group);

/* The same, and SIGKILL so many seconds later to what is there then. A second
** call can only make that sooner. */
GREEN_API int green_child_stop(green_child *c, int signo, double grace,
                               int group);

/* The number of a limit by its name ("nofile"), or GREEN_EINVAL. Any thread. */
GREEN_API int green_child_resource(const char *name);

/* The i-th variable of our environment, from 0; NULL behind the last. */
GREEN_API const char *green_child_variable(int i);
/* end ffi */

#include "hub/fd.h"

/* Read-only outside of greenc, but for on_end. */
struct green_child {
  green_fd f;      /* The pidfd, while it runs. */
  green_task task; /* Waits for its end. */
  green_waitq waiters;
  green_forkhook forked;
  void (*on_end)(green_child *c); /* It has ended, or this process is a child
                                     of who has it; or NULL. */
  void *owner;                    /* For on_end. */
  green_child_usage usage;
  int64_t started;
  int64_t kill_due; /* GREEN_NEVER: nobody has asked. */
  const char *step;
  int32_t pid;
  int32_t code;
  uint8_t state;
  uint8_t dumped;
  uint8_t leads;       /* A group of its own. */
  uint8_t kills_group; /* At kill_due. */
};

/* Make a child that is not started, in zeroed memory that stays the caller's,
** until green_child_deinit. */
GREEN_API void green_child_init(green_child *c, green_hub *hub);

/* Forget it: if it runs it goes on, and nobody reaps it. Who waits gets
** GREEN_ECLOSED. Idempotent. */
GREEN_API void green_child_deinit(green_child *c);

/* The same in memory of its own. NULL: out of memory. **Free with**
** green_child_free, for which NULL is fine. */
GREEN_API green_child *green_child_new(green_hub *hub);
GREEN_API void green_child_free(green_child *c);

#endif
