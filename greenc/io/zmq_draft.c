/*
** zmq_draft.c: what libzmq calls drafts: peers by number, and groups.
*/

#include "io/zmq_draft.h"

#include "io/zmq_priv.h"

#include <string.h>

#define drafts green__zmq_drafts

static int draft_usable(const green_zmq *z)
{
  int r = green__zmq_usable(z);
  return r == 0 && !drafts.is_there ? GREEN_EOPNOTSUPP : r;
}

/* -- Sending -------------------------------------------------------------- */

static int draft_address(green__zmq_msg *m, uint32_t peer, const char *group)
{
  int r = 0;
  if (peer) r = drafts.f_msg_set_routing_id(m, peer);
  if (r == 0 && group) r = drafts.f_msg_set_group(m, group);
  return r < 0 ? green__zmq_error() : 0;
}

static int draft_send(green_zmq *z, const void *data, size_t n, uint32_t peer,
                      const char *group)
{
  green__zmq_msg m;
  if (lib.f_msg_init_size(&m, n) < 0) return green__zmq_error();
  if (n > 0) memcpy(lib.f_msg_data(&m), data, n);
  int r = draft_address(&m, peer, group);
  if (r == 0 && lib.f_msg_send(&m, z->socket, GREEN__ZMQ_DONTWAIT) < 0)
    r = green__zmq_error();
  if (r < 0) lib.f_msg_close(&m);
  return r;
}

int green_zmq_draft_send(green_zmq *z, const void *data, size_t n,
                         uint32_t peer, const char *group, int told)
{
  int r = draft_usable(z);
  if (r < 0) return r;
  if (told)
    z->told[GREEN_ZMQ_OUT] = 0;
  else if (green__zmq_is_taken(z, GREEN_ZMQ_OUT))
    return GREEN_EAGAIN;
  r = draft_send(z, data, n, peer, group);
  green__zmq_called(z, GREEN_ZMQ_OUT, r);
  return r;
}

/* -- The rest ------------------------------------------------------------- */

uint32_t green_zmq_draft_peer(green_zmq *z)
{
  return draft_usable(z) < 0 ? 0 : drafts.f_msg_routing_id(&z->msg);
}

const char *green_zmq_draft_group(green_zmq *z)
{
  const char *group = draft_usable(z) < 0 ? NULL : drafts.f_msg_group(&z->msg);
  return group ? group : "";
}

static int draft_result(green_zmq *z, int r)
{
  r = r < 0 ? green__zmq_error() : 0;
  green__zmq_called(z, -1, r);
  return r;
}

int green_zmq_draft_join(green_zmq *z, const char *group)
{
  int r = draft_usable(z);
  return r < 0 ? r : draft_result(z, drafts.f_join(z->socket, group));
}

int green_zmq_draft_leave(green_zmq *z, const char *group)
{
  int r = draft_usable(z);
  return r < 0 ? r : draft_result(z, drafts.f_leave(z->socket, group));
}

int green_zmq_draft_connect(green_zmq *z, const char *endpoint, uint32_t *peer)
{
  int r = draft_usable(z);
  if (r < 0) return r;
  *peer = drafts.f_connect_peer(z->socket, endpoint);
  return draft_result(z, *peer ? 0 : -1);
}
