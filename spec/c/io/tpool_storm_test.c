/*
** tpool_storm_test.c: random acts upon pools of several hubs, each in a thread
** of its own, against a model of what must become of each job; and forks amid
** that.
*/

#include "child.h"
#include "io/tpool_kit.h"

enum { THREADS = 3, POOLS = 3, PINS = 3, JOBS = 48, ACTS = 3000 };

/* What the model knows of a job. */
enum { FREE, UNDER_WAY, WILL_BE_DROPPED };

typedef struct act_pin act_pin;

typedef struct act_job {
  job j;
  atomic_int gate;
  int is;          /* By the model. */
  int pool;        /* Which it was given to. */
  int refused;     /* cancel has said 1: work never runs. */
  act_pin *pin;    /* Or NULL. */
  atomic_int lost; /* Not counted with its pin any more. */
} act_job;

/* Jobs of one pin are at work one at a time, but for those that were lost. */
struct act_pin {
  green_pin *pin;
  atomic_int at_work;
};

typedef struct act_pool {
  green_tpool *p;
  uint32_t pending, most; /* The model's. */
  act_pin pins[PINS];
} act_pool;

typedef struct actor {
  green_hub *hub;
  act_pool pools[POOLS];
  act_job jobs[JOBS];
  unsigned seed;
  int wrong, children;
  int acts[16]; /* How often each did something. */
} actor;

static atomic_int pin_wrong;

static int chance(actor *a, int n)
{
  return (int)(rand_r(&a->seed) % (unsigned)n);
}

static void expect(actor *a, int ok, const char *what)
{
  if (ok) return;
  a->wrong++;
  printf("# %s\n", what);
  fflush(stdout);
}

/* -- Jobs ----------------------------------------------------------------- */

static act_job *act_job_of(green_job *j)
{
  return green_container(green_container(j, job, job), act_job, j);
}

static void act_work(green_job *j)
{
  act_job *me = act_job_of(j);
  act_pin *pin = me->pin;
  if (pin && pin->at_work++ > 0) pin_wrong++;
  job_work(j);
  if (pin && !me->lost) pin->at_work--;
}

static void act_done(green_job *j)
{
  job_done(j);
}

static void act_submit(actor *a, act_job *me)
{
  act_pool *pool = &a->pools[chance(a, POOLS)];
  int pinned = chance(a, 3) == 0;
  me->pin = pinned ? &pool->pins[chance(a, PINS)] : NULL;
  me->gate = chance(a, 4) != 0;
  me->refused = me->lost = 0;
  me->pool = (int)(pool - a->pools);
  job_init(&me->j, &me->gate);
  me->j.job.work = act_work;
  me->j.job.done = act_done;
  me->j.job.pin = me->pin ? me->pin->pin : NULL;
  me->j.job.priority = (int8_t)(chance(a, 5) - 2);
  me->is = UNDER_WAY;
  int full = pool->most && pool->pending >= pool->most;
  int err = green_job_submit(pool->p, &me->j.job);
  if (err == 0) pool->pending++;
  if (err < 0) me->is = FREE;
  expect(a, err == GREEN_ELOST || err == (full ? GREEN_EAGAIN : 0),
         "a job is taken, or too many are under way");
  a->acts[0] += err == 0;
}

static void act_cancel(actor *a, act_job *me)
{
  if (green_job_cancel(&me->j.job)) me->refused = 1;
  a->acts[1] += me->refused;
}

static void act_lose(actor *a, act_job *me)
{
  if (me->gate || !me->j.begun) return;
  me->lost = 1;
  if (me->pin) me->pin->at_work--;
  int lost = green_job_lose(&me->j.job);
  expect(a, lost == 1, "what has begun and cannot end can be lost");
  me->is = WILL_BE_DROPPED;
  a->pools[me->pool].pending--;
  a->acts[2]++;
}

