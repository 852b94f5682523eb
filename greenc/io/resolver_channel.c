/*
** resolver_channel.c: by which channel a question goes.
*/

#include "io/resolver_priv.h"

/* A channel's ports are known to whoever saw one answer: not for long. */
#define PORT_USES 256
/* Answers of SIZED bytes that a socket has room for, as Linux counts them. */
#define PORT_PENDING 64
#define SIZED 1232

static void channel_retire(green_resolver *r, green__dns_channel *c)
{
  for (uint32_t i = 0; i < r->n_servers; i++)
    for (int tcp = 0; tcp < 2; tcp++)
      if (r->servers[i].channels[tcp] == c) r->servers[i].channels[tcp] = NULL;
  c->retired = 1;
}

void green__resolver_rest(green_resolver *r, green__dns_channel *c)
{
  if (c->wanted || (c->pending == 0 && !c->retired)) return;
  if (!c->retired) channel_retire(r, c);
  green__dns_channel_close(c);
}

static uint32_t port_uses(const green_resolver *r, int tcp)
{
  return r->opts.alone && !tcp ? 1 : PORT_USES;
}

/* What finds no room when it comes is lost. */
static uint32_t port_room(const green_resolver *r, int tcp)
{
  uint32_t size = (uint32_t)r->opts.edns;
  if (tcp) return PORT_USES;
  return size > SIZED ? PORT_PENDING * SIZED / size : PORT_PENDING;
}

green__dns_channel *green__resolver_channel(green_resolver *r,
                                            green__dns_server *s, int tcp,
                                            int *err)
{
  green__dns_channel *old = s->channels[tcp], *c;
  int is_usable = old && old->asked < port_uses(r, tcp);
  if (is_usable && old->pending < port_room(r, tcp)) return old;
  *err =
      tcp ? green__dns_tcp_new(&c, r->hub, &s->addr)
          : green__dns_udp_new(&c, r->hub, &s->addr, r->opts.edns, is_usable);
  if (*err < 0 && is_usable) {
    *err = 0;
    return old;
  }
  if (*err < 0) return NULL;
  if (old) {
    channel_retire(r, old);
    green__resolver_rest(r, old);
  }
  green_list_push(&r->channels, &c->link);
  s->channels[tcp] = c;
  return c;
}
