/*
** tpool_test.c: jobs in native threads, and name lookup.
*/

/* wrap: pthread_create pthread_cond_timedwait getaddrinfo */

#include "mem.h"
#include "scope.h"
#include "t.h"
#include "tpool.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

static green_hub *hub;
static pthread_t main_thread;

/* -- The system, made to fail --------------------------------------------- */

static int creates_fail;   /* pthread_create says EAGAIN. */
static atomic_int hasten;  /* Idle threads wait 20 ms only. */
static atomic_int lookups; /* Calls of getaddrinfo. */
static sem_t lookup_gate;  /* "slow.test" waits for it. */

int __real_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *arg);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);
int __real_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list);
int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *arg);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attr,
                          void *(*fn)(void *), void *arg)
{
  return creates_fail ? EAGAIN : __real_pthread_create(id, attr, fn, arg);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                  const struct timespec *until)
{
  struct timespec soon;
  if (!hasten) return __real_pthread_cond_timedwait(c, m, until);
  clock_gettime(CLOCK_MONOTONIC, &soon);
  soon.tv_nsec += 20000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  return __real_pthread_cond_timedwait(c, m, &soon);
}

static int numeric(const char *host, const char *service,
                   const struct addrinfo *hint, struct addrinfo **list)
{
  struct addrinfo h = *hint;
  h.ai_flags |= AI_NUMERICHOST;
  return __real_getaddrinfo(host, service, &h, list);
}

/* No network and no files here: "two.test" has two addresses, "eai-N.test"
** fails with N. */
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list)
{
  int eai;
  lookups++;
  if (host && sscanf(host, "eai%d.test", &eai) == 1) {
    errno = EMFILE;
    return eai;
  }
  if (host && strcmp(host, "slow.test") == 0) sem_wait(&lookup_gate);
  if (!host || strncmp(host, "127.", 4) == 0)
    return __real_getaddrinfo(host, service, hint, list);
  eai = numeric("192.0.2.1", service, hint, list);
  if (eai || strcmp(host, "two.test") != 0) return eai;
  struct addrinfo *last = *list;
  while (last->ai_next) last = last->ai_next;
  return numeric("192.0.2.2", service, hint, &last->ai_next);
}

/* -- Jobs ----------------------------------------------------------------- */

typedef struct job {
  green_job job;
  sem_t *gate; /* Waited for by work. */
  atomic_int begun;
  int in_pool; /* work ran in another thread. */
  int done;    /* How often. */
  int dropped;
  int status;
  int order;
} job;

static atomic_int work_order;

static void job_work(green_job *j)
{
  job *me = green_container(j, job, job);
  me->order = ++work_order;
  me->in_pool = !pthread_equal(pthread_self(), main_thread);
  me->begun = 1;
  if (me->gate) sem_wait(me->gate);
}

static void job_done(green_job *j)
{
  job *me = green_container(j, job, job);
  me->done++;
  me->status = j->status;
}

static atomic_int drops;

static void job_drop(green_job *j)
{
  green_container(j, job, job)->dropped++;
  drops++;
}

static void job_init(job *j, sem_t *gate)
{
  memset(j, 0, sizeof(*j));
  j->job.work = job_work;
  j->job.done = job_done;
  j->job.drop = job_drop;
  j->gate = gate;
  j->status = 99;
}

static green_tpool_stats stats(green_tpool *p)
{
  green_tpool_stats s;
  green_tpool_stats_get(p, &s);
  return s;
}

static void wait_begun(const job *j)
{
  while (!j->begun) usleep(1000);
}

/* Its work has returned, but done was not called. */
static void wait_over(const job *j, green_tpool *p)
{
  wait_begun(j);
  while (stats(p).idle < 1) usleep(1000);
}

static void test_one_job(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  is(stats(p).threads, 0, "no thread before the first job");
  job_init(&j, NULL);
  is(green_job_submit(p, &j.job), 0, "submit");
  is(stats(p).threads, 1, "one thread");
  is(j.done, 0, "done is not called inside submit");
  is(green_hub_run(hub, &j.done), 0, "the hub waits for the job");
  ok(j.in_pool, "work ran in another thread");
  is(j.status, 0, "all went well");
  is(stats(p).pending, 0, "nothing is pending");
  static const int never;
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "nothing holds the hub");
  green_tpool_free(p);
}

