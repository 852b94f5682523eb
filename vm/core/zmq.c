/*
** zmq.c: green.core's functions for ZeroMQ: the wait for a socket, and long
** messages, which are not copied.
*/

#include "bridge.h"
#include "core/door.h"
#include "loans.h"
#include "refusal.h"

#include "base/clock.h"
#include "io/zmq.h"

#include <string.h>

typedef struct message {
  green_iov *parts;
  green_zmq_loan **loans; /* By part; NULL: it is copied. */
  int n;
} message;

/* Push room for n parts. */
static message message_new(lua_State *L, int n)
{
  message m = {.n = n};
  size_t size = (sizeof(*m.parts) + sizeof(*m.loans)) * (size_t)n;
  m.parts = memset(lua_newuserdata(L, size), 0, size);
  m.loans = (green_zmq_loan **)(m.parts + n);
  return m;
}

/* Push the i-th part, from 0. */
static void push_part(lua_State *L, int i)
{
  if (lua_istable(L, 2))
    lua_rawgeti(L, 2, i + 1);
  else
    lua_pushvalue(L, 2);
}

static int is_long(const green_iov *part)
{
  return part->len > GREEN_ZMQ_LENT;
}

/* How many parts are long. */
static int message_fill(lua_State *L, message *m)
{
  int n = 0;
  for (int i = 0; i < m->n; i++) {
    push_part(L, i);
    m->parts[i].ptr = lua_tolstring(L, -1, &m->parts[i].len);
    n += is_long(&m->parts[i]);
    lua_pop(L, 1);
  }
  return n;
}

/* All are anchored before one is lent: anchoring may raise. */
static void message_lend(vm *v, lua_State *L, message *m)
{
  int n = 0;
  for (int i = 0; i < m->n; i++) {
    if (!is_long(&m->parts[i])) continue;
    push_part(L, i);
    vm_loans_anchor(v, L, n++);
  }
  for (int i = 0; i < m->n; i++)
    if (is_long(&m->parts[i])) m->loans[i] = vm_loans_give(v, m->parts[i].ptr);
}

/* status = zmq_send(socket, text or list of texts, told): a message with parts
** longer than GREEN_ZMQ_LENT, as green_zmq_sendv. The socket may be closed, and
** the runtime ended. */
static int core_zmq_send(lua_State *L)
{
  vm *v = lua_touserdata(L, lua_upvalueindex(1));
  green_zmq *z = vm_pointer(L, 1);
  int told = (int)lua_tointeger(L, 3);
  int can_lend = vm_loans_open(v, L);
  message m = message_new(L, lua_istable(L, 2) ? (int)lua_objlen(L, 2) : 1);
  int n = message_fill(L, &m);
  if (can_lend && vm_loans_ready(v, n) == 0) message_lend(v, L, &m);
  lua_pushinteger(L, green_zmq_sendv_lent(z, m.parts, m.loans, m.n, told));
  return 1;
}

/* -- Waiting -------------------------------------------------------------- */

/* status = zmq_park(socket, direction, told, deadline): stand in the socket's
** line (green_zmq_wait, green_zmq_line) until woken, or until so many seconds
** of core.now; nil: for ever. A wait that is refused leaves nothing. Whoever
** got something else than 0 calls green_zmq_leave, but for GREEN_ZMQ_FORKED.
** Parks. */
static int core_zmq_park(lua_State *L)
{
  vm *v = core_vm(L);
  green_zmq *z = vm_pointer(L, 1);
  int direction = (int)lua_tointeger(L, 2);
  if (v->current->task.cancel_pending) return vm_cancel(v, L);
  vm_check_wait(v, L);
  int status = green_zmq_wait(z, direction);
  if (status < 0) {
    lua_pushinteger(L, status);
    return 1;
  }
  v->want = (vm_want){
      .kind = VM_WANT_QUEUE,
      .ptr = green_zmq_line(z, direction, lua_toboolean(L, 3)),
      .deadline = lua_isnil(L, 4) ? GREEN_NEVER
                                  : green_clock_after(0, lua_tonumber(L, 4))};
  return vm_wait(v, L);
}

const luaL_Reg vm_zmq_functions[] = {
    {"zmq_park", core_zmq_park},
    {"zmq_send", core_zmq_send},
    {NULL, NULL},
};
