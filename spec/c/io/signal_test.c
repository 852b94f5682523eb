/*
** signal_test.c: signals as events of one hub and of several.
*/

/* wrap: sigaction */

#include "child.h"
#include "base/mem.h"
#include "io/signal.h"
#include "t.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

static green_hub *hub;
static int sigaction_fails;

int __real_sigaction(int signo, const struct sigaction *to,
                     struct sigaction *was);
int __wrap_sigaction(int signo, const struct sigaction *to,
                     struct sigaction *was);

int __wrap_sigaction(int signo, const struct sigaction *to,
                     struct sigaction *was)
{
  if (!sigaction_fails || !to) return __real_sigaction(signo, to, was);
  errno = ENOMEM;
  return -1;
}

static green_signal *watch(int signo)
{
  green_signal *w = NULL;
  green_signal_new(&w, hub, signo);
  return w;
}

static int turns_until(green_signal *w)
{
  int n = 0;
  for (int i = 0; i < 1000 && !n; i++) {
    green_hub_turn(hub, 0);
    n = green_signal_take(w);
  }
  return n;
}

static void (*handler_of(int signo))(int)
{
  struct sigaction now;
  __real_sigaction(signo, NULL, &now);
  return now.sa_handler;
}

static void handle_nothing(int signo)
{
  (void)signo;
}

/* A task that waits for a watch. */
typedef struct waiter {
  green_task task;
  green_signal *w;
  int64_t deadline;
  int parked;
  int status;
  int done;
} waiter;

static void waiter_resume(green_task *t)
{
  waiter *me = green_container(t, waiter, task);
  if (!me->parked++) {
    green_task_park(t, green_signal_waiters(me->w), me->deadline);
    return;
  }
  me->status = t->status;
  me->done = 1;
  green_task_end(t);
}

static void waiter_start(waiter *me, green_signal *w, double seconds)
{
  memset(me, 0, sizeof(*me));
  me->w = w;
  me->deadline = green_clock_after(green_hub_now(hub), seconds);
  green_task_init(&me->task, hub, waiter_resume);
  green_task_start(&me->task);
}

/* -- One watch ------------------------------------------------------------ */

static void test_caught(void)
{
  green_signal *w = watch(SIGUSR1);
  is(green_signal_take(w), 0, "nothing yet");
  is(green_signal_start(w, 0), 0, "start");
  raise(SIGUSR1);
  is(green_signal_take(w), 0, "the hub has not turned yet");
  is(turns_until(w), 1, "then it is there");
  is(green_signal_take(w), 0, "once");
  for (int i = 0; i < 5; i++) raise(SIGUSR1);
  is(turns_until(w), 5, "five are counted");
  green_signal_free(w);
}

static void test_wakes_all_who_wait(void)
{
  waiter a, b;
  green_signal *w = watch(SIGUSR1);
  green_signal_start(w, 1);
  waiter_start(&a, w, 5);
  waiter_start(&b, w, 5);
  green_hub_turn(hub, 0);
  kill(getpid(), SIGUSR1);
  is(green_hub_run(hub, &a.done), 0, "the first");
  green_hub_run(hub, &b.done);
  is(a.status, 0, "is woken");
  is(b.status, 0, "and so is the second");
  is(green_signal_take(w), 1, "one signal");
  waiter_start(&a, w, 0.01);
  green_hub_run(hub, &a.done);
  is(a.status, GREEN_ETIMEDOUT, "a wait can time out");
  green_signal_free(w);
}

static void test_wakes_a_poll(void)
{
  waiter a;
  green_signal *w = watch(SIGALRM);
  unsigned left = alarm(0);
  green_signal_start(w, 1);
  waiter_start(&a, w, 30);
  green_hub_turn(hub, 0);
  ualarm(20000, 0);
  green_hub_run(hub, &a.done);
  is(a.status, 0, "a signal ends a poll");
  green_signal_free(w);
  alarm(left);
}

static void test_hold(void)
{
  static const int never;
  green_signal *w = watch(SIGUSR1);
  green_signal_start(w, 0);
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "not held");
  green_signal_start(w, 1);
  is(green_hub_turn(hub, 0), 1, "held");
  green_signal_start(w, 0);
  is(green_hub_turn(hub, 0), 0, "not any more");
  green_signal_start(w, 1);
  green_signal_stop(w);
  is(green_hub_turn(hub, 0), 0, "stopped, it holds nothing");
  green_signal_free(w);
}

