/*
** ws.c: green.core's functions for green.websocket.
**
** C functions, not FFI, for what httpd.c says. A connection is a number, which
** stands for it in its set as long as it is there; one that has gone is closed.
*/

#include "core/door.h"

#include "bridge.h"
#include "bytes.h"
#include "collector.h"
#include "httpd/wsd.h"
#include "refusal.h"

static green_wsd *wsd_at(lua_State *L)
{
  core_vm(L);
  return vm_pointer(L, 1);
}

/* NULL: it has gone. */
static green_ws *ws_of(vm *v, lua_State *L)
{
  vm_check_fork(v);
  return green_wsd_get(vm_pointer(L, 1), lua_tonumber(L, 2));
}

static green_ws *ws_at(lua_State *L)
{
  return ws_of(core_vm(L), L);
}

static int push_code(lua_State *L, int code)
{
  lua_pushinteger(L, code);
  return 1;
}

static int push_failure(lua_State *L, int code)
{
  lua_pushnil(L);
  lua_pushinteger(L, code);
  return 2;
}

/* -- Life ----------------------------------------------------------------- */

static bool flag_at(lua_State *L, const char *name)
{
  lua_getfield(L, 3, name);
  bool is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

static uint8_t bits_at(lua_State *L, const char *name)
{
  lua_getfield(L, 3, name);
  int n = (int)lua_tointeger(L, -1);
  lua_pop(L, 1);
  return n >= 8 && n <= 15 ? (uint8_t)n : 0;
}

/* handle = ws_open(wsd, sock, terms): sock nil: over a stream. terms: a table
** with the fields of green_ws_terms; nil, code. */
static int ws_open(lua_State *L)
{
  green_wsd *d = wsd_at(L);
  green_sock *s = lua_isnil(L, 2) ? NULL : vm_pointer(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  green_ws_terms t = {.client = flag_at(L, "client"),
                      .light = flag_at(L, "light"),
                      .legacy = flag_at(L, "legacy"),
                      .deflate = flag_at(L, "deflate"),
                      .out_takeover = flag_at(L, "out_takeover"),
                      .in_takeover = flag_at(L, "in_takeover"),
                      .out_bits = bits_at(L, "out_bits"),
                      .in_bits = bits_at(L, "in_bits")};
  double handle;
  int err = green_wsd_open(d, s, &t, &handle);
  if (err < 0) return push_failure(L, err);
  vm_collector_kept(core_vm(L));
  lua_pushnumber(L, handle);
  return 1;
}

/* ws_free(wsd, handle): it is not used any more. */
static int ws_free(lua_State *L)
{
  green_ws *ws = ws_at(L);
  if (ws) green_ws_free(ws);
  return 0;
}

/* code = ws_close(wsd, handle, code, reason): as green_ws_close. */
static int ws_close(lua_State *L)
{
  green_ws *ws = ws_at(L);
  size_t n;
  const char *reason = luaL_optlstring(L, 4, "", &n);
  if (!ws) return push_code(L, GREEN_EALREADY);
  int code = (int)luaL_optinteger(L, 3, 0);
  return push_code(L, green_ws_close(ws, code, reason, n));
}

/* ws_abort(wsd, handle, code, error) */
static int ws_abort(lua_State *L)
{
  green_ws *ws = ws_at(L);
  if (ws)
    green_ws_abort(ws, (int)luaL_optinteger(L, 3, GREEN_WS_LOST),
                   (int)luaL_optinteger(L, 4, 0));
  return 0;
}

/* state, code, reason, error, failed = ws_info(wsd, handle); nil: it has
** gone. */
static int ws_info(lua_State *L)
{
  const green_ws *ws = ws_at(L);
  if (!ws) return 0;
  int error = ws->error;
  bool failed = ws->failed;
  lua_pushinteger(L, ws->state);
  lua_pushinteger(L, ws->code);
  vm_push_bytes(core_vm(L), L, ws->reason, ws->reason_len);
  lua_pushinteger(L, error);
  lua_pushboolean(L, failed);
  return 5;
}

/* pointer = ws_drained(wsd, handle): for core.park; nil: nothing waits. */
static int ws_drained(lua_State *L)
{
  green_ws *ws = ws_at(L);
  struct green_waitq *q = ws ? green_ws_drained(ws) : NULL;
  if (!q) return 0;
  lua_pushlightuserdata(L, q);
  return 1;
}

/* -- Messages ------------------------------------------------------------- */

/* Push the text. A finalizer may run: the connection may have gone, or have
** read on. */
static void push_text(vm *v, lua_State *L, green_ws *ws, bool is_whole)
{
  size_t n = ws->len;
  bool is_utf8 = !ws->binary && is_whole;
  char *room = green_ws_take(ws);
  if (room)
    vm_push_room(v, L, room, n);
  else
    vm_push_bytes(v, L, ws->text ? ws->text : "", n);
  if (is_utf8) vm_string_is_utf8(v, lua_tostring(L, -1), n);
}

/* text, binary, first, last. */
static int push_message(vm *v, lua_State *L, green_ws *ws, bool is_whole)
{
  bool binary = ws->binary, first = ws->first, last = ws->last;
  push_text(v, L, ws, is_whole);
  lua_pushboolean(L, binary);
  lua_pushboolean(L, first);
  lua_pushboolean(L, last);
  return 4;
}

/* Let the others have a turn. */
static int ws_yield(vm *v, lua_State *L)
{
  v->want.no_cancel = v->want.status = 0;
  v->want.kind = VM_WANT_YIELD;
  return vm_wait(v, L);
}

/* Park until there is something to read. */
static int ws_wait(vm *v, lua_State *L, green_ws *ws)
{
  green_sock *s = green_ws_sock(ws);
  green_ws_rest(ws);
  if (!s) {
    lua_pushboolean(L, 1);
    return 1;
  }
  v->want = (vm_want){.kind = VM_WANT_FD,
                      .mode = GREEN_AT_READ,
                      .ptr = s,
                      .deadline = green_ws_due(ws)};
  return vm_wait(v, L);
}

/* text, binary = ws_recv(wsd, handle): the next message.
** 0, or nothing: call again; another number: a status, or why it failed; false:
** it has ended; true: put more in (it has no socket). Parks. */
static int ws_recv(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  if (v->turn.budget <= 0 && vm_can_wait(v, L)) return ws_yield(v, L);
  green_ws *ws = ws_of(v, L);
  int r = ws ? green_ws_read(ws, false) : 0;
  if (r == 1) {
    v->turn.budget--;
    bool binary = ws->binary;
    push_text(v, L, ws, true);
    lua_pushboolean(L, binary);
    return 2;
  }
  if (r == GREEN_EAGAIN) return ws_wait(v, L, ws);
  if (r == GREEN_EINPROGRESS) return ws_yield(v, L);
  if (r < 0) return push_code(L, r);
  lua_pushboolean(L, 0);
  return 1;
}

/* Too much waits for this peer: its sender is to wait, or is told. */
static int ws_is_full(green_wsd *d, const green_ws *ws)
{
  return green_ws_buffered(ws) > d->max_buffered;
}

/* A long text is looked at once, however many get it. */
static int say(const vm *v, green_ws *ws, int opcode, const char *p, size_t n)
{
  if (opcode != GREEN_WS_TEXT || n < VM_BLOCK_LEAST)
    return green_ws_send(ws, opcode, p, n, 0);
  int how = vm_string_was_utf8(v, p, n) ? GREEN_WS_CHECKED : 0;
  int r = green_ws_send(ws, opcode, p, n, how);
  if (r >= 0) vm_string_is_utf8(v, p, n);
  return r;
}

/* sent = ws_say(wsd, handle, opcode, text): true: that is all; nil: text is no
** string, or there is more to do first: a turn for others, a cancel; a number:
** bytes that wait, too many, or of a connection without a socket; or as
** green_ws_send; ENOBUFS: light, and too many wait. Does not park. */
static int ws_say(lua_State *L)
{
  vm *v = core_vm(L);
  size_t n;
  if (v->turn.budget <= 0 || v->current->task.cancel_pending ||
      lua_type(L, 4) != LUA_TSTRING)
    return 0;
  green_ws *ws = ws_of(v, L);
  if (!ws) return push_code(L, GREEN_ECLOSED);
  green_wsd *d = vm_pointer(L, 1);
  if (green_unlikely(ws->light && ws_is_full(d, ws)))
    return push_code(L, GREEN_ENOBUFS);
  const char *p = lua_tolstring(L, 4, &n);
  v->turn.budget--;
  int r = say(v, ws, (int)lua_tointeger(L, 3), p, n);
  if (r < 0 || !green_ws_sock(ws) || (ws_is_full(d, ws) && !ws->light))
    return push_code(L, r);
  lua_pushboolean(L, 1);
  return 1;
}

/* text, binary, first, last = ws_read(wsd, handle, parts, goes_on): of the next
** message, or more of the one that is read in parts (green_ws_read_on).
** false, pointer, closing: park on that to read, or put more in where it is
** nil; closing: our close was said; true: call again after a turn; nothing: it
** has ended; nil, code. */
static int ws_read(lua_State *L)
{
  green_ws *ws = ws_at(L);
  if (!ws) return 0;
  bool parts = lua_toboolean(L, 3);
  int r = lua_toboolean(L, 4) ? green_ws_read_on(ws) : green_ws_read(ws, parts);
  if (r == 1) return push_message(core_vm(L), L, ws, !parts);
  if (r == 0) return 0;
  if (r == GREEN_EINPROGRESS) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (r != GREEN_EAGAIN) return push_failure(L, r);
  green_ws_rest(ws);
  lua_pushboolean(L, 0);
  green_sock *s = green_ws_sock(ws);
  if (s)
    lua_pushlightuserdata(L, s);
  else
    lua_pushnil(L);
  lua_pushboolean(L, ws->state == GREEN_WS_CLOSING);
  return 3;
}

/* n = ws_send(wsd, handle, opcode, text, how): as green_ws_send. */
static int ws_send(lua_State *L)
{
  size_t n;
  int opcode = (int)luaL_checkinteger(L, 3);
  const char *p = luaL_checklstring(L, 4, &n);
  green_ws *ws = ws_at(L);
  if (!ws) return push_code(L, GREEN_ECLOSED);
  return push_code(
      L, green_ws_send(ws, opcode, p, n, (int)luaL_optinteger(L, 5, 0)));
}

/* n = ws_send_raw(wsd, handle, bytes) */
static int ws_send_raw(lua_State *L)
{
  size_t n;
  const char *p = luaL_checklstring(L, 3, &n);
  green_ws *ws = ws_at(L);
  return push_code(L, ws ? green_ws_send_raw(ws, p, n) : GREEN_ECLOSED);
}

/* n = ws_send_frame(wsd, handle, frame) */
static int ws_send_frame(lua_State *L)
{
  green_ws *ws = ws_at(L);
  if (!ws) return push_code(L, GREEN_ECLOSED);
  if (ws->light && ws_is_full(wsd_at(L), ws))
    return push_code(L, GREEN_ENOBUFS);
  return push_code(L, green_ws_send_frame(ws, vm_pointer(L, 3)));
}

/* n = ws_buffered(wsd, handle) */
static int ws_buffered(lua_State *L)
{
  const green_ws *ws = ws_at(L);
  lua_pushnumber(L, ws ? (lua_Number)green_ws_buffered(ws) : 0);
  return 1;
}

/* -- Over a stream -------------------------------------------------------- */

/* code = ws_put(wsd, handle, bytes): nil: the end. */
static int ws_put(lua_State *L)
{
  size_t n = 0;
  const char *p = luaL_optlstring(L, 3, "", &n);
  green_ws *ws = ws_at(L);
  return push_code(L, ws ? green_ws_put(ws, p, n) : GREEN_ECLOSED);
}

#define WS_OUTPUT 262144 /* Bytes at once. */

/* bytes = ws_output(wsd, handle): they are the caller's now; nil: none. */
static int ws_output(lua_State *L)
{
  green_ws *ws = ws_at(L);
  const char *p = NULL;
  size_t n = ws ? green_ws_output(ws, &p) : 0;
  if (n == 0) return 0;
  if (n > WS_OUTPUT) n = WS_OUTPUT;
  vm_push_bytes(core_vm(L), L, p, n);
  ws = ws_at(L); /* A finalizer may have run, and have ended it. */
  if (ws) green_ws_taken(ws, n);
  return 1;
}

/* -- The light form ------------------------------------------------------- */

/* handle, found, text, binary */
static int push_next(vm *v, lua_State *L, const green_wsd *d, green_ws *ws)
{
  if (!ws) return 0;
  lua_pushnumber(L, green_wsd_handle(d, ws));
  lua_pushinteger(L, ws->found);
  if (ws->found != GREEN_WSD_MESSAGE) return 2;
  return 2 + push_message(v, L, ws, true);
}

/* nil, true: scripts know this thread: it must not have another message. */
static int push_end(lua_State *L)
{
  lua_pushnil(L);
  lua_pushboolean(L, 1);
  return 2;
}

/* handle, found, text, binary, first, last = ws_next(wsd, is_first): nothing:
** all wait. nil, true: the thread is known to scripts, and ends. */
static int ws_next(lua_State *L)
{
  vm *v = core_vm(L);
  green_wsd *d = wsd_at(L);
  if ((v->current->flags & VM_F_KNOWN) && !lua_toboolean(L, 2))
    return push_end(L);
  return push_next(v, L, d, green_wsd_next(d));
}

/* ws_finish_open(wsd, handle): it has no thread from here on, and nothing was
** found in it. */
static int ws_finish_open(lua_State *L)
{
  green_ws *ws = ws_at(L);
  if (ws && green_ws_finish(ws)) green_ws_pass_on(ws);
  return 0;
}

/* ... = ws_finish(wsd, handle): what was found is dealt with; as ws_next: the
** same connection first, if it has more at hand. */
static int ws_finish(lua_State *L)
{
  vm *v = core_vm(L);
  green_wsd *d = vm_pointer(L, 1);
  green_ws *ws = ws_of(v, L);
  int is_known = v->current->flags & VM_F_KNOWN;
  if (ws && !green_ws_finish(ws)) ws = NULL;
  if (ws && is_known) green_ws_pass_on(ws);
  if (is_known) return push_end(L);
  return push_next(v, L, d, ws ? ws : green_wsd_next(d));
}

const luaL_Reg vm_ws_functions[] = {
    {"ws_open", ws_open},
    {"ws_free", ws_free},
    {"ws_close", ws_close},
    {"ws_abort", ws_abort},
    {"ws_info", ws_info},
    {"ws_drained", ws_drained},
    {"ws_read", ws_read},
    {"ws_recv", ws_recv},
    {"ws_say", ws_say},
    {"ws_send", ws_send},
    {"ws_send_raw", ws_send_raw},
    {"ws_send_frame", ws_send_frame},
    {"ws_buffered", ws_buffered},
    {"ws_put", ws_put},
    {"ws_output", ws_output},
    {"ws_next", ws_next},
    {"ws_finish_open", ws_finish_open},
    {"ws_finish", ws_finish},
    {NULL, NULL},
};
