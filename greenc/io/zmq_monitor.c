/*
** zmq_monitor.c: what becomes of a socket's connections, as messages.
*/

#include "io/zmq_monitor.h"

#include "io/zmq_priv.h"

#include <stdio.h>

enum { MONITOR_STOPPED = 0x400 };

static uint64_t monitors; /* Atomic; so many have there been in the process. */

/* The reader has to be there: stopping tells it. */
static void monitor_stop(green_zmq *z)
{
  if (green__zmq_usable(z) == 0) lib.f_socket_monitor(z->socket, NULL, 0);
  z->monitor->monitored = NULL;
  z->monitor = NULL;
}

/* One that is about to be closed: nobody is left with it. */
static void monitor_leave(green_zmq *z)
{
  if (z->monitor) monitor_stop(z);
  if (z->monitored) monitor_stop(z->monitored);
}

/* The reader comes first: without one a stop would wait for ever. An inproc
** endpoint may be connected before it is bound. */
static int monitor_connect(green_zmq *z, green_zmq *reader, int events)
{
  char endpoint[64];
  snprintf(
      endpoint, sizeof(endpoint), "inproc://green-monitor-%llu",
      (unsigned long long)__atomic_add_fetch(&monitors, 1, __ATOMIC_RELAXED));
  int err = green_zmq_connect(reader, endpoint);
  if (err < 0) return err;
  events |= MONITOR_STOPPED;
  if (lib.f_socket_monitor(z->socket, endpoint, events) == 0) return 0;
  err = green__zmq_error();
  green_zmq_disconnect(reader, endpoint);
  return err;
}

int green_zmq_monitor_start(green_zmq *z, green_zmq *reader, int events)
{
  int err = green__zmq_usable(z);
  if (err == 0) err = green__zmq_usable(reader);
  if (err < 0) return err;
  if (z->monitor || reader->monitored || z == reader) return GREEN_EBUSY;
  err = monitor_connect(z, reader, events);
  if (err < 0) return err;
  z->monitor = reader;
  reader->monitored = z;
  z->leave = reader->leave = monitor_leave;
  return 0;
}