static void test_stop_and_start(void)
{
  green_signal *w = watch(SIGUSR1);
  __real_sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handle_nothing},
                   NULL);
  green_signal_start(w, 0);
  ok(handler_of(SIGUSR1) != handle_nothing, "ours");
  raise(SIGUSR1);
  green_signal_stop(w);
  green_signal_stop(w);
  ok(handler_of(SIGUSR1) == handle_nothing, "the old one is back");
  is(turns_until(w), 1, "what was caught before stays");
  raise(SIGUSR1);
  green_hub_turn(hub, 0);
  is(green_signal_take(w), 0, "nothing is caught when stopped");
  green_signal_start(w, 0);
  raise(SIGUSR1);
  is(turns_until(w), 1, "started again it is");
  green_signal_free(w);
  ok(handler_of(SIGUSR1) == handle_nothing, "free stops");
  signal(SIGUSR1, SIG_DFL);
}

static void test_somebody_else_takes_over(void)
{
  green_signal *w = watch(SIGUSR2);
  green_signal_start(w, 0);
  signal(SIGUSR2, handle_nothing);
  green_signal_free(w);
  ok(handler_of(SIGUSR2) == handle_nothing, "theirs is left alone");
  signal(SIGUSR2, SIG_DFL);
}

static void test_free_wakes_and_survives_a_post(void)
{
  waiter a;
  green_signal *w = watch(SIGUSR1);
  green_signal_start(w, 0);
  waiter_start(&a, w, 5);
  green_hub_turn(hub, 0);
  raise(SIGUSR1); /* The post is under way. */
  green_signal_free(w);
  green_hub_run(hub, &a.done);
  is(a.status, GREEN_ECLOSED, "who waits is told");
  green_hub_turn(hub, 0);
  green_signal_free(NULL);
}

/* -- The end -------------------------------------------------------------- */

/* In memory that is written over once it has ended. */
static green_signal *watch_in_own_memory(int signo)
{
  green_signal *w = calloc(1, green_signal_size());
  if (!w || green_signal_init(w, hub, signo) < 0) abort();
  return w;
}

static void test_deinit(void)
{
  static const int never;
  waiter a;
  green_signal *w = watch_in_own_memory(SIGUSR1);
  is(green_signal_start(w, 1), 0, "made in memory of one's own");
  waiter_start(&a, w, 5);
  green_hub_turn(hub, 0);
  green_signal_deinit(w);
  green_signal_deinit(w);
  green_hub_run(hub, &a.done);
  is(a.status, GREEN_ECLOSED, "who waits is told of its end");
  ok(handler_of(SIGUSR1) == SIG_DFL, "the old disposition is back");
  is(green_signal_start(w, 1), GREEN_ECLOSED, "it cannot start again");
  ok(handler_of(SIGUSR1) == SIG_DFL, "nor does it");
  green_signal_stop(w);
  is(green_signal_take(w), 0, "nothing is to be taken");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "nothing is held");
  green_signal_deinit(w);
  free(w);
}

static void test_caught_just_before_the_end(void)
{
  for (int turn_first = 0; turn_first < 2; turn_first++) {
    green_signal *w = watch_in_own_memory(SIGUSR1);
    green_signal *other = watch_in_own_memory(SIGUSR1);
    green_signal_start(other, 0);
    green_signal_start(w, 0);
    raise(SIGUSR1); /* The post is under way. */
    if (turn_first) green_hub_turn(hub, 0);
    if (turn_first) raise(SIGUSR1);
    green_signal_deinit(w);
    memset(w, 0xff, green_signal_size());
    free(w);
    is(turns_until(other), 1 + turn_first, "the others get theirs");
    green_hub_turn(hub, 0);
    green_signal_deinit(other);
    free(other);
  }
  ok(1, "one that has ended gets nothing");
}

/* -- In a child ----------------------------------------------------------- */

static void catch_in_a_child(void *arg)
{
  green_signal *w = arg;
  must(green_signal_take(w) == 0);
  kill(getpid(), SIGUSR1);
  must(turns_until(w) == 1);
  green_signal_stop(w);
  must(handler_of(SIGUSR1) == SIG_DFL);
  must(green_signal_start(w, 0) == 0);
  kill(getpid(), SIGUSR1);
  must(turns_until(w) == 1);
  green_signal_free(w);
  must(handler_of(SIGUSR1) == SIG_DFL);
}

