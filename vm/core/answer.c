/*
** answer.c: green.core's functions for the answers of green.wsgi.
*/

#include "core/door.h"
#include "core/httpd.h"

#include <string.h>

/* -- Answers -------------------------------------------------------------- */

/* answer_explainer(fn): fn(part, code, a, b) gives the error for an answer that
** is refused: part is "status" (a is it), "headers" (a is no table), "header"
** (a and b are the key and the value of the entry) or "length" (the body's). */
static int answer_explainer(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  vm_set_key(L, VM_KEY_EXPLAIN);
  return 0;
}

/* For "return refused(...)": nil, and what is wrong with what is at a and b. */
static int refused(lua_State *L, const char *part, int code, int a, int b)
{
  lua_pushnil(L);
  vm_push_key(L, VM_KEY_EXPLAIN);
  lua_pushstring(L, part);
  lua_pushinteger(L, code);
  lua_pushvalue(L, a);
  lua_pushvalue(L, b);
  lua_call(L, 4, 1);
  return 2;
}

static int put_status(lua_State *L, green_conn *c, int i)
{
  size_t n;
  if (lua_type(L, i) == LUA_TNUMBER) {
    lua_Number code = lua_tonumber(L, i);
    int whole = code >= 200 && code < 1000 ? (int)code : 0;
    return whole == code ? green_conn_begin(c, whole) : GREEN_EINVAL;
  }
  const char *line = lua_tolstring(L, i, &n);
  return line ? green_conn_begin_line(c, line, n) : GREEN_EINVAL;
}

/* The name, a string, at index name; the value at the top of the stack (both
** stay). */
static int put_header(lua_State *L, green_conn *c, int name, int capitalize)
{
  size_t n, vn;
  const char *p = lua_tolstring(L, name, &n);
  const char *v = lua_tolstring(L, -1, &vn); /* numbers, too */
  if (!v) return GREEN_EINVAL;
  return green_conn_header(c, p, n, v, vn, capitalize);
}

/* Has the table at that index more in it than n values? */
static int has_more(lua_State *L, int table, int n)
{
  lua_pushnil(L);
  for (; lua_next(L, table); n--) {
    if (n == 0) return 1;
    lua_pop(L, 1);
  }
  return 0;
}

/* The values at the top of the stack. One by one: none may vanish. */
static int put_header_list(lua_State *L, green_conn *c, int name,
                           int capitalize)
{
  int list = lua_gettop(L), err = 0, n = 0;
  for (;; n++) {
    lua_rawgeti(L, list, n + 1);
    if (lua_isnil(L, -1)) break;
    err = put_header(L, c, name, capitalize);
    if (err < 0) return err;
    lua_pop(L, 1);
  }
  /* Behind a hole, or by name? */
  if (has_more(L, list, n)) return GREEN_EINVAL;
  lua_settop(L, list);
  return 0;
}

/* A { name, value } pair at the top of the stack. */
static int put_header_pair(lua_State *L, green_conn *c, int capitalize)
{
  if (!lua_istable(L, -1)) return GREEN_EINVAL;
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  if (lua_type(L, -2) != LUA_TSTRING) return GREEN_EINVAL;
  int err = put_header(L, c, lua_gettop(L) - 1, capitalize);
  if (err == 0) lua_pop(L, 2);
  return err;
}

/* The key at index key, its value behind it at the top of the stack. */
static int put_entry(lua_State *L, green_conn *c, int key, int capitalize)
{
  int type = lua_type(L, key);
  if (type == LUA_TNUMBER) return put_header_pair(L, c, capitalize);
  if (type != LUA_TSTRING) return GREEN_EINVAL;
  if (lua_type(L, key + 1) == LUA_TTABLE)
    return put_header_list(L, c, key, capitalize);
  return put_header(L, c, key, capitalize);
}

/* All of a table: name -> value or list, and { name, value } pairs. On error
** the entry stays on the stack. */
static int put_headers(lua_State *L, green_conn *c, int i, int capitalize)
{
  int type = lua_type(L, i);
  if (type == LUA_TNIL) return 0;
  if (type != LUA_TTABLE) return GREEN_EINVAL;
  lua_pushnil(L);
  for (int key = lua_gettop(L); lua_next(L, i); lua_pop(L, 1)) {
    int err = put_entry(L, c, key, capitalize);
    if (green_unlikely(err < 0)) return err;
  }
  return 0;
}

