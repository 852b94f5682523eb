/*
** host_test.c: who else wakes a hub: posts of threads and signal handlers,
** and a host program's loop.
*/

#include "actor.h"
#include "child.h"

#include <ev.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>

#define MS (GREEN_SECOND / 1000)

static const char *const backends[] = {"epoll", "poll", "select"};
enum { N_BACKENDS = 3 };

/* -- Posts ---------------------------------------------------------------- */

typedef struct parcel {
  green_post post;
  char name;
  green_hub *hub;
  struct parcel *then;
  actor *wakes;
} parcel;

static atomic_int parcels_run;

static void parcel_run(green_post *p)
{
  parcel *c = green_container(p, parcel, post);
  atomic_fetch_add(&parcels_run, 1);
  if (c->name) trace_add(c->name);
  if (c->then) green_hub_post(c->hub, &c->then->post);
  if (c->wakes) green_task_wake(&c->wakes->task, 0);
}

static void test_posts_in_order(void)
{
  green_hub *hub = hub_open(NULL);
  parcel c = {.post.run = parcel_run, .name = 'c', .hub = hub};
  parcel a = {.post.run = parcel_run, .name = 'a', .hub = hub, .then = &c};
  parcel b = {.post.run = parcel_run, .name = 'b', .hub = hub};
  trace_clear();
  green_hub_post(hub, &a.post);
  green_hub_post(hub, &b.post);
  is_str(trace, "", "a post runs nothing at once");
  is(green_hub_turn(hub, 1), 1, "a turn has something to do then");
  ok(!strncmp(trace, "ab", 2), "and runs them in order");
  turns(hub, 1);
  is_str(trace, "abc", "one posted by a post too");
  is(green_hub_turn(hub, 1), 0, "and then there is nothing more");
  green_hub_free(hub);
}

static green_hub *signal_hub;
static parcel signal_parcel;

static void on_signal(int sig)
{
  (void)sig;
  green_hub_post(signal_hub, &signal_parcel.post);
}

static void test_post_from_a_signal_handler(void)
{
  struct sigaction sa = {.sa_handler = on_signal}, old;
  green_hub *hub = hub_open(NULL);
  actor a;
  signal_hub = hub;
  signal_parcel = (parcel){.post.run = parcel_run, .wakes = &a};
  actor_start(&a, hub, 'a', step_park);
  turns(hub, 1);
  sigaction(SIGUSR1, &sa, &old);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &old, NULL);
  turns(hub, 2);
  is(a.task.state, GREEN_TASK_DEAD, "signal handlers may post");
  green_hub_free(hub);
}

enum { POSTERS = 4, POSTS = 2000 };

typedef struct poster {
  pthread_t thread;
  green_hub *hub;
  parcel parcels[POSTS];
} poster;

static void *poster_main(void *arg)
{
  poster *p = arg;
  for (int i = 0; i < POSTS; i++) green_hub_post(p->hub, &p->parcels[i].post);
  return NULL;
}

static poster *posters_start(green_hub *hub)
{
  poster *p = calloc(POSTERS, sizeof(*p));
  atomic_store(&parcels_run, 0);
  green_hub_hold(hub);
  for (int i = 0; i < POSTERS; i++) {
    p[i].hub = hub;
    for (int k = 0; k < POSTS; k++) p[i].parcels[k].post.run = parcel_run;
    if (pthread_create(&p[i].thread, NULL, poster_main, &p[i])) abort();
  }
  return p;
}

static void posters_join(green_hub *hub, poster *p)
{
  for (int i = 0; i < POSTERS; i++) pthread_join(p[i].thread, NULL);
  green_hub_unhold(hub);
  free(p);
}

static void test_posts_from_threads(void)
{
  green_hub *hub = hub_open(NULL);
  poster *p = posters_start(hub);
  while (atomic_load(&parcels_run) < POSTERS * POSTS) green_hub_turn(hub, 1);
  posters_join(hub, p);
  is(parcels_run, POSTERS * POSTS,
     "posts of other threads wake a hub that "
     "waits, and none is lost");
  is(green_hub_turn(hub, 1), 0, "nothing is left");
  green_hub_free(hub);
}

static void test_posts_while_the_backend_changes(void)
{
  green_hub *hub = hub_open(NULL);
  poster *p = posters_start(hub);
  int i = 0;
  while (atomic_load(&parcels_run) < POSTERS * POSTS) {
    green_hub_use(hub, backends[i++ % N_BACKENDS]);
    green_hub_turn(hub, 1);
  }
  posters_join(hub, p);
  is(parcels_run, POSTERS * POSTS, "nor while the backend changes");
  green_hub_free(hub);
}

/* -- Several hubs --------------------------------------------------------- */

static void *hub_main(void *arg)
{
  (void)arg;
  green_hub *hub = hub_open(NULL);
  actor a;
  actor_start(&a, hub, 0, step_spin);
  a.value = 1000;
  run_out(hub);
  int clean = is_clean(hub);
  green_hub_free(hub);
  return clean ? hub : NULL;
}

