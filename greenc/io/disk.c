/*
** disk.c: the life of calls of the file system.
*/

#include "io/disk_priv.h"
#include "base/fork.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* What the call was given. */
static void disk_forget_call(green_disk *d)
{
  green_desc_unref(d->call.at);
  green_desc_unref(d->call.file);
  d->call.at = d->call.file = NULL;
  green__free(d->text);
  d->text = d->path = d->to = d->data = NULL;
  d->shown = NULL;
}

/* What one call has, and the next does not need; the memory of out stays. */
static void disk_forget(green_disk *d)
{
  if (d->copy)
    green__disk_copy_free(d->copy, green_fork_differs(d->generation));
  d->copy = NULL;
  green_desc_unref(d->opened);
  d->opened = NULL;
  disk_forget_call(d);
  d->out.head = d->out.tail = 0;
  d->escaped = 0;
}

static void disk_delete(green_disk *d)
{
  disk_forget(d);
  green_buf_reset(&d->out);
  green__free(d);
}

/* A pool does again in a child what its parent's threads were at. That would
** write, or rename, twice. */
static int may_be_repeated(int op)
{
  switch (op) {
  case GREEN_DISK_READ:
  case GREEN_DISK_STAT:
  case GREEN_DISK_STATVFS:
  case GREEN_DISK_READLINK:
  case GREEN_DISK_REALPATH:
  case GREEN_DISK_LOAD:
    return 1;
  default:
    return 0;
  }
}

static void disk_work(green_job *job)
{
  green_disk *d = green_container(job, green_disk, job);
  int is_child = green_fork_differs(d->generation);
  if (is_child) d->out.head = d->out.tail = 0;
  if (!is_child || may_be_repeated(d->call.op)) d->answer = green__disk_call(d);
  /* A descriptor that does not wait, a lease: that is no word for "at work". */
  if (d->answer == GREEN_EAGAIN) d->answer = GREEN_EBUSY;
}

static void disk_done(green_job *job)
{
  green_disk *d = green_container(job, green_disk, job);
  if (d->unwanted) {
    disk_delete(d);
    return;
  }
  int op = d->call.op;
  d->result = d->answer;
  /* It holds no file longer than it needs to: the file may be closed by now. */
  int is_again = op == GREEN_DISK_REMOVE || op == GREEN_DISK_COPY;
  if (!is_again || d->result != GREEN_DISK_MORE) disk_forget_call(d);
  green_waitq_wake_all(&d->waiters, 0);
}

static void disk_drop(green_job *job)
{
  green_disk *d = green_container(job, green_disk, job);
  if (d->unwanted) disk_delete(d);
}

static const char *const disk_ops[] = {
    [GREEN_DISK_OPEN] = "open",         [GREEN_DISK_READ] = "read",
    [GREEN_DISK_WRITE] = "write",       [GREEN_DISK_TRUNCATE] = "truncate",
    [GREEN_DISK_SYNC] = "sync",         [GREEN_DISK_LOCK] = "lock",
    [GREEN_DISK_STAT] = "stat",         [GREEN_DISK_STATVFS] = "statvfs",
    [GREEN_DISK_CHMOD] = "chmod",       [GREEN_DISK_CHOWN] = "chown",
    [GREEN_DISK_UTIME] = "utime",       [GREEN_DISK_LIST] = "list",
    [GREEN_DISK_MKDIR] = "mkdir",       [GREEN_DISK_RMDIR] = "rmdir",
    [GREEN_DISK_UNLINK] = "unlink",     [GREEN_DISK_REMOVE] = "remove",
    [GREEN_DISK_RENAME] = "rename",     [GREEN_DISK_LINK] = "link",
    [GREEN_DISK_SYMLINK] = "symlink",   [GREEN_DISK_READLINK] = "readlink",
    [GREEN_DISK_REALPATH] = "realpath", [GREEN_DISK_TEMP] = "temporary file",
    [GREEN_DISK_LOAD] = "load",         [GREEN_DISK_SAVE] = "save",
    [GREEN_DISK_APPEND] = "append",     [GREEN_DISK_COPY] = "copy",
    [GREEN_DISK_WATCH] = "watch",
};

/* "read of fd 7", "open of a/b". What was asked for stays as it is until the
** call is over. */
static void disk_note(const green_job *job, green_job_note *n)
{
  const green_disk *d = green_container(job, green_disk, job);
  const char *op = disk_ops[d->call.op];
  if (d->shown)
    snprintf(n->what, sizeof(n->what), "%s of %s", op, d->shown);
  else
    snprintf(n->what, sizeof(n->what), "%s of fd %d", op,
             green_desc_number(d->call.file));
}

green_disk *green_disk_new(void)
{
  green_disk *d = green__zalloc(sizeof(*d));
  if (!d) return NULL;
  green_waitq_init(&d->waiters);
  d->result = GREEN_ECANCELED;
  d->job.work = disk_work;
  d->job.done = disk_done;
  d->job.drop = disk_drop;
  d->job.note = disk_note;
  return d;
}