static void test_in_a_child(pid_t (*make)(void))
{
  green_signal *w = watch(SIGUSR1);
  green_signal_start(w, 0);
  is(in_child_by(make, catch_in_a_child, w), 0, "a child catches its own");
  green_hub_turn(hub, 0);
  is(green_signal_take(w), 0, "the parent hears nothing of it");
  raise(SIGUSR1);
  is(turns_until(w), 1, "but of its own");
  green_signal_free(w);
}

static void wait_in_a_child(void *arg)
{
  waiter a;
  green_signal_start(arg, 1);
  waiter_start(&a, arg, 30);
  green_hub_turn(hub, 0);
  ualarm(5000, 0);
  must(green_hub_run(hub, &a.done) == 0);
  must(a.status == 0);
  must(green_signal_take(arg) == 1);
}

static void test_wakes_a_childs_poll(void)
{
  unsigned left = alarm(0);
  green_signal *w = watch(SIGALRM);
  green_signal_start(w, 0);
  is(in_child(wait_in_a_child, w), 0, "a signal ends a child's poll");
  green_signal_free(w);
  alarm(left);
}

static void take_what_was_caught(void *arg)
{
  must(turns_until(arg) == 2);
  must(green_signal_take(arg) == 0);
}

static void end_in_a_child(void *arg)
{
  green_signal_free(arg);
  green_hub_turn(hub, 0);
}

static void test_caught_before_the_fork(void)
{
  green_signal *w = watch(SIGUSR1);
  green_signal_start(w, 0);
  raise(SIGUSR1);
  raise(SIGUSR1); /* Not delivered yet. */
  is(in_child(take_what_was_caught, w), 0, "what is under way comes once");
  is(in_child(end_in_a_child, w), 0, "or not at all");
  is(turns_until(w), 2, "in the parent too");
  green_signal_free(w);
}

/* Other threads are in the middle of it, with the table locked or inside of the
** handler, when the child begins. */
static void watch_anew(void *arg)
{
  green_signal *w;
  (void)arg;
  must(green_signal_new(&w, hub, SIGUSR1) == 0);
  must(green_signal_start(w, 0) == 0);
  raise(SIGUSR1);
  must(turns_until(w) == 1);
  green_signal_free(w);
}

/* -- Several -------------------------------------------------------------- */

static void test_two_watches(void)
{
  green_signal *v = watch(SIGUSR1), *w = watch(SIGUSR1), *x = watch(SIGUSR2);
  green_signal_start(v, 0);
  green_signal_start(w, 0);
  green_signal_start(x, 0);
  raise(SIGUSR1);
  is(turns_until(v), 1, "one gets it");
  is(green_signal_take(w), 1, "the other gets it too");
  is(green_signal_take(x), 0, "who waits for another does not");
  green_signal_stop(v);
  raise(SIGUSR1);
  is(turns_until(w), 1, "one goes, the other stays");
  is(green_signal_take(v), 0, "who went gets none");
  green_signal_start(v, 0);
  green_signal_stop(w);
  raise(SIGUSR1);
  is(turns_until(v), 1, "in any order");
  green_signal_free(v);
  green_signal_free(w);
  green_signal_free(x);
  ok(handler_of(SIGUSR1) == SIG_DFL, "the last puts the old one back");
}

typedef struct other {
  pthread_t thread;
  int signals;
  atomic_int rounds;
  int err;
} other;

static atomic_int others_ready, storm_over;

/* A hub of its own that waits for a hundred signals. */
static void *other_main(void *arg)
{
  other *o = arg;
  green_hub *mine;
  green_signal *w;
  o->err = green_hub_new(&mine, NULL);
  if (o->err == 0) o->err = green_signal_new(&w, mine, SIGUSR1);
  if (o->err == 0) o->err = green_signal_start(w, 1);
  others_ready++;
  if (o->err) return NULL;
  while (o->signals < 100) {
    green_hub_turn(mine, 1);
    o->signals += green_signal_take(w);
  }
  green_signal_free(w);
  green_hub_free(mine);
  return NULL;
}

