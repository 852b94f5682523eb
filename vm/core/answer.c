/*
** answer.c: green.core's functions for the answers of green.wsgi.
*/

#include "core/core.h"
#include "core/httpd.h"

#include <fcntl.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* -- Answers -------------------------------------------------------------- */

/* Where http_explainer keeps its function. */
#define EXPLAINER "greenlua http explainer"

/* http_explainer(fn): fn(part, code, a, b) gives the error for an answer that is
** refused: part is "status" (a is it), "headers" (a is no table), "header" (a and
** b are the key and the value of the entry) or "length" (the body's). */
static int http_explainer(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, EXPLAINER);
  return 0;
}

/* For "return refused(...)": nil, and what is wrong with what is at a and b. */
static int refused(lua_State *L, const char *part, int code, int a, int b)
{
  lua_pushnil(L);
  lua_getfield(L, LUA_REGISTRYINDEX, EXPLAINER);
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

/* At the top of the stack stands a table that has something, but no first value. */
static int is_no_list(lua_State *L)
{
  lua_rawgeti(L, -1, 1);
  int has_first = !lua_isnil(L, -1); /* Popped by next, if it is nil. */
  if (!has_first && lua_next(L, -2)) {
    lua_pop(L, 2);
    return 1;
  }
  if (has_first) lua_pop(L, 1);
  return 0;
}

/* The values at the top of the stack. One by one: none may vanish. */
static int put_header_list(lua_State *L, green_conn *c, int name,
                           int capitalize)
{
  int list = lua_gettop(L), err = 0;
  if (is_no_list(L)) return GREEN_EINVAL;
  for (int i = 1; err == 0; i++) {
    lua_rawgeti(L, list, i);
    if (lua_isnil(L, -1)) break;
    err = put_header(L, c, name, capitalize);
    if (err == 0) lua_pop(L, 1);
  }
  if (err == 0) lua_settop(L, list);
  return err;
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

/* done = http_respond(conn, capitalize, status, headers, body): true: a string
** or nil was the body and all is written; false: the head is begun, the body is
** the caller's to write; or nil, problem. All five are given. Does not park. */
static int http_respond(lua_State *L)
{
  green_conn *c = vm_http_conn(L, 1);
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

/* code = http_whole(conn, body) */
static int http_whole(lua_State *L)
{
  size_t n;
  const char *body = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_conn_whole(vm_http_conn(L, 1), body, n));
  return 1;
}

static int http_stream(lua_State *L)
{
  lua_pushinteger(L, green_conn_stream(vm_http_conn(L, 1)));
  return 1;
}

/* waiting = http_piece(conn, text): bytes to be flushed, or an error code. */
static int http_piece(lua_State *L)
{
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_conn_piece(vm_http_conn(L, 1), p, n));
  return 1;
}

static int http_end(lua_State *L)
{
  lua_pushinteger(L, green_conn_end(vm_http_conn(L, 1)));
  return 1;
}

/* nobody = http_has_no_body(conn): HEAD, 204, 304: what is written is dropped. */
static int http_has_no_body(lua_State *L)
{
  lua_pushboolean(L, vm_http_conn(L, 1)->no_body);
  return 1;
}

static int http_flush(lua_State *L)
{
  lua_pushinteger(L, green_conn_flush(vm_http_conn(L, 1)));
  return 1;
}

/* Drop the answer; the connection is to end with the next one. code: 0, or
** GREEN_EBUSY: bytes of it have left. */
static int http_rollback(lua_State *L)
{
  green_conn *c = vm_http_conn(L, 1);
  int err = green_conn_rollback(c);
  if (err == 0) c->close = true;
  lua_pushinteger(L, err);
  return 1;
}

static int http_set_close(lua_State *L)
{
  vm_http_conn(L, 1)->close = true;
  return 0;
}

/* http_cut(conn, why): as green_conn_cut. */
static int http_cut(lua_State *L)
{
  green_conn_cut(vm_http_conn(L, 1), (int)luaL_optinteger(L, 2, 0));
  return 0;
}

/* -- Files ---------------------------------------------------------------- */

/* NULL: it is closed. */
static FILE *file_arg(lua_State *L, int i)
{
  return *(FILE **)luaL_checkudata(L, i, LUA_FILEHANDLE);
}

/* offset, bytes from there = http_file(file of Lua's): nothing when it is no
** regular one that can be read, or its length cannot be known. */
static int http_file(lua_State *L)
{
  struct stat st;
  FILE *f = file_arg(L, 1);
  off_t at = f ? ftello(f) : -1;
  if (at < 0 || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) return 0;
  if ((fcntl(fileno(f), F_GETFL) & O_ACCMODE) == O_WRONLY) return 0;
  if (st.st_size <= at) return 0; /* As files below /proc seem to be. */
  lua_pushnumber(L, (lua_Number)at);
  lua_pushnumber(L, (lua_Number)(st.st_size - at));
  return 2;
}

/* bytes = http_room(conn): how many the handler's Content-Length leaves to be
** written; nil: it gave none. */
static int http_room(lua_State *L)
{
  int64_t n = green_conn_room(vm_http_conn(L, 1));
  if (n < 0) return 0;
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

/* n = http_file_head(conn, size): as green_conn_file. */
static int http_file_head(lua_State *L)
{
  int64_t size = (int64_t)luaL_checknumber(L, 2);
  int64_t n = green_conn_file(vm_http_conn(L, 1), size);
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

/* n = http_sendfile(conn, file, offset, n): as green_conn_sendfile. The file
** may have been closed meanwhile, and its number be another's: GREEN_EBADF. */
static int http_sendfile(lua_State *L)
{
  green_conn *c = vm_http_conn(L, 1);
  FILE *f = file_arg(L, 2);
  int64_t n = GREEN_EBADF;
  if (f)
    n = green_conn_sendfile(c, fileno(f), (int64_t)luaL_checknumber(L, 3),
                            (int64_t)luaL_checknumber(L, 4));
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

const luaL_Reg vm_http_answer_functions[] = {
    {"http_explainer", http_explainer},
    {"http_respond", http_respond},
    {"http_whole", http_whole},
    {"http_stream", http_stream},
    {"http_piece", http_piece},
    {"http_end", http_end},
    {"http_has_no_body", http_has_no_body},
    {"http_flush", http_flush},
    {"http_rollback", http_rollback},
    {"http_set_close", http_set_close},
    {"http_cut", http_cut},
    {"http_file", http_file},
    {"http_file_head", http_file_head},
    {"http_room", http_room},
    {"http_sendfile", http_sendfile},
    {NULL, NULL},
};
