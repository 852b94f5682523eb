/*
** fork_test.c: how a process knows that it is another one, and what its hubs
** do then.
*/

#include "child.h"
#include "hub/fd_kit.h"
#include "base/fork.h"
#include "hub/hub_priv.h"

#include <fcntl.h>
#include <pthread.h>

#define MS (GREEN_SECOND / 1000)

static pid_t (*const makers[])(void) = {fork_by_c, fork_by_clone};
static const char *const maker_names[] = {"fork", "clone"};
enum { N_MAKERS = 2 };

/* -- Generations ---------------------------------------------------------- */

static void *ask_generation(void *arg)
{
  *(uint32_t *)arg = green_fork_generation();
  return NULL;
}

static void test_one_process(void)
{
  pthread_t thread;
  uint32_t there = 0, here = green_fork_generation(), kept = here;
  ok(here, "a generation is never 0");
  is(green_fork_generation(), here, "it stays the same");
  green_fork_watch();
  is(green_fork_generation(), here, "however often it is watched");
  if (pthread_create(&thread, NULL, ask_generation, &there)) abort();
  pthread_join(thread, NULL);
  is(there, here, "in every thread");
  is(green_fork_happened(&kept), 0, "nothing has happened");
  is(kept, here, "to who keeps it");
  is(*green_fork_word(), here, "nor to who looks at the word");
}

typedef struct family {
  uint32_t parent, child;
  pid_t (*make)(void);
} family;

static void grandchild(void *arg)
{
  family *f = arg;
  uint32_t kept = f->parent;
  must(green_fork_generation() != f->parent);
  must(green_fork_generation() != f->child);
  must(green_fork_generation() == green_fork_generation());
  must(green_fork_happened(&kept) == 1);
  must(green_fork_happened(&f->child) == 1);
  must(kept == f->child);
}

static void child_with_child(void *arg)
{
  family *f = arg;
  f->child = green_fork_generation();
  must(f->child && f->child != f->parent);
  must(in_child_by(f->make, grandchild, f) == 0);
  must(green_fork_generation() == f->child);
}

static void test_child_and_grandchild(pid_t (*make)(void))
{
  family f = {.parent = green_fork_generation(), .make = make};
  is(in_child_by(make, child_with_child, &f), 0,
     "child and grandchild have generations of their own");
  is(green_fork_generation(), f.parent, "the parent keeps its own");
}

/* A child that never asks, and its child, which does. */
static void child_that_does_not_ask(void *arg)
{
  family *f = arg;
  f->child = f->parent;
  must(in_child_by(f->make, grandchild, f) == 0);
}

static void test_grandchild_alone_asks(pid_t (*make)(void))
{
  family f = {.parent = green_fork_generation(), .make = make};
  is(in_child_by(make, child_that_does_not_ask, &f), 0,
     "a grandchild sees it too when its parent did not ask");
}

static void child_of_keepers(void *arg)
{
  uint32_t *kept = arg;
  for (int i = 0; i < 3; i++) {
    must(green_fork_happened(&kept[i]) == 1);
    must(green_fork_happened(&kept[i]) == 0);
  }
  must(kept[0] == green_fork_generation());
  must(kept[1] == kept[0] && kept[2] == kept[0]);
  for (int i = 0; i < 3; i++) must(green_fork_happened(&kept[i]) == 0);
}

static void test_keepers(pid_t (*make)(void))
{
  uint32_t kept[3];
  for (int i = 0; i < 3; i++) kept[i] = green_fork_generation();
  is(in_child_by(make, child_of_keepers, kept), 0, "each keeper sees it, once");
  is(green_fork_happened(&kept[1]), 0, "none does in the parent");
}

/* -- Once ----------------------------------------------------------------- */

enum { COMERS = 6 };

static green_forkonce once;
static int once_calls, once_made;

static void once_make(void *arg)
{
  once_calls++;
  usleep(2000); /* The others come meanwhile. */
  *(int *)arg = 1;
}

/* Its answer: was it made when this went on? */
static void *once_come(void *arg)
{
  (void)arg;
  green_forkonce_check(&once, once_make, &once_made);
  return once_made ? &once : NULL;
}

static int once_all_come(void)
{
  pthread_t threads[COMERS];
  int n = 0;
  for (int i = 0; i < COMERS; i++)
    if (pthread_create(&threads[i], NULL, once_come, NULL)) abort();
  for (int i = 0; i < COMERS; i++) {
    void *answer;
    pthread_join(threads[i], &answer);
    n += answer != NULL;
  }
  return n;
}