/* top: of the stack before put_headers. */
static int bad_header(lua_State *L, int code, int top)
{
  if (lua_gettop(L) < top + 2) return refused(L, "headers", code, 4, 4);
  return refused(L, "header", code, top + 1, top + 2);
}

/* done = answer_respond(conn, capitalize, status, headers, body): true: a
** string or nil was the body and all is written; false: the head is begun, the
** body is the caller's to write; or nil, problem. All five are given. Does not
** park. */
static int answer_respond(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  size_t n = 0;
  const char *body = "";
  int err = put_status(L, c, 3);
  if (err < 0) return refused(L, "status", err, 3, 3);
  err = put_headers(L, c, 4, lua_toboolean(L, 2));
  if (err < 0) return bad_header(L, err, 5);
  int type = lua_type(L, 5);
  if (type == LUA_TSTRING) {
    body = lua_tolstring(L, 5, &n);
  } else if (type != LUA_TNIL) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (green_conn_whole(c, body, n) < 0)
    return refused(L, "length", GREEN_EINVAL, 5, 5);
  lua_pushboolean(L, 1);
  return 1;
}

/* code = answer_whole(conn, body) */
static int answer_whole(lua_State *L)
{
  size_t n;
  const char *body = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_conn_whole(vm_conn_check(L, 1), body, n));
  return 1;
}

static int answer_stream(lua_State *L)
{
  lua_pushinteger(L, green_conn_stream(vm_conn_check(L, 1)));
  return 1;
}

/* waiting = answer_piece(conn, text): bytes to be flushed, or an error code. */
static int answer_piece(lua_State *L)
{
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_conn_piece(vm_conn_check(L, 1), p, n));
  return 1;
}

static int answer_end(lua_State *L)
{
  lua_pushinteger(L, green_conn_end(vm_conn_check(L, 1)));
  return 1;
}

/* nobody = answer_has_no_body(conn): HEAD, 204, 304: what is written is
** dropped. */
static int answer_has_no_body(lua_State *L)
{
  lua_pushboolean(L, vm_conn_check(L, 1)->no_body);
  return 1;
}

/* Drop the answer; the connection is to end with the next one. code: 0, or
** GREEN_EBUSY: bytes of it have left. */
static int answer_rollback(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  int err = green_conn_rollback(c);
  if (err == 0) c->close = true;
  lua_pushinteger(L, err);
  return 1;
}

/* -- Files ---------------------------------------------------------------- */

/* NULL: it is closed. */
/* bytes = answer_room(conn): how many the handler's Content-Length leaves to be
** written; nil: it gave none. */
static int answer_room(lua_State *L)
{
  int64_t n = green_conn_room(vm_conn_check(L, 1));
  if (n < 0) return 0;
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

/* n = answer_file(conn, size): as green_conn_file. */
static int answer_file(lua_State *L)
{
  int64_t size = (int64_t)luaL_checknumber(L, 2);
  int64_t n = green_conn_file(vm_conn_check(L, 1), size);
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

/* n = answer_sendfile(conn, file, offset, n): as green_conn_sendfile. The file
** may have been closed meanwhile, and its number be another's: GREEN_EBADF. */
static int answer_sendfile(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  int fd = vm_file_number(L, 2);
  int64_t n = GREEN_EBADF;
  if (fd >= 0)
    n = green_conn_sendfile(c, fd, (int64_t)luaL_checknumber(L, 3),
                            (int64_t)luaL_checknumber(L, 4));
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

const luaL_Reg vm_answer_functions[] = {
    {"answer_explainer", answer_explainer},
    {"answer_respond", answer_respond},
    {"answer_whole", answer_whole},
    {"answer_stream", answer_stream},
    {"answer_piece", answer_piece},
    {"answer_end", answer_end},
    {"answer_has_no_body", answer_has_no_body},
    {"answer_rollback", answer_rollback},
    {"answer_file", answer_file},
    {"answer_room", answer_room},
    {"answer_sendfile", answer_sendfile},
    {NULL, NULL},
};
