/*
** contract_test.c: who breaks what a header asks for is told where, and which
** sentence; and a hub that is out of order is found.
**
** Each breach happens in a child. Builds without GREEN_DEBUG check nothing.
*/

#include "actor.h"
#include "child.h"
#include "hub/hub_priv.h"
#include "hub/idle.h"

#include <pthread.h>
#include <sys/socket.h>

#ifdef GREEN_DEBUG

static char told[4096];

/* Run fn in a child and keep what it says. Its exit, as child_end gives it. */
static int tell(child_fn *fn)
{
  int fds[2], n, len = 0;
  if (pipe(fds) < 0) abort();
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) abort();
  if (pid == 0) {
    dup2(fds[1], 2);
    close(fds[0]);
    close(fds[1]);
    fn(hub_open_virtual());
    _exit(0);
  }
  close(fds[1]);
  while ((n = (int)read(fds[0], told + len, sizeof(told) - 1 - (size_t)len)) >
         0)
    len += n;
  told[len] = '\0';
  close(fds[0]);
  return child_end(pid);
}

/* "greenlua: FILE:LINE: broken precondition: SENTENCE" */
static int is_told(child_fn *fn, const char *file, const char *sentence)
{
  char *at, *end;
  if (tell(fn) != -SIGABRT) return 0;
  at = strstr(told, file);
  if (!at || strncmp(told, "greenlua: ", 10) != 0) return 0;
  at += strlen(file);
  if (*at++ != ':' || strtol(at, &end, 10) <= 0) return 0;
  if (strncmp(end, ": broken precondition: ", 23) != 0) return 0;
  return strncmp(end + 23, sentence, strlen(sentence)) == 0;
}

static void must_tell(child_fn *fn, const char *file, const char *sentence,
                      const char *what)
{
  if (!ok(is_told(fn, file, sentence), what)) printf("# it said: %s\n", told);
}

/* -- Preconditions -------------------------------------------------------- */

static void park_outside(void *hub)
{
  actor a;
  actor_init(&a, hub, 0, step_park);
  green_task_park(&a.task, NULL, GREEN_NEVER);
}

static void yield_outside(void *hub)
{
  actor a;
  actor_start(&a, hub, 0, step_park);
  turns(hub, 1);
  green_task_yield(&a.task);
}

static void init_twice(void *hub)
{
  actor a;
  actor_init(&a, hub, 0, step_park);
  green_task_init(&a.task, hub, actor_resume);
}

static void schedule_started(void *hub)
{
  actor a;
  actor_start(&a, hub, 0, step_park);
  green_task_start_at(&a.task, green_hub_now(hub));
}

static void wake_raw_queue(void *hub)
{
  green_waitq q = {0};
  (void)hub;
  green_waitq_wake_all(&q, 0);
}

static void set_raw_timer(void *hub)
{
  green_timer t = {0};
  green_hub_timer_set(hub, &t, green_hub_now(hub));
}

static void on_timer(green_timer *t)
{
  (void)t;
}

static void stop_in_another(void *hub)
{
  green_timer t = {.fire = on_timer};
  green_hub_timer_set(hub, &t, green_hub_now(hub) + 1);
  green_hub_timer_stop(hub_open_virtual(), &t);
}

static void post_nothing(void *hub)
{
  green_post p = {0};
  green_hub_post(hub, &p);
}

static void elsewhere(void *(*fn)(void *), void *arg)
{
  pthread_t thread;
  if (pthread_create(&thread, NULL, fn, arg)) abort();
  pthread_join(thread, NULL);
}

static void *turn_there(void *hub)
{
  green_hub_turn(hub, 0);
  return NULL;
}

static void turn_elsewhere(void *hub)
{
  elsewhere(turn_there, hub);
}

static void *abandon_there(void *hub)
{
  green_hub_abandon(hub);
  return NULL;
}

static void abandon_elsewhere(void *hub)
{
  elsewhere(abandon_there, hub);
}

static green_timer timer_there = {.fire = on_timer};

