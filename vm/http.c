/*
** http.c: green.core's functions for green.wsgi.
**
** C functions, not FFI: a server's loop holds short loops of other people's
** (headers, pieces), which LuaJIT does not compile into it, and interpreted FFI
** calls cost five times as much as these. A connection is a light userdata.
*/

#include "core.h"

#include "../greenc/httpd_log.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What __index knows how to make; the rest is Lua's. */
enum http_key {
  KEY_NONE,
  KEY_METHOD,
  KEY_PATH,
  KEY_RAW_PATH,
  KEY_QUERY,
  KEY_URI,
  KEY_HOST,
  KEY_PROTOCOL
};

/* Upvalues of env's __index. */
enum { UP_KEYS = 1, UP_FILL, UP_CONN_KEY, UP_SERVER };

static green_httpconn *http_conn(lua_State *L, int i)
{
  green_httpconn *c = lua_touserdata(L, i);
  if (!c) luaL_typerror(L, i, "connection");
  return c;
}

/* -- Requests ------------------------------------------------------------- */

/* conn, found = http_next(httpd): nothing when all connections wait. */
static int http_next(lua_State *L)
{
  green_httpconn *c = green_httpd_next(vm_pointer(L, 1));
  if (!c) return 0;
  lua_pushlightuserdata(L, c);
  lua_pushinteger(L, c->found);
  return 2;
}

/* result, found = http_finish(conn): as green_httpconn_finish. */
static int http_finish(lua_State *L)
{
  green_httpconn *c = http_conn(L, 1);
  int r = green_httpconn_finish(c);
  lua_pushinteger(L, r);
  if (r != 1) return 1;
  lua_pushinteger(L, c->found);
  return 2;
}

static int http_close(lua_State *L)
{
  green_httpconn_close(http_conn(L, 1));
  return 0;
}

/* pointer = http_sock(conn): for core.park; nil: closed. */
static int http_sock(lua_State *L)
{
  green_sock *s = green_httpconn_sock(http_conn(L, 1));
  if (!s) return 0;
  lua_pushlightuserdata(L, s);
  return 1;
}

/* Push text[off .. off + len). */
static void push_text(lua_State *L, const green_httpconn *c, uint32_t off,
                      uint32_t len)
{
  lua_pushlstring(L, c->text + off, len);
}

static void push_path(lua_State *L, const green_httpconn *c)
{
  const green_http1 *h = c->head;
  if (!h->path_escaped) {
    push_text(L, c, h->path_off, h->path_len);
    return;
  }
  char *out = lua_newuserdata(L, h->path_len);
  int n = green_http1_unescape(c->text + h->path_off, h->path_len, out);
  lua_pushlstring(L, out, n > 0 ? (size_t)n : 0);
}

/* Push the value of a key of the table, nil for an absent query. */
static void push_known(lua_State *L, const green_httpconn *c, int key)
{
  const green_http1 *h = c->head;
  if (key == KEY_METHOD)
    push_text(L, c, h->method_off, h->method_len);
  else if (key == KEY_PATH)
    push_path(L, c);
  else if (key == KEY_RAW_PATH)
    push_text(L, c, h->path_off, h->path_len);
  else if (key == KEY_QUERY && !h->has_query)
    lua_pushnil(L);
  else if (key == KEY_QUERY)
    push_text(L, c, h->query_off, h->query_len);
  else if (key == KEY_URI)
    push_text(L, c, h->target_off, h->target_len);
  else if (key == KEY_HOST && !h->authority_len)
    lua_pushnil(L);
  else if (key == KEY_HOST) /* An absolute target overrides the header. */
    push_text(L, c, h->authority_off, h->authority_len);
  else
    lua_pushstring(L, h->minor ? "HTTP/1.1" : "HTTP/1.0");
}

/* Push the header that a CGI key names, repeated ones joined; or nil. */
static void push_header(lua_State *L, const green_httpconn *c, const char *key,
                        size_t n)
{
  const green_http1 *h = c->head;
  int i = green_http1_cgi(h, c->text, key, n);
  if (i < 0) {
    lua_pushnil(L);
    return;
  }
  if (green_http1_next(h, c->text, i) < 0) {
    push_text(L, c, h->headers[i].value_off, h->headers[i].value_len);
    return;
  }
  char *out = lua_newuserdata(L, (size_t)h->head_len);
  int len = green_http1_join(h, c->text, i, out, (size_t)h->head_len);
  lua_pushlstring(L, out, len > 0 ? (size_t)len : 0);
}

/* Call fill[key](conn, env, server) if there is such a function. */
static int fill_from_lua(lua_State *L, green_httpconn *c)
{
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(UP_FILL));
  if (lua_isnil(L, -1)) {
    lua_pop(L, 1);
    return 0;
  }
  lua_pushlightuserdata(L, c);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, lua_upvalueindex(UP_SERVER));
  lua_call(L, 3, 1);
  return 1;
}