static void test_several_hubs(void)
{
  other o[3] = {0};
  for (int i = 0; i < 3; i++)
    pthread_create(&o[i].thread, NULL, other_main, &o[i]);
  while (others_ready < 3) usleep(1000);
  for (int i = 0; i < 100; i++) {
    kill(getpid(), SIGUSR1);
    usleep(500); /* The kernel keeps one pending at most. */
  }
  signal(SIGUSR1, SIG_IGN); /* For those that come late. */
  for (int i = 0; i < 3; i++) {
    pthread_join(o[i].thread, NULL);
    ok(o[i].err == 0 && o[i].signals >= 100, "each hub gets each signal");
  }
  signal(SIGUSR1, SIG_DFL);
}

/* What a signal does, for one hub of several. */
static void test_raised_for_one_hub(void)
{
  green_hub *second;
  green_signal *ours = watch(SIGUSR1), *theirs, *stopped = watch(SIGUSR1);
  green_hub_new(&second, NULL);
  green_signal_new(&theirs, second, SIGUSR1);
  green_signal_start(ours, 0);
  green_signal_start(theirs, 0);
  is(green_signal_raise(hub, SIGUSR1), 1, "one watch is told");
  is(green_signal_raise(hub, SIGUSR1), 1, "and again");
  is(turns_until(ours), 2, "both have come");
  green_hub_turn(second, 0);
  is(green_signal_take(theirs), 0, "the other hub was not told");
  is(green_signal_take(stopped), 0, "nor one that is stopped");
  is(green_signal_raise(hub, SIGUSR2), 0, "nobody watches it");
  is(green_signal_raise(hub, 0) + green_signal_raise(hub, SIGKILL) +
         green_signal_raise(hub, 1 << 20),
     0, "no such signals");
  green_signal_free(theirs);
  green_hub_free(second);
  green_signal_free(stopped);
  green_signal_free(ours);
}

/* Start and stop without pause while signals rain. */
static void *churn_main(void *arg)
{
  other *o = arg;
  green_hub *mine;
  o->err = green_hub_new(&mine, NULL);
  while (!storm_over) {
    green_signal *w;
    green_signal_new(&w, mine, SIGUSR2);
    green_signal_start(w, 0);
    green_hub_turn(mine, 0);
    o->signals += green_signal_take(w);
    green_signal_free(w);
    o->rounds++;
  }
  green_hub_turn(mine, 0);
  green_hub_free(mine);
  return NULL;
}

static void test_forks_in_a_storm(void)
{
  other o = {0};
  int wrong = 0;
  green_signal *steady = watch(SIGUSR2); /* Unwatched, it would end us. */
  green_signal_start(steady, 0);
  storm_over = 0;
  pthread_create(&o.thread, NULL, churn_main, &o);
  for (int i = 0; i < 10; i++) {
    for (int k = 0; k < 20; k++) {
      pthread_kill(o.thread, SIGUSR2);
      usleep(20);
    }
    wrong += in_child(watch_anew, NULL) != 0;
  }
  storm_over = 1;
  pthread_join(o.thread, NULL);
  is(wrong, 0, "a child's table is whole whatever other threads do");
  green_signal_free(steady);
}

static void test_churn_in_a_storm(void)
{
  storm_over = 0;
  other o[2] = {0};
  green_signal *w = watch(SIGUSR2);
  green_signal_start(w, 0);
  for (int i = 0; i < 2; i++)
    pthread_create(&o[i].thread, NULL, churn_main, &o[i]);
  for (int i = 0; i < 3000 || o[0].rounds <= 10 || o[1].rounds <= 10; i++) {
    kill(getpid(), SIGUSR2);
    pthread_kill(o[i & 1].thread, SIGUSR2);
    green_hub_turn(hub, 0);
  }
  storm_over = 1;
  for (int i = 0; i < 2; i++) pthread_join(o[i].thread, NULL);
  green_hub_turn(hub, 0);
  ok(green_signal_take(w) > 0, "the steady watch has caught some");
  green_signal_free(w);
  ok(handler_of(SIGUSR2) == SIG_DFL, "the old disposition is back");
}

/* -- Refusals ------------------------------------------------------------- */