void green_disk_free(green_disk *d)
{
  if (!d) return;
  green_waitq_wake_all(&d->waiters, GREEN_ECLOSED);
  if (d->result != GREEN_EAGAIN) {
    disk_delete(d);
    return;
  }
  d->unwanted = 1;
  green_job_cancel(&d->job);
}

/* -- Calls ---------------------------------------------------------------- */

static char *put_text(char **at, const char *text, size_t n)
{
  char *p = *at;
  if (!text) return NULL;
  memcpy(p, text, n);
  p[n] = '\0';
  *at = p + n + 1;
  return p;
}

static size_t text_len(const char *text)
{
  return text ? strlen(text) : 0;
}

static size_t data_len(const green_disk_call *c, const char *data)
{
  switch (c->op) {
  case GREEN_DISK_WRITE:
  case GREEN_DISK_SAVE:
  case GREEN_DISK_APPEND:
    return (size_t)c->size;
  default:
    return text_len(data);
  }
}

/* Copies of the strings. 0 or GREEN_ENOMEM. */
static int disk_copy_texts(green_disk *d, const char *path, const char *to,
                           const char *data)
{
  size_t a = text_len(path), b = text_len(to), c = data_len(&d->call, data);
  if (!path && !to && !data) return 0;
  char *at = green__alloc(2 * a + b + c + 4);
  if (!at) return GREEN_ENOMEM;
  d->text = at;
  d->path = put_text(&at, path, a);
  d->shown = put_text(&at, path, a);
  d->to = put_text(&at, to, b);
  d->data = put_text(&at, data, c);
  return 0;
}

int green_disk_again(green_disk *d, green_tpool *p)
{
  if (!d) return GREEN_ECLOSED;
  if (d->result == GREEN_EAGAIN) return GREEN_EBUSY;
  d->out.head = d->out.tail = 0;
  d->result = GREEN_EAGAIN;
  d->answer = GREEN_ECANCELED;
  d->generation = green_fork_generation();
  int err = green_job_submit(p, &d->job);
  if (err < 0) d->result = GREEN_ECANCELED;
  return err;
}

int green_disk_start(green_disk *d, green_tpool *p, const green_disk_call *call,
                     const char *path, const char *to, const char *data)
{
  if (!d) return GREEN_ECLOSED;
  if (d->result == GREEN_EAGAIN) return GREEN_EBUSY;
  disk_forget(d);
  d->result = GREEN_ECANCELED;
  d->call = *call;
  green_desc_ref(d->call.at);
  green_desc_ref(d->call.file);
  int err = disk_copy_texts(d, path, to, data);
  return err < 0 ? err : green_disk_again(d, p);
}

/* -- What came of them ---------------------------------------------------- */

int64_t green_disk_result(const green_disk *d)
{
  return d ? d->result : GREEN_ECLOSED;
}

green_waitq *green_disk_waiters(green_disk *d)
{
  return &d->waiters;
}

int green_disk_escaped(const green_disk *d)
{
  return d ? d->escaped : 0;
}

uint64_t green_disk_size(const green_disk *d)
{
  return d ? green_buf_len(&d->out) : 0;
}

const char *green_disk_data(const green_disk *d)
{
  if (!d) return NULL;
  return green_buf_len(&d->out) ? green_buf_data(&d->out) : NULL;
}

/* The memory of a and b changes places; each keeps its limit. */
static void buf_swap(green_buf *a, green_buf *b)
{
  green_buf c = *a;
  uint32_t max = b->max;
  *a = *b;
  *b = c;
  b->max = max;
  a->max = c.max;
}

/* Few bytes of b go before ours, for which a read leaves room. */
static int give_all(green_disk *d, green_buf *b, size_t len)
{
  if (len) memcpy(d->out.data + d->out.head - len, green_buf_data(b), len);
  d->out.head -= (uint32_t)len;
  buf_swap(&d->out, b);
  d->out.head = d->out.tail = 0;
  return 0;
}

int green_disk_give(green_disk *d, green_buf *b)
{
  if (!d) return GREEN_ECLOSED;
  size_t len = green_buf_len(b), n = green_buf_len(&d->out);
  if (!n) return 0;
  if (len <= d->out.head && (!b->max || len + n <= b->max))
    return give_all(d, b, len);
  int err = green_buf_append(b, green_buf_data(&d->out), n);
  if (err == 0) d->out.head = d->out.tail = 0;
  return err;
}

void green_disk_clear(green_disk *d)
{
  if (d && d->result != GREEN_EAGAIN) green_buf_reset(&d->out);
}

green_desc *green_disk_take(green_disk *d)
{
  if (!d) return NULL;
  green_desc *opened = d->result == GREEN_EAGAIN ? NULL : d->opened;
  if (opened) d->opened = NULL;
  return opened;
}

const green_disk_info *green_disk_stat(const green_disk *d)
{
  return &d->info;
}

const green_disk_space *green_disk_statvfs(const green_disk *d)
{
  return &d->space;
}
