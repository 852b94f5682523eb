/*
** disk.h: calls of the file system, made by native threads.
**
** A green_disk makes one call at a time: a system call, or a few that belong
** together. It holds copies of all that the call needs, and what came of it;
** whoever made it may let go at any time (green_disk_free): the thread that is
** at it finishes, and then nothing is left: a descriptor that it opened is
** closed, a temporary file is removed. What the call did to the file system has
** been done.
**
** Calls that may take long (remove, copy) return GREEN_DISK_MORE after a while
** and are to be made again as they are, by green_disk_again: so they hold no
** thread for ever, and can be given up in between.
*/
#ifndef GREEN_DISK_H
#define GREEN_DISK_H

#include "base/buf.h"
#include "io/desc.h"
#include "io/tpool.h"

/* ffi needs: tpool buf desc */
/* ffi */
typedef struct green_waitq green_waitq;
typedef struct green_disk green_disk;

/* What to do. "path": call.path, below call.at; "file": call.file; "either": of
** the file if there is one, else of the path. What is "for take" and "for give"
** is fetched by these functions. */
enum green_disk_op {
  /* path, flags, mode; the descriptor for take. 1: it has positions, 0: it has
  ** none, GREEN_DISK_WAITS. */
  GREEN_DISK_OPEN = 1,
  GREEN_DISK_READ,     /* file: size bytes at offset, for give. Their count. */
  GREEN_DISK_WRITE,    /* file: data at offset. How many were written: all,
                          unless something failed behind them. */
  GREEN_DISK_TRUNCATE, /* either: to size bytes */
  GREEN_DISK_SYNC,     /* file; flags 1: data alone */
  GREEN_DISK_LOCK,     /* file; flags: of flock(2). 0; 1: another has it. */
  GREEN_DISK_STAT,     /* either, for green_disk_stat; NOFOLLOW */
  GREEN_DISK_STATVFS,  /* either, for green_disk_statvfs */
  GREEN_DISK_CHMOD,    /* either: mode */
  GREEN_DISK_CHOWN,    /* either: offset (user) and size (group), -1: as it is;
                          NOFOLLOW */
  GREEN_DISK_UTIME,    /* either: offset (accessed) and size (modified), in
                          nanoseconds, GREEN_DISK_NOW, _OMIT; NOFOLLOW */
  /* either (NOFOLLOW): names, for give: each a letter for its type, the name, a
  ** NUL. GREEN_DISK_MORE: there are more: LIST again, of the file that is for
  ** take (where there was a path); 0: these are all. */
  GREEN_DISK_LIST,
  GREEN_DISK_MKDIR,  /* path, mode; PARENTS */
  GREEN_DISK_RMDIR,  /* path */
  GREEN_DISK_UNLINK, /* path */
  /* path, and all below it. GREEN_DISK_MORE, 0; when something failed, where,
  ** below path, is for give. */
  GREEN_DISK_REMOVE,
  GREEN_DISK_RENAME,   /* path, to; NOREPLACE */
  GREEN_DISK_LINK,     /* path, to: the new name */
  GREEN_DISK_SYMLINK,  /* path: the new name, to: what stands in it */
  GREEN_DISK_READLINK, /* path; the text for give */
  GREEN_DISK_REALPATH, /* path; for give */
  /* path: a folder, to and data: how the name begins and ends; the name for
  ** give, the descriptor for take. FOLDER: make a folder, which is not opened.
  */
  GREEN_DISK_TEMP,
  GREEN_DISK_LOAD, /* path: all of it, size bytes at most, for give. 0; or
                      GREEN_DISK_WAITS, and the descriptor for take */
  /* path: a file with data takes its place. SYNCED, NOREPLACE; mode: of a new
  ** one; what was there hands on its own. GREEN_EOPNOTSUPP: that is neither a
  ** regular file nor a link. */
  GREEN_DISK_SAVE,
  GREEN_DISK_APPEND, /* path: data behind its end; SYNCED; mode */
  GREEN_DISK_COPY,   /* path, to; SYNCED, NOREPLACE, PRESERVE.
                        GREEN_DISK_MORE, 0 */
  GREEN_DISK_WATCH   /* file: of inotify; path, mode: a mask. Its watch. */
};