static void once_in_a_child(void *arg)
{
  (void)arg;
  once_calls = once_made = 0;
  must(once_all_come() == COMERS);
  must(once_calls == 1);
  once_come(NULL);
  must(once_calls == 1);
}

static void test_once(pid_t (*make)(void))
{
  once = (green_forkonce){0, 0};
  once_calls = once_made = 0;
  is(in_child_by(make, once_in_a_child, NULL), 0,
     "made in a child that is the first");
  is(once_all_come(), COMERS, "nobody goes on before it is made");
  is(once_calls, 1, "one makes it");
  is(in_child_by(make, once_in_a_child, NULL), 0, "in a child once more");
}

/* -- Hooks ---------------------------------------------------------------- */

typedef struct hook {
  green_forkhook hook;
  char name;
  struct hook *removes;
} hook;

static void hook_run(green_forkhook *h)
{
  hook *me = green_container(h, hook, hook);
  trace_add(me->name);
  if (me->removes) green_forkhook_remove(&me->removes->hook);
}

static void hook_add(hook *h, green_hub *hub, char name)
{
  memset(h, 0, sizeof(*h));
  h->hook.run = hook_run;
  h->name = name;
  green_hub_on_fork(hub, &h->hook);
}

static void hooks_of_a_grandchild(void *hub)
{
  trace_clear();
  must(green_hub_check_fork(hub) == 1);
  must(!strcmp(trace, "abc"));
}

static void hooks_in_order(void *hub)
{
  trace_clear();
  must(green_hub_check_fork(hub) == 1);
  must(!strcmp(trace, "abc"));
  must(green_hub_check_fork(hub) == 0);
  turns(hub, 2);
  must(!strcmp(trace, "abc"));
  must(in_child(hooks_of_a_grandchild, hub) == 0);
}

static void test_hooks_in_order(void)
{
  green_hub *hub = hub_open(NULL);
  hook a, b, c;
  hook_add(&a, hub, 'a');
  hook_add(&b, hub, 'b');
  hook_add(&c, hub, 'c');
  is(in_child(hooks_in_order, hub), 0,
     "hooks run in order, once in each generation");
  trace_clear();
  is(green_hub_check_fork(hub), 0, "a parent is no child");
  is_str(trace, "", "and runs none");
  green_hub_free(hub);
}

typedef struct hooked {
  green_hub *hub;
  hook h[4];
} hooked;

static void hooks_removed(void *arg)
{
  hooked *k = arg;
  trace_clear();
  green_hub_check_fork(k->hub);
  must(!strcmp(trace, "abd"));
}

static void test_hooks_remove_each_other(void)
{
  hooked k = {.hub = hub_open(NULL)};
  for (int i = 0; i < 4; i++) hook_add(&k.h[i], k.hub, (char)('a' + i));
  k.h[0].removes = &k.h[0]; /* Itself, */
  k.h[1].removes = &k.h[2]; /* one to come, */
  k.h[3].removes = &k.h[1]; /* one that was. */
  is(in_child(hooks_removed, &k), 0, "a hook may remove any of them");
  k.h[0].removes = k.h[1].removes = k.h[3].removes = NULL;
  green_forkhook_remove(&k.h[2].hook);
  is(in_child(hooks_removed, &k), 0, "removed before, it does not run");
  green_hub_free(k.hub);
}

static void hooks_before_tasks(void *hub)
{
  trace_clear();
  turns(hub, 1);
  must(!strcmp(trace, "ht"));
}

static void test_hooks_come_before_tasks(void)
{
  green_hub *hub = hub_open(NULL);
  hook h;
  actor t;
  hook_add(&h, hub, 'h');
  actor_start(&t, hub, 't', step_end);
  is(in_child(hooks_before_tasks, hub), 0, "before the child's first batch");
  green_hub_abandon(hub);
  green_hub_free(hub);
}

/* -- Loops ---------------------------------------------------------------- */

typedef struct parcel {
  green_post post;
  green_hub *hub;
  int run;
} parcel;

static void parcel_run(green_post *p)
{
  green_container(p, parcel, post)->run++;
}

static void *parcel_send(void *arg)
{
  parcel *p = arg;
  usleep(2000);
  green_hub_post(p->hub, &p->post);
  return NULL;
}