static void test_threads_on_demand(void)
{
  job j[9];
  sem_t gate;
  sem_init(&gate, 0, 0);
  green_tpool *p = green_tpool_new(hub);
  for (int i = 0; i < 9; i++) {
    job_init(&j[i], &gate);
    green_job_submit(p, &j[i].job);
  }
  is(stats(p).threads, 4, "four threads and no more");
  wait_begun(&j[3]);
  is(stats(p).queued, 5, "the others stand in line");
  for (int i = 0; i < 9; i++) sem_post(&gate);
  for (int i = 0; i < 9; i++) green_hub_run(hub, &j[i].done);
  is(stats(p).pending, 0, "all are done");
  job_init(&j[0], NULL);
  while (stats(p).idle < 4) usleep(1000);
  green_job_submit(p, &j[0].job);
  is(stats(p).threads, 4, "an idle thread takes the next");
  green_hub_run(hub, &j[0].done);
  green_tpool_free(p);
}

static void test_first_come_first_served(void)
{
  job j[20];
  int sorted = 1;
  sem_t gate;
  sem_init(&gate, 0, 0);
  green_tpool *p = green_tpool_new(hub);
  is(green_tpool_set_threads(p, 1), 0, "one thread");
  for (int i = 0; i < 20; i++) {
    job_init(&j[i], i ? NULL : &gate);
    green_job_submit(p, &j[i].job);
  }
  sem_post(&gate);
  for (int i = 0; i < 20; i++) green_hub_run(hub, &j[i].done);
  for (int i = 1; i < 20; i++) sorted = sorted && j[i].order > j[i - 1].order;
  ok(sorted, "jobs run in the order of their coming");
  green_tpool_free(p);
}

static void test_cancel(void)
{
  job run, wait, over, new;
  sem_t gate;
  sem_init(&gate, 0, 0);
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  job_init(&run, &gate);
  job_init(&wait, NULL);
  job_init(&over, NULL);
  job_init(&new, NULL);
  green_job_submit(p, &run.job);
  green_job_submit(p, &wait.job);
  wait_begun(&run);
  is(green_job_cancel(&wait.job), 1, "a job in line will never run");
  is(wait.done, 0, "done is not called inside cancel");
  is(green_job_cancel(&wait.job), 0, "cancelled once");
  is(green_job_cancel(&run.job), 0, "a job that runs goes on");
  is(green_job_cancel(&new.job), 0, "one that was never submitted");
  green_hub_run(hub, &wait.done);
  is(wait.status, GREEN_ECANCELED, "done is told");
  is(wait.begun, 0, "work never ran");
  is(run.done, 0, "the other is still at it");
  sem_post(&gate);
  green_hub_run(hub, &run.done);
  is(run.status, GREEN_ECANCELED, "its result is dropped");
  green_job_submit(p, &over.job);
  wait_over(&over, p);
  is(green_job_cancel(&over.job), 0, "one that is over");
  green_hub_run(hub, &over.done);
  is(over.status, GREEN_ECANCELED, "is dropped too");
  is(run.done + wait.done + over.done, 3, "done was called once for each");
  green_tpool_free(p);
}

static void job_again(green_job *j)
{
  job *me = green_container(j, job, job);
  if (me->order++ < 5)
    green_job_submit(j->pool, j);
  else
    me->done = 1;
}

static void test_submit_again(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  green_job_submit(p, &j.job);
  is(green_job_submit(p, &j.job), GREEN_EINVAL, "once at a time");
  green_hub_run(hub, &j.done);
  j.job.done = job_again;
  j.done = 0;
  j.order = 0;
  j.job.work = job_drop; /* Anything. */
  green_job_submit(p, &j.job);
  is(green_hub_run(hub, &j.done), 0, "done may submit its job again");
  green_tpool_free(p);
}

