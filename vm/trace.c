/*
** trace.c: hears what the hub does, decides who is to know, and tells them when
** the turn is over.
*/

#include "text.h"
#include "trace_priv.h"

#include "base/env.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

typedef struct vm_trace vm_trace;

/* -- Words ---------------------------------------------------------------- */

static const struct {
  const char *word;
  int class;
} words[] = {{"sched", VM_TRACE_SCHED}, {"io", VM_TRACE_IO},
             {"timer", VM_TRACE_TIMER}, {"http", VM_TRACE_HTTP},
             {"gc", VM_TRACE_GC},       {"all", 0xff}};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

static int class_of(const char *word, size_t n)
{
  for (size_t i = 0; i < N_WORDS; i++)
    if (strlen(words[i].word) == n && !memcmp(words[i].word, word, n))
      return words[i].class;
  return 0;
}

const char *vm_trace_read(const char *text, int *classes, size_t *len)
{
  *classes = 0;
  for (;; text += *len + 1) {
    *len = strcspn(text, ",");
    int class = class_of(text, *len);
    if (!class) return text;
    *classes |= class;
    if (!text[*len]) return NULL;
  }
}

#define WORD_LONGEST 5
#define WRONG_MOST 32 /* Of a wrong word, bytes that are looked at, or shown. */

static int least_of(int a, int b, int c)
{
  int ab = a < b ? a : b;
  return ab < c ? ab : c;
}

/* How many letters are to be changed, put in or left out; case aside. */
static int distance(const char *wrong, size_t n, const char *word)
{
  int row[WORD_LONGEST + 1]; /* For what there is of wrong so far. */
  size_t m = strlen(word);
  for (size_t j = 0; j <= m; j++) row[j] = (int)j;
  for (size_t i = 0; i < n; i++) {
    int before = row[0]++;
    for (size_t j = 0; j < m; j++) {
      int same = tolower((unsigned char)wrong[i]) == word[j];
      int change = before + !same;
      before = row[j + 1];
      row[j + 1] = least_of(change, before + 1, row[j] + 1);
    }
  }
  return row[m];
}

/* As green.args.options has it: near is what less than half of the letters, or
** one, have to be changed for, but not all of them. */
static const char *word_near(const char *wrong, size_t n)
{
  const char *near = NULL;
  int least = n < 2 ? (int)n : n < 6 ? 2 : (int)n / 2;
  for (size_t i = 0; n <= WRONG_MOST && i < N_WORDS; i++) {
    int d = distance(wrong, n, words[i].word);
    if (d >= least) continue;
    near = words[i].word;
    least = d;
  }
  return near;
}

static void raise_wrong(lua_State *L, const char *wrong, size_t n)
{
  char shown[WRONG_MOST + 1];
  const char *near = word_near(wrong, n);
  size_t i = 0;
  for (; i < n && i < WRONG_MOST; i++)
    shown[i] = (char)(wrong[i] >= ' ' && wrong[i] < 127 ? wrong[i] : '?');
  shown[i] = 0;
  lua_pushfstring(L, near ? "; did you mean '%s'? It" : "; it", near);
  luaL_error(L,
             "GREENLUA_TRACE: there is no '%s%s'%s is a list of sched, io, "
             "timer, http, gc, or all",
             shown, n > WRONG_MOST ? "..." : "", lua_tostring(L, -1));
}

/* -- Events --------------------------------------------------------------- */

static int class_of_kind(int kind)
{
  switch (kind) {
  case GREEN_TRACE_IO:
    return VM_TRACE_IO;
  case GREEN_TRACE_TIMER:
    return VM_TRACE_TIMER;
  case GREEN_TRACE_REQUEST:
  case GREEN_TRACE_ANSWER:
    return VM_TRACE_HTTP;
  default:
    return VM_TRACE_SCHED;
  }
}

static int hook_of_kind(int kind)
{
  switch (kind) {
  case GREEN_TRACE_SWITCH:
    return VM_TRACE_ON_SWITCH;
  case GREEN_TRACE_PARK:
  case GREEN_TRACE_YIELD:
    return VM_TRACE_ON_PARK;
  case GREEN_TRACE_WAKE:
    return VM_TRACE_ON_WAKE;
  case GREEN_TRACE_IO:
    return VM_TRACE_ON_IO;
  default:
    return 0;
  }
}

