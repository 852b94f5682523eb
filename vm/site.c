/*
** site.c: places in scripts: where threads were spawned, each "file:line" kept
** once, and who called the library.
*/

#include "site.h"

#include "base/mem.h"

#include <string.h>

#define SITES_MAX 10000
#define LABELS_MAX 2000 /* Names may be made of numbers. */

/* -- The library's own ---------------------------------------------------- */

void vm_set_library(vm *v, const char *source)
{
  const char *end = strrchr(source, '/');
  size_t n = end ? (size_t)(end - source) + 1 : 0;
  if (n >= sizeof(v->library)) n = sizeof(v->library) - 1;
  memcpy(v->library, source, n);
  v->library[n] = '\0';
}

int vm_is_library(const vm *v, const char *source)
{
  return v->library[0] && strncmp(source, v->library, strlen(v->library)) == 0;
}

/* -- Texts ---------------------------------------------------------------- */

/* The string at the top of the stack, which stays, and which the table keeps
** alive. Where there is no memory it has no text. */
static void text_keep(vm *v, lua_State *L, int site)
{
  const char ***block = &v->texts[site / VM_TEXT_BLOCK];
  if (!*block) *block = green__zalloc(VM_TEXT_BLOCK * sizeof(**block));
  if (!*block) return;
  __atomic_store_n(&(*block)[site % VM_TEXT_BLOCK], lua_tostring(L, -1),
                   __ATOMIC_RELEASE);
}

const char *vm_text_of(const vm *v, int site)
{
  const char **block = v->texts[site / VM_TEXT_BLOCK];
  if (site <= 0 || site > SITES_MAX || !block) return NULL;
  return __atomic_load_n(&block[site % VM_TEXT_BLOCK], __ATOMIC_ACQUIRE);
}

void vm_texts_free(vm *v)
{
  for (int i = 0; i < VM_TEXT_BLOCKS; i++) {
    green__free(v->texts[i]);
    v->texts[i] = NULL;
  }
}

/* -- Where a thread was spawned ------------------------------------------- */

/* The index of the site string at the top of the stack, which is popped. */
static int site_intern(vm *v, lua_State *L, const char *source)
{
  vm_push_key(L, VM_KEY_SITES);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  int site = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  if (!site && lua_objlen(L, -1) < SITES_MAX) {
    site = (int)lua_objlen(L, -1) + 1;
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, site);
    lua_pushvalue(L, -2);
    text_keep(v, L, site);
    lua_pushinteger(L, site);
    lua_rawset(L, -3);
    lua_pushstring(L, source); /* The cache compares its address: keep it. */
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
  }
  lua_pop(L, 2);
  return site;
}

/* The first function from a level outwards that is neither C's nor the
** library's; where there is none, in threads of the library's own, the first
** of its own; ar stays where all are C's. */
static void site_find(const vm *v, lua_State *L, int level, lua_Debug *ar)
{
  lua_Debug at;
  for (; lua_getstack(L, level, &at); level++) {
    lua_getinfo(L, "Sl", &at);
    if (at.currentline <= 0) continue;
    int is_own = vm_is_library(v, at.source);
    if (!is_own || ar->currentline <= 0) *ar = at;
    if (!is_own) return;
  }
}

/* It says nothing of who called: that is looked for each time. */
static int is_no_script(const vm *v, const lua_Debug *ar)
{
  return ar->currentline <= 0 || vm_is_library(v, ar->source);
}

static vm_site_entry *site_entry(vm *v, const lua_Debug *ar)
{
  size_t h = ((uintptr_t)ar->source / 16 + (size_t)ar->currentline) % VM_SITES;
  return &v->sites[h];
}

static int site_is_of(const vm_site_entry *e, const lua_Debug *ar)
{
  return e->source == ar->source && e->line == ar->currentline;
}

int vm_site(vm *v, lua_State *L, int level)
{
  lua_Debug ar;
  vm_site_entry *e;
  if (!lua_getstack(L, level, &ar)) return 0;
  lua_getinfo(L, "Sl", &ar);
  e = site_entry(v, &ar);
  if (site_is_of(e, &ar) && !e->is_own) return e->site;
  site_find(v, L, level, &ar);
  e = site_entry(v, &ar);
  if (site_is_of(e, &ar)) return e->site;
  lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  int site = site_intern(v, L, ar.source), is_own = is_no_script(v, &ar);
  if (site) *e = (vm_site_entry){ar.source, ar.currentline, site, is_own};
  return site;
}

/* The index of the text at the top of the stack in the table of sites; 0. */
static int site_known(lua_State *L)
{
  vm_push_key(L, VM_KEY_SITES);
  lua_pushvalue(L, -2);
  lua_rawget(L, -2);
  int site = (int)lua_tointeger(L, -1);
  lua_pop(L, 2);
  return site;
}

void vm_label(vm *v, lua_State *L, vm_thread *t)
{
  int label = site_known(L);
  if (!label && v->n_labels < LABELS_MAX) {
    v->n_labels++;
    lua_pushvalue(L, -1);
    label = site_intern(v, L, "");
  }
  t->task.label = (uint16_t)label;
  lua_pop(L, 1);
}

void vm_push_site(lua_State *L, const vm_thread *t)
{
  if (!t->site) {
    lua_pushliteral(L, "?");
    return;
  }
  vm_push_key(L, VM_KEY_SITES);
  lua_rawgeti(L, -1, t->site);
  lua_remove(L, -2);
}

/* -- Whom to blame -------------------------------------------------------- */

/* Of a running thread whose own functions are all the library's. */
static void push_spawn_place(lua_State *L, const vm *v)
{
  const char *folder = v->library[0] ? v->library + 1 : NULL; /* No '@'. */
  vm_push_site(L, v->current);
  if (folder && !strncmp(lua_tostring(L, -1), folder, strlen(folder))) {
    lua_pop(L, 1); /* A thread of the library's own. */
    lua_pushliteral(L, "");
    return;
  }
  lua_pushliteral(L, ": ");
  lua_concat(L, 2);
}

void vm_push_place(lua_State *L, const vm *v)
{
  lua_Debug ar;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "Sl", &ar);
    if (ar.currentline > 0 && !vm_is_library(v, ar.source)) {
      lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
      return;
    }
  }
  if (v->ended || !v->current->site)
    lua_pushliteral(L, "");
  else
    push_spawn_place(L, v);
}