static void test_sizes(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  is(green_tpool_set_threads(p, -1), 0, "a wrong size is taken");
  is(green_job_submit(p, &j.job), GREEN_EINVAL, "and told at first use");
  is(green_tpool_set_threads(p, 1000000), 0, "so is a mad one");
  is(green_job_submit(p, &j.job), GREEN_EINVAL, "likewise");
  is(green_tpool_set_threads(p, 0), 0, "no threads at all");
  is(green_job_submit(p, &j.job), 0, "is fine");
  ok(j.begun && !j.in_pool, "work ran at once, here");
  is(j.done, 0, "done comes later as ever");
  green_hub_run(hub, &j.done);
  is(j.status, 0, "and did");
  is(green_tpool_set_threads(p, 2), 0, "now two");
  job_init(&j, NULL);
  green_job_submit(p, &j.job);
  is(green_tpool_set_threads(p, 3), GREEN_EBUSY, "not while threads run");
  green_hub_run(hub, &j.done);
  green_tpool_stop(p);
  is(green_tpool_set_threads(p, 3), 0, "but when they are stopped");
  green_tpool_free(p);
}

static int submit_with_env(const char *value)
{
  job j;
  setenv("GREENLUA_THREADS", value, 1);
  green_tpool *p = green_tpool_new(hub);
  unsetenv("GREENLUA_THREADS");
  job_init(&j, NULL);
  int err = green_job_submit(p, &j.job);
  if (err == 0) green_hub_run(hub, &j.done);
  int in_pool = j.in_pool;
  green_tpool_free(p);
  return err < 0 ? err : in_pool;
}

static void test_size_from_environment(void)
{
  is(submit_with_env("2"), 1, "a number");
  is(submit_with_env("0"), 0, "none");
  is(submit_with_env(""), 1, "an empty one is none of our business");
  is(submit_with_env("-1"), GREEN_EINVAL, "a negative one");
  is(submit_with_env("many"), GREEN_EINVAL, "no number");
  is(submit_with_env("4x"), GREEN_EINVAL, "nearly one");
}

/* Behaviour 165. */
static void test_stop(void)
{
  job j[10];
  green_tpool *p = green_tpool_new(hub);
  int done = 0;
  green_tpool_set_threads(p, 2);
  green_tpool_stop(p);
  for (int i = 0; i < 10; i++) {
    job_init(&j[i], NULL);
    green_job_submit(p, &j[i].job);
  }
  green_tpool_stop(p);
  is(stats(p).threads, 0, "no thread is left");
  is(stats(p).queued, 0, "no job either");
  green_hub_turn(hub, 0);
  for (int i = 0; i < 10; i++) done += j[i].done == 1 && j[i].status == 0;
  is(done, 10, "all results are delivered");
  job_init(&j[0], NULL);
  is(green_job_submit(p, &j[0].job), 0, "and it can be used again");
  green_hub_run(hub, &j[0].done);
  green_tpool_free(p);
  green_tpool_free(NULL);
}

static void test_free_does_not_wait(void)
{
  job run, wait, over;
  static const int never;
  sem_t gate;
  sem_init(&gate, 0, 0);
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  job_init(&over, NULL);
  green_job_submit(p, &over.job);
  wait_over(&over, p);
  job_init(&run, &gate);
  job_init(&wait, NULL);
  green_job_submit(p, &run.job);
  green_job_submit(p, &wait.job);
  wait_begun(&run);
  drops = 0;
  green_tpool_free(p);
  ok(wait.dropped && over.dropped, "what does not run is dropped at once");
  is(green_hub_run(hub, &never), GREEN_EDEADLOCK, "the hub is free");
  is(run.done + wait.done + over.done, 0, "done is called for none");
  sem_post(&gate);
  while (drops < 3) usleep(1000);
  is(run.dropped, 1, "the last one when its work returns");
  usleep(20000); /* Let the thread end: memcheck counts its stack. */
}

static void job_free_pool(green_job *j)
{
  job_done(j);
  green_tpool_free(j->pool);
}

static void test_free_inside_done(void)
{
  job j[3];
  sem_t gate;
  sem_init(&gate, 0, 0);
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  for (int i = 0; i < 3; i++) {
    job_init(&j[i], &gate);
    green_job_submit(p, &j[i].job);
    sem_post(&gate);
  }
  j[0].job.done = job_free_pool;
  wait_over(&j[2], p);
  green_hub_turn(hub, 0);
  is(j[0].done, 1, "the first was delivered");
  is(j[1].dropped + j[2].dropped, 2, "the others were dropped");
  is(j[1].done + j[2].done, 0, "not delivered");
}

