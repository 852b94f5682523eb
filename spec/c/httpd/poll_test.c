/*
** poll_test.c: a worker that waits for connections in place.
*/

#include "httpd/httpd_kit.h"

/* wrap: nanosleep */

static int naps;
static int64_t nap_ns;
static int is_swept,
    was_swept; /* Deferred work is done; before the nap, too. */

static void sweep(green_defer *d)
{
  (void)d;
  is_swept = 1;
}

int __real_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
  (void)left;
  naps++;
  was_swept = is_swept;
  nap_ns = t->tv_sec * GREEN_SECOND + t->tv_nsec;
  return 0;
}

/* On the system's clock: a virtual one is not waited for in place. */
static house real_house(void)
{
  house h = {.hub = hub_open(NULL)};
  h.d = green_httpd_new(h.hub);
  if (!h.d) abort();
  h.d->date = false;
  h.d->gather = true;
  return h;
}

/* A client that says the next of its lines at a deadline. */
typedef struct guest {
  green_timer timer;
  green_hub *hub;
  int fd;
  const char *say[3];
  int said;
} guest;

static void guest_speak(green_timer *t)
{
  guest *g = green_container(t, guest, timer);
  say(g->fd, g->say[g->said++]);
  if (g->said < 3 && g->say[g->said])
    green_hub_timer_set(g->hub, t, green_hub_now(g->hub) + 2 * MS);
}

static void guest_come(guest *g, house *h, const char *first)
{
  *g = (guest){.timer.fire = guest_speak, .hub = h->hub};
  g->fd = client_open(h);
  g->say[0] = first;
  green_hub_timer_set(h->hub, &g->timer, green_hub_now(h->hub) + 2 * MS);
}

/* A worker that serves until it has answered so many, and then ends the run. */
typedef struct worker {
  actor a;
  green_httpd *d;
  int wants;
  int served;
  int parks;
  int refused; /* By a status that is no 200. */
} worker;

static int done;

/* With all that c has at hand. */
static void worker_deal(worker *w, green_conn *c)
{
  int more;
  do {
    w->refused += c->found == GREEN_HTTPD_REFUSED;
    w->served++;
    more = c->found == GREEN_HTTPD_REQUEST ? serve(c) : green_conn_finish(c);
  } while (more == 1);
}

static void worker_step(actor *a)
{
  worker *w = green_container(a, worker, a);
  green_conn *c;
  do {
    while ((c = green_httpd_next(w->d)) != NULL) worker_deal(w, c);
  } while (w->served < w->wants && green_httpd_poll(w->d));
  if (w->served >= w->wants) {
    done = 1;
    return;
  }
  w->parks++;
  green_task_park(&a->task, green_httpd_queue(w->d), GREEN_NEVER);
}

static void worker_start(worker *w, house *h, int wants)
{
  memset(w, 0, sizeof(*w));
  w->d = h->d;
  w->wants = wants;
  actor_init(&w->a, h->hub, 0, worker_step);
  green_task_start(&w->a.task);
}

static int run(house *h)
{
  done = 0;
  int err = green_hub_run(h->hub, &done);
  green_hub_check(h->hub);
  return err;
}

/* -- Tests ---------------------------------------------------------------- */

static void test_requests_come(void)
{
  house h = real_house();
  guest g;
  worker w;
  guest_come(&g, &h, GET);
  g.say[1] = GET;
  g.say[2] = GET GET;
  worker_start(&w, &h, 4);
  is(run(&h), 0, "a worker waits for requests and answers them");
  is(w.parks, 0, "without a park");
  is(stats_of(h.hub).switches, 1, "or a switch");
  hear(g.fd);
  is(heard_count("hello"), 4, "all are answered");
  is(h.d->idle, 1, "the connection counts as idle then");
  close(g.fd);
  house_close(&h);
}

