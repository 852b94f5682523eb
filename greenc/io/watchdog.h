/*
** watchdog.h: a native thread that looks whether the loops of others go on, and
** tells while one does not.
**
** A hub's pulse (hub.h) does not change while one task runs. Where it stays as
** it is for longer than a watch allows, that run stalls its loop. The watchdog
** then reads what the system says of the thread: one that sleeps in a system
** call is left alone, since a signal would cut the call short; one that runs is
** sent the watch's signal, whose handler can tell where it stands. It knows
** nothing of what runs there.
**
** All watches of a process have one thread between them, which sleeps an eighth
** of the shortest limit between two looks. Time in which it was not run itself
** (a stopped process, a suspended machine) is no stall.
*/
#ifndef GREEN_WATCHDOG_H
#define GREEN_WATCHDOG_H

#include "hub/hub.h"

#include <pthread.h>
#include <sys/types.h>

typedef struct green_watch green_watch;

enum green_stall_kind {
  GREEN_STALL_RUNS,    /* It runs: the signal was sent, or there is none. */
  GREEN_STALL_SLEEPS,  /* It is inside a system call; no signal was sent. */
  GREEN_STALL_RETURNS, /* It has come back from there: the signal was sent. */
  GREEN_STALL_IS_LATE, /* It was sent its signal a limit ago: no ack came. */
  GREEN_STALL_LASTS    /* It was, and repeats is set: once more. */
};

typedef struct green_stall {
  uint8_t kind;     /* enum green_stall_kind */
  uint8_t is_turn;  /* No one run: many of one turn, without a poll. */
  uint8_t is_blind; /* The system does not say where its threads are. */
  int32_t call;     /* SLEEPS: the system call's number; -1: not known. */
  int64_t ns;       /* For how long so far, at least. */
  uint64_t run;     /* The pulse's runs. */
} green_stall;

/* Embed, zeroed, and set what is above the line. */
struct green_watch {
  green_pulse pulse;
  int64_t limit; /* ns that a run may take. */
  int signal;    /* What the thread is sent; 0: nothing. */
  int repeats;   /* Send it again each limit, for as long as the run lasts. */
  /* On the watchdog's thread, with its lock held: it must be quick, and may
  ** neither add nor remove a watch. Before a signal is sent, so that who is
  ** told has what the handler looks for. */
  void (*tell)(green_watch *w, const green_stall *s);
  uint64_t acked; /* Atomic, set by who handles the signal: the run seen. */
  /* Private. */
  struct watchdog *dog; /* NULL: it is not watched. */
  green_link link;
  pthread_t thread;
  pid_t tid;
  uint32_t generation; /* Of the process that it was added in. */
  uint64_t turn, run;  /* As they were at the last look, */
  int64_t turn_ns;     /* and for how long they have been so. */
  int64_t run_ns;
  int64_t seen;     /* When that was. */
  int64_t measured; /* A look at which the thread had used */
  int64_t cpu;      /* so much time of a CPU; 0: none. */
  int64_t sent;     /* The run_ns at which the signal was; */
  uint8_t stage;    /* enum watch_stage */
  uint8_t in_turn;  /* A run of this turn was told of, or the turn was. */
  uint8_t rests;    /* It had used next to none since the one before. */
};

/* Watch the calling thread; limit: a millisecond at least. 0, or GREEN_ENOMEM:
** no memory, or no thread. In a child of a fork nothing is watched: what the
** parent watched may be added anew there, without a remove. */
GREEN_API int green_watch_add(green_watch *w);

/* Idempotent. When it returns tell neither runs nor will. */
GREEN_API void green_watch_remove(green_watch *w);

/* Is it watched, in this process? */
GREEN_API int green_watch_is_on(const green_watch *w);

/* What a thread of this process does. Returns 0: it runs; 1: it sleeps in the
** system call *call (-1: not known which); GREEN_EACCES or GREEN_ENOENT: the
** system does not say. *is_blind: only whether it sleeps could be read. Any
** thread. */
GREEN_API int green_watch_where(pid_t tid, int *call, int *is_blind);

/* The name of a system call ("nanosleep"); NULL: none of those that wait. */
GREEN_API const char *green_syscall_name(int number);

#endif
