/*
** relay.c: green.core's functions for handing a request on to another server,
** and its answer back: heads without what is for one hop.
*/

#include "core/door.h"
#include "core/httpd.h"
#include "bytes.h"
#include "proto/http_hop.h"
#include "proto/http_response.h"

#include <string.h>
#include <strings.h>

/* -- Requests ------------------------------------------------------------- */

#define TEXT(s) s, sizeof(s) - 1

/* A text that is being put together. There is room for all of it. */
typedef struct relay_text {
  char *p;
  size_t n;
} relay_text;

static void text_put(relay_text *t, const char *p, size_t n)
{
  memcpy(t->p + t->n, p, n);
  t->n += n;
}

#define PUT(t, s) text_put(t, s, sizeof(s) - 1)

static void put_line(relay_text *t, const char *name, size_t name_len,
                     const char *value, size_t value_len)
{
  text_put(t, name, name_len);
  PUT(t, ": ");
  text_put(t, value, value_len);
  PUT(t, "\r\n");
}

static void put_request_line(relay_text *t, const green_conn *c)
{
  const green_http_request *h = c->head;
  text_put(t, c->text + h->method_off, h->method_len);
  PUT(t, " ");
  text_put(t, c->text + h->path_off, h->path_len);
  if (h->has_query) {
    PUT(t, "?");
    text_put(t, c->text + h->query_off, h->query_len);
  }
  PUT(t, " HTTP/1.1\r\n");
}

/* What a proxy says itself, and what would contradict it. */
static int is_ours(const green_http_field *f)
{
  return f->id == GREEN_H_X_FORWARDED_FOR ||
         f->id == GREEN_H_X_FORWARDED_HOST ||
         f->id == GREEN_H_X_FORWARDED_PROTO || f->id == GREEN_H_FORWARDED ||
         f->id == GREEN_H_HOST;
}

static void put_fields(relay_text *t, const green_conn *c)
{
  const green_http_fields *f = &c->head->fields;
  for (uint32_t i = 0; i < f->n; i++) {
    const green_http_field *x = &f->list[i];
    if (is_ours(x) || !green_http_hop_passes(f, c->text, i)) continue;
    put_line(t, c->text + x->name_off, x->name_len, c->text + x->value_off,
             x->value_len);
  }
}

/* X-Forwarded-For: what came, and the peer behind it. */
static void put_forwarded_for(relay_text *t, const green_conn *c)
{
  const green_http_fields *f = &c->head->fields;
  green_addr a;
  PUT(t, "X-Forwarded-For: ");
  int i = f->first[GREEN_H_X_FORWARDED_FOR] - 1;
  if (i >= 0) {
    int n = green_http_field_join(f, c->text, i, t->p + t->n,
                                  (size_t)c->head->head_len);
    t->n += n > 0 ? (size_t)n : 0;
    if (n > 0) PUT(t, ", ");
  }
  green_conn_peer(c, &a);
  int n = a.len ? green_addr_host(&a, t->p + t->n, GREEN_ADDR_TEXT) : 0;
  if (n > 0)
    t->n += (size_t)n;
  else
    PUT(t, "unknown");
  PUT(t, "\r\n");
}

/* h2c would hide from us all that follows. */
static void put_upgrade(relay_text *t, const green_conn *c)
{
  const green_http_request *h = c->head;
  int i = h->upgrade ? h->fields.first[GREEN_H_UPGRADE] - 1 : -1;
  if (i < 0) return;
  const char *value = c->text + h->fields.list[i].value_off;
  size_t n = h->fields.list[i].value_len;
  if (n == 3 && !strncasecmp(value, "h2c", n)) return;
  PUT(t, "Connection: Upgrade\r\n");
  put_line(t, TEXT("Upgrade"), value, n);
}

/* How long the body is: -1 in chunks, nil if there is none. */
static void push_length(lua_State *L, const green_http_request *h)
{
  if (h->chunked)
    lua_pushinteger(L, -1);
  else if (h->content_length >= 0)
    lua_pushnumber(L, (lua_Number)h->content_length);
  else
    lua_pushnil(L);
}

