/*
** cputimer.h: a signal to a thread each time it has used so much CPU time.
**
** The system's timers on a CPU clock look at it when the kernel's clock ticks
** while the thread runs, each 4 ms as a rule. Where many want the processor a
** thread gets less than that at a time, and is rarely there at a tick: of 70 ms
** that it used one signal told. So a native thread looks after it: seldom while
** the system's timer keeps up, once a period while it does not. A thread that
** sleeps in a system call is left alone, since a signal would cut the call
** short; one that waits for a processor is not.
**
** But who waits for a processor does so where the kernel has taken it away,
** which is often the end of a system call, and a signal that comes meanwhile is
** handled there: of a loop with one short call in 40 us half of the signals
** blamed the call. So a signal that may have waited is no tick; it sets a timer
** to a moment soon after, when the thread runs, and that is one if it is
** handled at once.
**
** What a tick stands for is the CPU time used: signals that others send, that
** come late, twice or merged are not counted twice.
*/
#ifndef GREEN_CPUTIMER_H
#define GREEN_CPUTIMER_H

#include "base/clock.h"

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <time.h>

/* Below that, in ns, the kernel's ticks are too seldom: a timer of real time
** takes the place of both. It cuts sleeping system calls short. */
#define GREEN_CPUTIMER_REAL 4000000

/* Embed, zeroed, and set what is above the line. */
typedef struct green_cputimer {
  int signal;     /* Its handler is there already, and stays. */
  int64_t period; /* ns of CPU time; a microsecond at least. */
  /* Private. */
  uint8_t is_on;
  uint8_t is_real; /* Of real time, below GREEN_CPUTIMER_REAL. */
  uint8_t has_rough;
  uint8_t has_fine;
  uint8_t has_looker;
  uint8_t ends;
  uint32_t generation; /* Of the process that it was started in. */
  uint32_t dice;
  pid_t tid; /* The thread, */
  pthread_t thread;
  clockid_t clock; /* its CPU time, */
  int64_t ticked;  /* and how much that was at the last tick. Atomic. */
  timer_t rough;   /* On that clock. */
  timer_t fine;    /* Of real time, set anew each time; */
  int64_t due;     /* when it ends. */
  pthread_t looker;
  pthread_mutex_t lock;
  pthread_cond_t changed;
} green_cputimer;

/* For the calling thread, from now on. 0, or a negative GREEN_E* of the
** system's: it has no threads to give. A child of a fork has none of it. */
GREEN_API int green_cputimer_start(green_cputimer *t);

/* Idempotent. A signal that was sent before may come later. Its own say
** SI_TIMER or SI_QUEUE. */
GREEN_API void green_cputimer_stop(green_cputimer *t);

/* In a handler of the signal, on the thread, whatever has sent it: is it a
** tick? Half a period was used at least since the one before. */
GREEN_API int green_cputimer_ticks(green_cputimer *t, const siginfo_t *info);

/* The CPU time of the calling thread, in ns. Safe in a handler. */
GREEN_API int64_t green_cputimer_now(void);

#endif
