/*
** httpd.c: green.core's functions for green.wsgi.
**
** C functions, not FFI: a server's loop holds short loops of other people's
** (headers, pieces), which LuaJIT does not compile into it, and interpreted FFI
** calls cost five times as much as these. Compiled code has a way past them
** (exchange.h). A connection is a number, which is good for one request
** (slot.h).
*/

#include "core/door.h"
#include "core/gather.h"
#include "core/httpd.h"
#include "bytes.h"
#include "bridge.h"

#include "httpd/log.h"

#include <string.h>

/* Of a handle. NULL: its request is over. */
static green_conn *conn_at(lua_State *L, int i)
{
  return vm_slot_conn(&core_vm(L)->slots, lua_tonumber(L, i));
}

green_conn *vm_conn_check(lua_State *L, int i)
{
  vm_check_fork(core_vm(L)); /* In a child its request is over. */
  green_conn *c = conn_at(L, i);
  if (green_unlikely(!c)) luaL_error(L, "the request is over");
  return c;
}

/* -- Requests ------------------------------------------------------------- */

char *vm_conn_room(lua_State *L, green_conn **c, size_t n)
{
  const vm *v = core_vm(L);
  double handle = vm_slot_handle(&v->slots, *c);
  char *room = lua_newuserdata(L, n);
  *c = vm_slot_conn(&v->slots, handle);
  if (!*c) luaL_error(L, "the request is over");
  return room;
}

void vm_push_path(lua_State *L, green_conn *c)
{
  const green_http_request *h = c->head;
  uint32_t len = h->path_len;
  if (!h->path_escaped) {
    vm_push_bytes(core_vm(L), L, c->text + h->path_off, len);
    return;
  }
  char *out = vm_conn_room(L, &c, len);
  int n = green_http_request_unescape(c->text + h->path_off, len, out);
  lua_pushlstring(L, out, n > 0 ? (size_t)n : 0);
  lua_remove(L, -2);
}

/* There is room for a handle: nothing is lost when memory is short. */
static void httpd_reserve(lua_State *L, vm *v)
{
  if (green_unlikely(vm_slots_reserve(&v->slots) < 0))
    luaL_error(L, "out of memory");
}

/* For httpd_next and conn_finish: nil, true: the running thread has been looked
** at. It was the last request's, and ends. */
static int push_end(lua_State *L)
{
  lua_pushnil(L);
  lua_pushboolean(L, 1);
  return 2;
}

/* Nearly every handler looks at the path: handed over, it costs no call. Where
** there is no memory for it, the worker ends (conn_offered). */
static int push_next(lua_State *L, vm *v, green_conn *c)
{
  if (!c) return 0;
  double conn = vm_slot_open(&v->slots, c);
  lua_pushnumber(L, conn);
  lua_pushinteger(L, c->found);
  if (c->found != GREEN_HTTPD_REQUEST) return 2;
  v->offered = conn;
  vm_push_path(L, c);
  v->offered = 0;
  return 3;
}

/* conn = conn_offered(): the connection that httpd_next or conn_finish could
** not hand over, as they raised; nil: there is none. */
static int conn_offered(lua_State *L)
{
  vm *v = core_vm(L);
  if (v->offered == 0) return 0;
  lua_pushnumber(L, v->offered);
  v->offered = 0;
  return 1;
}

/* What is next for the running thread, which waits for it in place if nobody
** else has anything to do. NULL: park. */
static green_conn *next_or_poll(vm *v, green_httpd *d)
{
  green_conn *c = green_httpd_next(d);
  while (!c && !v->current->task.cancel_pending && green_httpd_poll(d)) {
    vm_stayed(v);
    c = green_httpd_next(d);
  }
  return c;
}

/* conn, found, path = httpd_next(httpd, is_first): path is PATH_INFO, of a
** request only. Nothing when all connections wait, and the thread is to park;
** nil, true: scripts know this thread, which must not have another request.
** is_first: it has had none. */
static int httpd_next(lua_State *L)
{
  vm *v = core_vm(L);
  httpd_reserve(L, v);
  int is_known = v->current->flags & VM_F_KNOWN;
  if (is_known && !lua_toboolean(L, 2)) return push_end(L);
  return push_next(L, v, next_or_poll(v, vm_pointer(L, 1)));
}