/* -- Threads -------------------------------------------------------------- */

static sigset_t seen_mask;

static void work_mask(green_job *j)
{
  (void)j;
  pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
}

static void test_signals_are_blocked(void)
{
  job j;
  sigset_t ours;
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, NULL);
  j.job.work = work_mask;
  green_job_submit(p, &j.job);
  green_hub_run(hub, &j.done);
  ok(sigismember(&seen_mask, SIGTERM) && sigismember(&seen_mask, SIGCHLD),
     "pool threads take no signals");
  pthread_sigmask(SIG_SETMASK, NULL, &ours);
  ok(!sigismember(&ours, SIGTERM), "this one does");
  green_tpool_free(p);
}

static void test_idle_threads_retire(void)
{
  job j;
  green_tpool *p = green_tpool_new(hub);
  hasten = 1;
  for (int i = 0; i < 3; i++) {
    job_init(&j, NULL);
    green_job_submit(p, &j.job);
    is(stats(p).threads, 1, "a thread for a job");
    green_hub_run(hub, &j.done);
    while (stats(p).threads) usleep(1000);
  }
  ok(1, "and none when there is nothing to do");
  hasten = 0;
  green_tpool_free(p);
}

static void test_no_thread_to_be_had(void)
{
  job j, k;
  sem_t gate;
  sem_init(&gate, 0, 0);
  green_tpool *p = green_tpool_new(hub);
  job_init(&j, &gate);
  job_init(&k, NULL);
  creates_fail = 1;
  is(green_job_submit(p, &j.job), GREEN_ENOMEM, "the first thread fails");
  creates_fail = 0;
  is(green_job_submit(p, &j.job), 0, "the next time it works");
  wait_begun(&j);
  creates_fail = 1;
  is(green_job_submit(p, &k.job), 0, "a second one need not");
  creates_fail = 0;
  sem_post(&gate);
  green_hub_run(hub, &k.done);
  ok(j.done, "one thread has done both");
  green_tpool_free(p);
}

static int storm_left;

static void storm_done(green_job *j)
{
  storm_left--;
  free(green_container(j, job, job));
}

/* Jobs that end by themselves, are cancelled, and pile up. */
static void test_storm(void)
{
  green_tpool *p = green_tpool_new(hub);
  unsigned seed = 3;
  storm_left = 20000;
  for (int i = 0; i < 20000; i++) {
    job *j = malloc(sizeof(*j));
    job_init(j, NULL);
    j->job.done = storm_done;
    green_job_submit(p, &j->job);
    if (rand_r(&seed) % 3 == 0) green_job_cancel(&j->job);
    if (rand_r(&seed) % 16 == 0) green_hub_turn(hub, 0);
  }
  while (storm_left) green_hub_turn(hub, 1);
  is(stats(p).pending, 0, "20,000 jobs, each done once");
  green_tpool_free(p);
}

/* -- Lookups -------------------------------------------------------------- */

static green_tpool *pool;
static const green_lookup_hint stream = {0, SOCK_STREAM, 0};

/* A task that waits for a lookup. */
typedef struct asker {
  green_task task;
  green_lookup *lookup;
  int status;
  int asked;
  int done;
} asker;

static void asker_resume(green_task *t)
{
  asker *a = green_container(t, asker, task);
  if (!a->asked++) {
    int64_t due = green_clock_after(green_hub_now(hub), 5);
    green_task_park(t, green_lookup_waiters(a->lookup), due);
    return;
  }
  a->status = t->status;
  a->done = 1;
  green_task_end(t);
}

static void asker_start(asker *a, green_lookup *l)
{
  memset(a, 0, sizeof(*a));
  a->lookup = l;
  green_task_init(&a->task, hub, asker_resume);
  green_task_start(&a->task);
}

