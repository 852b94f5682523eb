/*
** tls_reload.c: contexts that others have replaced.
**
** Whoever has a context keeps the first one for ever, and who makes a
** connection takes what stands in its place: nobody needs to be told.
*/

#include "io/tls_priv.h"

static void take_tickets(green_tls_ctx *c, green_tls_ctx *fresh)
{
  green_tls_ctx *old = green__tls_ctx_newest(c);
  green_tls_ticket_copy(fresh, old);
  green_tls_ctx_free(old);
}

/* They would keep each other. */
static bool leads_back(const green_tls_ctx *fresh, const green_tls_ctx *c)
{
  for (uint32_t i = 0; i < fresh->n_hosts; i++)
    if (fresh->hosts[i]->ctx == c) return true;
  return false;
}

int green_tls_ctx_replace(green_tls_ctx *c, green_tls_ctx *fresh)
{
  green_assert(c->sealed && fresh->sealed, "both are sealed");
  if (c == fresh || c->server != fresh->server || leads_back(fresh, c))
    return GREEN_EINVAL;
  green_assert(!fresh->fresh, "nothing has replaced fresh");
  if (c->server && !fresh->ring.own) take_tickets(c, fresh);
  green__tls_ctx_hold(fresh);
  pthread_mutex_lock(&c->lock);
  green_tls_ctx *old = c->fresh;
  c->fresh = fresh;
  pthread_mutex_unlock(&c->lock);
  green_tls_ctx_free(old);
  return 0;
}

bool green_tls_ctx_changed(green_tls_ctx *c)
{
  green_tls_ctx *newest = green__tls_ctx_newest(c);
  bool changed = green__tls_files_changed(newest);
  green_tls_ctx_free(newest);
  return changed;
}