static void *stop_there(void *hub)
{
  green_hub_timer_stop(hub, &timer_there);
  return NULL;
}

static void stop_elsewhere(void *hub)
{
  elsewhere(stop_there, hub);
}

static void *wake_there(void *f)
{
  green_fd_wake(f, 0);
  return NULL;
}

static void wake_elsewhere(void *hub)
{
  green_fd f;
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) abort();
  green_fd_open(&f, hub, fds[0]);
  elsewhere(wake_there, &f);
}

static void *take_there(void *set)
{
  int expired;
  green_idle_take(set, &expired);
  return NULL;
}

static void *retime_there(void *set)
{
  green_idle_set_timeout(set, GREEN_SECOND);
  return NULL;
}

static void *forget_there(void *set)
{
  green_idle_deinit(set);
  return NULL;
}

static void idle_elsewhere(void *hub, void *(*fn)(void *))
{
  green_idle set;
  green_idle_init(&set, hub, GREEN_NEVER);
  elsewhere(fn, &set);
}

static void take_elsewhere(void *hub)
{
  idle_elsewhere(hub, take_there);
}

static void retime_elsewhere(void *hub)
{
  idle_elsewhere(hub, retime_there);
}

static void forget_elsewhere(void *hub)
{
  idle_elsewhere(hub, forget_there);
}

static void pop_twice(void *hub)
{
  actor a;
  actor_init(&a, hub, 0, step_park);
  green_scope *s = green_scope_push(&a.task, GREEN_SCOPE_TIMEOUT, GREEN_NEVER);
  green_scope_pop(s);
  green_scope_pop(s);
}

static void raise_nothing(void *hub)
{
  actor a;
  actor_init(&a, hub, 0, step_park);
  green_task_raise_at(&a.task);
}

static void adopt_inherited(void *hub)
{
  green_fd f;
  green__fd_adopt(&f, hub, 0);
}

static void keep_in_another(void *hub)
{
  green_fd f;
  green_idle set;
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0) abort();
  green_fd_open(&f, hub, fds[0]);
  green_idle_init(&set, hub_open_virtual(), GREEN_NEVER);
  green_idle_add(&set, &f);
}

static void test_threads(void)
{
  const char *rule = "All here is hub-thread only";
  must_tell(turn_elsewhere, "hub/hub.c", rule, "a turn on another thread");
  must_tell(abandon_elsewhere, "hub/hub.c", rule, "tasks are abandoned there");
  must_tell(stop_elsewhere, "hub/task.c", rule, "a timer is stopped there");
  must_tell(wake_elsewhere, "hub/fd.c", rule, "an fd is woken there");
  must_tell(take_elsewhere, "hub/idle.c", rule, "a set is taken from there");
  must_tell(retime_elsewhere, "hub/idle.c", rule,
            "a set's timeout is set there");
  must_tell(forget_elsewhere, "hub/idle.c", rule, "a set ends there");
}

static void test_preconditions(void)
{
  must_tell(park_outside, "hub/task.c", "From inside resume",
            "a task that does not run parks");
  must_tell(yield_outside, "hub/task.c", "From inside resume",
            "a parked task yields");
  must_tell(init_twice, "hub/task.c", "Embed in the owner, zeroed",
            "a task is made twice");
  must_tell(schedule_started, "hub/task.c", "Put a NEW task",
            "a task is started that has been");
  must_tell(wake_raw_queue, "hub/task.c", "Embed, init",
            "a queue without green_waitq_init");
  must_tell(set_raw_timer, "hub/task.c", "set t->fire first",
            "a timer that does nothing");
  must_tell(stop_in_another, "hub/task.c", "A timer belongs to one hub",
            "a timer of another hub");
  must_tell(post_nothing, "hub/hub.c", "Embed, and set run", "an empty post");
  test_threads();
  must_tell(pop_twice, "hub/scope.c", "Close it, once",
            "a scope is closed twice");
  must_tell(raise_nothing, "hub/scope.c", "a task with cancel_pending set",
            "a raise with nothing pending");
  must_tell(adopt_inherited, "hub/fd.c", "a number known to be close-on-exec",
            "a descriptor is adopted that programs would inherit");
  must_tell(keep_in_another, "hub/idle.c", "Put f, of the same hub",
            "an fd goes into a set of another hub");
}

