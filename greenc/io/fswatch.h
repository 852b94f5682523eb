/*
** fswatch.h: what happens to files and folders, told by inotify(7).
**
** The kernel keeps what was not taken, up to a limit of its own; what came when
** that was full is lost, and said to be (GREEN_FSWATCH_OVERFLOW). What is to be
** watched is looked up by native threads (GREEN_DISK_WATCH), since a lookup may
** wait for a disk.
*/
#ifndef GREEN_FSWATCH_H
#define GREEN_FSWATCH_H

#include "hub/hub.h"
#include "io/desc.h"

/* ffi needs: desc */
/* ffi */
typedef struct green_hub green_hub;
typedef struct green_fswatch green_fswatch; /* Begins with a green_fd. */

/* Bits of masks and events: inotify's. */
enum {
  GREEN_FSWATCH_WRITTEN = 0x2,
  GREEN_FSWATCH_ATTRIB = 0x4,
  GREEN_FSWATCH_CLOSED = 0x8, /* Behind writing. */
  GREEN_FSWATCH_MOVED_FROM = 0x40,
  GREEN_FSWATCH_MOVED_TO = 0x80,
  GREEN_FSWATCH_CREATED = 0x100,
  GREEN_FSWATCH_DELETED = 0x200,
  GREEN_FSWATCH_SELF_DELETED = 0x400,
  GREEN_FSWATCH_SELF_MOVED = 0x800,
  GREEN_FSWATCH_UNMOUNTED = 0x2000,
  GREEN_FSWATCH_OVERFLOW = 0x4000,
  GREEN_FSWATCH_ENDED = 0x8000, /* The watch is no more. */
  GREEN_FSWATCH_ONLY_FOLDER = 0x1000000,
  GREEN_FSWATCH_FOLDER = 0x40000000 /* It is a folder. */
};

typedef struct green_fswatch_event {
  int32_t watch;    /* -1: of an overflow. */
  uint32_t mask;    /* GREEN_FSWATCH_* */
  uint32_t cookie;  /* The same for both ends of a move; 0: none. */
  uint32_t len;     /* Of the name. */
  const char *name; /* In a folder that is watched, until the next call. */
} green_fswatch_event;

/* The memory that one takes, for green_fswatch_init. */
GREEN_API size_t green_fswatch_size(void);

/* Its number, for green_disk: another holder's. NULL: closed, or no memory.
** **Free with** green_desc_unref. */
GREEN_API green_desc *green_fswatch_desc(const green_fswatch *w);

/* A watch that GREEN_DISK_WATCH gave is wanted no more. What it had told may
** still come, and GREEN_FSWATCH_ENDED behind that. */
GREEN_API void green_fswatch_forget(green_fswatch *w, int watch);

/* The next event: 1; GREEN_EAGAIN: park on w for reading; GREEN_ECLOSED, or
** what read(2) said. */
GREEN_API int green_fswatch_next(green_fswatch *w, green_fswatch_event *e);

/* Let go: who waits gets GREEN_ECLOSED. Idempotent. */
GREEN_API void green_fswatch_deinit(green_fswatch *w);
/* end ffi */

/* In zeroed memory, which stays the caller's until green_fswatch_deinit. 0,
** GREEN_EMFILE (the system has a limit of its own of these), GREEN_ENFILE,
** GREEN_ENOMEM. */
GREEN_API int green_fswatch_init(green_fswatch *w, green_hub *hub);

#endif