/* nil and false: NULL. */
static void *pointer_or_null(lua_State *L, int i)
{
  return lua_toboolean(L, i) ? vm_pointer(L, i) : NULL;
}

/* Its line goes into the log at the end of the request, where there is a log,
** unless the client is slow: who knows how that will end. 1: the log has more
** than its mark. */
static int log_request(green_log *log, const green_conn *c, int is_slow)
{
  return log && !is_slow && green_log_put(log, c) > log->mark;
}

/* next, found, path = conn_finish(conn, httpd, log): conn is dealt with, what
** is next, as httpd_next: the same connection if it has more at hand; without
** httpd, or where a cancel is pending, nothing else. With a log the request
** gets its line.
** true: only that is done; tell who writes the log, and call again without it.
** false, conn, unlogged: wait until its socket can be written and call again
** with this other handle: the handler's is good no more. unlogged: there was a
** log, but the client is slow, and the line is to be written when it is known
** how that ends. */
static int conn_finish(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  vm *v = core_vm(L);
  green_log *log = pointer_or_null(L, 3);
  int unlogged = log && green_conn_is_slow(c);
  if (log_request(log, c, unlogged)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  const vm_thread *me = v->current;
  vm_slots *t = &v->slots;
  int is_cancelled = me->task.cancel_pending;
  vm_slot_close(t, c);
  if (is_cancelled) c->close = true;
  int r = green_conn_finish(c);
  if (green_unlikely(r == GREEN_EAGAIN)) {
    lua_pushboolean(L, 0);
    lua_pushnumber(L, vm_slot_open(t, c));
    lua_pushboolean(L, unlogged);
    return 3;
  }
  if (green_unlikely(me->flags & VM_F_KNOWN)) {
    if (r == 1) green_conn_pass_on(c);
    return push_end(L);
  }
  green_httpd *d = pointer_or_null(L, 2);
  if (r == 0) c = is_cancelled || !d ? NULL : next_or_poll(v, d);
  return push_next(L, v, c);
}

static int conn_close(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  vm_slot_close(&core_vm(L)->slots, c);
  green_conn_close(c);
  return 0;
}

/* open = conn_is_open(conn): is its request still in hand? */
static int conn_is_open(lua_State *L)
{
  lua_pushboolean(L, conn_at(L, 1) != NULL);
  return 1;
}

/* pointer = conn_sock(conn): for core.park; nil: closed. */
static int conn_sock(lua_State *L)
{
  green_sock *s = green_conn_sock(vm_conn_check(L, 1));
  if (!s) return 0;
  lua_pushlightuserdata(L, s);
  return 1;
}

/* host, port = conn_peer(conn): strings; "unix", "" without an address. */
static int conn_peer(lua_State *L)
{
  green_addr a;
  char text[GREEN_ADDR_TEXT];
  green_conn_peer(vm_conn_check(L, 1), &a);
  if (a.len == 0) {
    lua_pushliteral(L, "unix");
    lua_pushliteral(L, "");
    return 2;
  }
  int n = green_addr_host(&a, text, sizeof(text));
  lua_pushlstring(L, text, n > 0 ? (size_t)n : 0);
  lua_pushfstring(L, "%d", green_addr_port(&a));
  return 2;
}

/* name, ... = conn_info(conn): status, body bytes sent, why it was refused,
** requests served before, chunked. */
static int conn_info(lua_State *L)
{
  const green_conn *c = vm_conn_check(L, 1);
  lua_Number served = c->served;
  bool is_chunked = c->head && c->head->chunked;
  lua_pushinteger(L, c->status);
  lua_pushnumber(L, (lua_Number)c->sent);
  lua_pushstring(L, c->reason ? c->reason : ""); /* A finalizer may run. */
  lua_pushnumber(L, served);
  lua_pushboolean(L, is_chunked);
  return 5;
}

/* -- Clients that go ------------------------------------------------------ */

/* code = conn_watch(conn): as green_conn_watch. */
static int conn_watch(lua_State *L)
{
  lua_pushinteger(L, green_conn_watch(vm_conn_check(L, 1)));
  return 1;
}

/* gone = conn_has_gone(conn): as green_conn_has_gone. */
static int conn_has_gone(lua_State *L)
{
  lua_pushboolean(L, green_conn_has_gone(vm_conn_check(L, 1)));
  return 1;
}

/* pointer = conn_tls(conn): its green_tls, while it is open; nil: it has
** none. */
static int conn_tls(lua_State *L)
{
  struct green_tls *t = green_conn_tls(vm_conn_check(L, 1));
  if (!t) return 0;
  lua_pushlightuserdata(L, t);
  return 1;
}

/* pointer = httpd_gone_fd(httpd): for core.park, to read; nil: nobody is
** watched. */
static int httpd_gone_fd(lua_State *L)
{
  core_vm(L);
  green_fd *f = green_httpd_gone_fd(vm_pointer(L, 1));
  if (!f) return 0;
  lua_pushlightuserdata(L, f);
  return 1;
}

/* conn = httpd_gone(httpd): as green_httpd_gone; only those that have a
** handle. */
static int httpd_gone(lua_State *L)
{
  const vm_slots *t = &core_vm(L)->slots;
  green_conn *c;
  while ((c = green_httpd_gone(vm_pointer(L, 1))) != NULL) {
    if (!vm_slot_has(t, c)) continue;
    lua_pushnumber(L, vm_slot_handle(t, c));
    return 1;
  }
  return 0;
}

/* -- Request bodies ------------------------------------------------------- */

/* Push what ends a read without bytes: nil; or nil, error code. */
static int push_no_body(lua_State *L, int n)
{
  lua_pushnil(L);
  if (n == 0) return 1;
  lua_pushinteger(L, n);
  return 2;
}

int vm_body_run(green_conn *c, double max, const char **p)
{
  *p = "";
  int n = c ? green_conn_body(c, p) : GREEN_ECLOSED;
  if (n <= max) return n;
  green_conn_unread(c, (uint32_t)(n - (int)max));
  return (int)max;
}

/* text, nil, is_last = conn_body(conn, max): nil at the end, which comes
** without another call where is_last says so; or nil, error code. */
static int conn_body(lua_State *L)
{
  const char *p;
  lua_Number max = luaL_optnumber(L, 2, 1e15);
  luaL_argcheck(L, max >= 0, 2, "must not be negative");
  green_conn *c = conn_at(L, 1);
  int n = vm_body_run(c, max, &p);
  if (n < 0 || (n == 0 && max > 0)) return push_no_body(L, n);
  bool is_last =
      green_conn_body_ended(c); /* A finalizer may end the request. */
  vm_push_bytes(core_vm(L), L, p, (size_t)n);
  lua_pushnil(L);
  lua_pushboolean(L, is_last);
  return 3;
}

/* n, nil, is_last = conn_gather(conn, gather, max): as conn_body, the bytes go
** to the gather (gather.c). */
static int conn_gather(lua_State *L)
{
  const char *p;
  lua_Number max = luaL_optnumber(L, 3, 1e15), room = vm_gather_room(L, 2);
  green_conn *c = conn_at(L, 1);
  int n = vm_body_run(c, max < room ? max : room, &p);
  if (n <= 0) return push_no_body(L, n);
  vm_gather_add(L, 2, p, (size_t)n);
  lua_pushinteger(L, n);
  lua_pushnil(L);
  lua_pushboolean(L, green_conn_body_ended(c));
  return 3;
}

/* true, nil, is_last = conn_skip(conn): as conn_body, but the bytes are
** forgotten. */
static int conn_skip(lua_State *L)
{
  green_conn *c = conn_at(L, 1);
  int n = c ? green_conn_skip(c) : GREEN_ECLOSED;
  if (n <= 0) return push_no_body(L, n);
  lua_pushboolean(L, 1);
  lua_pushnil(L);
  lua_pushboolean(L, green_conn_body_ended(c));
  return 3;
}

/* n = conn_length(conn): the request's Content-Length; nil: there is none. */
static int conn_length(lua_State *L)
{
  const green_conn *c = vm_conn_check(L, 1);
  if (!c->head || c->head->content_length < 0) return 0;
  lua_pushnumber(L, (lua_Number)c->head->content_length);
  return 1;
}

/* text = conn_line(conn, max): up to and with the next LF, what there is of it;
** as conn_body. */
static int conn_line(lua_State *L)
{
  const char *p;
  green_conn *c = conn_at(L, 1);
  lua_Number max = luaL_checknumber(L, 2);
  luaL_argcheck(L, max >= 0, 2, "must not be negative");
  int n = vm_body_run(c, max, &p);
  if (n < 0 || (n == 0 && max > 0)) return push_no_body(L, n);
  const char *eol = memchr(p, '\n', (size_t)n);
  int take = eol ? (int)(eol - p) + 1 : n;
  if (take < n) green_conn_unread(c, (uint32_t)(n - take));
  vm_push_bytes(core_vm(L), L, p, (size_t)take);
  return 1;
}

/* code = conn_continue_lines(conn, text) */
static int conn_continue_lines(lua_State *L)
{
  size_t n;
  const char *lines = luaL_checklstring(L, 2, &n);
  green_conn *c = conn_at(L, 1);
  int err = c ? green_conn_continue_lines(c, lines, n) : GREEN_ECLOSED;
  lua_pushinteger(L, err);
  return 1;
}

/* code = conn_continue(conn): as green_conn_continue, and it leaves. */
static int conn_continue(lua_State *L)
{
  green_conn *c = conn_at(L, 1);
  int sent = c ? green_conn_continue(c) : GREEN_ECLOSED;
  int err = sent > 0 ? green_conn_flush(c) : 0;
  lua_pushinteger(L, err < 0 && err != GREEN_EAGAIN ? err : sent);
  return 1;
}

/* -- What becomes of a connection ------------------------------------------ */

/* code = conn_flush(conn): as green_conn_flush. */
static int conn_flush(lua_State *L)
{
  lua_pushinteger(L, green_conn_flush(vm_conn_check(L, 1)));
  return 1;
}

/* conn_set_close(conn): it ends with this answer. */
static int conn_set_close(lua_State *L)
{
  vm_conn_check(L, 1)->close = true;
  return 0;
}

/* conn_cut(conn, why): as green_conn_cut. */
static int conn_cut(lua_State *L)
{
  green_conn_cut(vm_conn_check(L, 1), (int)luaL_optinteger(L, 2, 0));
  return 0;
}

/* waiting = conn_log(log, conn, at_once, status): green_log_put. nil, unless
** at_once: the client does not take the answer, who knows how that will end.
** status: of an answer that somebody else gives; else the conn's own. */
static int conn_log(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 2);
  if (green_conn_is_slow(c) && !lua_toboolean(L, 3)) return 0;
  int own = c->status;
  if (lua_toboolean(L, 4)) c->status = (int)lua_tointeger(L, 4);
  lua_pushinteger(L, green_log_put(vm_pointer(L, 1), c));
  c->status = own;
  return 1;
}