/* A hub in the middle of things: a reader that the kernel knows, a deadline. */
typedef struct scene {
  green_hub *hub;
  green_fd f;
  int peer;
  actor reader;
  actor sleeper;
} scene;

static void scene_open(scene *s, const char *backend)
{
  int fds[2];
  memset(s, 0, sizeof(*s));
  s->hub = hub_open(backend);
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds)) abort();
  if (green_fd_open(&s->f, s->hub, fds[0]) < 0) abort();
  s->peer = fds[1];
  actor_start(&s->reader, s->hub, 0, step_read);
  s->reader.fd = &s->f;
  actor_start(&s->sleeper, s->hub, 0, step_park);
  s->sleeper.deadline = green_hub_now(s->hub) + 20 * MS;
  turns(s->hub, 2);
}

static void scene_close(scene *s)
{
  green_hub_abandon(s->hub);
  green_fd_close(&s->f);
  close(s->peer);
  ok(is_clean(s->hub), "nothing is left");
  green_hub_free(s->hub);
}

static int is_dead(const actor *a)
{
  return a->task.state == GREEN_TASK_DEAD;
}

static void posts_in_a_child(green_hub *hub)
{
  pthread_t thread;
  parcel p = {.post.run = parcel_run, .hub = hub};
  green_hub_hold(hub);
  if (pthread_create(&thread, NULL, parcel_send, &p)) abort();
  while (!p.run) green_hub_turn(hub, 1);
  pthread_join(thread, NULL);
  green_hub_unhold(hub);
  must(p.run == 1);
}

static void loop_in_a_child(void *arg)
{
  scene *s = arg;
  must(s->reader.task.state == GREEN_TASK_PARKED);
  put(s->peer);
  turns(s->hub, 2);
  must(is_dead(&s->reader) && s->reader.task.status == 0);
  take(s->f.fd);
  posts_in_a_child(s->hub);
  while (!is_dead(&s->sleeper)) green_hub_turn(s->hub, 1);
  must(s->sleeper.task.status == GREEN_ETIMEDOUT);
  must(green_hub_turn(s->hub, 1) == 0);
  must(stats_of(s->hub).waits == 0);
  green_fd_close(&s->f);
  must(is_clean(s->hub));
  green_hub_free(s->hub);
}

static void test_loop(const char *backend, pid_t (*make)(void))
{
  scene s;
  scene_open(&s, backend);
  is(in_child_by(make, loop_in_a_child, &s), 0,
     "events, deadlines and posts work in a child");
  turns(s.hub, 2);
  ok(!is_dead(&s.reader), "the parent's reader has not heard of it");
  put(s.peer);
  turns(s.hub, 2);
  ok(is_dead(&s.reader) && s.reader.task.status == 0, "but hears its own");
  while (!is_dead(&s.sleeper)) green_hub_turn(s.hub, 1);
  is(s.sleeper.task.status, GREEN_ETIMEDOUT, "deadlines stand");
  scene_close(&s);
}

/* Registers, closes and reuses what the parent watches. */
static void meddle(void *arg)
{
  scene *s = arg;
  green_fd again = {0};
  actor w;
  int number = s->f.fd;
  green_fd_close(&s->f);
  must(dup2(s->peer, number) == number);
  must(green_fd_open(&again, s->hub, number) == 0);
  actor_start(&w, s->hub, 0, step_write);
  w.fd = &again;
  turns(s->hub, 3);
  must(is_dead(&s->reader) && s->reader.task.status == GREEN_ECLOSED);
  must(is_dead(&w) && w.task.status == 0);
  green_fd_close(&again);
  green_hub_abandon(s->hub);
  green_hub_free(s->hub);
}

/* Closes all before its hub has looked where it is. */
static void leave_at_once(void *arg)
{
  scene *s = arg;
  green_hub_abandon(s->hub);
  green_fd_close(&s->f);
  green_hub_free(s->hub);
}

static void test_parents_poll_is_untouched(const char *backend,
                                           pid_t (*make)(void), child_fn *fn)
{
  scene s;
  scene_open(&s, backend);
  is(in_child_by(make, fn, &s), 0, "a child does as it likes");
  turns(s.hub, 2);
  ok(!is_dead(&s.reader), "nothing happens in the parent");
  put(s.peer);
  turns(s.hub, 2);
  ok(is_dead(&s.reader) && s.reader.task.status == 0,
     "which still gets its events");
  scene_close(&s);
}