/* -- A hub that is out of order ------------------------------------------- */

/* Two tasks in a queue, with a deadline each. */
typedef struct order {
  actor a[2];
  green_waitq q;
} order;

static void order_open(order *o, green_hub *hub)
{
  green_waitq_init(&o->q);
  for (int i = 0; i < 2; i++) {
    actor_start(&o->a[i], hub, 0, step_park);
    o->a[i].q = &o->q;
    o->a[i].deadline = green_hub_now(hub) + GREEN_SECOND;
  }
  turns(hub, 1);
}

static void in_order(void *hub)
{
  order o;
  order_open(&o, hub);
  green_hub_check(hub);
}

static void miscounted_queue(void *hub)
{
  order o;
  order_open(&o, hub);
  o.q.n++;
  green_hub_check(hub);
}

static void lost_link(void *hub)
{
  order o;
  order_open(&o, hub);
  green_link_remove(&o.a[1].task.link);
  o.q.n--;
  green_hub_check(hub);
}

static void ready_nowhere(void *hub)
{
  order o;
  order_open(&o, hub);
  green_task_wake(&o.a[0].task, 0);
  green_link_remove(&o.a[0].task.link);
  green_hub_check(hub);
}

static void freed_task(void *hub)
{
  order o;
  order_open(&o, hub);
  memset(&o.a[0].task.timer, 0, sizeof(green_timer));
  green_hub_check(hub);
}

static void forgotten_cancel(void *hub)
{
  order o;
  order_open(&o, hub);
  green_task_kill(&o.a[0].task);
  o.a[0].task.cancel_pending = 0;
  green_hub_check(hub);
}

static void wait_uncounted(void *hub)
{
  ((green_hub *)hub)->n_waits++;
  green_hub_check(hub);
}

static void on_post(green_post *p)
{
  (void)p;
}

static void posted_twice(void *hub)
{
  green_post p = {.run = on_post}, other = p;
  green_hub_post(hub, &p);
  green_hub_post(hub, &other);
  green_hub_post(hub, &p);
  green_hub_check(hub);
}

static void checked_by_itself(void *hub)
{
  order o;
  order_open(&o, hub);
  o.q.n++;
  for (int i = 0; i < 100; i++) green_hub_turn(hub, 0);
}

static void test_order(void)
{
  is(tell(in_order), 0, "a hub in order passes");
  must_tell(miscounted_queue, "hub/task.c", "How many stand in it.",
            "a queue that counts wrong");
  must_tell(lost_link, "hub/task.c", "In a ready list or in a wait queue.",
            "a waiter that stands nowhere");
  must_tell(ready_nowhere, "hub/task.c", "In a ready list",
            "a ready task that stands nowhere");
  must_tell(freed_task, "base/heap.c", "Timers know their slot.",
            "a deadline whose owner was overwritten");
  must_tell(forgotten_cancel, "hub/scope.c",
            "A kill or scope is due at the next checkpoint.",
            "a kill that nobody will raise");
  must_tell(wait_uncounted, "hub/look.c", "Tasks parked on fds",
            "a wait too many, which would keep a run going for ever");
  must_tell(posted_twice, "hub/look.c", "it must live until run is called",
            "a post that was posted twice");
  must_tell(checked_by_itself, "hub/task.c", "How many stand in it.",
            "a hub checks itself as it turns");
}

#else

static void test_preconditions(void)
{
  t_skip("preconditions", "a build that does not check them");
}

static void test_order(void)
{
  t_skip("order", "a build that does not check it");
}

#endif

int main(void)
{
  t_start();
  test_preconditions();
  test_order();
  return t_done();
}
