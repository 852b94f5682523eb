/*
** crew_queue.c: who is in line, whose thread is whose, and threads that are
** lost.
*/

#include "io/crew_priv.h"
#include "base/clock.h"
#include "io/shared.h"

/* The one of all queues that have none of their own. */

static void *shared_make(const void *size)
{
  green__crew *c = green__crew_new(*(const int *)size);
  if (c) c->is_shared = 1;
  return c;
}

static void shared_free(void *c)
{
  green__crew_end(c);
}

static green__shared crew_shared = {
    .make = shared_make, .free = shared_free, .forget = green__crew_forget};

/* With the lock held: threads for n things, as far as there are any. */
static void crew_call_all(green__crew *c, uint32_t n)
{
  for (uint32_t before; n > 0; n--) {
    green__hand *wake = NULL;
    before = c->n_hands;
    green__crew_call(c, &wake);
    if (!wake && c->n_hands == before) return;
    green__hand_wake(wake);
  }
}

static int queue_is_full(const green__queue *q)
{
  return q->most && q->at_work >= q->most;
}

/* With the lock held: what is in q gets its turn. */
static void queue_line_up(green__queue *q)
{
  if (!q->crew || !q->len || green_link_in(&q->link) || queue_is_full(q))
    return;
  if (q->is_pinned && !q->hand) return;
  green_list_push(q->hand ? &q->hand->ready : &q->crew->ready, &q->link);
}

/* -- Pins ----------------------------------------------------------------- */

/* The one with the fewest pins, of these one that is not busy. */
static green__hand *crew_least(const green__crew *c)
{
  green__hand *least = NULL;
  for (green_link *k = c->hands.next; k != &c->hands; k = k->next) {
    green__hand *h = green__hand_of(k);
    if (!least || h->pins < least->pins ||
        (h->pins == least->pins && h->busy < least->busy))
      least = h;
  }
  return least;
}

/* With the lock held: one that is busy or has other pins is taken only where
** there shall be no more. 0, or GREEN_ENOMEM: there is none. */
static int queue_settle(green__queue *q)
{
  green__crew *c = q->crew;
  green__hand *h = crew_least(c);
  if ((!h || h->pins || h->busy) && c->n_hands < c->size) {
    green__hand *another = green__crew_start(c);
    if (another) h = another;
  }
  if (!h) return GREEN_ENOMEM;
  q->hand = h;
  h->pins++;
  green_list_push(&h->pinned, &q->pin);
  return 0;
}

/* With the lock held: in line at its thread, which is told. */
static void queue_go_on(green__queue *q)
{
  if (!q->len || (!q->hand && queue_settle(q) < 0)) return;
  queue_line_up(q);
  green__hand_call_now(q->hand);
}

/* With the lock held: its thread may retire. */
static void queue_unsettle(green__queue *q)
{
  green__hand *h = q->hand;
  if (!h) return;
  green_link_remove(&q->link);
  green_link_remove(&q->pin);
  q->hand = NULL;
  if (--h->pins == 0) green__hand_call_now(h);
}

void green__queue_pin(green__queue *q, const green__queue *beside)
{
  if (q->crew) return;
  q->is_pinned = 1;
  q->crew = beside->crew;
  queue_go_on(q);
}

void green__queue_unpin(green__queue *q)
{
  queue_unsettle(q);
  q->crew = NULL;
}

/* -- Lost threads --------------------------------------------------------- */

/* With the lock held: is there something that nobody else will come for? */
static int hand_is_missed(const green__hand *h)
{
  if (!green_list_empty(&h->crew->ready)) return 1;
  for (green_link *k = h->pinned.next; k != &h->pinned; k = k->next)
    if (green_container(k, green__queue, pin)->len) return 1;
  return 0;
}

static void queue_unrest(green__queue *q)
{
  q->at_work++;
  if (queue_is_full(q)) green_link_remove(&q->link);
}

/* Those pinned to it go elsewhere. */
static void hand_unpin(green__hand *h)
{
  green_link *k;
  while ((k = green_list_first(&h->pinned)) != NULL) {
    green__queue *q = green_container(k, green__queue, pin);
    queue_unsettle(q);
    queue_go_on(q);
  }
}

int green__hand_lose(green__hand *h, green__queue *q)
{
  green__crew *c = h->crew;
  green__hand *wake = NULL;
  green__queue_rest(q);
  c->n_hands--;
  green_link_remove(&h->link);
  if (hand_is_missed(h) && green__crew_call(c, &wake) < 0) {
    c->n_hands++;
    green_list_push(&c->hands, &h->link);
    queue_unrest(q);
    return GREEN_ENOMEM;
  }
  green__hand_wake(wake);
  h->lost = h->detached = 1;
  pthread_detach(h->id);
  green__crew_running_less();
  hand_unpin(h);
  return 0;
}

/* -- In and out ----------------------------------------------------------- */

int green__queue_open(green__queue *q)
{
  if (q->crew) return 0;
  green__crew *c = q->own ? green__crew_new(q->size)
                          : green__shared_acquire(&crew_shared, &q->size);
  if (!c) return GREEN_ENOMEM;
  green__crew_lock();
  q->crew = c;
  queue_line_up(q);
  crew_call_all(c, q->most && q->most < q->len ? q->most : q->len);
  green__crew_unlock();
  return 0;
}

void green__queue_close(green__queue *q)
{
  green__crew *c = q->crew;
  green_assert(q->len == 0, "the queue is empty");
  q->crew = NULL;
  if (!c) return;
  if (c->is_shared)
    green__shared_release(&crew_shared);
  else
    green__crew_end(c);
}

/* The shared one is forgotten by whoever makes the next. */
void green__queue_forked(green__queue *q, uint32_t len)
{
  if (q->own) green__crew_forget(q->crew);
  q->crew = NULL;
  q->hand = NULL;
  q->link = q->pin = (green_link){NULL, NULL};
  q->len = len;
  q->at_work = 0;
}

static int queue_push_pinned(green__queue *q, green__hand **wake)
{
  if (!q->hand && queue_settle(q) < 0) return GREEN_ENOMEM;
  q->len++;
  queue_line_up(q);
  if (green__hand_call(q->hand)) *wake = q->hand;
  return 0;
}

/* Who comes back takes what there is: beyond the limit nobody is called. */
int green__queue_push(green__queue *q, green__hand **wake)
{
  *wake = NULL;
  if (q->is_pinned) return queue_push_pinned(q, wake);
  if (!q->most || q->at_work + q->len < q->most || !q->crew->n_hands) {
    int err = green__crew_call(q->crew, wake);
    if (err < 0) return err;
  }
  q->len++;
  queue_line_up(q);
  return 0;
}

void green__queue_pulled(green__queue *q, uint32_t n)
{
  q->len -= n;
  if (q->len == 0) green_link_remove(&q->link);
}

void green__queue_rest(green__queue *q)
{
  q->at_work--;
  queue_line_up(q);
}

void green__queue_limit(green__queue *q, uint32_t most)
{
  q->most = most;
  if (queue_is_full(q)) green_link_remove(&q->link);
  queue_line_up(q);
  if (q->crew) crew_call_all(q->crew, q->len);
}

uint32_t green__queue_threads(const green__queue *q)
{
  return q->crew ? q->crew->n_hands : 0;
}

uint32_t green__queue_idle(const green__queue *q)
{
  return q->crew ? q->crew->n_idle : 0;
}
