/*
** profile.c: green.core's functions for the profiler.
*/

#include "core/door.h"
#include "profile.h"
#include "sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *const kinds[] = {"cpu", "alloc", "wait", NULL};

static enum vm_profile_kind kind_at(lua_State *L, int i)
{
  return (enum vm_profile_kind)luaL_checkoption(L, i, NULL, kinds);
}

/* code = profile_start(kind, period): "cpu" and "wait", and seconds; "alloc",
** and bytes. EBUSY: another runtime has LuaJIT's profiler; EALREADY. */
static int core_profile_start(lua_State *L)
{
  enum vm_profile_kind kind = kind_at(L, 1);
  double period = luaL_checknumber(L, 2);
  if (kind != VM_PROFILE_ALLOC) period *= GREEN_SECOND;
  lua_pushinteger(L, vm_profile_start(core_vm(L), L, kind, period));
  return 1;
}

/* tid = profile_owner(): the system's number of the thread that has LuaJIT's
** profiler; 0: none has. */
static int core_profile_owner(lua_State *L)
{
  core_vm(L);
  lua_pushinteger(L, vm_sampler_owner());
  return 1;
}

static void push_field(lua_State *L, const char *name, double value)
{
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

/* is_on, seconds = profile_state(kind): since when; nothing: it is not on. */
static int core_profile_state(lua_State *L)
{
  const vm_profile *p = vm_profile_get(core_vm(L), kind_at(L, 1));
  if (!p || !p->is_on) return 0;
  lua_pushboolean(L, 1);
  lua_pushnumber(L, (double)(green_clock_now() - p->begun) * 1e-9);
  return 2;
}

/* { text =, count =, value = } */
static void push_counted(lua_State *L, const green_counted *c, const char *text,
                         size_t len)
{
  lua_createtable(L, 0, 3);
  lua_pushlstring(L, text, len);
  lua_setfield(L, -2, "text");
  push_field(L, "count", (double)c->count);
  push_field(L, "value", c->value);
}

static void push_stacks(lua_State *L, const vm_profile *p)
{
  const green_counted *c;
  int n = 0;
  lua_createtable(L, (int)p->seen.len + 1, 0);
  for (uint32_t i = 0; (c = green_census_next(&p->seen, &i)) != NULL;) {
    push_counted(L, c, c->text, c->len);
    lua_rawseti(L, -2, ++n);
  }
  if (p->seen.others.count) {
    push_counted(L, &p->seen.others, "(others)\n", 9);
    lua_rawseti(L, -2, ++n);
  }
}

static void push_states(lua_State *L, const vm_profile *p)
{
  static const char *const names[] = {"compiled",  "interpreted", "C",
                                      "collector", "compiler",    "loop",
                                      "native"};
  lua_createtable(L, 0, VM_PROFILE_STATES);
  for (int i = 0; i < VM_PROFILE_STATES; i++) {
    const green_counted c = {.count = p->times[i], .value = p->values[i]};
    lua_createtable(L, 0, 2);
    push_field(L, "count", (double)c.count);
    push_field(L, "value", c.value);
    lua_setfield(L, -2, names[i]);
  }
}

/* seen = profile_stop(kind): { stacks = { { text =, count =, value = }, ... },
** states = { compiled = { count =, value = }, ... }, period =, seconds = },
** values in ns or bytes; nil: it was not on. */
static int core_profile_stop(lua_State *L)
{
  vm *v = core_vm(L);
  enum vm_profile_kind kind = kind_at(L, 1);
  const vm_profile *p = vm_profile_stop(v, kind);
  if (!p) return 0;
  double seconds = (double)(green_clock_now() - p->begun) * 1e-9;
  lua_createtable(L, 0, 4);
  push_stacks(L, p);
  lua_setfield(L, -2, "stacks");
  push_states(L, p);
  lua_setfield(L, -2, "states");
  push_field(L, "period", p->period);
  push_field(L, "seconds", seconds);
  vm_profile_forget(v, kind);
  return 1;
}

/* 0, or the error of a write. */
static int write_all(int fd, const char *p, size_t n)
{
  while (n > 0) {
    ssize_t done = write(fd, p, n);
    if (done < 0 && errno != EINTR) return -errno;
    if (done < 0) continue;
    p += done;
    n -= (size_t)done;
  }
  return 0;
}

/* code = write_new(path, text): a file that was not there, the user's alone.
** For the end of a program, when nobody can wait. */
static int core_write_new(lua_State *L)
{
  size_t n;
  const char *path = luaL_checkstring(L, 1);
  const char *text = luaL_checklstring(L, 2, &n);
  core_vm(L);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  int err = fd < 0 ? -errno : write_all(fd, text, n);
  if (fd >= 0) close(fd);
  if (fd >= 0 && err < 0) unlink(path);
  lua_pushinteger(L, err);
  return 1;
}

const luaL_Reg vm_profile_functions[] = {
    {"profile_start", core_profile_start},
    {"profile_owner", core_profile_owner},
    {"profile_state", core_profile_state},
    {"profile_stop", core_profile_stop},
    {"write_new", core_write_new},
    {NULL, NULL},
};
