/*
** zmq_draft.h: what the socket types need that libzmq calls drafts: SERVER and
** PEER send to a peer by its number, RADIO to a group, which a DISH joins.
**
** Where this libzmq was built without drafts there are no such sockets, and
** these calls give GREEN_EOPNOTSUPP.
*/
#ifndef GREEN_ZMQ_DRAFT_H
#define GREEN_ZMQ_DRAFT_H

#include "io/zmq.h"

/* ffi needs: zmq */
/* ffi */
/* Send a message of one part: of a SERVER or PEER to the peer with that number,
** of a RADIO to a group; the other one is 0, or NULL. told and results as
** green_zmq_send; GREEN_EINVAL: the group's name is too long. */
GREEN_API int green_zmq_draft_send(green_zmq *z, const void *data, size_t n,
                                   uint32_t peer, const char *group, int told);

/* The number of the peer that has sent the part received last, 0: it has none;
** its group, good until the next call, "": it has none. */
GREEN_API uint32_t green_zmq_draft_peer(green_zmq *z);
GREEN_API const char *green_zmq_draft_group(green_zmq *z);

/* Let a DISH receive what is sent to a group, or no more. 0; GREEN_EINVAL: it
** is in the group already, or is not. */
GREEN_API int green_zmq_draft_join(green_zmq *z, const char *group);
GREEN_API int green_zmq_draft_leave(green_zmq *z, const char *group);

/* Connect a PEER; *peer is the number of the one that it will reach. 0, or as
** green_zmq_connect. */
GREEN_API int green_zmq_draft_connect(green_zmq *z, const char *endpoint,
                                      uint32_t *peer);
/* end ffi */

#endif