/* What the model knows to be over. */
static void act_collect(actor *a, act_job *me)
{
  job *j = &me->j;
  if (me->is == UNDER_WAY && j->done) {
    expect(a, j->done == 1 && !j->dropped, "done once");
    expect(a, j->begun == !me->refused, "begun once, or never");
    expect(a, !me->refused || j->status == GREEN_ECANCELED, "its status");
    a->pools[me->pool].pending--;
    me->is = FREE;
  } else if (me->is == WILL_BE_DROPPED && j->dropped) {
    expect(a, j->dropped == 1 && !j->done, "dropped once");
    me->is = FREE;
  }
}

static void turn(actor *a)
{
  green_hub_turn(a->hub, 0);
  for (int i = 0; i < JOBS; i++) act_collect(a, &a->jobs[i]);
}

static void open_gates(actor *a, int pool)
{
  for (int i = 0; i < JOBS; i++)
    if (pool < 0 || a->jobs[i].pool == pool) a->jobs[i].gate = 1;
}

/* -- Pools ---------------------------------------------------------------- */

static void pool_open(actor *a, act_pool *pool)
{
  pool->p = green_tpool_new(a->hub);
  pool->pending = pool->most = 0;
  if (chance(a, 2)) green_tpool_set_threads(pool->p, 1 + chance(a, 3));
  for (int i = 0; i < PINS; i++) {
    pool->pins[i].pin = green_pin_new(pool->p);
    pool->pins[i].at_work = 0;
  }
}

static void pool_close(actor *a, act_pool *pool)
{
  int mine = (int)(pool - a->pools), first = chance(a, 2);
  open_gates(a, mine);
  for (int i = 0; first && i < PINS; i++) green_pin_free(pool->pins[i].pin);
  turn(a);
  green_tpool_free(pool->p);
  for (int i = 0; !first && i < PINS; i++) green_pin_free(pool->pins[i].pin);
  for (int i = 0; i < JOBS; i++)
    if (a->jobs[i].pool == mine && a->jobs[i].is == UNDER_WAY)
      a->jobs[i].is = WILL_BE_DROPPED;
  /* A pin's counter outlives its jobs. */
  for (int i = 0; i < JOBS; i++)
    while (a->jobs[i].pool == mine && a->jobs[i].is != FREE) {
      act_collect(a, &a->jobs[i]);
      usleep(50);
    }
  a->acts[3]++;
}

static void pool_limit(actor *a, act_pool *pool)
{
  pool->most = (uint32_t)chance(a, 4) * 4;
  green_tpool_set_limits(pool->p, (uint32_t)chance(a, 3), pool->most);
}

static void pool_stop(actor *a, act_pool *pool)
{
  int64_t patience = chance(a, 2) ? 100000 : 20 * GREEN_SECOND;
  if (patience > GREEN_SECOND) open_gates(a, -1); /* Threads are shared. */
  int err = green_tpool_stop_until(pool->p, green_clock_now() + patience);
  expect(a, err == 0 || err == GREEN_ETIMEDOUT, "stopped, or not in time");
  if (err == 0) {
    turn(a);
    expect(a, pool->pending == 0, "what was stopped is done");
  }
  a->acts[4] += err == 0;
}

static void pool_look(actor *a, act_pool *pool)
{
  green_tpool_stats s = stats(pool->p);
  expect(a, s.pending == pool->pending, "as many are pending");
  expect(a, s.queued + s.at_work <= s.pending, "which wait, run or are over");
}

static void pin_change(actor *a, act_pool *pool)
{
  int n = chance(a, PINS);
  for (int i = 0; i < JOBS; i++)
    if (a->jobs[i].is != FREE && a->jobs[i].pin == &pool->pins[n]) return;
  green_pin_free(pool->pins[n].pin);
  pool->pins[n].pin = green_pin_new(pool->p);
  a->acts[5]++;
}

/* -- Children ------------------------------------------------------------- */

static int actor_is_busy(const actor *a)
{
  for (int i = 0; i < JOBS; i++)
    if (a->jobs[i].is == UNDER_WAY) return 1;
  return 0;
}

