/*
** profile_text.c: functions, lines and threads as lines of text.
*/

#include "profile_text.h"
#include "site.h"

#include <stdio.h>
#include <string.h>

#define LEVELS 100 /* Functions of one coroutine. */
#define LINE 256   /* Bytes of a frame's. */
#define ROOM 512   /* Of these, for the thread at the end. */

/* -- Lines ---------------------------------------------------------------- */

/* What control bytes a name has would be lines of their own. */
static void text_add(vm_profile_text *t, const char *text, size_t room)
{
  size_t start = t->len, end = sizeof(t->text) - 1 - room;
  if (start >= end) return;
  for (; *text && t->len - start < LINE && t->len < end; text++)
    t->text[t->len++] = (unsigned char)*text < ' ' ? ' ' : *text;
}

static void text_end(vm_profile_text *t)
{
  t->text[t->len++] = '\n';
}

void vm_profile_put(vm_profile_text *t, const char *line)
{
  text_add(t, line, ROOM);
  text_end(t);
}

static void put_line_of(vm_profile_text *t, const lua_Debug *ar)
{
  char number[16];
  int line = ar->currentline > 0 ? ar->currentline : ar->linedefined;
  snprintf(number, sizeof(number), ":%d", line);
  text_add(t, " ", ROOM);
  text_add(t, ar->short_src, ROOM);
  text_add(t, number, ROOM);
}

static void put_function(vm_profile_text *t, const lua_Debug *ar)
{
  if (*ar->what == 'C') {
    text_add(t, "[C] ", ROOM);
    text_add(t, ar->name ? ar->name : "?", ROOM);
  } else {
    text_add(t,
             *ar->what == 'm' ? "main chunk"
             : ar->name       ? ar->name
                              : "(anonymous)",
             ROOM);
    put_line_of(t, ar);
  }
  text_end(t);
}

/* -- Stacks --------------------------------------------------------------- */

/* outermost: that many functions at the end are left out. */
static void put_functions(vm_profile_text *t, lua_State *co, int outermost)
{
  lua_Debug ar, last;
  int level = 0;
  size_t most = sizeof(t->text) - ROOM - 3 * LINE;
  for (; level < LEVELS && t->len < most && lua_getstack(co, level, &ar) &&
         lua_getstack(co, level + outermost, &last);
       level++) {
    lua_getinfo(co, "nSl", &ar);
    put_function(t, &ar);
  }
  if (lua_getstack(co, level + outermost, &ar)) vm_profile_put(t, "...");
}

static void put_coroutine(vm_profile_text *t, lua_State *co)
{
  put_functions(t, co, 0);
}

void vm_profile_put_job(vm_profile_text *t, lua_State *L, lua_State *base)
{
  if (L != base) put_coroutine(t, L);
  put_functions(t, base, 1);
}

static void put_thread(vm_profile_text *t, const vm_thread *thread)
{
  const vm *v = thread->vm;
  const char *name = vm_text_of(v, thread->task.label);
  const char *site = vm_text_of(v, thread->site);
  if (!name && thread == v->main) name = "main";
  text_add(t, "thread ", 0);
  if (name) text_add(t, name, 0);
  if (site && t->len < sizeof(t->text) - 64) {
    text_add(t, name ? " (spawned at " : "spawned at ", 8);
    text_add(t, site, 8);
    if (name) text_add(t, ")", 2);
  }
  text_end(t);
}

/* As stall_text.c has them. */
static void put_below(vm_profile_text *t, vm *v, lua_State *L)
{
  lua_State *scratch = v->L;
  vm_push_key(scratch, VM_KEY_LEVELS);
  for (int depth = v->turn.depth; depth > 0; depth--) {
    lua_rawgeti(scratch, -1, depth);
    lua_State *co = lua_tothread(scratch, -1);
    lua_pop(scratch, 1);
    if (co && co != L) put_coroutine(t, co);
  }
  lua_pop(scratch, 1);
  lua_State *own = v->current->co;
  if (own && own != L) put_coroutine(t, own);
}

void vm_profile_put_running(vm_profile_text *t, vm *v, lua_State *L, int is_c)
{
  lua_Debug ar;
  int is_there = lua_getstack(L, 0, &ar) && lua_getinfo(L, "S", &ar);
  if (is_c && !(is_there && *ar.what == 'C')) vm_profile_put(t, "[C]");
  put_coroutine(t, L);
  put_below(t, v, L);
  put_thread(t, v->current);
}

void vm_profile_put_waiting(vm_profile_text *t, const vm_thread *thread)
{
  static const char *const waits[] = {"(sleep)", "(read)", "(write)", "(watch)",
                                      "(queue)"};
  vm_profile_put(t, waits[thread->task.place]);
  if (thread->co) put_coroutine(t, thread->co);
  put_thread(t, thread);
}