/* env.__index: make the value and keep it in env. */
static int env_index(lua_State *L)
{
  size_t n;
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(UP_CONN_KEY));
  lua_rawget(L, 1);
  green_httpconn *c = lua_touserdata(L, 3);
  if (!c || lua_type(L, 2) != LUA_TSTRING) return 0;
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(UP_KEYS));
  int key = (int)lua_tointeger(L, -1);
  const char *name = lua_tolstring(L, 2, &n);
  if (key)
    push_known(L, c, key);
  else if (!fill_from_lua(L, c))
    push_header(L, c, name, n);
  if (lua_isnil(L, -1)) return 1;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

/* index = http_index(fill, conn_key, server): the __index of a server's envs.
** fill: key -> function(conn, env, server), for what is not known here. */
static int http_index(lua_State *L)
{
  static const char *const names[] = {
      [KEY_METHOD] = "REQUEST_METHOD",   [KEY_PATH] = "PATH_INFO",
      [KEY_RAW_PATH] = "RAW_PATH_INFO",  [KEY_QUERY] = "QUERY_STRING",
      [KEY_URI] = "REQUEST_URI",         [KEY_HOST] = "HTTP_HOST",
      [KEY_PROTOCOL] = "SERVER_PROTOCOL"};
  lua_settop(L, 3);
  lua_newtable(L);
  for (int i = KEY_METHOD; i <= KEY_PROTOCOL; i++) {
    lua_pushinteger(L, i);
    lua_setfield(L, -2, names[i]);
  }
  lua_insert(L, 1);
  lua_pushcclosure(L, env_index, 4);
  return 1;
}

/* list = http_keys(): the keys that http_index knows, and, with a connection,
** those of its headers. */
static int http_keys(lua_State *L)
{
  const green_httpconn *c = http_conn(L, 1);
  size_t room = (size_t)c->head->head_len + 5;
  char *key = lua_newuserdata(L, room);
  int k = 0;
  lua_newtable(L);
  for (uint32_t i = 0; i < c->head->nheaders; i++) {
    int n = green_http1_cgi_key(c->head, c->text, (int)i, key, room);
    if (n <= 0) continue;
    lua_pushlstring(L, key, (size_t)n);
    lua_rawseti(L, -2, ++k);
  }
  return 1;
}