/* All that this hub had under way is done there; what was lost is dropped. */
static void live_on(void *arg)
{
  actor *a = arg;
  int64_t late = green_clock_now() + 30 * GREEN_SECOND;
  for (int i = 0; i < POOLS; i++)
    for (int k = 0; k < PINS; k++) a->pools[i].pins[k].at_work = 0;
  a->wrong = pin_wrong = 0;
  for (int i = 0; i < JOBS; i++) {
    act_job *me = &a->jobs[i];
    me->gate = 1;
    me->refused |= me->is == UNDER_WAY &&
                   me->j.job.state == GREEN_JOB_FINISHED && !me->j.begun;
    if (me->is == UNDER_WAY && me->j.job.state != GREEN_JOB_FINISHED)
      me->j.begun = 0; /* It may begin anew. */
  }
  while (actor_is_busy(a) && green_clock_now() < late) {
    turn(a);
    usleep(100);
  }
  must(!actor_is_busy(a));
  for (int i = 0; i < JOBS; i++) must(a->jobs[i].is == FREE);
  for (int i = 0; i < POOLS; i++) pool_close(a, &a->pools[i]);
  must(a->wrong == 0);
  must(pin_wrong == 0);
}

static void act_fork(actor *a)
{
  if (t_under_tsan || t_under_asan) return;
  int status = in_child(live_on, a);
  expect(a, status == 0, "a child does what is left");
  a->children++;
}

/* -- Acts ----------------------------------------------------------------- */

static void act(actor *a)
{
  act_job *me = &a->jobs[chance(a, JOBS)];
  act_pool *pool = &a->pools[chance(a, POOLS)];
  int what = chance(a, 100);
  if (what < 45 && me->is == FREE)
    act_submit(a, me);
  else if (what < 55 && me->is == UNDER_WAY)
    act_cancel(a, me);
  else if (what < 70 && me->is == UNDER_WAY)
    act_lose(a, me);
  else if (what < 78)
    me->gate = 1;
  else if (what < 92)
    turn(a);
  else if (what < 94)
    pool_limit(a, pool);
  else if (what < 96)
    pool_stop(a, pool);
  else if (what < 97)
    pin_change(a, pool);
  else if (what < 99)
    pool_look(a, pool);
  else if (chance(a, 3) == 0) {
    pool_close(a, pool);
    pool_open(a, pool);
  } else if (chance(a, 2) == 0) {
    act_fork(a);
  }
}

static void *actor_main(void *arg)
{
  actor *a = arg;
  green_hub_new(&a->hub, NULL);
  for (int i = 0; i < POOLS; i++) pool_open(a, &a->pools[i]);
  for (int i = 0; i < ACTS; i++) act(a);
  open_gates(a, -1);
  while (actor_is_busy(a)) turn(a);
  for (int i = 0; i < POOLS; i++) pool_close(a, &a->pools[i]);
  green_hub_turn(a->hub, 0);
  expect(a, green_hub_turn(a->hub, 0) == 0, "nothing holds the hub");
  green_hub_free(a->hub);
  return NULL;
}

int main(void)
{
  static actor actors[THREADS];
  pthread_t threads[THREADS];
  const char *seed = getenv("SEED");
  unsigned first = seed && *seed ? (unsigned)atoi(seed) : 1;
  int wrong = 0, sum[6] = {0}, children = 0;
  t_start();
  for (unsigned i = 0; i < THREADS; i++) {
    actors[i].seed = first * THREADS + i;
    if (pthread_create(&threads[i], NULL, actor_main, &actors[i])) abort();
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    wrong += actors[i].wrong;
    children += actors[i].children;
    for (int k = 0; k < 6; k++) sum[k] += actors[i].acts[k];
  }
  printf(
      "# submitted %d, cancelled %d, lost %d, freed %d, stopped %d, pins %d, "
      "children %d\n",
      sum[0], sum[1], sum[2], sum[3], sum[4], sum[5], children);
  is(wrong, 0, "all becomes of jobs that must, and nothing else");
  is(pin_wrong, 0, "jobs of a pin run one at a time");
  ok(sum[0] && sum[1] && sum[2] && sum[3] && sum[4] && sum[5],
     "all that could happen did");
  if (t_under_tsan || t_under_asan)
    t_skip("children", "threads that begin in a child wait for a lock of the "
                       "sanitizer's that one of the parent had");
  else
    ok(children, "children, too");
  return t_done();
}
