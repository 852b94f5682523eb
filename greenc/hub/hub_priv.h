/*
** hub_priv.h: what a scheduler (hub.h) is made of. Private to greenc: the files
** of hub/ share the struct, all others use the inline functions at the end.
*/
#ifndef GREEN_HUB_PRIV_H
#define GREEN_HUB_PRIV_H

#include "hub/task.h"
#include "base/histogram.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct green__loop green__loop;
struct green_post;
struct green_store;
struct green_tracer;

/* Blocks of scopes and the free ones among them (scope.c). */
typedef struct green__scopes {
  green_scope **blocks;
  uint32_t n_blocks;
  green_list free;
} green__scopes;

/* hub->measures. */
enum { HUB_MEASURES = 1, HUB_WILL_MEASURE = 2 };

struct green_hub {
  green__loop *loop; /* Other threads read it in green_hub_post. */
  green_list ready;  /* Runs in the next turn. */
  green_list batch;  /* Runs in this turn, first to last. */
  green_list defers; /* What runs before the next poll. */
  green_list laters; /* What is done when there is time (later.h). */
  green_list all;    /* Every live task. */
  green_task *current;
  struct green_tracer *tracer; /* NULL: nobody asks (trace.h). */
  const volatile int *done;    /* Of the green_hub_run that is under way. */
  uint32_t generation;         /* Of the process that the loop was made for. */
  uint8_t running;             /* Inside a run: runs do not nest. */
  uint8_t unpolled;            /* A batch was begun since the last poll. */
  uint8_t stirred;  /* A task that polls in place (green_hub_poll) has
                          something to do. */
  uint8_t inherits; /* A child keeps all tasks. */
  uint8_t is_virtual;
  uint8_t measures; /* How long turns take. */
  uint8_t told;     /* The tracer has heard how the present run ends. */
  green_heap heap;
  green__scopes scopes;
  green_fd **fds; /* By number: who has it registered. */
  uint32_t fds_cap;
  green_list idles;   /* Sets of fds that wait without a task. */
  green_list touched; /* fds whose registration changed since the last poll. */
  uint32_t n_fds;
  uint32_t n_waits;      /* Tasks parked on fds, and fds in idle sets. */
  uint32_t n_background; /* Deadlines that are no future. */
  uint32_t n_live;
  uint32_t holds;
  int64_t virtual_now;
  int64_t poll_now; /* The clock as of the last poll. */
  uint64_t turns;
  uint64_t switches;
  uint64_t wakes; /* Those who have not run, or left, are ready. */
  uint64_t made;  /* Tasks, so far. */
  _Atomic(struct green_post *) posts; /* Newest first. */
  struct green_post *mail;            /* Taken from there, oldest first. */
  struct green_post *mail_now;        /* What runs in this turn. */
  green_list forkhooks;
  struct green_store *store; /* For long data (store.h), or NULL. */
  atomic_int posting; /* Threads inside green_hub_post: loop is in use. */
  /* What lower files tell upper ones, which set these. */
  void (*on_unpark)(green_fd *f, green_task *t); /* fd.c: t leaves f. */
  void (*on_end)(green_task *t);      /* scope.c: t ends, with scopes open. */
  int (*on_idle_event)(green_fd *f);  /* idle.c: an fd of a set has an event. */
  void (*on_idle_close)(green_fd *f); /* idle.c: an fd of a set is closed. */
  green_histogram turn_times;
#ifdef GREEN_DEBUG
  pthread_t thread;  /* Whose it is. */
  uint64_t check_at; /* The turn after which all is checked again. */
#endif
};

/* At the head of what only the hub's thread may call. */
#define green__assert_thread(hub) \
  green_assert(pthread_equal((hub)->thread, pthread_self()), \
               "All here is hub-thread only")

/* The same as green_hub_now (task.h). */
static inline int64_t green__hub_now(const green_hub *hub)
{
  return hub->is_virtual ? hub->virtual_now : green_clock_now();
}

/* The clock as of the last poll: costs nothing, and is the same for all that
** happens in a turn. */
static inline int64_t green__hub_poll_now(const green_hub *hub)
{
  return hub->poll_now;
}

static inline int green__hub_is_virtual(const green_hub *hub)
{
  return hub->is_virtual;
}

#endif