static void turn_for_ever(void *hub)
{
  green_hub_hold(hub);
  for (;;) green_hub_turn(hub, 0);
}

/* A wake-up that both shared would be the child's half of the time. */
static void test_no_wakeup_is_lost(const char *backend, pid_t (*make)(void))
{
  green_hub *hub = hub_open(backend);
  parcel early = {.post.run = parcel_run, .hub = hub};
  int woken = 0;
  turns(hub, 1);
  green_hub_post(hub, &early.post);
  pid_t pid = child_start_by(make, turn_for_ever, hub);
  usleep(2000);
  turns(hub, 2);
  is(early.run, 1, "a post from before the fork is run in the parent");
  green_hub_hold(hub);
  for (int i = 0; i < 10; i++) {
    pthread_t thread;
    parcel p = {.post.run = parcel_run, .hub = hub};
    if (pthread_create(&thread, NULL, parcel_send, &p)) abort();
    while (!p.run) green_hub_turn(hub, 1);
    pthread_join(thread, NULL);
    woken += p.run;
  }
  is(woken, 10, "each later one wakes it, whatever its child polls");
  green_hub_unhold(hub);
  kill(pid, SIGKILL);
  is(child_end(pid), -SIGKILL, "the child was at it all the time");
  green_hub_free(hub);
}

typedef struct mailing {
  green_hub *hub;
  parcel p;
} mailing;

static void run_what_was_posted(void *arg)
{
  mailing *m = arg;
  turns(m->hub, 2);
  must(m->p.run == 1);
  must(green_hub_turn(m->hub, 1) == 0);
}

static void test_posts_of_before(const char *backend)
{
  mailing m = {.hub = hub_open(backend)};
  m.p.post.run = parcel_run;
  turns(m.hub, 1);
  green_hub_post(m.hub, &m.p.post);
  is(in_child(run_what_was_posted, &m), 0,
     "what was posted before the fork runs in the child too");
  turns(m.hub, 1);
  is(m.p.run, 1, "and in the parent");
  green_hub_free(m.hub);
}

/* -- A backend of another kind -------------------------------------------- */

static void use_in_a_child(void *arg)
{
  scene *s = arg;
  must(green_hub_use(s->hub, "select") == 0);
  put(s->peer);
  turns(s->hub, 2);
  must(is_dead(&s->reader) && s->reader.task.status == 0);
  posts_in_a_child(s->hub);
}

static void test_use_in_a_child(const char *backend)
{
  scene s;
  scene_open(&s, backend);
  is(in_child(use_in_a_child, &s), 0, "a child may change its backend");
  scene_close(&s);
}

/* A thread of the parent's that was posting never comes to its end here. */
static void free_in_a_child(void *arg)
{
  alarm(10);
  green_hub_free(arg);
}

static void switch_in_a_child(void *arg)
{
  alarm(10);
  must(green_hub_use(arg, "poll") == 0);
  green_hub_free(arg);
}

static void test_forked_while_others_post(void)
{
  green_hub *hub = hub_open(NULL);
  turns(hub, 1);
  atomic_store(&hub->posting, 1);
  is(in_child(free_in_a_child, hub), 0, "a hub of a child is freed");
  is(in_child(switch_in_a_child, hub), 0, "and changes its backend");
  atomic_store(&hub->posting, 0);
  green_hub_free(hub);
}

int main(void)
{
  t_start();
  green_fork_watch();
  test_one_process();
  for (int m = 0; m < N_MAKERS; m++) {
    printf("# %s\n", maker_names[m]);
    test_child_and_grandchild(makers[m]);
    test_grandchild_alone_asks(makers[m]);
    test_keepers(makers[m]);
    test_once(makers[m]);
  }
  test_hooks_in_order();
  test_hooks_remove_each_other();
  test_hooks_come_before_tasks();
  for (int i = 0; i < N_BACKENDS; i++) {
    for (int m = 0; m < N_MAKERS; m++) {
      printf("# %s, %s\n", backends[i], maker_names[m]);
      test_loop(backends[i], makers[m]);
      test_parents_poll_is_untouched(backends[i], makers[m], meddle);
      test_parents_poll_is_untouched(backends[i], makers[m], leave_at_once);
      test_no_wakeup_is_lost(backends[i], makers[m]);
    }
    test_posts_of_before(backends[i]);
    test_use_in_a_child(backends[i]);
  }
  test_forked_while_others_post();
  return t_done();
}
