/*
** dns_server.c: the health of name servers.
*/

#include "io/dns_priv.h"

/* How long one that is down is left in peace, first and at most. */
#define PEACE (10 * GREEN_SECOND)
#define PEACE_MOST (120 * GREEN_SECOND)

void green__dns_server_fell(green__dns_server *s, int64_t now)
{
  if (s->peace && now < s->down_till) return;
  s->peace = s->peace ? 2 * s->peace : PEACE;
  if (s->peace > PEACE_MOST) s->peace = PEACE_MOST;
  s->down_till = now + s->peace;
}

int green__dns_is_ours(int status)
{
  switch (status) {
  case GREEN_ENOMEM:
  case GREEN_EMFILE:
  case GREEN_ENFILE:
  case GREEN_ENOBUFS:
  case GREEN_EACCES:
  case GREEN_EPERM:
    return 1;
  default:
    return 0;
  }
}
