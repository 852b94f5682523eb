/*
** scope.c: a table in the registry has, for each slot of the hub's pool of
** scopes, what the scope in that slot raises, or false. It has room for all
** slots before one is used, so that what closes a scope allocates nothing.
*/

#include "scope.h"

static vm_thread *scope_thread(const green_scope *s)
{
  return green_container(s->task, vm_thread, task);
}

/* In the table; a scope that has an entry says so in its data. */
static int scope_index(const green_scope *s)
{
  return (int)green_handle_slot(s->id) + 1;
}

/* Room in the pool and in the table for one scope more. May raise. */
static void scope_reserve(vm *v, lua_State *L)
{
  int n = green_scope_reserve(v->hub);
  if (n < 0) luaL_error(L, "out of memory");
  if (green_likely((uint32_t)n == v->n_scopes)) return;
  vm_push_key(L, VM_KEY_SCOPES);
  for (int i = (int)v->n_scopes + 1; i <= n; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i);
  }
  lua_pop(L, 1);
  v->n_scopes = (uint32_t)n;
}

green_scope *vm_scope_push(vm_thread *t, lua_State *L, int kind,
                           int64_t deadline, int index)
{
  scope_reserve(t->vm, L);
  green_scope *s = green_scope_push(&t->task, kind, deadline);
  if (!s) luaL_error(L, "out of memory");
  if (!index) return s;
  lua_pushvalue(L, index);
  vm_scope_set_error(L, s);
  return s;
}

void vm_scope_set_error(lua_State *L, green_scope *s)
{
  green_assert(s->task && !s->data, "it had none");
  vm_push_key(L, VM_KEY_SCOPES);
  lua_insert(L, -2);
  lua_rawseti(L, -2, scope_index(s));
  lua_pop(L, 1);
  s->data = 1;
}

void vm_scope_push_error(lua_State *L, const green_scope *s)
{
  if (!s->data) {
    lua_pushnil(L);
    return;
  }
  vm_push_key(L, VM_KEY_SCOPES);
  lua_rawgeti(L, -1, scope_index(s));
  lua_remove(L, -2);
}

static void scope_forget(lua_State *L, green_scope *s)
{
  if (!s->data) return;
  vm_push_key(L, VM_KEY_SCOPES);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, scope_index(s));
  lua_pop(L, 1);
  s->data = 0;
}

void vm_scope_pop(green_scope *s)
{
  scope_forget(scope_thread(s)->vm->L, s);
  green_scope_pop(s);
}

void vm_scope_pop_all(vm_thread *t)
{
  green_link *k;
  while ((k = green_list_first(&t->task.scopes)) != NULL)
    vm_scope_pop(green_container(k, green_scope, link));
}

void vm_scope_forget(vm_thread *t)
{
  const green_list *all = &t->task.scopes;
  for (green_link *k = all->next; k != all; k = k->next)
    scope_forget(t->vm->L, green_container(k, green_scope, link));
}

int vm_scope_is_due(const green_scope *s)
{
  const vm_thread *t = scope_thread(s);
  if (t->task.pending != s) return 0;
  return t->status == GREEN_ECANCELED || (t->task.state == GREEN_TASK_READY &&
                                          t->task.status == GREEN_ECANCELED);
}
