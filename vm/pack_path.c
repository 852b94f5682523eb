/*
** pack_path.c: what a packer refuses, and by which path it is named.
*/

#include "pack.h"

#include "core/misuse.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

/* -- Paths ---------------------------------------------------------------- */

static int is_word(const char *s)
{
  if (!isalpha((unsigned char)*s) && *s != '_') return 0;
  while (isalnum((unsigned char)*s) || *s == '_') s++;
  return *s == '\0';
}

static void push_key(lua_State *L, int key)
{
  size_t n = 0;
  const char *s =
      lua_type(L, key) == LUA_TSTRING ? lua_tolstring(L, key, &n) : NULL;
  if (s && strlen(s) == n && is_word(s)) {
    lua_pushfstring(L, ".%s", s);
    return;
  }
  vm_push_shown(L, key);
  lua_pushfstring(L, "[%s]", lua_tostring(L, -1));
  lua_remove(L, -2);
}

static void push_value(vm__packer *w, int n)
{
  if (!(w->flags & VM_PACK_CALL))
    lua_pushfstring(w->L, "%s[%d]", w->what, n);
  else if (n > 1)
    lua_pushfstring(w->L, "%s[%d]", w->what, n - 1);
  else
    lua_pushliteral(w->L, "");
}

static void push_step(vm__packer *w, const vm__step *s)
{
  lua_State *L = w->L;
  if (s->kind == STEP_VALUE)
    push_value(w, s->n);
  else if (s->kind == STEP_KEY)
    push_key(L, s->n);
  else
    lua_pushfstring(L, " upvalue '%s'", s->name);
}

/* Of a path that is longer, the first step and the last ones. */
enum { STEPS_SHOWN = 12 };

/* Push the path to what is being written: "arg[1].conn", "upvalue 'db'". */
static void push_path(vm__packer *w)
{
  lua_State *L = w->L;
  int n = 0;
  lua_pushliteral(L, "");
  luaL_checkstack(L, 8, "path");
  for (const vm__step *s = w->path; s; s = s->outer) {
    if (++n > STEPS_SHOWN && s->outer) continue;
    if (n > STEPS_SHOWN + 1) {
      lua_pushliteral(L, "...");
      lua_insert(L, -2);
      lua_concat(L, 2);
    }
    push_step(w, s);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  const char *text = lua_tostring(L, -1);
  lua_pushstring(L, *text == '\0' ? "fn" : text + (*text == ' '));
  lua_remove(L, -2);
}

/* Raise "path why"; the text of the latter is at the top. */
void vm__refuse(vm__packer *w)
{
  push_path(w);
  lua_pushfstring(w->L, "%s %s", lua_tostring(w->L, -1),
                  lua_tostring(w->L, -2));
  lua_error(w->L);
  __builtin_unreachable(); /* Lua's header does not say so. */
}

void vm__refuse_as(vm__packer *w, const char *why)
{
  lua_pushstring(w->L, why);
  vm__refuse(w);
}

/* "is a coroutine, which no other thread can be given". */
void vm__refuse_kind(vm__packer *w, int i)
{
  vm_push_shown(w->L, i);
  lua_pushfstring(w->L, "is %s, which no other thread can be given",
                  lua_tostring(w->L, -1));
  vm__refuse(w);
}
