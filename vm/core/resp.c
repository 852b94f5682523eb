/*
** resp.c: green.core's functions for Redis: commands as bytes, and replies as
** values.
*/

#include "core/door.h"

#include "base/buf.h"
#include "bytes.h"
#include "collector.h"
#include "proto/resp.h"

#include <math.h>
#include <string.h>

/* -- Commands ------------------------------------------------------------- */

#define EXACT (INT64_C(1) << 53) /* Whole numbers up to it are exact. */
#define NUMBER_ROOM 24

/* Decimal digits of a whole number. How many bytes. */
static size_t put_integer(char *out, int64_t value)
{
  char digits[NUMBER_ROOM];
  size_t n = 0, len = 0;
  uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
  do {
    digits[n++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (value < 0) out[len++] = '-';
  while (n) out[len++] = digits[--n];
  return len;
}

/* The bytes of an argument: a string's own, or a whole number's in scratch.
** NULL: it is something else. */
static const char *argument(lua_State *L, int i, char *scratch, size_t *n)
{
  int type = lua_type(L, i);
  if (type == LUA_TSTRING) return lua_tolstring(L, i, n);
  if (type != LUA_TNUMBER) return NULL;
  lua_Number value = lua_tonumber(L, i);
  if (!(fabs(value) <= (lua_Number)EXACT) ||
      value != (lua_Number)(int64_t)value)
    return NULL;
  *n = put_integer(scratch, (int64_t)value);
  return scratch;
}

static char *put_head(char *p, char type, size_t n)
{
  *p++ = type;
  p += put_integer(p, (int64_t)n);
  *p++ = '\r';
  *p++ = '\n';
  return p;
}

/* bytes = resp_command(name, ...): a command as a list of strings. nil, i: the
** i-th argument is neither a string nor a whole number that is exact. */
static int resp_command(lua_State *L)
{
  char small[2048], scratch[NUMBER_ROOM];
  int top = lua_gettop(L);
  size_t room = NUMBER_ROOM, n = 0;
  core_vm(L);
  for (int i = 1; i <= top; i++) {
    if (!argument(L, i, scratch, &n)) {
      lua_pushnil(L);
      lua_pushinteger(L, i);
      return 2;
    }
    room += n + NUMBER_ROOM;
  }
  char *out = room > sizeof(small) ? lua_newuserdata(L, room) : small;
  char *p = put_head(out, '*', (size_t)top);
  for (int i = 1; i <= top; i++) {
    const char *text = argument(L, i, scratch, &n);
    p = put_head(p, '$', n);
    memcpy(p, text, n);
    p[n] = '\r';
    p[n + 1] = '\n';
    p += n + 2;
  }
  lua_pushlstring(L, out, (size_t)(p - out));
  return 1;
}

/* -- Values --------------------------------------------------------------- */

/* Arguments of resp_take. */
enum {
  TAKE_RESP = 1,
  TAKE_BUF,
  TAKE_LIST,
  TAKE_FROM,
  TAKE_MOST,
  TAKE_NULL,
  TAKE_ERROR_MT,
  TAKE_ARGS = TAKE_ERROR_MT,
  TAKE_REPLY /* Where resp_take has the address of its reply. */
};

/* A reply that is there as a whole. */
typedef struct reply {
  const char *p;
  const char *end;
} reply;

/* The next token: what scan took cannot fail here. */
static green_resp_token take_token(reply *r, const char **text)
{
  green_resp_token t = {0};
  int n = green_resp_next(r->p, (size_t)(r->end - r->p), &t);
  green_assert(n > 0, "what scan took is made of tokens");
  *text = r->p + t.text_off;
  r->p += n > 0 ? n : r->end - r->p;
  return t;
}

/* Skip n values. */
static void skip_values(reply *r, int64_t n)
{
  const char *text;
  while (n > 0 && r->p < r->end) {
    green_resp_token t = take_token(r, &text);
    if (t.type != '|') n--;
    if (green_resp_is_aggregate(t.type)) n += t.integer;
  }
}

static bool is_exact(const green_resp_token *t)
{
  return t->integer >= -EXACT && t->integer <= EXACT;
}

/* Beyond 2^53 the digits are the number. */
static void push_integer(lua_State *L, const green_resp_token *t,
                         const char *text)
{
  if (is_exact(t)) {
    lua_pushnumber(L, (lua_Number)t->integer);
    return;
  }
  int is_signed = *text == '+';
  lua_pushlstring(L, text + is_signed, t->text_len - (size_t)is_signed);
}

static void push_double(lua_State *L, const green_resp_token *t,
                        const char *text)
{
  if (t->integer) {
    lua_pushnumber(L, t->integer == 2 ? (lua_Number)NAN
                                      : (lua_Number)t->integer * INFINITY);
    return;
  }
  lua_pushlstring(L, text, t->text_len);
  lua_pushnumber(L, lua_tonumber(L, -1)); /* Whatever the locale. */
  lua_remove(L, -2);
}

/* How many bytes an error's first word has, if that is a kind: "WRONGTYPE". */
static size_t kind_length(const char *text, size_t n)
{
  size_t i = 0;
  while (i < n && ((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_' ||
                   (i && text[i] >= '0' && text[i] <= '9')))
    i++;
  return i == n || text[i] == ' ' ? i : 0;
}

static void push_error(lua_State *L, const char *text, size_t n)
{
  size_t kind = kind_length(text, n);
  lua_createtable(L, 0, 4);
  lua_pushliteral(L, "EREDIS");
  lua_setfield(L, -2, "code");
  lua_pushlstring(L, kind ? text : "ERR", kind ? kind : 3);
  lua_setfield(L, -2, "kind");
  lua_pushlstring(L, text, n);
  lua_setfield(L, -2, "message");
  lua_pushvalue(L, TAKE_ERROR_MT);
  lua_setmetatable(L, -2);
}

static void push_value(lua_State *L, reply *r);

static void push_list(lua_State *L, reply *r, int n)
{
  lua_createtable(L, n, 0);
  for (int i = 1; i <= n; i++) {
    push_value(L, r);
    lua_rawseti(L, -2, i);
  }
}

/* What is no number cannot be a key: its name is. */
static void push_map(lua_State *L, reply *r, int n)
{
  lua_createtable(L, 0, n / 2);
  for (int i = 0; i < n; i += 2) {
    push_value(L, r);
    if (lua_type(L, -1) == LUA_TNUMBER &&
        lua_tonumber(L, -1) != lua_tonumber(L, -1)) {
      lua_pop(L, 1);
      lua_pushliteral(L, "nan");
    }
    push_value(L, r);
    lua_rawset(L, -3);
  }
}

/* Push the next value. Its aggregates are no deeper than GREEN_RESP_DEPTH, for
** which there is room on the stack. */
// NOLINTNEXTLINE(misc-no-recursion)
static void push_value(lua_State *L, reply *r)
{
  const char *text;
  green_resp_token t = take_token(r, &text);
  while (t.type == '|') {
    skip_values(r, t.integer);
    t = take_token(r, &text);
  }
  switch (t.type) {
  case '*':
  case '~':
  case '>':
    push_list(L, r, (int)t.integer);
    break;
  case '%':
    push_map(L, r, (int)t.integer);
    break;
  case ':':
    push_integer(L, &t, text);
    break;
  case ',':
    push_double(L, &t, text);
    break;
  case '#':
    lua_pushboolean(L, (int)t.integer);
    break;
  case '_':
    lua_pushvalue(L, TAKE_NULL);
    break;
  case '-':
  case '!':
    push_error(L, text, t.text_len);
    break;
  default:
    lua_pushlstring(L, text, t.text_len);
  }
}

/* What it is, behind its attributes. */
static green_resp_token first_token(reply r, const char **text)
{
  green_resp_token t = take_token(&r, text);
  while (t.type == '|') {
    skip_values(&r, t.integer);
    t = take_token(&r, text);
  }
  return t;
}

/* -- Replies -------------------------------------------------------------- */

/* value = body(reply, ...), with what resp_take has in the same places. */
static int reply_body(lua_State *L)
{
  luaL_checkstack(L, 3 * GREEN_RESP_DEPTH + 16, "too many values");
  push_value(L, lua_touserdata(L, 1));
  return 1;
}

void vm_resp_open(lua_State *L)
{
  lua_pushcfunction(L, reply_body);
  vm_set_key(L, VM_KEY_REPLY_BODY);
}

/* Of several objects, while no finalizer runs. */
static void push_objects(vm *v, lua_State *L)
{
  int was_running = vm_collector_stop(L);
  vm_push_key(L, VM_KEY_REPLY_BODY);
  lua_pushvalue(L, TAKE_REPLY);
  for (int i = TAKE_RESP + 1; i <= TAKE_ARGS; i++) lua_pushvalue(L, i);
  int err = lua_pcall(L, TAKE_ARGS, 1, 0);
  if (was_running) vm_collector_go_on(v, L);
  if (err) lua_error(L);
}

/* Push a reply that has left its buffer, whose bytes are where they were: a
** finalizer may put others there, or free them. One string is copied before one
** can run, and nothing is made of a number. Was it a push? */
static bool push_reply(vm *v, lua_State *L, reply *r)
{
  const char *text;
  green_resp_token t = first_token(*r, &text);
  if (t.type == '$' || t.type == '+' || t.type == '=')
    vm_push_bytes(v, L, text, t.text_len);
  else if (t.type == '#' || t.type == '_' || (t.type == ':' && is_exact(&t)))
    push_value(L, r);
  else
    push_objects(v, L);
  return t.type == '>';
}

/* n, status, push = resp_take(resp, buf, list, from, most, null, error_mt): the
** next replies of a buffer become list[from + 1] .. list[from + n], most of
** them at most, and leave the buffer. status: 0; GREEN_EAGAIN: more bytes are
** needed for the next; or the refusal of green_resp_scan. A push, which is no
** reply, ends the call. resp and buf: pointers, whose owners must be kept. */
static int resp_take(lua_State *L)
{
  vm *v = core_vm(L);
  reply r;
  lua_settop(L, TAKE_ARGS);
  green_resp *resp = vm_pointer(L, TAKE_RESP);
  green_buf *buf = vm_pointer(L, TAKE_BUF);
  luaL_checktype(L, TAKE_LIST, LUA_TTABLE);
  luaL_checktype(L, TAKE_ERROR_MT, LUA_TTABLE);
  int from = luaL_checkint(L, TAKE_FROM), most = luaL_checkint(L, TAKE_MOST);
  lua_pushlightuserdata(L, &r);
  int n = 0, status = 0;
  while (n < most) {
    r.p = green_buf_data(buf);
    status = green_resp_scan(resp, r.p, green_buf_len(buf));
    if (status < 0) break;
    r.end = r.p + status;
    green_buf_consume(buf, (size_t)status);
    status = 0;
    if (push_reply(v, L, &r)) break;
    lua_rawseti(L, TAKE_LIST, from + ++n);
  }
  bool has_push = lua_gettop(L) > TAKE_REPLY;
  lua_pushinteger(L, n);
  lua_pushinteger(L, status);
  if (!has_push) return 2;
  lua_pushvalue(L, TAKE_REPLY + 1);
  return 3;
}

const luaL_Reg vm_resp_functions[] = {
    {"resp_command", resp_command},
    {"resp_take", resp_take},
    {NULL, NULL},
};