static void test_no_second_worker_is_woken(void)
{
  house h = real_house();
  guest g[3];
  worker w, other;
  worker_start(&other, &h, 1);
  run(&h); /* Nobody has come: it parks, and nothing can happen. */
  for (int i = 0; i < 3; i++) guest_come(&g[i], &h, GET);
  worker_start(&w, &h, 3);
  is(run(&h), 0, "three come");
  is(w.served, 3, "the worker that polls serves them all");
  is(other.a.runs, 1, "the other sleeps on");
  green_task_end(&other.a.task);
  for (int i = 0; i < 3; i++) close(g[i].fd);
  house_close(&h);
}

static void test_expiry(void)
{
  house h = real_house();
  guest g;
  worker w;
  h.d->header_timeout = 6 * MS;
  guest_come(&g, &h, "GET / HT");
  worker_start(&w, &h, 1);
  is(run(&h), 0, "a head that does not end has its time");
  is(w.refused, 1, "it is refused while the worker waits in place");
  hear(g.fd);
  ok(heard("HTTP/1.1 408"), "as too slow");
  close(g.fd);
  house_close(&h);
}

static void test_another_server(void)
{
  house h = real_house(), other = {.hub = h.hub};
  guest g;
  worker w, theirs;
  other.d = green_httpd_new(h.hub);
  if (!other.d) abort();
  worker_start(&theirs, &other, 1);
  guest_come(&g, &other, GET);
  worker_start(&w, &h, 1);
  is(run(&h), 0, "bytes for another server of the hub");
  is(theirs.served, 1, "are for its worker");
  is(w.served, 0, "and not for the one that waits in place");
  is(w.a.task.state, GREEN_TASK_PARKED, "which has made room");
  green_task_end(&w.a.task);
  close(g.fd);
  green_httpd_free(other.d);
  house_close(&h);
}

static void test_refused(void)
{
  house h = real_house();
  worker w;
  worker_start(&w, &h, 1);
  is(run(&h), GREEN_EDEADLOCK, "without connections it is a deadlock");
  is(w.parks, 1, "told while the worker is parked");
  green_httpd_deinit(h.d);
  is(green_httpd_poll(h.d), 0, "a server that has ended is not waited for");
  green_task_end(&w.a.task);
  house_close(&h);
}

static void test_not_wanted(void)
{
  house h = real_house();
  guest g;
  worker w;
  h.d->in_place = false;
  guest_come(&g, &h, GET);
  worker_start(&w, &h, 1);
  is(run(&h), 0, "where nobody is to wait in place");
  is(w.parks, 1, "a worker parks");
  is(w.served, 1, "until it is woken");
  close(g.fd);
  house_close(&h);
}

/* -- Naps ------------------------------------------------------------------ */

/* How often it naps when n requests have come at once. */
static int naps_after(int64_t nap, int n)
{
  house h = real_house();
  guest g[20];
  worker w;
  h.d->nap = nap;
  for (int i = 0; i < n; i++) {
    guest_come(&g[i], &h, GET);
    green_hub_timer_stop(h.hub, &g[i].timer);
    say(g[i].fd, GET);
  }
  turns(h.hub, 2);
  guest_come(&g[n], &h, GET);
  worker_start(&w, &h, n + 1);
  green_defer d = {.run = sweep};
  green_hub_defer(h.hub, &d);
  naps = is_swept = 0;
  run(&h);
  for (int i = 0; i <= n; i++) close(g[i].fd);
  house_close(&h);
  return naps;
}

static void test_naps(void)
{
  is(naps_after(20000, 2), 1, "after a few it naps before it looks for more");
  is(nap_ns, 20000, "as long as it was told");
  is(was_swept, 1, "when what was left to do is done");
  is(naps_after(20000, 15), 1, "few are fifteen at most");
  is(naps_after(20000, 16), 0, "many are enough");
  is(naps_after(20000, 1), 0, "one alone does not wait");
  is(naps_after(0, 5), 0, "and none unless it was asked for");
}

int main(void)
{
  t_start();
  test_requests_come();
  test_no_second_worker_is_woken();
  test_expiry();
  test_another_server();
  test_refused();
  test_not_wanted();
  test_naps();
  return t_done();
}
