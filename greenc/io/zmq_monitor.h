/*
** zmq_monitor.h: what becomes of a socket's connections, as messages.
*/
#ifndef GREEN_ZMQ_MONITOR_H
#define GREEN_ZMQ_MONITOR_H

#include "io/zmq.h"

/* ffi needs: zmq */
/* ffi */
/* Let reader, an open PAIR of the same context and hub that is connected to
** nothing, receive the events of z that are in the mask (zmq.h's
** ZMQ_EVENT_...), and that z is monitored no more, which is the last of them.
** A message: 2 bytes of the event's bit and 4 of its value, both of this
** machine's order; then the endpoint.
**
** It ends when either is closed. libzmq's threads wait for ever for a reader
** that has gone: so one that is closed is taken off first; and its high-water
** mark must be 0. 0; GREEN_EBUSY: z or reader is in use so already;
** GREEN_EINVAL: no such events; GREEN_ETERM, GREEN_ECLOSED, GREEN_ENOMEM. */
GREEN_API int green_zmq_monitor_start(green_zmq *z, green_zmq *reader,
                                      int events);
/* end ffi */

#endif