static void test_bad_numbers(void)
{
  static const int bad[] = {0, -1, 65, 9999, SIGKILL, SIGSTOP, SIGSEGV, SIGFPE};
  green_signal *w;
  int refused = 0;
  for (int i = 0; i < 8; i++)
    refused += green_signal_new(&w, hub, bad[i]) == GREEN_EINVAL;
  is(refused, 8, "what cannot be caught is refused");
  is(green_signal_new(&w, hub, SIGRTMIN + 1), 0, "real-time signals can");
  is(green_signal_start(w, 0), 0, "be started");
  raise(SIGRTMIN + 1);
  is(turns_until(w), 1, "and caught");
  green_signal_free(w);
  is(green_signal_new(&w, hub, 33), 0, "one that libc keeps for itself");
  is(green_signal_start(w, 1), GREEN_EINVAL, "is refused by the system");
  is(green_hub_turn(hub, 0), 0, "and holds nothing");
  green_signal_free(w);
}

static void test_failures(void)
{
  green_signal *w;
  green__alloc_fail_from(1);
  is(green_signal_new(&w, hub, SIGUSR1), GREEN_ENOMEM, "no memory");
  green__alloc_fail_from(0);
  w = watch(SIGUSR1);
  sigaction_fails = 1;
  is(green_signal_start(w, 1), GREEN_ENOMEM, "no sigaction");
  sigaction_fails = 0;
  is(green_hub_turn(hub, 0), 0, "holds nothing");
  is(green_signal_start(w, 0), 0, "later it works");
  raise(SIGUSR1);
  is(turns_until(w), 1, "as if nothing had been");
  green_signal_free(w);
}

static void test_names(void)
{
  is(green_signal_number("TERM"), SIGTERM, "short");
  is(green_signal_number("SIGTERM"), SIGTERM, "long");
  is(green_signal_number("term"), GREEN_EINVAL, "in capitals only");
  is(green_signal_number("SIG"), GREEN_EINVAL, "no name");
  is(green_signal_number(""), GREEN_EINVAL, "nothing");
  is_str(green_signal_name(SIGCHLD), "SIGCHLD", "and back");
  ok(!green_signal_name(0) && !green_signal_name(500), "no such number");
  int all = 0;
  for (int i = 1; i < 32; i++)
    all +=
        green_signal_name(i) && green_signal_number(green_signal_name(i)) == i;
  is(all, 31, "all there are");
}

static void test_absorb(void)
{
  signal(SIGPIPE, SIG_DFL);
  ok(!green_signal_is_absorbed(SIGPIPE), "the default");
  green_signal_absorb(SIGPIPE);
  green_signal_absorb(SIGPIPE);
  ok(green_signal_is_absorbed(SIGPIPE), "does nothing");
  ok(handler_of(SIGPIPE) != SIG_IGN, "and is not ignored");
  raise(SIGPIPE);
  green_signal *w = watch(SIGPIPE);
  green_signal_start(w, 0);
  ok(!green_signal_is_absorbed(SIGPIPE), "is watched");
  ok(green_signal_is_watched(SIGPIPE), "and says so");
  green_signal_free(w);
  ok(!green_signal_is_watched(SIGPIPE), "is not watched any more");
  ok(green_signal_is_absorbed(SIGPIPE), "and is not any more");
  void (*const theirs[])(int) = {SIG_IGN, handle_nothing};
  for (int i = 0; i < 2; i++) {
    signal(SIGPIPE, theirs[i]);
    green_signal_absorb(SIGPIPE);
    ok(handler_of(SIGPIPE) == theirs[i], "somebody else's way stays");
    ok(!green_signal_is_absorbed(SIGPIPE), "and is not ours");
  }
  signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_caught();
  test_wakes_all_who_wait();
  test_wakes_a_poll();
  test_hold();
  test_stop_and_start();
  test_somebody_else_takes_over();
  test_free_wakes_and_survives_a_post();
  test_deinit();
  test_caught_just_before_the_end();
  test_in_a_child(fork_by_c);
  test_in_a_child(fork_by_clone);
  test_wakes_a_childs_poll();
  test_caught_before_the_fork();
  test_two_watches();
  test_several_hubs();
  test_raised_for_one_hub();
  test_churn_in_a_storm();
  test_forks_in_a_storm();
  test_bad_numbers();
  test_failures();
  test_names();
  test_absorb();
  green_hub_free(hub);
  return t_done();
}
