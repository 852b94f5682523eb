/*
** disk_kit.h: calls of the file system from beginning to end, in a folder of
** their own.
*/
#ifndef GREEN_DISK_KIT_H
#define GREEN_DISK_KIT_H

#include "t.h"
#include "hub/hub.h"
#include "io/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>

static green_hub *hub;
static green_tpool *pool;
static char folder[] = "/tmp/disk-test-XXXXXX";

static inline void kit_begin(void)
{
  if (!mkdtemp(folder) || chdir(folder) < 0) abort();
  if (green_hub_new(&hub, NULL) < 0) abort();
  pool = green_tpool_new(hub);
}

static inline void kit_end(void)
{
  char command[64];
  green_tpool_free(pool);
  green_hub_free(hub);
  snprintf(command, sizeof(command), "rm -rf %s", folder);
  if (chdir("/") < 0 || system(command) != 0) abort();
}

/* Turn until the call is over. Its result. */
static inline int64_t kit_finish(green_disk *d)
{
  while (green_disk_result(d) == GREEN_EAGAIN) green_hub_turn(hub, 1);
  return green_disk_result(d);
}

static inline int64_t kit_call(green_disk *d, green_disk_call c,
                               const char *path, const char *to,
                               const char *data)
{
  int err = green_disk_start(d, pool, &c, path, to, data);
  int64_t r = err < 0 ? err : kit_finish(d);
  while (r == GREEN_DISK_MORE &&
         (c.op == GREEN_DISK_REMOVE || c.op == GREEN_DISK_COPY)) {
    err = green_disk_again(d, pool);
    r = err < 0 ? err : kit_finish(d);
  }
  return r;
}

/* One that needs nothing but its paths. */
static inline int64_t kit_do(int op, int how, const char *path, const char *to)
{
  green_disk *d = green_disk_new();
  int64_t r = kit_call(d, (green_disk_call){.op = op, .how = how, .mode = 0700},
                       path, to, NULL);
  green_disk_free(d);
  return r;
}

static inline void kit_put(const char *path, const char *text)
{
  FILE *f = fopen(path, "w");
  if (!f || fputs(text, f) < 0 || fclose(f) != 0) abort();
}

/* What is in a file, "" where there is none. */
static inline const char *kit_get(const char *path)
{
  static char text[256];
  FILE *f = fopen(path, "r");
  size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
  text[n] = '\0';
  if (f) fclose(f);
  return text;
}

/* Names in a folder but those of "." and "..". */
static inline int kit_count(const char *path)
{
  DIR *dir = opendir(path);
  int n = -2;
  while (dir && readdir(dir)) n++;
  if (dir) closedir(dir);
  return n;
}

static inline int kit_fds(void)
{
  return kit_count("/proc/self/fd");
}

static inline green_desc *kit_open(const char *path, int flags)
{
  int fd = open(path, flags | O_CLOEXEC, 0600);
  if (fd < 0) abort();
  return green_desc_new(fd);
}

#endif
