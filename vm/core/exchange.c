/*
** exchange.c: a request answered, finished and followed by the next, in one
** call.
*/

#include "core/exchange.h"
#include "core/httpd.h"
#include "thread.h"

#include <string.h>

/* The interpreter makes a call of the FFI at several times what a door costs,
** while compiled code saves about half of that. With more than this it is the
** interpreter that comes, on the whole: loops that have not been compiled by
** then will not be, most likely. */
#define COLD_LIMIT 600
#define COLD_CALL 3

/* The interpreter makes all its calls at one place. */
void green_exchange_init(green_exchange *x, green_turn *turn,
                         green_httpd *httpd, green_log *log, bool capitalize)
{
  x->turn = turn;
  x->httpd = httpd;
  x->log = log;
  x->capitalize = capitalize;
  x->memo_len = -1;
  x->caller = __builtin_return_address(0);
}

bool green_exchange_is_open(const green_exchange *x, double conn)
{
  const vm *v = green_container(x->turn, vm, turn);
  return vm_slot_conn(&v->slots, conn) != NULL;
}

static green_conn *exchange_request(const green_exchange *x, double conn)
{
  const vm *v = green_container(x->turn, vm, turn);
  green_conn *c = vm_slot_conn(&v->slots, conn);
  return c && c->head ? c : NULL;
}

int green_exchange_text(green_exchange *x, double conn, const char *key,
                        size_t n)
{
  const char *p;
  const green_conn *c = exchange_request(x, conn);
  int len = c ? vm_request_text(c, key, n, &p) : VM_TEXT_NONE;
  if (len > (int)sizeof(x->buffer)) return VM_TEXT_MADE;
  if (len > 0) memcpy(x->buffer, p, (size_t)len);
  return len;
}

double green_exchange_length(const green_exchange *x, double conn)
{
  const vm *v = green_container(x->turn, vm, turn);
  const green_conn *c = exchange_request(x, conn);
  if (!c || green_fork_differs(v->generation)) return -2;
  return c->head->content_length < 0 ? -1 : (double)c->head->content_length;
}

int green_exchange_body(green_exchange *x, double conn, double max)
{
  const char *p;
  green_conn *c = exchange_request(x, conn);
  int n = vm_body_run(c, max, &p);
  if (n > (int)sizeof(x->buffer)) {
    green_conn_unread(c, (uint32_t)n);
    return (int)sizeof(x->buffer) + 1;
  }
  if (n < 0) return n;
  x->is_last = green_conn_body_ended(c);
  memcpy(x->buffer, p, (size_t)n);
  return n;
}

/* -- Answers -------------------------------------------------------------- */

/* After a rest they begin anew. */
static int exchange_is_cold(green_exchange *x, const void *caller)
{
  if (green_likely(caller != x->caller)) {
    x->coldness -= x->coldness > 0;
    return 0;
  }
  x->coldness += COLD_CALL;
  if (x->coldness <= COLD_LIMIT) return 0;
  x->coldness = 0;
  return 1;
}

/* The connection of a request that has no answer yet, or one that was begun
** here; NULL: whoever it is that asks, the doors know what to say. */
static inline green_conn *exchange_conn(const green_exchange *x, double handle)
{
  const vm *v = green_container(x->turn, vm, turn);
  if (v->ended || green_fork_differs(v->generation)) return NULL;
  green_conn *c = vm_slot_conn(&v->slots, handle);
  if (!c || c->state == GREEN_ANSWER_NONE || x->begun == handle) return c;
  return NULL;
}

int green_exchange_piece(green_exchange *x, double conn, const char *p,
                         size_t n)
{
  const vm *v = green_container(x->turn, vm, turn);
  if (v->ended || green_fork_differs(v->generation)) return GREEN_ECLOSED;
  green_conn *c = vm_slot_conn(&v->slots, conn);
  return c ? green_conn_piece(c, p, n) : GREEN_ECLOSED;
}

int green_exchange_carry(green_exchange *x, double conn, green_sock *from,
                         green_http_body *body)
{
  const vm *v = green_container(x->turn, vm, turn);
  if (v->ended || green_fork_differs(v->generation)) return GREEN_ECLOSED;
  green_conn *c = vm_slot_conn(&v->slots, conn);
  return c ? green_conn_carry(c, from, body) : GREEN_ECLOSED;
}