/* Wait for it and say what came of it. */
static int result_of(green_lookup *l)
{
  asker a;
  if (green_lookup_result(l) == GREEN_EAGAIN) {
    asker_start(&a, l);
    green_hub_run(hub, &a.done);
  }
  return green_lookup_result(l);
}

/* The result, and the first address as text. */
static int look_up(const char *host, const char *service, char *text)
{
  green_lookup *l;
  int err = green_lookup_start(&l, pool, host, service, &stream);
  if (err < 0) return err;
  int n = result_of(l);
  if (n > 0) green_addr_format(green_lookup_addr(l, 0), text, GREEN_ADDR_TEXT);
  green_lookup_free(l);
  return n;
}

static void test_numeric_hosts_need_no_thread(void)
{
  char text[GREEN_ADDR_TEXT] = "";
  green_lookup *l;
  lookups = 0;
  is(look_up("127.0.0.1", "80", text), 1, "IPv4");
  is_str(text, "127.0.0.1:80", "with its port");
  is(look_up("::1%2", NULL, text), 1, "IPv6 with a scope");
  is_str(text, "[::1%2]:0", "without a port");
  is(look_up("127.1", "80", text), GREEN_EAI_NONAME, "what inet_aton takes");
  is(look_up("::1%nope", "80", text), GREEN_ENODEV, "no such interface");
  green_lookup_hint six = {GREEN_INET6, SOCK_STREAM, 0};
  green_lookup_start(&l, pool, "127.0.0.1", "80", &six);
  is(green_lookup_result(l), GREEN_EAI_FAMILY, "the wrong family");
  ok(!green_lookup_addr(l, 0), "has no address");
  green_lookup_free(l);
  is(stats(pool).threads, 0, "no thread was started");
  is(lookups, 0, "nobody was asked");
}

static void test_names(void)
{
  char text[GREEN_ADDR_TEXT] = "";
  green_lookup *l;
  is(look_up("one.test", "8080", text), 1, "a name");
  is_str(text, "192.0.2.1:8080", "has an address");
  green_lookup_start(&l, pool, "two.test", "1", NULL);
  ok(result_of(l) >= 2, "another has two");
  ok(!green_lookup_addr(l, -1) && !green_lookup_addr(l, 99), "no more");
  green_lookup_free(l);
  is(look_up("127.0.0.1", "nonesuch-service", text), GREEN_EAI_SERVICE,
     "a service that there is not");
  green_lookup_hint passive = {GREEN_INET, SOCK_STREAM, GREEN_LOOKUP_PASSIVE};
  green_lookup_start(&l, pool, NULL, "81", &passive);
  is(result_of(l), 1, "no host, to listen on");
  green_addr_format(green_lookup_addr(l, 0), text, sizeof(text));
  is_str(text, "0.0.0.0:81", "is any address");
  green_lookup_free(l);
}

static int eai(int code)
{
  char host[32];
  snprintf(host, sizeof(host), "eai%d.test", code);
  return look_up(host, "80", NULL);
}

static void test_errors(void)
{
  char name[2000];
  is(eai(EAI_NONAME), GREEN_EAI_NONAME, "unknown");
  is(eai(EAI_AGAIN), GREEN_EAI_AGAIN, "not now");
  is(eai(EAI_FAIL), GREEN_EAI_FAIL, "broken");
  is(eai(EAI_NODATA), GREEN_EAI_FAMILY, "no address");
  is(eai(EAI_ADDRFAMILY), GREEN_EAI_FAMILY, "none of that family");
  is(eai(EAI_FAMILY), GREEN_EAI_FAMILY, "no such family");
  is(eai(EAI_SERVICE), GREEN_EAI_SERVICE, "service");
  is(eai(EAI_MEMORY), GREEN_ENOMEM, "memory");
  is(eai(EAI_SOCKTYPE), GREEN_EINVAL, "socket type");
  is(eai(EAI_SYSTEM), GREEN_EMFILE, "the system");
  is(eai(-12345), GREEN_EAI_FAIL, "what nobody knows");
  is(look_up(NULL, NULL, NULL), GREEN_EINVAL, "nothing to look up");
  memset(name, 'n', sizeof(name));
  name[1999] = '\0';
  is(look_up(name, "1", NULL), GREEN_ENAMETOOLONG, "a long host");
  is(look_up("x.test", name, NULL), GREEN_ENAMETOOLONG, "a long service");
}

