/*
** file.h: files by their paths and numbers, as the system has them: what the
** library does with a log, with a socket's name, with a list of descriptors.
**
** Nothing here waits for a green thread; regular files may wait for the disk.
** Any thread.
*/
#ifndef GREEN_FILE_H
#define GREEN_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* ffi */
/* What lies at a path. */
enum {
  GREEN_FILE_REGULAR = 1,
  GREEN_FILE_FOLDER,
  GREEN_FILE_FIFO,
  GREEN_FILE_SOCKET,
  GREEN_FILE_OTHER /* A device. */
};

/* GREEN_FILE_*, of what a link leads to; or an error (GREEN_ENOENT, ...). */
GREEN_API int green_file_kind(const char *path);

/* What changes when a file is written or another one takes its place. */
typedef struct green_stamp {
  int64_t changed; /* Nanoseconds. */
  int64_t size;
  uint64_t number; /* The file's, */
  uint64_t device; /* there. */
} green_stamp;

/* Of what a link leads to. 0 or an error; then the stamp is zeroed. */
GREEN_API int green_file_stamp(const char *path, green_stamp *s);

/* Open a file to append to it, made with mode 0644 if it is not there. The
** number; or an error (ENXIO: a FIFO that nobody reads, or a socket). Neither
** this nor writing waits for the reader of a FIFO. */
GREEN_API int green_file_append(const char *path);

/* One write. How many bytes of n were taken, or an error. */
GREEN_API int64_t green_file_write(int fd, const char *p, uint64_t n);

/* Once for each number that append gave. */
GREEN_API void green_file_close(int fd);

/* 0 or an error. */
GREEN_API int green_file_unlink(const char *path);

/* mode as chmod(2) takes it. 0 or an error. */
GREEN_API int green_file_chmod(const char *path, uint32_t mode);

/* The descriptors that this process has open, in no order: how many there are;
** the first max of them are put into fds. An error where /proc is not there. */
GREEN_API int green_file_descriptors(int *fds, int max);

/* Has a TCP socket, of any owner, sent what the peer's system has not taken
** yet? Bytes that wait in the socket itself do not count. false for other
** numbers. */
GREEN_API bool green_file_is_sending(int fd);
/* end ffi */

#endif