/* A status that can be one, or 0, which none is. */
static inline int status_of(double status)
{
  int whole = status >= 200 && status < 1000 ? (int)status : 0;
  return whole == status ? whole : 0;
}

static int exchange_put(green_conn *c, double status, const green_header *h)
{
  int err = 0;
  if (c->state == GREEN_ANSWER_NONE)
    err = green_conn_begin(c, status_of(status));
  if (err < 0 || !h->name) return err;
  return green_conn_header(c, h->name, h->name_len, h->value, h->value_len,
                           h->capitalize);
}

/* What is left of an answer that was begun, or all of it. */
static inline int exchange_write(green_conn *c, double status,
                                 const green_header *h, const char *body,
                                 size_t n)
{
  if (green_likely(c->state == GREEN_ANSWER_NONE))
    return green_conn_reply(c, status_of(status), h, body, n);
  int err = exchange_put(c, status, h);
  return err < 0 ? err : green_conn_whole(c, body, n);
}

bool green_exchange_header(green_exchange *x, double conn, double status,
                           const char *name, size_t name_len, const char *value,
                           size_t value_len)
{
  green_conn *c = exchange_conn(x, conn);
  if (!c) return false;
  const green_header h = {name, name_len, value, value_len, x->capitalize};
  int err = exchange_put(c, status, &h);
  x->begun = err < 0 ? 0 : conn;
  if (err < 0) green_conn_rollback(c);
  return err == 0;
}

/* Most requests of one moment want one of a few paths, and many the same as the
** one before: its string is there. */
static int32_t exchange_path(green_exchange *x, const char *path, uint32_t n)
{
  if (n == (uint32_t)x->memo_len && !memcmp(path, x->memo, n)) return -2;
  x->path = path;
  x->memo_len = -1;
  if (n <= sizeof(x->memo)) memcpy(x->memo, path, n);
  return (int32_t)n;
}

/* What was found for the running thread. */
static int exchange_offer(green_exchange *x, vm *v, green_conn *c)
{
  const green_http_request *h = c->head;
  x->conn = vm_slot_open(&v->slots, c);
  x->found = c->found;
  x->path_len = -2;
  if (c->found != GREEN_HTTPD_REQUEST) return GREEN_EXCHANGE_NEXT;
  x->path_len = h->path_escaped
                    ? -1
                    : exchange_path(x, c->text + h->path_off, h->path_len);
  return GREEN_EXCHANGE_NEXT;
}

/* As conn_finish; what only that knows to do is left to it. */
static int exchange_finish(green_exchange *x, green_conn *c)
{
  vm *v = green_container(x->turn, vm, turn);
  const vm_thread *me = v->current;
  if ((me->flags & (VM_F_KNOWN | VM_F_TOUCHED)) || me->task.cancel_pending ||
      green_conn_is_slow(c))
    return GREEN_EXCHANGE_ANSWERED;
  if (x->log && green_log_put(x->log, c) > x->log->mark)
    return GREEN_EXCHANGE_LOGGED;
  vm_slot_close(&v->slots, c);
  int r = green_conn_finish(c);
  if (green_unlikely(r == GREEN_EAGAIN)) {
    x->conn = vm_slot_open(&v->slots, c);
    return GREEN_EXCHANGE_SLOW;
  }
  if (r == 0) c = green_httpd_next(x->httpd);
  return c ? exchange_offer(x, v, c) : GREEN_EXCHANGE_DONE;
}

int green_exchange_answer(green_exchange *x, double conn, double status,
                          const char *name, size_t name_len, const char *value,
                          size_t value_len, const char *body, size_t n)
{
  green_conn *c = exchange_conn(x, conn);
  if (!c) return GREEN_EXCHANGE_NONE;
  if (exchange_is_cold(x, __builtin_return_address(0))) {
    x->begun = 0;
    green_conn_rollback(c);
    return GREEN_EXCHANGE_COLD;
  }
  const green_header h = {name, name_len, value, value_len, x->capitalize};
  int err = exchange_write(c, status, &h, body, n);
  x->begun = 0;
  if (green_likely(err == 0)) return exchange_finish(x, c);
  green_conn_rollback(c);
  return GREEN_EXCHANGE_NONE;
}