/* code = conn_detach(conn, pointer to a closed green_sock): as
** green_conn_detach. */
static int conn_detach(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  green_sock *s = vm_pointer(L, 2);
  vm_slots *t = &core_vm(L)->slots;
  vm_slot_close(t, c);
  int err = green_conn_detach(c, s);
  if (err == GREEN_EAGAIN) vm_slot_reopen(t, c);
  lua_pushinteger(L, err);
  return 1;
}

const luaL_Reg vm_httpd_functions[] = {
    {"httpd_next", httpd_next},
    {"conn_finish", conn_finish},
    {"conn_offered", conn_offered},
    {"conn_close", conn_close},
    {"conn_is_open", conn_is_open},
    {"conn_sock", conn_sock},
    {"conn_peer", conn_peer},
    {"conn_watch", conn_watch},
    {"conn_has_gone", conn_has_gone},
    {"conn_tls", conn_tls},
    {"httpd_gone_fd", httpd_gone_fd},
    {"httpd_gone", httpd_gone},
    {"conn_info", conn_info},
    {"conn_body", conn_body},
    {"conn_gather", conn_gather},
    {"conn_skip", conn_skip},
    {"conn_length", conn_length},
    {"conn_line", conn_line},
    {"conn_continue_lines", conn_continue_lines},
    {"conn_continue", conn_continue},
    {"conn_flush", conn_flush},
    {"conn_set_close", conn_set_close},
    {"conn_cut", conn_cut},
    {"conn_detach", conn_detach},
    {"conn_log", conn_log},
    {NULL, NULL},
};