/* list = http_headers_raw(conn): { name, value } pairs as they came. */
static int http_headers_raw(lua_State *L)
{
  const green_httpconn *c = http_conn(L, 1);
  const green_http1 *h = c->head;
  lua_createtable(L, (int)h->nheaders, 0);
  for (uint32_t i = 0; i < h->nheaders; i++) {
    lua_createtable(L, 2, 0);
    push_text(L, c, h->headers[i].name_off, h->headers[i].name_len);
    lua_rawseti(L, -2, 1);
    push_text(L, c, h->headers[i].value_off, h->headers[i].value_len);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* host, port = http_peer(conn): strings; "unix", "" without an address. */
static int http_peer(lua_State *L)
{
  green_addr a;
  char text[GREEN_ADDR_TEXT];
  green_httpconn_peer(http_conn(L, 1), &a);
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

/* name, ... = http_info(conn): status, body bytes sent, why it was refused,
** requests served before, Content-Length of the request or -1, chunked. */
static int http_info(lua_State *L)
{
  const green_httpconn *c = http_conn(L, 1);
  lua_pushinteger(L, c->status);
  lua_pushnumber(L, (lua_Number)c->sent);
  lua_pushstring(L, c->reason ? c->reason : "");
  lua_pushnumber(L, c->served);
  lua_pushnumber(L, c->head ? (lua_Number)c->head->content_length : -1);
  lua_pushboolean(L, c->head && c->head->chunked);
  return 6;
}

/* -- Request bodies ------------------------------------------------------- */

/* text = http_body(conn, max): nil at the end; or nil, error code. */
static int http_body(lua_State *L)
{
  green_httpconn *c = http_conn(L, 1);
  lua_Number max = luaL_optnumber(L, 2, 1e15);
  const char *p;
  luaL_argcheck(L, max >= 0, 2, "must not be negative");
  int n = green_httpconn_body(c, &p);
  if (n > 0) {
    if (n > max) {
      green_httpconn_unread(c, (uint32_t)(n - (int)max));
      n = (int)max;
    }
    lua_pushlstring(L, p, (size_t)n);
    return 1;
  }
  lua_pushnil(L);
  if (n == 0) return 1;
  lua_pushinteger(L, n);
  return 2;
}

/* text = http_line(conn, max): up to and with the next LF, what there is of it;
** as http_body. */
static int http_line(lua_State *L)
{
  green_httpconn *c = http_conn(L, 1);
  lua_Number max = luaL_checknumber(L, 2);
  const char *p;
  luaL_argcheck(L, max >= 0, 2, "must not be negative");
  int n = green_httpconn_body(c, &p);
  if (n <= 0) {
    lua_pushnil(L);
    if (n < 0) lua_pushinteger(L, n);
    return n < 0 ? 2 : 1;
  }
  int take = n > max ? (int)max : n;
  const char *eol = memchr(p, '\n', (size_t)take);
  if (eol) take = (int)(eol - p) + 1;
  if (take < n) green_httpconn_unread(c, (uint32_t)(n - take));
  lua_pushlstring(L, p, (size_t)take);
  return 1;
}

/* code = http_continue_lines(conn, text) */
static int http_continue_lines(lua_State *L)
{
  size_t n;
  const char *lines = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_httpconn_continue_lines(http_conn(L, 1), lines, n));
  return 1;
}

/* code = http_continue(conn) */
static int http_continue(lua_State *L)
{
  green_httpconn *c = http_conn(L, 1);
  int err = green_httpconn_continue(c);
  if (err == 0) err = green_httpconn_flush(c);
  lua_pushinteger(L, err == GREEN_EAGAIN ? 0 : err);
  return 1;
}

/* -- Answers -------------------------------------------------------------- */

/* Push what is wrong; for "return nil, problem". */
static int problem(lua_State *L, const char *text)
{
  lua_pushnil(L);
  lua_pushfstring(L, "wsgi: %s", text);
  return 2;
}

static int put_status(lua_State *L, green_httpconn *c, int i)
{
  size_t n;
  if (lua_type(L, i) == LUA_TNUMBER)
    return green_httpconn_begin(c, (int)lua_tointeger(L, i));
  const char *line = lua_tolstring(L, i, &n);
  return line ? green_httpconn_begin_line(c, line, n) : GREEN_EINVAL;
}

/* The name at index name, the value at the top of the stack (both stay). */
static int put_header(lua_State *L, green_httpconn *c, int name, int capitalize)
{
  size_t n, vn;
  if (lua_type(L, name) != LUA_TSTRING) return GREEN_EINVAL;
  const char *p = lua_tolstring(L, name, &n);
  const char *v = lua_tolstring(L, -1, &vn); /* numbers, too */
  if (!v) return GREEN_EINVAL;
  return green_httpconn_header(c, p, n, v, vn, capitalize);
}

static int put_header_list(lua_State *L, green_httpconn *c, int name,
                           int capitalize)
{
  int list = lua_gettop(L), err = 0;
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
static int put_header_pair(lua_State *L, green_httpconn *c, int capitalize)
{
  if (!lua_istable(L, -1)) return GREEN_EINVAL;
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  int err = put_header(L, c, lua_gettop(L) - 1, capitalize);
  if (err == 0) lua_pop(L, 2);
  return err;
}

static int put_entry(lua_State *L, green_httpconn *c, int capitalize)
{
  int name = lua_gettop(L) - 1;
  if (lua_type(L, name) == LUA_TNUMBER)
    return put_header_pair(L, c, capitalize);
  if (lua_istable(L, -1)) return put_header_list(L, c, name, capitalize);
  return put_header(L, c, name, capitalize);
}

/* All of a table: name -> value or list, and { name, value } pairs. On error
** the entry stays on the stack. */
static int put_headers(lua_State *L, green_httpconn *c, int i, int capitalize)
{
  if (lua_isnoneornil(L, i)) return 0;
  if (!lua_istable(L, i)) return GREEN_EINVAL;
  for (lua_pushnil(L); lua_next(L, i); lua_pop(L, 1)) {
    int err = put_entry(L, c, capitalize);
    if (err < 0) return err;
  }
  return 0;
}

static int bad_header(lua_State *L, int top)
{
  if (lua_gettop(L) < top + 2) return problem(L, "headers must be a table");
  const char *name = lua_type(L, top + 1) == LUA_TSTRING
                         ? lua_tostring(L, top + 1)
                         : "(not a string)";
  lua_pushnil(L);
  lua_pushfstring(L, "wsgi: header '%s' has a bad name or value", name);
  return 2;
}

/* done = http_respond(conn, capitalize, status, headers, body): true: a string
** or nil was the body and all is written; false: the head is begun, the body is
** the caller's to write; or nil, problem. Does not park. */
static int http_respond(lua_State *L)
{
  green_httpconn *c = http_conn(L, 1);
  size_t n = 0;
  const char *body = "";
  lua_settop(L, 5);
  if (put_status(L, c, 3) < 0) return problem(L, "bad status");
  if (put_headers(L, c, 4, lua_toboolean(L, 2)) < 0) return bad_header(L, 5);
  int type = lua_type(L, 5);
  if (type != LUA_TSTRING && type != LUA_TNIL) {
    lua_pushboolean(L, 0);
    return 1;
  }
  if (type == LUA_TSTRING) body = lua_tolstring(L, 5, &n);
  if (green_httpconn_whole(c, body, n) < 0)
    return problem(L, "the body's length differs from its Content-Length");
  lua_pushboolean(L, 1);
  return 1;
}

/* code = http_whole(conn, body) */
static int http_whole(lua_State *L)
{
  size_t n;
  const char *body = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_httpconn_whole(http_conn(L, 1), body, n));
  return 1;
}

static int http_stream(lua_State *L)
{
  lua_pushinteger(L, green_httpconn_stream(http_conn(L, 1)));
  return 1;
}

/* waiting = http_piece(conn, text): bytes to be flushed, or an error code. */
static int http_piece(lua_State *L)
{
  size_t n;
  const char *p = luaL_checklstring(L, 2, &n);
  lua_pushinteger(L, green_httpconn_piece(http_conn(L, 1), p, n));
  return 1;
}

static int http_end(lua_State *L)
{
  lua_pushinteger(L, green_httpconn_end(http_conn(L, 1)));
  return 1;
}

static int http_flush(lua_State *L)
{
  lua_pushinteger(L, green_httpconn_flush(http_conn(L, 1)));
  return 1;
}

/* Drop the answer; the connection is to end with the next one. code: 0, or
** GREEN_EBUSY: bytes of it have left. */
static int http_rollback(lua_State *L)
{
  green_httpconn *c = http_conn(L, 1);
  c->close = true;
  lua_pushinteger(L, green_httpconn_rollback(c));
  return 1;
}

static int http_set_close(lua_State *L)
{
  http_conn(L, 1)->close = true;
  return 0;
}

/* -- Files, logs ---------------------------------------------------------- */

/* number, offset, bytes from there = http_file(file of Lua's): nothing when it
** is no regular one, or its length cannot be known. */
static int http_file(lua_State *L)
{
  struct stat st;
  FILE *f = *(FILE **)luaL_checkudata(L, 1, LUA_FILEHANDLE);
  off_t at = f ? ftello(f) : -1;
  if (at < 0 || fstat(fileno(f), &st) < 0 || !S_ISREG(st.st_mode)) return 0;
  if (st.st_size <= at) return 0; /* As files below /proc seem to be. */
  lua_pushinteger(L, fileno(f));
  lua_pushnumber(L, (lua_Number)at);
  lua_pushnumber(L, (lua_Number)(st.st_size - at));
  return 3;
}

/* n = http_file_head(conn, size): as green_httpconn_file. */
static int http_file_head(lua_State *L)
{
  int64_t size = (int64_t)luaL_checknumber(L, 2);
  int64_t n = green_httpconn_file(http_conn(L, 1), size);
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

/* n = http_sendfile(conn, number, offset, n): as green_httpconn_sendfile. */
static int http_sendfile(lua_State *L)
{
  int64_t n = green_httpconn_sendfile(
      http_conn(L, 1), (int)luaL_checkinteger(L, 2),
      (int64_t)luaL_checknumber(L, 3), (int64_t)luaL_checknumber(L, 4));
  lua_pushnumber(L, (lua_Number)n);
  return 1;
}

/* waiting = http_log(log, conn, started in seconds): green_httpd_log_put. */
static int http_log(lua_State *L)
{
  int64_t started = (int64_t)(lua_tonumber(L, 3) * 1e9);
  green_httpconn *c = http_conn(L, 2);
  lua_pushinteger(L, green_httpd_log_put(vm_pointer(L, 1), c, started));
  return 1;
}

/* code = http_detach(conn, pointer to a closed green_sock) */
static int http_detach(lua_State *L)
{
  lua_pushinteger(L, green_httpconn_detach(http_conn(L, 1), vm_pointer(L, 2)));
  return 1;
}

const luaL_Reg vm_http_functions[] = {
    {"http_next", http_next},
    {"http_finish", http_finish},
    {"http_close", http_close},
    {"http_sock", http_sock},
    {"http_index", http_index},
    {"http_keys", http_keys},
    {"http_headers_raw", http_headers_raw},
    {"http_peer", http_peer},
    {"http_info", http_info},
    {"http_body", http_body},
    {"http_line", http_line},
    {"http_continue_lines", http_continue_lines},
    {"http_continue", http_continue},
    {"http_respond", http_respond},
    {"http_whole", http_whole},
    {"http_stream", http_stream},
    {"http_piece", http_piece},
    {"http_end", http_end},
    {"http_flush", http_flush},
    {"http_rollback", http_rollback},
    {"http_set_close", http_set_close},
    {"http_detach", http_detach},
    {"http_file", http_file},
    {"http_file_head", http_file_head},
    {"http_sendfile", http_sendfile},
    {"http_log", http_log},
    {NULL, NULL},
};