/* The end of the thread that runs functions is to be heard in any case. */
static void trace_aim(vm_trace *x)
{
  int is_on = x->classes || x->hooks || x->ring.teller;
  green_hub_set_tracer(x->v->hub, is_on ? &x->tracer : NULL);
}

static void trace_tell_later(vm_trace *x)
{
  green_hub_defer(x->v->hub, &x->defer);
}

/* Of a thread that runs functions nothing is told: each word would bring
** another. */
static int is_teller(const vm_thread *t)
{
  return t && (t->flags & VM_F_TRACES);
}

static void teller_event(vm_trace *x, const green_trace_event *e)
{
  if (e->kind != GREEN_TRACE_END || e->task != x->ring.teller) return;
  x->ring.teller = NULL;
  trace_aim(x);
  if (x->ring.n) trace_tell_later(x);
}

/* Whom is it about? An answer, and what a thread does to its server, is about
** the one that runs. */
static const vm_thread *thread_of(const vm *v, const green_trace_event *e)
{
  if (e->task) return green_container(e->task, vm_thread, task);
  return e->kind == GREEN_TRACE_ANSWER ? vm__trace_runner(v) : NULL;
}

static void trace_tell(green_tracer *tracer, const green_trace_event *e)
{
  vm_trace *x = green_container(tracer, vm_trace, tracer);
  vm *v = x->v;
  if (v->ended || (e->task && !vm_is_thread(v, e->task))) return;
  const vm_thread *t = thread_of(v, e);
  if (is_teller(t)) {
    teller_event(x, e);
    return;
  }
  if (is_teller(vm__trace_runner(v))) return;
  int prints = x->classes & class_of_kind(e->kind);
  int hooks = x->hooks & hook_of_kind(e->kind);
  if (prints) vm__trace_line(x, e, t);
  if (hooks) vm__trace_put(x, e, t);
  if (prints || hooks) trace_tell_later(x);
}

/* -- When the turn is over ------------------------------------------------ */

static void lines_note_dropped(trace_lines *l, lua_State *L)
{
  char text[80];
  if (!l->dropped) return;
  snprintf(text, sizeof(text), "trace[%d] %llu lines were dropped\n", l->id,
           (unsigned long long)l->dropped);
  l->dropped = 0;
  vm_complain(L, text);
}

/* What it says goes through Lua, which may do what is told of. A child that
** ends before its hub has noticed that it is one has the parent's lines. */
void vm_trace_flush(vm *v)
{
  vm_trace *x = v->trace;
  if (x && green_fork_differs(v->generation)) vm__trace_lines_forked(&x->lines);
  if (!x || !x->lines.len) return;
  trace_lines was = x->lines;
  x->lines.text = NULL;
  x->lines.len = x->lines.cap = 0;
  x->lines.dropped = 0;
  vm_complain(v->L, was.text);
  lines_note_dropped(&was, v->L);
  if (x->lines.text) {
    green__free(was.text);
  } else {
    x->lines.text = was.text;
    x->lines.cap = was.cap;
  }
}

/* body(): make the thread in which the library's function runs. */
static int tell_body(lua_State *L)
{
  vm *v = vm_get(L);
  vm_push_key(L, VM_KEY_ON_TRACE);
  if (lua_isnil(L, -1)) return 0;
  vm_thread *t = vm_thread_new(v, L, 0, VM_F_NOWAIT | VM_F_TRACES, 0);
  v->trace->ring.teller = &t->task;
  green_task_start(&t->task);
  return 0;
}

static void trace_call(vm_trace *x)
{
  lua_State *L = x->v->L;
  int top = lua_gettop(L);
  if (!x->ring.n || x->ring.teller) return;
  vm_push_key(L, VM_KEY_TELL_TRACE);
  lua_pcall(L, 0, 0, 0); /* No memory: with the next turn. */
  lua_settop(L, top);
}

static void trace_end_turn(green_defer *d)
{
  vm_trace *x = green_container(d, vm_trace, defer);
  if (x->v->ended) return;
  trace_call(x);
  vm_trace_flush(x->v);
}