static void test_a_hub_a_thread(void)
{
  pthread_t threads[3];
  void *result;
  int good = 0;
  for (int i = 0; i < 3; i++)
    if (pthread_create(&threads[i], NULL, hub_main, NULL)) abort();
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], &result);
    good += result != NULL;
  }
  is(good, 3, "each thread can have a hub of its own");
}

/* -- In a host's loop ----------------------------------------------------- */

static void host_stop(struct ev_loop *ev, ev_timer *w, int revents)
{
  (void)w, (void)revents;
  ev_break(ev, EVBREAK_ALL);
}

/* Let the host run its loop for that long, and then what is due by the end: a
** process that had to wait for the processor finds the host's timer in the same
** iteration as its own events. */
static void host_run(struct ev_loop *ev, int64_t ns)
{
  ev_timer w;
  ev_timer_init(&w, host_stop, (double)ns * 1e-9, 0.);
  ev_now_update(ev);
  ev_timer_start(ev, &w);
  ev_run(ev, 0);
  ev_timer_stop(ev, &w);
  for (int i = 0; i < 100; i++) ev_run(ev, EVRUN_NOWAIT);
}

static void test_attach(void)
{
  struct ev_loop *ev = ev_loop_new(EVFLAG_AUTO);
  green_hub *hub;
  green_fd f;
  actor spin, slow, r;
  int s[2];
  is(green_hub_attach(&hub, NULL), GREEN_EINVAL, "attach to nothing");
  is(green_hub_attach(&hub, ev), 0, "attach to a host's loop");
  is(green_hub_use(hub, "poll"), GREEN_EBUSY, "whose backend is the host's");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  green_fd_open(&f, hub, s[0]);
  actor_start(&spin, hub, 's', step_spin);
  spin.value = 10;
  actor_start(&slow, hub, 0, step_park);
  slow.deadline = green_hub_now(hub) + 3 * MS;
  actor_start(&r, hub, 0, step_read);
  r.fd = &f;
  if (write(s[1], "x", 1) != 1) abort();
  host_run(ev, 20 * MS);
  is(spin.task.state, GREEN_TASK_DEAD, "the host's run turns the hub");
  is(slow.task.status, GREEN_ETIMEDOUT, "deadlines fire in it");
  is(r.task.status, 0, "descriptors are watched by it");
  ok(!stats_of(hub).ready && !stats_of(hub).timers, "nothing is left over");
  green_fd_close(&f);
  close(s[1]);
  green_hub_free(hub);
  ev_run(ev, 0);
  ok(1, "a freed hub leaves nothing in the loop that would keep it running");
  ev_loop_destroy(ev);
}

static void *post_later(void *arg)
{
  parcel *p = arg;
  usleep(2000);
  green_hub_post(p->hub, &p->post);
  return NULL;
}

static struct ev_loop *host_loop;

static void step_break(actor *a)
{
  if (a->runs == 1)
    green_task_park(&a->task, NULL, GREEN_NEVER);
  else
    ev_break(host_loop, EVBREAK_ALL);
}

static void test_attach_post(void)
{
  green_hub *hub;
  actor a;
  pthread_t thread;
  ev_timer keep;
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&hub, host_loop);
  parcel p = {.post.run = parcel_run, .hub = hub, .wakes = &a};
  actor_start(&a, hub, 0, step_break);
  ev_timer_init(&keep, host_stop, 60., 0.);
  ev_timer_start(host_loop, &keep);
  if (pthread_create(&thread, NULL, post_later, &p)) abort();
  ev_run(host_loop, 0);
  pthread_join(thread, NULL);
  is(a.task.state, GREEN_TASK_DEAD, "a post wakes a host that waits");
  ev_timer_stop(host_loop, &keep);
  green_hub_free(hub);
  ev_loop_destroy(host_loop);
}

static void step_host_nest(actor *a)
{
  trace_add('(');
  ev_run(host_loop, EVRUN_NOWAIT);
  trace_add(')');
  is(green_hub_turn(a->task.hub, 0), GREEN_EBUSY, "a turn is refused in it");
}

static void test_attach_does_not_nest(void)
{
  green_hub *hub;
  actor a, b, c;
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&hub, host_loop);
  trace_clear();
  actor_start(&a, hub, 'a', step_host_nest);
  actor_start(&b, hub, 'b', step_end);
  actor_start(&c, hub, 'c', step_spin);
  c.value = 1;
  ev_run(host_loop, 0);
  is_str(trace, "a()bcc",
         "a host that runs its loop inside of a task gets its "
         "own events, and no other task");
  green_hub_free(hub);
  ev_loop_destroy(host_loop);
}

static void test_attach_deadlock(void)
{
  green_hub *hub;
  actor a;
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&hub, host_loop);
  actor_start(&a, hub, 0, step_park);
  is(green_hub_turn(hub, 0), 1, "in a host's loop there is always a future");
  ev_run(host_loop, 0);
  is(a.task.state, GREEN_TASK_PARKED, "a parked task does not keep the host");
  green_hub_free(hub);
  ev_loop_destroy(host_loop);
}

