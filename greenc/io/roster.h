/*
** roster.h: the native threads of the process's pools (tpool.h), and what each
** of them is at, for who looks in.
**
** All pools of all hubs are in it, whoever's they are. Who looks takes one
** thread after the other, each whole, under the lock that threads take to begin
** a job and to end it: so a job is not over while it is asked for its words,
** and nobody waits for longer than one copy takes.
*/
#ifndef GREEN_ROSTER_H
#define GREEN_ROSTER_H

#include "io/job.h"

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

enum green_native_state {
  GREEN_NATIVE_IDLE,
  GREEN_NATIVE_AT_WORK,
  GREEN_NATIVE_LOST /* At work still, but given up (green_job_lose). */
};

typedef struct green_native {
  uint64_t number;     /* From 1; no other thread of the process gets it. */
  uint64_t jobs;       /* It has begun so many: which one it is at. */
  pid_t tid;           /* The system's number. */
  uint8_t state;       /* enum green_native_state, */
  int64_t since;       /* and since when, on green_clock_now's clock. */
  const void *hub;     /* Whose the job is, to be compared; NULL: it is idle, or
                      its pool was freed. */
  green_job_note note; /* Of the job; empty when it is idle. */
} green_native;

/* The thread with the lowest number that is not below that: 1, and *n is
** filled; 0: there is none. Where no pool ever had a thread nothing is made for
** this. Any thread. */
GREEN_API int green_roster_next(uint64_t number, green_native *n);

/* Call fn, as a job's note is, with the job that this thread is at, if that is
** the one that it was at then. 0: it is not. Any thread. */
typedef void green_roster_fn(const green_job *job, void *arg);
GREEN_API int green_roster_visit(uint64_t number, uint64_t jobs,
                                 green_roster_fn *fn, void *arg);

/* -- What jobs use -------------------------------------------------------- */

/* Hears of the CPU time of a hub's jobs. Embed, zeroed, and set what is above
** the line. At most one for each hub. */
typedef struct green_meter {
  const void *hub;
  /* As a job's note: so much CPU time (ns) has the job used since it began, the
  ** meter was added, or green_meter_take. When it ends, or the meter is
  ** removed. */
  void (*add)(struct green_meter *m, const green_job *job, int64_t ns);
  /* Private. */
  green_link link;
  uint32_t generation; /* Of the process that it was added in. */
} green_meter;

GREEN_API void green_meter_add(green_meter *m);

/* Idempotent. When it returns add has been called for what runs still, and will
** not be called again. */
GREEN_API void green_meter_remove(green_meter *m);

/* In the job's thread, amid its work: fn is told, as add would be, of what it
** has used so far. 0: there is no meter. */
typedef void green_meter_fn(green_meter *m, int64_t ns, void *arg);
GREEN_API int green_meter_take(const green_job *job, green_meter_fn *fn,
                               void *arg);

/* -- For the threads. Private to greenc ----------------------------------- */

/* A thread's place in it. All with the lock of the crews held. */
typedef struct green__seat {
  green_link link;
  uint64_t number;
  uint64_t jobs;
  pid_t tid;
  int64_t since;
  const green_job *job; /* NULL: it rests. */
  const void *hub;
  pthread_t thread;
  green_meter *meter; /* Of the job's hub; NULL: there is none. */
  int64_t cpu;        /* The thread's CPU time when that was told last. */
} green__seat;

/* In the thread. It rests at first. */
void green__roster_enter(green__seat *s);
void green__roster_leave(green__seat *s);

/* It begins a job, which it has until the next call. */
void green__seat_work(green__seat *s, const green_job *job, const void *hub);

/* The job is over, and may be gone after this. */
void green__seat_end(green__seat *s);

/* There is nothing to do. */
void green__seat_rest(green__seat *s);

#endif
