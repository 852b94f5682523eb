/*
** loop.h: sleeps until something happens: a watched descriptor is ready, a
** deadline passes, another thread calls. Private to hub/.
**
** It stands below all else here. A watcher carries the function that hears its
** events, and whoever opens a loop brings the functions that hear the rest.
*/
#ifndef GREEN_HUB_LOOP_H
#define GREEN_HUB_LOOP_H

#include <stdint.h>

/* Directions, and bits of a set of them. */
enum { GREEN_READ = 1, GREEN_WRITE = 2 };

typedef struct green__loop green__loop;

/* Watches one descriptor, in one direction or both. Embed, zeroed. Room for one
** watcher of libev; loop.c asserts that it suffices. */
typedef struct green__watcher {
  void *room[6];
} green__watcher;

/* The descriptor is ready in these directions, or, with error set, its number
** is not open any more and the loop has dropped the watcher. */
typedef void green__watcher_fn(green__watcher *w, int modes, int error);

/* What a loop tells its owner, and asks. */
typedef struct green__loop_calls {
  /* green__loop_wake was called since. */
  void (*woken)(void *owner);
  /* libev is about to tell the kernel what to watch, and aborts at a number
  ** that is not open any more: stop the watchers of such. Those started or
  ** stopped since the last time, or all. 1: there is work, the poll must not
  ** wait. */
  int (*check_fds)(void *owner, int all);
  /* Only a loop of the host's calls the rest. Before each poll: take a turn. */
  void (*before_poll)(void *owner);
  /* The owner's earliest deadline (GREEN_NEVER: none), and the time. */
  int64_t (*due)(const void *owner, int64_t *now);
  /* After each poll, when events have been told. 1: there is work, the next
  ** poll must not wait. */
  int (*after_poll)(void *owner);
} green__loop_calls;

/* Open a loop of our own, or use the host's (ev_loop != NULL). 0, or as
** green_hub_new. */
int green__loop_open(green__loop **loop, const green__loop_calls *calls,
                     void *owner, const char *backend, void *ev_loop);
void green__loop_close(green__loop *loop);
void green__loop_version(int *major, int *minor);
int green__loop_is_host(const green__loop *loop);
/* Is the host inside its own run of the loop? */
int green__loop_is_inside(const green__loop *loop);
/* In a child: the next poll builds its kernel state and wake-up anew. */
void green__loop_forked(green__loop *loop);
const char *green__loop_backend(const green__loop *loop);

/* Poll once; wait, if block is set, at most until due. Calls back for events
** and wake-ups. Not inside a run of the host's. */
void green__loop_poll(green__loop *loop, int block, int64_t due, int64_t now);

/* Any thread, and signal handlers: make the poll return. */
void green__loop_wake(green__loop *loop);

/* Watch fd in these directions (0: in none) and in no others from here on; its
** number must be open where one is added. The kernel is told at the next poll.
*/
void green__loop_watch(green__loop *loop, green__watcher *w, int fd, int modes,
                       green__watcher_fn *fn);

/* The directions in which it is watching. */
int green__loop_watched(const green__watcher *w);

#endif