/* The host calls into the hub from its own callback. */
static green_hub *host_hub;
static actor *host_actor;
static int host_calls;

static void host_calls_back(struct ev_loop *ev, ev_timer *w, int revents)
{
  static const int never;
  (void)ev, (void)w, (void)revents;
  int before = host_actor->runs;
  host_calls++;
  is(green_hub_is_busy(host_hub), 1, "inside the host's run it is busy");
  is(green_hub_run(host_hub, &never), GREEN_EBUSY, "a run is refused there");
  is(green_hub_turn(host_hub, 0), GREEN_EBUSY, "and a turn");
  is(green_hub_turn(host_hub, 1), GREEN_EBUSY, "that may wait, too");
  is(host_actor->runs, before, "nothing has run");
}

static void test_busy_inside_the_host(void)
{
  actor a;
  ev_timer w;
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&host_hub, host_loop);
  host_actor = &a;
  actor_start(&a, host_hub, 0, step_spin);
  a.value = 1L << 30;
  is(green_hub_is_busy(host_hub), 0, "outside of it, it is free");
  is(green_hub_turn(host_hub, 0), 1, "and can be turned");
  ok(a.runs > 0, "by whoever has it");
  ev_timer_init(&w, host_calls_back, 0.001, 0.);
  ev_timer_start(host_loop, &w);
  host_run(host_loop, 5 * MS);
  is(host_calls, 1, "the host has called");
  ok(a.runs > 1, "its run turns the hub");
  is(green_hub_is_busy(host_hub), 0, "after it the hub is free");
  is(green_hub_turn(host_hub, 0), 1, "to be turned again");
  green_task_end(&a.task);
  ok(is_clean(host_hub), "nothing is left");
  green_hub_free(host_hub);
  ev_loop_destroy(host_loop);
}

static void test_many_deadlines_in_a_host(void)
{
  static actor a[3000];
  green_hub *hub;
  int late = 0;
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&hub, host_loop);
  for (int i = 0; i < 3000; i++) {
    actor_start(&a[i], hub, 0, step_park);
    a[i].deadline = green_hub_now(hub);
  }
  host_run(host_loop, 50 * MS);
  for (int i = 0; i < 3000; i++) late += a[i].task.status == GREEN_ETIMEDOUT;
  is(late, 3000, "a long row of deadlines goes through a host's run too");
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
  ev_loop_destroy(host_loop);
}

static int second_step;

static void step_until_the_second(actor *a)
{
  if (a->name == 'a' && a->runs == 2) second_step = 1;
  green_task_yield(&a->task);
}

static void test_a_run_from_outside_the_host(void)
{
  green_hub *hub;
  actor a, b;
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&hub, host_loop);
  trace_clear();
  second_step = 0;
  actor_start(&a, hub, 'a', step_until_the_second);
  actor_start(&b, hub, 'b', step_until_the_second);
  green_hub_run(hub, &second_step);
  is_str(trace, "aba", "one batch a turn, and none when it is done");
  green_task_end(&a.task);
  green_task_end(&b.task);
  green_hub_free(hub);
  ev_loop_destroy(host_loop);
}

/* -- A host that forks ---------------------------------------------------- */

typedef struct guest {
  green_hub *hub;
  green_fd f;
  int peer;
  actor r;
} guest;

static void host_in_a_child(void *arg)
{
  guest *g = arg;
  if (write(g->peer, "x", 1) != 1) abort();
  host_run(host_loop, 20 * MS);
  must(g->r.task.state == GREEN_TASK_DEAD && g->r.task.status == 0);
  char c;
  must(read(g->f.fd, &c, 1) == 1);
}

static void test_attach_and_fork(void)
{
  guest g;
  int s[2];
  host_loop = ev_loop_new(EVFLAG_AUTO);
  green_hub_attach(&g.hub, host_loop);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, s)) abort();
  green_fd_open(&g.f, g.hub, s[0]);
  g.peer = s[1];
  actor_start(&g.r, g.hub, 0, step_read);
  g.r.fd = &g.f;
  host_run(host_loop, MS);
  is(in_child(host_in_a_child, &g), 0, "a host's loop works in a child");
  host_run(host_loop, MS);
  is(g.r.task.state, GREEN_TASK_PARKED, "the parent's has not heard of it");
  if (write(g.peer, "x", 1) != 1) abort();
  host_run(host_loop, 5 * MS);
  is(g.r.task.state, GREEN_TASK_DEAD, "but hears its own");
  green_fd_close(&g.f);
  close(g.peer);
  green_hub_free(g.hub);
  ev_loop_destroy(host_loop);
}

int main(void)
{
  t_start();
  test_posts_in_order();
  test_post_from_a_signal_handler();
  test_posts_from_threads();
  test_posts_while_the_backend_changes();
  test_a_hub_a_thread();
  test_attach();
  test_attach_post();
  test_attach_does_not_nest();
  test_attach_deadlock();
  test_busy_inside_the_host();
  test_many_deadlines_in_a_host();
  test_a_run_from_outside_the_host();
  test_attach_and_fork();
  return t_done();
}
