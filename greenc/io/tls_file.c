/*
** tls_file.c: the files of a context, and whether they have changed since.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MOST = 1 << 20, FILE_FIRST = 1 << 14 };

/* -- Reading -------------------------------------------------------------- */

static int read_all(int fd, green_buf *out)
{
  for (;;) {
    int err = green_buf_reserve(out, FILE_FIRST); /* A key is not moved. */
    if (err < 0) return err;
    ssize_t n = read(fd, green_buf_space(out), green_buf_room(out) - 1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    green_buf_commit(out, (size_t)n);
    if (n == 0) break;
  }
  *green_buf_space(out) = '\0';
  return 0;
}

int green__tls_note_file(green_tls_ctx *c, const char *path, int fd)
{
  size_t n = strlen(path) + 1;
  green__tls_file *f = green__zalloc(sizeof(*f) + n);
  if (!f) return GREEN_ENOMEM;
  memcpy(f->path, path, n);
  if (fstat(fd, &f->seen) < 0) memset(&f->seen, 0, sizeof(f->seen));
  f->next = c->files;
  c->files = f;
  return 0;
}

int green__tls_read_file(green_tls_ctx *c, const char *what, const char *path,
                         green_buf *out)
{
  green_buf_init(out, FILE_MOST);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  int err = fd < 0 ? -errno : 0;
  if (err == 0 && c) err = green__tls_note_file(c, path, fd);
  if (err == 0) err = read_all(fd, out);
  if (fd >= 0) close(fd);
  if (err == 0) return 0;
  green__tls_forget_file(out);
  return green__tls_say(c ? &c->error : NULL, err, "%s file %s: %s", what, path,
                        green_err_text(err));
}

void green__tls_forget_file(green_buf *b)
{
  if (b->data) lib.OPENSSL_cleanse(b->data, b->cap);
  green_buf_reset(b);
}

void green__tls_free_files(green_tls_ctx *c)
{
  green__tls_file *f;
  while ((f = c->files) != NULL) {
    c->files = f->next;
    green__free(f);
  }
}

/* -- Changes -------------------------------------------------------------- */

/* Also one that became readable has changed. */
static bool is_same(const struct stat *a, const struct stat *b)
{
  return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
         a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
         a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
         a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static bool has_changed(green__tls_file *f)
{
  struct stat now;
  if (stat(f->path, &now) < 0) memset(&now, 0, sizeof(now));
  if (is_same(&now, &f->seen)) return false;
  f->seen = now;
  return true;
}

bool green__tls_files_changed(green_tls_ctx *c)
{
  bool changed = false;
  for (green__tls_file *f = c->files; f; f = f->next)
    if (has_changed(f)) changed = true;
  return changed;
}