/* The task that waits is killed; the answer comes later and is dropped. */
static void test_killed_while_waiting(void)
{
  green_lookup *l;
  asker a;
  lookups = 0;
  green_lookup_start(&l, pool, "slow.test", "80", &stream);
  while (lookups < 1) usleep(1000);
  asker_start(&a, l);
  green_hub_turn(hub, 0);
  is(green_task_kill(&a.task), 1, "kill");
  green_hub_run(hub, &a.done);
  is(a.status, GREEN_ECANCELED, "the wait ends at once");
  is(green_lookup_result(l), GREEN_EAGAIN, "the lookup goes on");
  green_lookup_free(l);
  is(stats(pool).pending, 1, "also when nobody wants it");
  sem_post(&lookup_gate);
  while (stats(pool).pending) green_hub_turn(hub, 1);
  ok(1, "until it is over");
}

static void test_freed_in_line_is_not_asked_for(void)
{
  green_lookup *busy[4], *l;
  lookups = 0;
  for (int i = 0; i < 4; i++)
    green_lookup_start(&busy[i], pool, "slow.test", "80", &stream);
  while (lookups < 4) usleep(1000);
  green_lookup_start(&l, pool, "one.test", "80", &stream);
  lookups = 0;
  green_lookup_free(l);
  for (int i = 0; i < 4; i++) sem_post(&lookup_gate);
  for (int i = 0; i < 4; i++) {
    is(result_of(busy[i]), 1, "the others get their answer");
    green_lookup_free(busy[i]);
  }
  is(lookups, 0, "nobody asked for it");
  green_lookup_free(NULL);
}

static void test_pool_freed_before_the_answer(void)
{
  green_lookup *l, *m;
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  lookups = 0;
  green_lookup_start(&l, p, "slow.test", "80", &stream);
  green_lookup_start(&m, p, "slow.test", "80", &stream);
  while (lookups < 1) usleep(1000);
  green_lookup_free(l);
  green_lookup_free(m);
  green_tpool_free(p);
  sem_post(&lookup_gate);
  usleep(50000); /* The sanitizer tells if the memory was not freed. */
  green_hub_turn(hub, 0);
  is(lookups, 1, "the second was never asked for");
}

static void test_out_of_memory(void)
{
  int n = 0, calls, good = 1;
  do {
    green_lookup *l;
    green__alloc_fail_from(++n);
    green_tpool *p = green_tpool_new(hub);
    int err = p ? green_lookup_start(&l, p, "one.test", "80", &stream) : 0;
    if (p && err == 0) {
      while (stats(p).pending) green_hub_turn(hub, 1);
      err = green_lookup_result(l);
      green_lookup_free(l);
    }
    if (p && err != 1 && err != GREEN_ENOMEM) good = 0;
    calls = green__alloc_fail_from(0);
    green_tpool_free(p);
  } while (calls >= n);
  ok(n >= 5, "each allocation failed in turn");
  ok(good, "and was reported");
  green__alloc_fail_from(1);
  is(look_up("1.2.3.4", "1", NULL), GREEN_ENOMEM, "a numeric one");
  green__alloc_fail_from(0);
}

int main(void)
{
  t_start();
  main_thread = pthread_self();
  sem_init(&lookup_gate, 0, 0);
  green_hub_new(&hub, NULL);
  test_one_job();
  test_threads_on_demand();
  test_first_come_first_served();
  test_cancel();
  test_submit_again();
  test_sizes();
  test_size_from_environment();
  test_stop();
  test_free_does_not_wait();
  test_free_inside_done();
  test_signals_are_blocked();
  test_idle_threads_retire();
  test_no_thread_to_be_had();
  test_storm();
  pool = green_tpool_new(hub);
  test_numeric_hosts_need_no_thread();
  test_names();
  test_errors();
  test_killed_while_waiting();
  test_freed_in_line_is_not_asked_for();
  test_pool_freed_before_the_answer();
  test_out_of_memory();
  green_tpool_stop(pool);
  green_tpool_free(pool);
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
