/*
** env.c: green.core's functions for the environment of a request: its line and
** its headers, by the keys of CGI.
*/

#include "core/door.h"
#include "core/httpd.h"
#include "bytes.h"

#include <string.h>

/* Keys that are no header's. */
enum env_key {
  KEY_NONE,
  KEY_METHOD,
  KEY_PATH,
  KEY_RAW_PATH,
  KEY_QUERY,
  KEY_URI,
  KEY_HOST,
  KEY_PROTOCOL
};

#define NAME(s) \
  { \
    s, sizeof(s) - 1 \
  }
static const struct {
  const char *text;
  size_t len;
} names[] = {[KEY_NONE] = {"", 0},
             [KEY_METHOD] = NAME("REQUEST_METHOD"),
             [KEY_PATH] = NAME("PATH_INFO"),
             [KEY_RAW_PATH] = NAME("RAW_PATH_INFO"),
             [KEY_QUERY] = NAME("QUERY_STRING"),
             [KEY_URI] = NAME("REQUEST_URI"),
             [KEY_HOST] = NAME("HTTP_HOST"),
             [KEY_PROTOCOL] = NAME("SERVER_PROTOCOL")};

static int key_of(const char *name, size_t n)
{
  for (int i = KEY_METHOD; i <= KEY_PROTOCOL; i++)
    if (names[i].len == n && !memcmp(names[i].text, name, n)) return i;
  return KEY_NONE;
}

/* -- Values --------------------------------------------------------------- */

static int text_at(const green_conn *c, uint32_t off, uint32_t len,
                   const char **p)
{
  *p = c->text + off;
  return (int)len;
}

static int text_of_known(const green_conn *c, int key, const char **p)
{
  const green_http_request *h = c->head;
  if (key == KEY_METHOD) return text_at(c, h->method_off, h->method_len, p);
  if (key == KEY_PATH && h->path_escaped) return VM_TEXT_MADE;
  if (key == KEY_PATH || key == KEY_RAW_PATH)
    return text_at(c, h->path_off, h->path_len, p);
  if (key == KEY_QUERY && !h->has_query) return VM_TEXT_NONE;
  if (key == KEY_QUERY) return text_at(c, h->query_off, h->query_len, p);
  if (key == KEY_URI) return text_at(c, h->target_off, h->target_len, p);
  if (key == KEY_HOST && !h->authority_len) return VM_TEXT_NONE;
  if (key == KEY_HOST) /* An absolute target overrides the header. */
    return text_at(c, h->authority_off, h->authority_len, p);
  *p = h->minor ? "HTTP/1.1" : "HTTP/1.0";
  return 8;
}

int vm_request_text(const green_conn *c, const char *key, size_t n,
                    const char **p)
{
  const green_http_request *h = c->head;
  int known = key_of(key, n);
  if (known) return text_of_known(c, known, p);
  int i = green_http_request_cgi(h, c->text, key, n);
  if (i < 0) return VM_TEXT_NONE;
  if (green_http_request_next(h, c->text, i) >= 0) return VM_TEXT_MADE;
  return text_at(c, h->fields.list[i].value_off, h->fields.list[i].value_len,
                 p);
}

/* Push the repeated header that a CGI key names, joined. */
static void push_joined(lua_State *L, green_conn *c, const char *key, size_t n)
{
  size_t room = (size_t)c->head->head_len;
  char *out = vm_conn_room(L, &c, room);
  const green_http_request *h = c->head;
  int i = green_http_request_cgi(h, c->text, key, n);
  int len = green_http_request_join(h, c->text, i, out, room);
  lua_pushlstring(L, out, len > 0 ? (size_t)len : 0);
}

/* -- The environment ------------------------------------------------------ */

/* Upvalues of env's __index. */
enum { UP_VM = 1, UP_CONN_KEY };

