/*
** fd_kit.h: descriptors that somebody waits for, and the other ends of pairs.
*/
#ifndef GREEN_FD_KIT_H
#define GREEN_FD_KIT_H

#include "actor.h"

#include <sys/socket.h>

static const char *const backends[] = {"epoll", "poll", "select"};
enum { N_BACKENDS = 3 };

static inline void put(int fd)
{
  if (write(fd, "x", 1) != 1) abort();
}

static inline void take(int fd)
{
  char c;
  if (read(fd, &c, 1) != 1) abort();
}

/* A hub, one end of a pair registered in it, the other end's number. */
typedef struct line {
  green_hub *hub;
  green_fd f;
  int peer;
} line;

static inline void line_open(line *l, const char *backend)
{
  int s[2];
  memset(l, 0, sizeof(*l));
  l->hub = hub_open(backend);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  if (green_fd_open(&l->f, l->hub, s[0]) < 0) abort();
  l->peer = s[1];
  trace_clear();
}

static inline void line_close(line *l)
{
  green_fd_close(&l->f);
  close(l->peer);
  turns(l->hub, 1);
  ok(is_clean(l->hub), "nothing is left");
  green_hub_free(l->hub);
}

static inline void reader(line *l, actor *a, char name)
{
  actor_start(a, l->hub, name, step_read);
  a->fd = &l->f;
}

#endif
