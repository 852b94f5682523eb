/*
** zmq_fd.c: the descriptor that tells of a socket.
**
** Any thread may use a socket of the draft types, and so libzmq gives none for
** it. A poller of one socket has one. It stays readable until that poller is
** asked, whatever was done to the socket meanwhile.
*/

#include "io/zmq_priv.h"

#define drafts green__zmq_drafts

/* A zmq_poller_event_t. */
typedef struct poller_event {
  _Alignas(void *) unsigned char bytes[64];
} poller_event;

static int poller_fd(void *socket, void **poller)
{
  int fd = -1;
  *poller = drafts.f_poller_new();
  if (!*poller) return GREEN_ENOMEM;
  if (drafts.f_poller_add(*poller, socket, NULL, GREEN__ZMQ_POLLIN) == 0 &&
      drafts.f_poller_fd(*poller, &fd) == 0)
    return fd;
  int err = green__zmq_error();
  drafts.f_poller_destroy(poller);
  *poller = NULL;
  return err;
}

int green__zmq_fd(void *socket, void **poller)
{
  int fd = -1;
  size_t n = sizeof(fd);
  *poller = NULL;
  if (lib.f_getsockopt(socket, GREEN__ZMQ_FD, &fd, &n) == 0) return fd;
  int err = green__zmq_error();
  return err == GREEN_EINVAL && drafts.is_there ? poller_fd(socket, poller)
                                                : err;
}

void green__zmq_poller_ask(void *poller)
{
  poller_event event;
  drafts.f_poller_wait(poller, &event, 0);
}

void green__zmq_poller_end(void **poller)
{
  if (*poller) drafts.f_poller_destroy(poller);
  *poller = NULL;
}
