/*
** dns_channel.c: what channels by UDP and by TCP have in common: how they tell
** what came of questions, and how they end.
**
** What is told outside of a task of the channel's own is told by its teller: a
** task of one turn. Work that is deferred in deferred work would wait for the
** poll after the next.
*/

#include "io/dns_priv.h"

#include "base/mem.h"

#include <string.h>

static green__dns_channel *channel_of(green_task *t)
{
  return green_container(t, green__dns_channel, teller);
}

void green__dns_channel_tell(green__dns_channel *c)
{
  green_list done;
  green_list_init(&done);
  green_list_splice(&done, &c->done);
  for (green_link *k; (k = green_list_pop(&done));) {
    green__dns_call *call = green_container(k, green__dns_call, link);
    call->done(call);
  }
}

static void teller_end(green__dns_channel *c)
{
  if (!c->tells) return;
  c->tells = 0;
  green_task_end(&c->teller);
}

static void teller_resume(green_task *t)
{
  green__dns_channel *c = channel_of(t);
  if (green_hub_check_fork(t->hub)) return;
  teller_end(c);
  green__dns_channel_tell(c);
  if (c->closing) green__dns_channel_free(c);
}

void green__dns_channel_init(green__dns_channel *c, green_hub *hub,
                             const green__dns_way *way)
{
  c->hub = hub;
  c->way = way;
  green_list_init(&c->done);
}

void green__dns_channel_soon(green__dns_channel *c)
{
  if (c->tells) return;
  c->tells = 1;
  memset(&c->teller, 0, sizeof(c->teller));
  green_task_init(&c->teller, c->hub, teller_resume);
  green_task_start(&c->teller);
}

void green__dns_channel_over(green__dns_channel *c, green__dns_call *call,
                             int status)
{
  call->status = status;
  c->pending--;
  green_list_push(&c->done, &call->link);
}

void green__dns_channel_answer(green__dns_channel *c, green__dns_call *call,
                               const void *answer, size_t n)
{
  call->answer = green__alloc(n);
  if (call->answer) {
    memcpy(call->answer, answer, n);
    call->len = (int32_t)n;
  }
  green__dns_channel_over(c, call, call->answer ? 0 : GREEN_ENOMEM);
}

void green__dns_channel_ask(green__dns_channel *c, green__dns_call *call,
                            const uint8_t *query, size_t n)
{
  call->channel = c;
  call->query = query;
  call->query_len = (uint16_t)n;
  c->asked++;
  c->pending++;
  c->way->ask(c, call);
}

int green__dns_channel_again(green__dns_channel *c, const green__dns_call *call)
{
  return c->way->again && c->way->again(c, call);
}

void green__dns_channel_close(green__dns_channel *c)
{
  c->closing = 1;
  green__dns_channel_soon(c);
}

void green__dns_channel_free(green__dns_channel *c)
{
  green_link_remove(&c->link);
  c->way->end(c);
  green__dns_channel_tell(c);
  teller_end(c);
  green__free(c);
}