enum {
  GREEN_DISK_MORE = 1,  /* The result: make it again. */
  GREEN_DISK_WAITS = 2, /* It can be polled (FIFO, terminal): not for us. */
  /* Flags of call.how. */
  GREEN_DISK_NOFOLLOW = 1,
  GREEN_DISK_PARENTS = 2,
  GREEN_DISK_NOREPLACE = 4, /* GREEN_EEXIST when something is there. */
  GREEN_DISK_SYNCED = 8,    /* And the folder. */
  GREEN_DISK_PRESERVE = 16, /* Times, and the owner where that is allowed. */
  GREEN_DISK_FOLDER = 32,
  GREEN_DISK_BENEATH = 64 /* Paths lead nowhere but below call.at. */
};

typedef struct green_disk_call {
  int32_t op;
  int32_t how;   /* GREEN_DISK_* */
  int32_t flags; /* Of open(2), flock(2). */
  int32_t mode;
  int64_t offset; /* -1: where the system's position is. */
  int64_t size;
  green_desc *at;   /* Where relative paths begin. NULL: the program's. */
  green_desc *file; /* NULL: none. */
} green_disk_call;

/* What stands for "now" among the times. */
enum { GREEN_DISK_NOW = -1, GREEN_DISK_OMIT = -2 };

/* A file as stat(2) has it. Times are nanoseconds. */
typedef struct green_disk_info {
  uint64_t dev, ino, nlink, rdev;
  int64_t size, blocks, blksize;
  int64_t atime, mtime, ctime;
  uint32_t mode, uid, gid;
} green_disk_info;

/* A file system as statvfs(3) has it. */
typedef struct green_disk_space {
  uint64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid,
      flag, namemax;
} green_disk_space;

/* All functions bear NULL, which is one that was closed: GREEN_ECLOSED, or
** nothing. But for green_disk_waiters, _stat and _statvfs, for which there is
** no reason after that. */

/* Begin a call; what the last one has left is gone. Strings end with a NUL and
** are copied, call too; path and to may be NULL where the call has no use for
** them. data: call.size bytes of WRITE, SAVE and APPEND (copied), a string of
** TEMP. 0; GREEN_EBUSY: it is at work; GREEN_ENOMEM; GREEN_EINVAL: the pool's
** size is wrong. */
GREEN_API int green_disk_start(green_disk *d, green_tpool *p,
                               const green_disk_call *call, const char *path,
                               const char *to, const char *data);

/* The same call again, when its result was GREEN_DISK_MORE. As start. */
GREEN_API int green_disk_again(green_disk *d, green_tpool *p);

/* What came of it: 0 or more; GREEN_EAGAIN: it is at work; another error.
** GREEN_ECANCELED: it could not begin, or a fork came between and this is the
** child, in which nothing is done a second time. */
GREEN_API int64_t green_disk_result(const green_disk *d);

/* To park on while the result is GREEN_EAGAIN; woken once, with status 0. */
GREEN_API green_waitq *green_disk_waiters(green_disk *d);

/* Did the path lead out of the folder that it had to stay below? The result is
** -EXDEV then. */
GREEN_API int green_disk_escaped(const green_disk *d);

/* Bytes that it has for give. */
GREEN_API uint64_t green_disk_size(const green_disk *d);

/* They go behind those of b, and leave this. What they need is moved, not
** copied, if b holds no more than some thousand. 0, GREEN_ENOMEM or
** GREEN_ETOOBIG; then nothing has changed. */
GREEN_API int green_disk_give(green_disk *d, green_buf *b);

/* The first of them, for a copy; NULL: there are none. */
GREEN_API const char *green_disk_data(const green_disk *d);

/* The bytes are not needed, nor their memory. */
GREEN_API void green_disk_clear(green_disk *d);

/* The descriptor that it opened, which is the caller's from now on. NULL: none,
** or no more. */
GREEN_API green_desc *green_disk_take(green_disk *d);

/* Of STAT, and of an OPEN and a TEMP, which say what was opened. */
GREEN_API const green_disk_info *green_disk_stat(const green_disk *d);
GREEN_API const green_disk_space *green_disk_statvfs(const green_disk *d);

/* Can openat2(2) be had? 0, or why not. Does not wait. Any thread. */
GREEN_API int green_disk_can_stay_beneath(void);
/* end ffi */

/* One that does nothing yet. NULL: out of memory. **Free with**
** green_disk_free. */
GREEN_API green_disk *green_disk_new(void);

/* At any time before the pool is freed, also while it is at work: a call that
** no thread has begun is not made. Tasks that wait are woken with
** GREEN_ECLOSED. NULL is fine. */
GREEN_API void green_disk_free(green_disk *d);

#endif
