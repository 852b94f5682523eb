/*
** trace_line.c: events in words, one line each.
*/

#include "site.h"
#include "trace_priv.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of a turn; as much as standard error's queue takes. */
#define LINES_MOST (1 << 20)
#define LINES_FIRST 4096
#define LINE_MOST 512 /* One line; its texts are cut. */
#define NAME_MOST 64
#define TARGET_MOST 256

typedef struct line {
  char text[LINE_MOST];
  size_t len;
} line;

/* -- Putting together ----------------------------------------------------- */

/* Room is left for a line's end. */
static void __attribute__((format(printf, 2, 3)))
put(line *l, const char *format, ...)
{
  size_t room = sizeof(l->text) - 1 - l->len;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(l->text + l->len, room, format, args);
  va_end(args);
  if (n > 0) l->len += (size_t)n < room ? (size_t)n : room - 1;
}

/* What a stranger may have chosen: no byte of it does anything to a terminal,
** or ends the line. */
static void put_plain(line *l, const char *text, size_t n)
{
  for (size_t i = 0; i < n; i++)
    put(l, "%c", text[i] > ' ' && text[i] < 127 ? text[i] : '?');
}

static void put_status(line *l, int status)
{
  if (status) put(l, " (%s)", green_err_name(status));
}

static void put_seconds(line *l, int64_t ns)
{
  put(l, "%.6f s", (double)ns * 1e-9);
}

static void put_name(line *l, const vm *v, const vm_thread *t)
{
  const char *name = vm_text_of(v, t->task.label);
  if (!name && (t->flags & VM_F_MAIN || t == v->host)) name = "main";
  put(l, "#%llu ", (unsigned long long)t->id);
  put_plain(l, name ? name : "-", name ? strnlen(name, NAME_MOST) : 1);
}

/* -- The head ------------------------------------------------------------- */

/* ns since the last line of t; -1: this is its first one, or others have come
** between. A thread that ends has no slot any more, so it goes by its id. */
static int64_t lines_since(trace_lines *l, const vm_thread *t, int64_t now)
{
  trace_last *last = &l->last[t->id % TRACE_LAST];
  int64_t since = last->id == t->id ? now - last->at : -1;
  *last = (trace_last){t->id, now};
  return since;
}

static void put_head(line *l, struct vm_trace *x, const char *of,
                     const vm_thread *t)
{
  int64_t now = green_clock_now();
  int64_t since = t && x->lines.last ? lines_since(&x->lines, t, now) : -1;
  put(l, "trace[%d] %9lld us ", x->lines.id,
      (long long)((now - x->lines.start) / 1000));
  if (since >= 0)
    put(l, "%+8lld ", (long long)(since / 1000));
  else
    put(l, "%8s ", "");
  put(l, "%-5s ", of);
  if (t)
    put_name(l, x->v, t);
  else
    put(l, "-");
  put(l, ": ");
}

/* -- What happened -------------------------------------------------------- */

static void put_spawn(line *l, const vm *v, const vm_thread *t)
{
  const char *site = vm_text_of(v, t->site);
  put(l, "spawned");
  if (site) put(l, " at %s", site);
  if (t->parent) put(l, " by #%llu", (unsigned long long)t->parent);
}

static void put_park(line *l, const green_trace_event *e)
{
  static const char *const places[] = {
      [GREEN_AT_NOTHING] = "sleeps",
      [GREEN_AT_READ] = "waits to read fd",
      [GREEN_AT_WRITE] = "waits to write fd",
      [GREEN_AT_WATCH] = "watches fd",
      [GREEN_AT_QUEUE] = "waits in a queue",
  };
  put(l, "%s", places[e->place]);
  if (e->fd >= 0) put(l, " %d", e->fd);
  if (e->deadline == GREEN_NEVER) return;
  put(l, ", at most ");
  put_seconds(l, e->deadline - green_hub_now(e->task->hub));
}

static void put_wake(line *l, const vm *v, const green_trace_event *e)
{
  put(l, "woken");
  put_status(l, e->status);
  if (vm__trace_runner(v))
    put(l, " by #%llu", (unsigned long long)vm__trace_runner(v)->id);
}

static void put_timer(line *l, const green_trace_event *e)
{
  static const char *const whose[] = {
      [GREEN_TIMER_OTHER] = "a deadline of the library's",
      [GREEN_TIMER_WAIT] = "the end of its wait",
      [GREEN_TIMER_START] = "its time to start",
      [GREEN_TIMER_SCOPE] = "the end of a timeout",
  };
  put(l, "%s has come", whose[e->place]);
}