/* -- On and off ----------------------------------------------------------- */

/* What was noted is the parent's. */
static void trace_forked(green_forkhook *h)
{
  vm_trace *x = green_container(h, vm_trace, forked);
  vm__trace_lines_forked(&x->lines);
  x->ring.n = 0;
  x->ring.lost = 0;
}

static vm_trace *trace_open(vm *v, lua_State *L)
{
  if (v->trace) return v->trace;
  lua_pushcfunction(L, tell_body);
  vm_set_key(L, VM_KEY_TELL_TRACE);
  vm_trace *x = green__zalloc(sizeof(*x));
  if (!x) {
    luaL_error(L, "not enough memory");
    return NULL; /* Never: for the analyzer. */
  }
  x->v = v;
  x->tracer.tell = trace_tell;
  x->defer.run = trace_end_turn;
  x->forked.run = trace_forked;
  green_hub_on_fork(v->hub, &x->forked);
  vm__trace_lines_init(&x->lines);
  v->trace = x;
  return x;
}

/* One that waits in a function of old does not keep the new ones waiting: it
** takes nothing more. */
static void trace_leave_teller(vm_trace *x)
{
  if (x->ring.teller == green_hub_current(x->v->hub)) return;
  x->ring.teller = NULL;
  if (x->ring.n) trace_tell_later(x);
}

void vm_trace_set_hooks(vm *v, lua_State *L, int hooks)
{
  vm_trace *x = v->trace;
  if (!x && !hooks) return;
  if (!x) x = trace_open(v, L);
  if (hooks && !x->ring.at) {
    x->ring.at = green__zalloc(TRACE_RING * sizeof(*x->ring.at));
    if (!x->ring.at) luaL_error(L, "not enough memory");
  }
  x->hooks = hooks;
  if (!hooks) x->ring.n = x->ring.lost = 0;
  trace_leave_teller(x);
  trace_aim(x);
}

void vm_trace_pardon(vm *v)
{
  vm_thread *t = v->current;
  if (!t || !is_teller(t)) return;
  t->flags &= ~(uint32_t)VM_F_TRACES;
  v->trace->ring.teller = NULL;
}

void vm_trace_start_env(vm *v, lua_State *L, int strict)
{
  const char *text = green_env("GREENLUA_TRACE");
  size_t len;
  int classes;
  if (!text) return;
  const char *wrong = vm_trace_read(text, &classes, &len);
  if (wrong && !strict) return;
  if (wrong) raise_wrong(L, wrong, len);
  vm_trace *x = trace_open(v, L);
  x->classes = classes;
  trace_aim(x);
}

void vm_trace_close(vm *v)
{
  vm_trace *x = v->trace;
  if (!x) return;
  green_hub_set_tracer(v->hub, NULL);
  green_hub_undefer(&x->defer);
  green_forkhook_remove(&x->forked);
  vm__trace_lines_deinit(&x->lines);
  green__free(x->ring.at);
  v->trace = NULL;
  green__free(x);
}

/* -- Lines of others ------------------------------------------------------ */

static const char *name_of(int class)
{
  for (size_t i = 0; i < N_WORDS; i++)
    if (words[i].class == class) return words[i].word;
  return "";
}

int vm_trace_has(const vm *v, enum vm_trace_class c)
{
  return v->trace && (v->trace->classes & (int)c);
}

void vm_trace_note(vm *v, enum vm_trace_class c, const char *text)
{
  if (!vm_trace_has(v, c)) return;
  vm__trace_text(v->trace, name_of((int)c), v->current, text);
  trace_tell_later(v->trace);
}

void vm_trace_gc(vm *v, int64_t ns, int kb)
{
  char text[80];
  if (v->ended || !vm_trace_has(v, VM_TRACE_GC)) return;
  if (ns >= 0)
    snprintf(text, sizeof(text), "a step of the collector took %.6f s",
             (double)ns * 1e-9);
  else
    snprintf(text, sizeof(text), "a cycle has ended: %d KB are alive", kb);
  vm__trace_text(v->trace, "gc", NULL, text);
  trace_tell_later(v->trace);
}
