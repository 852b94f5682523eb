/*
** stdfd_kit.h: an inherited descriptor that is the end of a pipe.
*/
#ifndef GREEN_STDFD_KIT_H
#define GREEN_STDFD_KIT_H

#include "actor.h"
#include "io/stdfd.h"

#include <poll.h>

#define BLOCK 65536 /* What a pipe takes. */

typedef struct kit {
  green_hub *hub;
  green_stdfd *s;
  int in, out; /* The pipe. */
  actor waiter;
} kit;

static inline green_stdfd *open_on(green_hub *hub, int fd, int for_write,
                                   int *err)
{
  green_stdfd *s = calloc(1, green_stdfd_size());
  if (!s) abort();
  *err = green_stdfd_init(s, hub, fd, for_write);
  if (*err == 0) green_stdfd_set(s, 2 * BLOCK, 0.02);
  return s;
}

static inline kit kit_open(void)
{
  kit k = {.hub = hub_open(NULL)};
  int fds[2], err;
  if (pipe(fds) < 0) abort();
  k.in = fds[0];
  k.out = fds[1];
  k.s = open_on(k.hub, k.out, 1, &err);
  if (err < 0) abort();
  return k;
}

static inline void kit_close(kit *k)
{
  green_stdfd_deinit(k->s);
  ok(is_clean(k->hub), "nothing is left in the hub");
  free(k->s);
  green_hub_free(k->hub);
  close(k->in);
  close(k->out);
}

static inline int put(kit *k, const char *text, int lazy)
{
  return green_stdfd_put(k->s, text, strlen(text), lazy);
}

static inline int has_input(int fd)
{
  struct pollfd p = {.fd = fd, .events = POLLIN};
  return poll(&p, 1, 0) > 0;
}

/* Is this what there is to read? */
static inline int reads(int fd, const char *want)
{
  char got[64];
  ssize_t n = has_input(fd) ? read(fd, got, sizeof(got) - 1) : 0;
  got[n > 0 ? n : 0] = '\0';
  return strcmp(got, want) == 0;
}

#endif