/* Push the value of the key, or nil. */
static void push_value(lua_State *L, green_conn *c, const char *key, size_t n)
{
  const char *p;
  int len = vm_request_text(c, key, n, &p);
  if (len >= 0)
    vm_push_bytes(core_vm(L), L, p, (size_t)len);
  else if (len == VM_TEXT_NONE)
    lua_pushnil(L);
  else if (key_of(key, n) == KEY_PATH)
    vm_push_path(L, c);
  else
    push_joined(L, c, key, n);
}

/* value = index(env, key): what the request says of it, which is kept in
** env. */
static int env_index(lua_State *L)
{
  size_t n;
  lua_settop(L, 2);
  lua_pushvalue(L, lua_upvalueindex(UP_CONN_KEY));
  lua_rawget(L, 1);
  const vm *v = lua_touserdata(L, lua_upvalueindex(UP_VM));
  green_conn *c = vm_slot_conn(&v->slots, lua_tonumber(L, 3));
  if (!c || lua_type(L, 2) != LUA_TSTRING) return 0;
  const char *key = lua_tolstring(L, 2, &n);
  push_value(L, c, key, n);
  if (lua_isnil(L, -1)) return 1;
  lua_pushvalue(L, 2);
  lua_pushvalue(L, -2);
  lua_rawset(L, 1);
  return 1;
}

/* index = httpd_env_index(conn_key): a function that makes what a request says
** itself; conn_key: where an env keeps its connection. */
static int httpd_env_index(lua_State *L)
{
  lua_settop(L, 1);
  lua_pushlightuserdata(L, core_vm(L));
  lua_insert(L, 1);
  lua_pushcclosure(L, env_index, 2);
  return 1;
}

/* list = conn_keys(conn): the keys that httpd_env_index knows, those of the
** request's headers among them. One may stand there twice. */
static int conn_keys(lua_State *L)
{
  green_conn *c = vm_conn_check(L, 1);
  size_t room = (size_t)c->head->head_len + 5;
  char *key = vm_conn_room(L, &c, room);
  int k = 0;
  lua_newtable(L);
  for (int i = KEY_METHOD; i <= KEY_PROTOCOL; i++) {
    lua_pushstring(L, names[i].text);
    lua_rawseti(L, -2, ++k);
  }
  c = vm_conn_check(L, 1); /* A finalizer may have ended the request. */
  for (uint32_t i = 0; i < c->head->fields.n; i++) {
    int n = green_http_request_cgi_key(c->head, c->text, (int)i, key, room);
    if (n <= 0) continue;
    lua_pushlstring(L, key, (size_t)n);
    lua_rawseti(L, -2, ++k);
    c = vm_conn_check(L, 1);
  }
  return 1;
}

/* Of the connection at index 1: a finalizer may have ended the request since.
*/
static void push_header(lua_State *L, uint32_t i, bool value)
{
  const green_conn *c = vm_conn_check(L, 1);
  const green_http_field *f = &c->head->fields.list[i];
  if (value)
    vm_push_bytes(core_vm(L), L, c->text + f->value_off, f->value_len);
  else
    vm_push_bytes(core_vm(L), L, c->text + f->name_off, f->name_len);
}

/* list = conn_headers_raw(conn): { name, value } pairs as they came. */
static int conn_headers_raw(lua_State *L)
{
  uint32_t n = vm_conn_check(L, 1)->head->fields.n;
  lua_createtable(L, (int)n, 0);
  for (uint32_t i = 0; i < n; i++) {
    lua_createtable(L, 2, 0);
    push_header(L, i, false);
    lua_rawseti(L, -2, 1);
    push_header(L, i, true);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

/* path = conn_path(conn): PATH_INFO of its request. */
static int conn_path(lua_State *L)
{
  vm_push_path(L, vm_conn_check(L, 1));
  return 1;
}

const luaL_Reg vm_env_functions[] = {
    {"httpd_env_index", httpd_env_index},
    {"conn_path", conn_path},
    {"conn_keys", conn_keys},
    {"conn_headers_raw", conn_headers_raw},
    {NULL, NULL},
};
