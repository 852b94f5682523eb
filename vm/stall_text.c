/*
** stall_text.c: who, where, for how long, in words; with what is at hand when
** Lua stands still.
*/

#include "stall_text.h"
#include "site.h"

#include "io/thread_files.h"
#include "io/watchdog.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define LEVELS 24     /* Functions of one coroutine. */
#define NAME_MOST 200 /* Bytes of a name: there is more to say. */

/* -- Who ------------------------------------------------------------------ */

static vm_stall_who who_of(const vm_thread *t)
{
  return (vm_stall_who){.thread = t,
                        .site = t->site,
                        .label = t->task.label,
                        .is_main = (t->flags & VM_F_MAIN) != 0};
}

/* The system copies it: its memory may be gone any moment, and that is no
** error then. What was copied counts if the same run goes on. */
void vm_stall_look(const vm *v, const uint64_t *runs, uint64_t run,
                   vm_stall_who *who)
{
  vm_thread copy;
  void *at = __atomic_load_n(&v->current, __ATOMIC_RELAXED);
  struct iovec to = {&copy, sizeof(copy)}, from = {at, sizeof(copy)};
  *who = (vm_stall_who){0};
  if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) != (ssize_t)sizeof(copy))
    return;
  if (copy.kind != VM_THREAD || __atomic_load_n(runs, __ATOMIC_ACQUIRE) != run)
    return;
  *who = who_of(&copy);
  who->thread = at;
}

void vm_stall_look_here(const vm *v, vm_stall_who *who)
{
  if (v->current->kind == VM_THREAD) *who = who_of(v->current);
}

/* -- Where ---------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3)))
trace_add(vm_stall_trace_text *t, const char *format, ...)
{
  size_t room = sizeof(t->text) - t->len;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(t->text + t->len, room, format, args);
  va_end(args);
  if (n < 0) return;
  t->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void trace_add_function(vm_stall_trace_text *t, const lua_Debug *ar)
{
  if (ar->currentline > 0)
    trace_add(t, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
  else
    trace_add(t, "\n\t%s: in ", ar->short_src);
  if (*ar->what == 'm')
    trace_add(t, "main chunk");
  else if (ar->name)
    trace_add(t, "function '%s'", ar->name);
  else if (*ar->what == 'C')
    trace_add(t, "a function of C");
  else
    trace_add(t, "function <%s:%d>", ar->short_src, ar->linedefined);
}

static void trace_add_coroutine(vm_stall_trace_text *t, lua_State *co)
{
  lua_Debug ar;
  int level = 0;
  for (; level < LEVELS && lua_getstack(co, level, &ar); level++) {
    lua_getinfo(co, "nSl", &ar);
    trace_add_function(t, &ar);
  }
  if (lua_getstack(co, level, &ar)) trace_add(t, "\n\t...");
}

/* The script's own coroutines that the running thread is in, innermost first,
** and its own: those below L. */
static void trace_add_below(vm *v, vm_stall_trace_text *t, lua_State *L)
{
  lua_State *scratch = v->L;
  vm_push_key(scratch, VM_KEY_LEVELS);
  for (int depth = v->turn.depth; depth > 0; depth--) {
    lua_rawgeti(scratch, -1, depth);
    lua_State *co = lua_tothread(scratch, -1);
    lua_pop(scratch, 1);
    if (!co || co == L) continue;
    trace_add(t, "\n\t(resumed by)");
    trace_add_coroutine(t, co);
  }
  lua_pop(scratch, 1);
  if (v->current->co == L || !v->current->co) return;
  trace_add(t, "\n\t(resumed by)");
  trace_add_coroutine(t, v->current->co);
}

void vm_stall_trace_alone(lua_State *L, vm_stall_trace_text *t)
{
  t->len = 0;
  trace_add(t, "stack traceback:");
  trace_add_coroutine(t, L);
}

void vm_stall_trace(vm *v, lua_State *L, vm_stall_trace_text *t)
{
  vm_stall_trace_alone(L, t);
  trace_add_below(v, t, L);
}

/* -- In words ------------------------------------------------------------- */

void vm_stall_write_line(const char *text)
{
  struct pollfd p = {.fd = green_files_borrow(2), .events = POLLOUT};
  if (p.fd >= 0 && poll(&p, 1, 0) > 0 && p.revents & POLLOUT)
    (void)!write(p.fd, text, strlen(text));
  green_files_return(p.fd);
}

