/*
** zmq_pump.c: one direction of a proxy, a part after the other.
*/

#include "io/zmq_pump.h"
#include "io/zmq_priv.h"

struct green_zmq_pump {
  green__zmq_msg part; /* What was taken last; libzmq knows it, once begun. */
  uint32_t generation; /* Of the process it has begun in. */
  uint8_t begun;
  uint8_t has_part; /* It has not been sent yet, */
  uint8_t has_copy; /* but the capture has it. */
  uint8_t more;     /* Further parts of its message are to come. */
  uint8_t in_copy;  /* The capture has the beginning of a message, */
  uint8_t in_send;  /* or `to` has. */
  uint8_t is_lost;  /* The rest of this message goes nowhere. */
  uint64_t taken, taken_bytes, sent, sent_bytes;
};

enum { PUMP_DONE = -1000000 }; /* A part has gone: no error's number. */

size_t green_zmq_pump_size(void)
{
  return sizeof(green_zmq_pump);
}

void green_zmq_pump_counts(const green_zmq_pump *p, uint64_t n[4])
{
  n[0] = p->taken;
  n[1] = p->taken_bytes;
  n[2] = p->sent;
  n[3] = p->sent_bytes;
}

/* -- One part ------------------------------------------------------------- */

static void pump_begin(green_zmq_pump *p)
{
  if (p->begun) return;
  lib.f_msg_init(&p->part);
  p->begun = 1;
  p->generation = green_fork_generation();
}

static int pump_take(green_zmq_pump *p, green_zmq *from)
{
  int n = lib.f_msg_recv(&p->part, from->socket, GREEN__ZMQ_DONTWAIT);
  if (n < 0) return green__zmq_error();
  p->has_part = 1;
  p->has_copy = 0;
  p->more = lib.f_msg_more(&p->part) != 0;
  p->taken += !p->more;
  p->taken_bytes += (uint64_t)n;
  return 0;
}

static int pump_send_to(green_zmq *to, green__zmq_msg *m, int more)
{
  int flags = GREEN__ZMQ_DONTWAIT | (more ? GREEN__ZMQ_SNDMORE : 0);
  return lib.f_msg_send(m, to->socket, flags) < 0 ? green__zmq_error() : 0;
}

/* libzmq counts who has the data. */
static int pump_copy(green_zmq_pump *p, green_zmq *capture)
{
  green__zmq_msg copy;
  lib.f_msg_init(&copy);
  int r = lib.f_msg_copy(&copy, &p->part) < 0
              ? green__zmq_error()
              : pump_send_to(capture, &copy, p->more);
  if (r < 0) lib.f_msg_close(&copy);
  if (r < 0) return r;
  p->has_copy = 1;
  p->in_copy = p->more;
  return 0;
}

/* The part that it has is not wanted. */
static void pump_drop(green_zmq_pump *p)
{
  lib.f_msg_close(&p->part);
  lib.f_msg_init(&p->part);
  p->has_part = 0;
}

static void pump_lose(green_zmq_pump *p)
{
  pump_drop(p);
  p->is_lost = p->more;
}

static int pump_send(green_zmq_pump *p, green_zmq *to)
{
  size_t n = lib.f_msg_size(&p->part);
  int r = pump_send_to(to, &p->part, p->more);
  if (r < 0) return r;
  p->has_part = 0;
  p->in_send = p->more;
  p->sent += !p->more;
  p->sent_bytes += n;
  return 0;
}

/* -- Moving --------------------------------------------------------------- */

/* A REQ or REP that is not to be read yet will be. */
static int pump_wants_in(int r)
{
  return r == GREEN_EAGAIN || r == GREEN_EFSM ? GREEN_ZMQ_PUMP_IN : r;
}

/* PUMP_DONE, what it waits for, or negative. */
static int pump_part(green_zmq_pump *p, green_zmq *from, green_zmq *to,
                     green_zmq *capture)
{
  int r = p->has_part ? 0 : pump_take(p, from);
  if (r < 0) return pump_wants_in(r);
  if (p->is_lost) {
    pump_lose(p);
    return PUMP_DONE;
  }
  if (capture && !p->has_copy) r = pump_copy(p, capture);
  if (r < 0) return r == GREEN_EAGAIN ? GREEN_ZMQ_PUMP_COPY : r;
  r = pump_send(p, to);
  if (r == GREEN_EHOSTUNREACH) pump_lose(p);
  if (r == GREEN_EAGAIN) return GREEN_ZMQ_PUMP_OUT;
  return r == 0 || r == GREEN_EHOSTUNREACH ? PUMP_DONE : r;
}

static int pump_parts(green_zmq_pump *p, green_zmq *from, green_zmq *to,
                      green_zmq *capture, int most)
{
  for (int n = 0; n < most || p->more; n++) {
    int r = pump_part(p, from, to, capture);
    if (r != PUMP_DONE) return r;
  }
  return GREEN_ZMQ_PUMP_TURN;
}

/* Others may wait for what these calls have taken the news of. */
static void pump_tell(green_zmq *z, int direction, int is_waiting)
{
  green__zmq_called(z, direction, is_waiting ? GREEN_EAGAIN : 0);
}

int green_zmq_pump_move(green_zmq_pump *p, green_zmq *from, green_zmq *to,
                        green_zmq *capture, int most)
{
  int r = green__zmq_usable(from);
  if (r == 0) r = green__zmq_usable(to);
  if (r == 0 && capture) r = green__zmq_usable(capture);
  if (r < 0) return r;
  pump_begin(p);
  r = pump_parts(p, from, to, capture, most);
  pump_tell(from, GREEN_ZMQ_IN, r == GREEN_ZMQ_PUMP_IN);
  pump_tell(to, GREEN_ZMQ_OUT, r == GREEN_ZMQ_PUMP_OUT);
  if (capture) pump_tell(capture, GREEN_ZMQ_OUT, r == GREEN_ZMQ_PUMP_COPY);
  return r;
}

/* -- Its end -------------------------------------------------------------- */

/* In a child its part is the parent's, and so is who has lent what is in it. */
static int pump_is_ours(const green_zmq_pump *p)
{
  return p->begun && !green_fork_differs(p->generation);
}

/* Who has the beginning of a message is given the rest; libzmq has room for
** it, since messages are what it counts. */
static void pump_finish(green_zmq_pump *p, green_zmq *to, green_zmq *capture)
{
  if (p->in_copy && !p->has_copy && green__zmq_usable(capture) == 0)
    pump_copy(p, capture);
  if (!p->in_send || green__zmq_usable(to) < 0 || pump_send(p, to) < 0)
    pump_drop(p);
}

void green_zmq_pump_stop(green_zmq_pump *p, green_zmq *from, green_zmq *to,
                         green_zmq *capture)
{
  if (!pump_is_ours(p)) return;
  if (p->has_part) pump_finish(p, to, capture);
  if (!p->more || green__zmq_usable(from) < 0) return;
  while (p->more && pump_take(p, from) == 0) pump_finish(p, to, capture);
  p->more = p->is_lost = 0;
  pump_tell(from, GREEN_ZMQ_IN, 0);
}

void green_zmq_pump_deinit(green_zmq_pump *p)
{
  if (pump_is_ours(p)) lib.f_msg_close(&p->part);
  p->begun = p->has_part = 0;
}