static void put_request(line *l, const green_trace_event *e)
{
  const char *query = memchr(e->target, '?', e->target_len);
  size_t n = query ? (size_t)(query - e->target) : e->target_len;
  put(l, "request on fd %d: ", e->fd);
  put_plain(l, e->method, e->method_len < 32 ? e->method_len : 32);
  put(l, " ");
  put_plain(l, e->target, n < TARGET_MOST ? n : TARGET_MOST);
}

static void put_answer(line *l, const green_trace_event *e)
{
  put(l, "answer on fd %d: %d, ", e->fd, e->status);
  put_seconds(l, e->deadline);
  put(l, " after the request came");
}

static void put_event(line *l, const vm *v, const green_trace_event *e,
                      const vm_thread *t)
{
  switch (e->kind) {
  case GREEN_TRACE_SWITCH:
    put(l, "%s", t->flags & VM_F_STARTED ? "runs on" : "begins");
    put_status(l, e->status);
    break;
  case GREEN_TRACE_PARK:
    put_park(l, e);
    break;
  case GREEN_TRACE_YIELD:
    put(l, "lets the others have a turn");
    break;
  case GREEN_TRACE_WAKE:
    put_wake(l, v, e);
    break;
  case GREEN_TRACE_SPAWN:
    put_spawn(l, v, t);
    break;
  case GREEN_TRACE_END:
    put(l, "ends");
    break;
  case GREEN_TRACE_IO:
    put(l, "fd %d is ready:%s%s", e->fd, e->modes & GREEN_READ ? " read" : "",
        e->modes & GREEN_WRITE ? " write" : "");
    break;
  case GREEN_TRACE_TIMER:
    put_timer(l, e);
    break;
  case GREEN_TRACE_REQUEST:
    put_request(l, e);
    break;
  default:
    put_answer(l, e);
  }
}

/* -- Keeping -------------------------------------------------------------- */

static int lines_reserve(trace_lines *l, size_t n)
{
  size_t cap = l->cap ? l->cap : LINES_FIRST;
  if (l->len + n > LINES_MOST) return GREEN_ENOBUFS;
  while (cap < l->len + n) cap *= 2;
  if (cap == l->cap) return 0;
  char *text = green__realloc(l->text, cap);
  if (!text) return GREEN_ENOMEM;
  l->text = text;
  l->cap = cap;
  return 0;
}

/* With a NUL behind it, that the next one replaces. */
static void lines_add(trace_lines *l, line *k)
{
  k->text[k->len++] = '\n';
  if (lines_reserve(l, k->len + 1) < 0) {
    l->dropped++;
    return;
  }
  memcpy(l->text + l->len, k->text, k->len);
  l->len += k->len;
  l->text[l->len] = 0;
}

void vm__trace_line(struct vm_trace *x, const green_trace_event *e,
                    const vm_thread *t)
{
  static const char *const of[] = {
      [GREEN_TRACE_IO] = "io",        [GREEN_TRACE_TIMER] = "timer",
      [GREEN_TRACE_REQUEST] = "http", [GREEN_TRACE_ANSWER] = "http",
      [GREEN_TRACE_END] = "sched",    [GREEN_TRACE_SPAWN] = "sched",
      [GREEN_TRACE_SWITCH] = "sched", [GREEN_TRACE_PARK] = "sched",
      [GREEN_TRACE_YIELD] = "sched",  [GREEN_TRACE_WAKE] = "sched",
  };
  line l = {.len = 0};
  put_head(&l, x, of[e->kind], t);
  put_event(&l, x->v, e, t);
  lines_add(&x->lines, &l);
}

void vm__trace_text(struct vm_trace *x, const char *of, const vm_thread *t,
                    const char *text)
{
  line l = {.len = 0};
  put_head(&l, x, of, t);
  for (; *text; text++)
    put(&l, "%c", *text >= ' ' && *text < 127 ? *text : '?');
  lines_add(&x->lines, &l);
}

void vm__trace_lines_init(trace_lines *l)
{
  l->start = green_clock_now();
  l->id = (int)syscall(SYS_gettid);
  l->last = green__zalloc(TRACE_LAST * sizeof(*l->last));
}

void vm__trace_lines_forked(trace_lines *l)
{
  l->len = 0;
  l->dropped = 0;
  l->id = (int)syscall(SYS_gettid);
}

void vm__trace_lines_deinit(trace_lines *l)
{
  green__free(l->text);
  green__free(l->last);
}