/* Names are the script's, or a stranger's: no control bytes on a terminal. C1's
** are two bytes in UTF-8. */
static void put_plain(vm_stall_trace_text *t, const char *text)
{
  size_t i = t->len;
  trace_add(t, "%.*s", NAME_MOST, text);
  for (; i < t->len; i++) {
    unsigned char *c = (unsigned char *)t->text + i;
    if (*c < 0x20 || *c == 0x7f) *c = '?';
    if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) c[0] = c[1] = '?';
  }
}

static void put_who(vm_stall_trace_text *t, const vm *v,
                    const vm_stall_who *who)
{
  const char *site = vm_text_of(v, who->site);
  const char *name = vm_text_of(v, who->label);
  if (!who->thread) {
    trace_add(t, "a green thread");
  } else if (name || who->is_main) {
    trace_add(t, "green thread ");
    put_plain(t, name ? name : "main");
  } else {
    trace_add(t, "green thread %p", who->thread);
  }
  if (site) trace_add(t, " (spawned at %s)", site);
}

static void put_call(vm_stall_trace_text *t, int number)
{
  const char *name = green_syscall_name(number);
  if (number < 0)
    trace_add(t, "a system call");
  else if (name)
    trace_add(t, "the system call %s", name);
  else
    trace_add(t, "system call %d", number);
}

static void put_what(vm_stall_trace_text *t, const vm_stall_record *r,
                     enum vm_stall_words words)
{
  if (words == VM_STALL_AFTER)
    trace_add(t, r->is_turn ? " ran last in a turn of the loop that took"
                            : " blocked the loop for");
  else
    trace_add(t, r->is_turn ? " runs in a turn of the loop that has taken"
                            : " blocks the loop for");
}

static void put_how(vm_stall_trace_text *t, const vm_stall_record *r,
                    enum vm_stall_words words)
{
  if (r->call != VM_STALL_NO_CALL) {
    trace_add(t, words == VM_STALL_IN_CALL ? ", in " : ", first in ");
    put_call(t, r->call);
  }
  if (words == VM_STALL_IN_C)
    trace_add(t,
              ", in C or in compiled code: its line is told when it is back");
  else if (words == VM_STALL_NO_LINE)
    trace_add(t,
              " (where is not known: LuaJIT's profiler is one a process, and "
              "another runtime has it)");
  else if (words == VM_STALL_AFTER && r->trace.len)
    trace_add(t, "; it was not seen where, but waits now here");
  if (r->trace.len) trace_add(t, ":\n%s", r->trace.text);
}

void vm_stall_write(const vm *v, const vm_stall_record *r,
                    enum vm_stall_words words, int64_t now)
{
  vm_stall_trace_text t = {0};
  trace_add(&t, "greenlua: ");
  put_who(&t, v, &r->who);
  put_what(&t, r, words);
  trace_add(&t, " %.2f s", (double)(now - r->begun) * 1e-9);
  if (words != VM_STALL_AFTER) trace_add(&t, " so far");
  put_how(&t, r, words);
  if (t.len > sizeof(t.text) - 2) t.len = sizeof(t.text) - 2;
  memcpy(t.text + t.len, "\n", 2);
  vm_stall_write_line(t.text);
}

/* -- For the library ------------------------------------------------------ */

static void set_text(lua_State *L, const char *field, const char *text)
{
  if (!text) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

static void set_call(lua_State *L, int number)
{
  if (number == VM_STALL_NO_CALL) return;
  const char *name = green_syscall_name(number);
  if (name)
    lua_pushstring(L, name);
  else if (number < 0)
    lua_pushliteral(L, "?");
  else
    lua_pushfstring(L, "%d", number);
  lua_setfield(L, -2, "syscall");
}

void vm_stall_push(lua_State *L, const vm *v, const vm_stall_record *r)
{
  lua_createtable(L, 0, 8);
  lua_pushnumber(L, (double)(r->ended - r->begun) * 1e-9);
  lua_setfield(L, -2, "seconds");
  if (r->who.thread == v->current) {
    v->current->flags |= VM_F_KNOWN;
    vm_push_thread(L, v->current);
    lua_setfield(L, -2, "thread");
  }
  set_text(L, "name",
           r->who.is_main && !r->who.label ? "main"
                                           : vm_text_of(v, r->who.label));
  set_text(L, "site", vm_text_of(v, r->who.site));
  set_call(L, r->call);
  set_text(L, r->is_after ? "waits_at" : "traceback",
           r->trace.len ? r->trace.text : NULL);
  lua_pushboolean(L, r->is_turn);
  lua_setfield(L, -2, "is_turn");
}