/* text, method, length = relay_request(conn, host, lines, place): the head of
** conn's request for another server, and what is to be known of it. host: false
** for the request's own, or place, if that has none (HTTP/1.0); lines: further
** ones, with their ends. */
static int relay_request(lua_State *L)
{
  enum { HOST = 2, LINES, PLACE, METHOD, LENGTH };
  char small[4096];
  lua_settop(L, PLACE);
  green_conn *c = vm_conn_check(L, 1);
  vm_push_bytes(core_vm(L), L, c->text + c->head->method_off,
                c->head->method_len);
  c = vm_conn_check(L, 1); /* A finalizer may have run: also below. */
  push_length(L, c->head);
  size_t host_len = c->head->authority_len, lines_len;
  const char *host = NULL;
  if (lua_toboolean(L, HOST))
    host = luaL_checklstring(L, HOST, &host_len);
  else if (host_len == 0)
    host = luaL_checklstring(L, PLACE, &host_len);
  const char *lines = luaL_checklstring(L, LINES, &lines_len);
  size_t room = 3 * (size_t)c->head->head_len + host_len + lines_len +
                GREEN_ADDR_TEXT + 256;
  relay_text t = {room > sizeof(small) ? vm_conn_room(L, &c, room) : small, 0};
  const green_http_request *h = c->head;
  const char *own = c->text + h->authority_off;
  put_request_line(&t, c);
  put_line(&t, TEXT("Host"), host ? host : own, host_len);
  put_fields(&t, c);
  if (h->chunked) PUT(&t, "Transfer-Encoding: chunked\r\n");
  put_forwarded_for(&t, c);
  if (green_conn_tls(c))
    PUT(&t, "X-Forwarded-Proto: https\r\n");
  else
    PUT(&t, "X-Forwarded-Proto: http\r\n");
  if (h->authority_len)
    put_line(&t, TEXT("X-Forwarded-Host"), own, h->authority_len);
  put_upgrade(&t, c);
  text_put(&t, lines, lines_len);
  PUT(&t, "\r\n");
  lua_pushlstring(L, t.p, t.n);
  lua_pushvalue(L, METHOD);
  lua_pushvalue(L, LENGTH);
  return 3;
}

/* -- Answers -------------------------------------------------------------- */

static int relay_fields(green_conn *c, const green_http_fields *f,
                        const char *text)
{
  int err = 0;
  for (uint32_t i = 0; i < f->n && err == 0; i++) {
    const green_http_field *x = &f->list[i];
    if (green_http_hop_passes(f, text, i))
      err = green_conn_header(c, text + x->name_off, x->name_len,
                              text + x->value_off, x->value_len, false);
  }
  return err;
}

/* code = relay_answer(conn, head, via): begin conn's answer with the head of
** another server's, a text that was parsed before. 0; GREEN_EINVAL: it cannot
** be passed on; GREEN_ENOMEM. */
static int relay_answer(lua_State *L)
{
  size_t n, via_len;
  green_conn *c = vm_conn_check(L, 1);
  const char *text = luaL_checklstring(L, 2, &n);
  const char *via = luaL_checklstring(L, 3, &via_len);
  green_http_response r;
  green_http_response_init(&r);
  r.max_line = r.max_field = 65535;
  r.max_head = INT32_MAX;
  int err = green_http_response_parse(&r, text, n, 0) > 0 ? 0 : GREEN_EINVAL;
  size_t line = sizeof("HTTP/1.1 ") - 1;
  if (err == 0)
    err = green_conn_begin_line(c, text + line,
                                r.phrase_off + r.phrase_len - line);
  if (err == 0) err = relay_fields(c, &r.fields, text);
  if (err == 0) err = green_conn_header(c, TEXT("Via"), via, via_len, false);
  lua_pushinteger(L, err);
  return 1;
}

const luaL_Reg vm_relay_functions[] = {
    {"relay_request", relay_request},
    {"relay_answer", relay_answer},
    {NULL, NULL},
};
