/*
** host.c: a Lua state whose allocator fails when its script says so.
**
**   host script.lua [args]
**
** The script has arm(n[, count]): the n-th allocation from now, and those that
** follow it up to count, return NULL; n = 0 only counts. disarm() ends that and
** gives the number of allocations and of failures. mark(text) names what is
** going on, for the last words of a program that dies. An allocation is a new
** block, or an old one that grows: Lua counts on it that shrinking never fails.
**
** JITOFF=1 turns the JIT off. OOM_TRACE=1 shows, for each failure, where in Lua
** and in C it was (JITOFF=1 only: compiled code keeps its stack to itself).
*/

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

int luaopen_green_core(lua_State *L);
void __asan_on_error(void);

/* Seconds from an arm, or disarm, to the next one; OOM_PATIENCE. */
#define PATIENCE 20

/* Of a lua_State, to the address of its stack and beyond. */
#define STATE_WORDS 10

static struct {
  int armed;
  int trace;
  unsigned patience;
  long n, last; /* The failures: from the n-th to the last. */
  long count, failed;
  lua_State **running; /* Where Lua keeps the running coroutine, or NULL. */
  char mark[200];
} oom;

/* -- Last words ----------------------------------------------------------- */

static void say(const char *text)
{
  if (write(2, text, strlen(text)) < 0) _exit(4);
}

static void say_mark(const char *what)
{
  say(what);
  say(" at ");
  say(oom.mark);
  say("\n");
}

void __asan_on_error(void)
{
  say_mark("AddressSanitizer");
}

static int on_panic(lua_State *L)
{
  const char *text = lua_tostring(L, -1);
  say_mark("panic");
  say(text ? text : "(no text)");
  say("\n");
  abort();
}

/* -- Where an allocation fails -------------------------------------------- */

/* Lua tells nobody which coroutine runs, but its address stands in the block of
** the main state: the last place where this one's does. */
static int find_running(lua_State *L)
{
  lua_State **words = lua_touserdata(L, lua_upvalueindex(1));
  for (int i = 0; i < 150; i++)
    if (words[i] == L) oom.running = &words[i];
  return 0;
}

static void open_running(lua_State *L)
{
  lua_State *co = lua_newthread(L);
  lua_pushlightuserdata(co, L);
  lua_pushcclosure(co, find_running, 1);
  if (lua_resume(co, 0) != 0) say("the running coroutine is not found\n");
  lua_pop(L, 1);
}

static void show_lua(lua_State *L)
{
  lua_Debug ar;
  char line[200];
  for (int level = 0; level < 12 && lua_getstack(L, level, &ar); level++) {
    if (!lua_getinfo(L, "Sl", &ar)) return;
    snprintf(line, sizeof(line), "  lua %s:%d\n", ar.short_src, ar.currentline);
    say(line);
  }
}

static void on_alarm(int signo)
{
  (void)signo;
  say_mark("it hangs");
  if (oom.running) show_lua(*oom.running);
  _exit(3);
}

static void show(size_t old, size_t n)
{
  char line[80];
  void *at[24];
  snprintf(line, sizeof(line), "fails: allocation %ld, %zu to %zu bytes\n",
           oom.count, old, n);
  say(line);
  if (oom.running) show_lua(*oom.running);
  backtrace_symbols_fd(at, backtrace(at, 24), 2);
}

/* -- The allocator -------------------------------------------------------- */

/* Is p the stack of the running coroutine? Its address stands in its block.
** LuaJIT does not bear it that a stack does not grow for the frame of a
** function: it puts its message where that frame would end, behind the
** stack. */
static int is_stack(const void *p)
{
  const void **words = oom.running ? (const void **)*oom.running : NULL;
  for (int i = 0; words && i < STATE_WORDS; i++)
    if (words[i] == p) return 1;
  return 0;
}

static int fails(const void *p, size_t old, size_t n)
{
  if (!oom.armed || n <= old || (p && is_stack(p))) return 0;
  oom.count++;
  if (oom.count < oom.n || oom.count > oom.last) return 0;
  oom.failed++;
  if (oom.trace) show(old, n);
  return 1;
}

/* A block that grows or shrinks always moves: old pointers to it are found. */
static void *allocate(void *ud, void *p, size_t old, size_t n)
{
  (void)ud;
  if (n == 0) {
    free(p);
    return NULL;
  }
  if (fails(p, p ? old : 0, n)) return NULL;
  void *block = malloc(n);
  if (!block) abort();
  if (p) memcpy(block, p, old < n ? old : n);
  free(p);
  return block;
}

/* -- For the script ------------------------------------------------------- */

static int host_arm(lua_State *L)
{
  long n = (long)luaL_checkinteger(L, 1);
  alarm(oom.patience);
  oom.n = n ? n : -1;
  oom.last = n ? n + (long)luaL_optinteger(L, 2, 1) - 1 : -2;
  oom.count = oom.failed = 0;
  oom.armed = 1;
  return 0;
}

static int host_disarm(lua_State *L)
{
  oom.armed = 0;
  alarm(oom.patience);
  lua_pushinteger(L, oom.count);
  lua_pushinteger(L, oom.failed);
  return 2;
}

/* Is the allocator the host's own, as it was given? */
static int host_allocates(lua_State *L)
{
  void *ud;
  lua_pushboolean(L, lua_getallocf(L, &ud) == allocate);
  return 1;
}

static int host_mark(lua_State *L)
{
  snprintf(oom.mark, sizeof(oom.mark), "%s", luaL_checkstring(L, 1));
  return 0;
}

static int traceback(lua_State *L)
{
  const char *text = lua_tostring(L, 1);
  luaL_traceback(L, L, text ? text : "(an error that is no string)", 1);
  return 1;
}

static void open_state(lua_State *L)
{
  lua_atpanic(L, on_panic);
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_green_core);
  lua_setfield(L, -2, "green.core");
  lua_settop(L, 0);
  lua_register(L, "arm", host_arm);
  lua_register(L, "disarm", host_disarm);
  lua_register(L, "mark", host_mark);
  lua_register(L, "host_allocates", host_allocates);
  if (getenv("JITOFF") && luaL_dostring(L, "jit.off()")) say("no jit.off\n");
}

static int run(lua_State *L, int argc, char **argv)
{
  lua_newtable(L);
  for (int i = 1; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - 1);
  }
  lua_setglobal(L, "arg");
  lua_pushcfunction(L, traceback);
  int r = luaL_loadfile(L, argv[1]);
  if (r == 0) r = lua_pcall(L, 0, 0, 1);
  if (r == 0) return 0;
  say_mark("error");
  say(lua_tostring(L, -1));
  say("\n");
  return 1;
}

int main(int argc, char **argv)
{
  if (argc < 2) return 2;
  signal(SIGALRM, on_alarm);
  const char *patience = getenv("OOM_PATIENCE");
  oom.patience = patience ? (unsigned)atoi(patience) : PATIENCE;
  lua_State *L = lua_newstate(allocate, NULL);
  if (!L) return 4;
  open_state(L);
  oom.trace = getenv("OOM_TRACE") != NULL;
  open_running(L);
  alarm(oom.patience);
  int status = run(L, argc, argv);
  oom.armed = 0;
  snprintf(oom.mark, sizeof(oom.mark), "lua_close");
  lua_close(L);
  return status;
}
