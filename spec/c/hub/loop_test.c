/*
** loop_test.c: backends, signals, descriptors closed behind our back.
*/

#include "hub/fd_kit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MS (GREEN_SECOND / 1000)

static void pair(int fds[2])
{
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) abort();
}

/* -- Backends ------------------------------------------------------------- */

static void test_choice(void)
{
  green_hub *hub = NULL;
  is(green_hub_new(&hub, "warp"), GREEN_EINVAL, "an unknown backend");
  is(green_hub_new(&hub, "kqueue"), GREEN_ENOSYS, "one of another system");
  ok(!hub, "neither makes a hub");
  for (int i = 0; i < N_BACKENDS; i++) {
    hub = hub_open(backends[i]);
    is_str(green_hub_backend(hub), backends[i], "a hub has what it was given");
    green_hub_free(hub);
  }
  hub = hub_open(NULL);
  is_str(green_hub_backend(hub), "epoll", "the best by itself");
  setenv("LIBEV_FLAGS", "2", 1);
  green_hub *other = hub_open(NULL);
  is_str(green_hub_backend(other), "epoll",
         "libev's own variable is not asked");
  unsetenv("LIBEV_FLAGS");
  green_hub_free(other);
  green_hub_free(hub);
}

static void test_wait_on(const char *backend)
{
  green_hub *hub = hub_open(backend);
  green_fd f;
  actor r, w, slow;
  int s[2];
  pair(s);
  green_fd_open(&f, hub, s[0]);
  actor_start(&w, hub, 'w', step_write);
  actor_start(&r, hub, 'r', step_read);
  actor_start(&slow, hub, 's', step_park);
  r.fd = w.fd = &f;
  slow.deadline = green_hub_now(hub) + 2 * MS;
  put(s[1]);
  run_out(hub);
  is(r.task.status, 0, "readable");
  is(w.task.status, 0, "writable");
  is(slow.task.status, GREEN_ETIMEDOUT, "late");
  ok(green_hub_now(hub) >= slow.deadline, "never early");
  green_fd_close(&f);
  close(s[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* All that waits goes on waiting. */
static void test_use(const char *from, const char *to)
{
  green_hub *hub = hub_open(from);
  green_fd f, g;
  actor r, w, slow;
  int s[2], full[2];
  char junk[4096] = {0};
  pair(s);
  pair(full);
  green_fd_open(&f, hub, s[0]);
  green_fd_open(&g, hub, full[0]);
  while (write(full[0], junk, sizeof(junk)) > 0) continue;
  actor_start(&r, hub, 'r', step_read);
  actor_start(&w, hub, 'w', step_write);
  actor_start(&slow, hub, 's', step_park);
  r.fd = &f;
  w.fd = &g;
  slow.deadline = green_hub_now(hub) + 5 * MS;
  turns(hub, 2);
  is(green_hub_use(hub, "warp"), GREEN_EINVAL, "an unknown backend");
  is_str(green_hub_backend(hub), from, "changes nothing");
  is(green_hub_use(hub, to), 0, "use");
  is_str(green_hub_backend(hub), to, "changes the backend");
  turns(hub, 2);
  is(stats_of(hub).waits, 2, "who waits goes on waiting");
  put(s[1]);
  while (recv(full[1], junk, sizeof(junk), MSG_DONTWAIT) > 0) continue;
  run_out(hub);
  is(r.task.status, 0, "a reader armed before is woken after");
  is(w.task.status, 0, "a writer too");
  is(slow.task.status, GREEN_ETIMEDOUT, "and a deadline");
  green_fd_close(&f);
  green_fd_close(&g);
  close(s[1]);
  close(full[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* Closed behind the hub's back while a task waits. */
static void test_closed_behind(const char *backend)
{
  green_hub *hub = hub_open(backend);
  green_fd f, g, again;
  actor victim, fine;
  int s[2], s2[2];
  int tells = strcmp(backend, "epoll") != 0;
  pair(s);
  pair(s2);
  green_fd_open(&f, hub, s[0]);
  green_fd_open(&g, hub, s2[0]);
  actor_start(&victim, hub, 'v', step_read);
  victim.fd = &f;
  actor_start(&fine, hub, 'f', step_read);
  fine.fd = &g;
  turns(hub, 2);
  close(s[0]);
  turns(hub, 2);
  if (tells) is(victim.task.status, GREEN_EBADF, "the waiter gets an error");
  put(s2[1]);
  turns(hub, 3);
  is(fine.task.status, 0, "others go on");
  is(fine.task.state, GREEN_TASK_DEAD, "to their end");
  int number = dup2(s2[1], s[0]);
  is(green_fd_open(&again, hub, number), 0, "the number is used again");
  turns(hub, 1);
  is(victim.task.state, GREEN_TASK_DEAD, "by then the waiter has its error");
  is(victim.task.status, tells ? GREEN_EBADF : GREEN_ECLOSED, "which one");
  is(f.fd, -1, "the old object is stale");
  green_fd_close(&f);
  ok(fcntl(number, F_GETFD) >= 0, "and closing it spares the number");
  green_fd_close(&again);
  green_fd_close(&g);
  close(s[1]);
  close(s2[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void step_read_and_close(actor *a)
{
  if (a->runs > 1) return;
  green_fd_park(a->fd, &a->task, GREEN_READ, GREEN_NEVER);
  close(a->fd->fd);
}

/* The kernel hears of a registration only at the next poll. */
static void test_closed_before_the_poll(const char *backend)
{
  green_hub *hub = hub_open(backend);
  green_fd f;
  actor a;
  int s[2];
  pair(s);
  green_fd_open(&f, hub, s[0]);
  actor_start(&a, hub, 'a', step_read_and_close);
  a.fd = &f;
  run_out(hub);
  is(a.task.status, GREEN_EBADF, "armed and closed within a turn");
  close(s[1]);
  green_fd_close(&f);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* One direction given up, the number closed: only the other is left to tell. */
static void test_closed_half_armed(const char *backend)
{
  green_hub *hub = hub_open(backend);
  green_fd f;
  actor r, w, slow;
  int s[2];
  pair(s);
  green_fd_open(&f, hub, s[0]);
  actor_start(&r, hub, 'r', step_read);
  actor_start(&w, hub, 'w', step_write);
  r.fd = w.fd = &f;
  turns(hub, 2);
  is(w.task.state, GREEN_TASK_DEAD, "one direction is done");
  turns(hub, 1);
  ok(!(f.armed & GREEN_WRITE), "and disarmed by an event for nobody");
  close(s[0]);
  actor_start(&slow, hub, 's', step_park);
  slow.deadline = green_hub_now(hub) + MS;
  green_hub_turn(hub, 1);
  while (slow.task.state != GREEN_TASK_DEAD) turns(hub, 1);
  ok(1, "the hub survives");
  green_hub_abandon(hub);
  green_fd_close(&f);
  close(s[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* A duplicate keeps the old registration alive in epoll: libev builds it anew
** when it hears of it, with whatever else is not open any more. */
static void test_closed_but_duplicated(const char *backend)
{
  green_hub *hub = hub_open(backend);
  green_fd f, g, again;
  actor a, b, c;
  int s[2], s2[2], s3[2];
  pair(s);
  pair(s2);
  pair(s3);
  green_fd_open(&f, hub, s[0]);
  green_fd_open(&g, hub, s2[0]);
  actor_start(&a, hub, 'a', step_read);
  actor_start(&b, hub, 'b', step_read);
  a.fd = &f;
  b.fd = &g;
  turns(hub, 2);
  int copy = dup(s[0]);
  close(s2[0]);
  dup2(s3[0], s[0]);
  green_fd_open(&again, hub, s[0]);
  actor_start(&c, hub, 'c', step_read);
  c.fd = &again;
  turns(hub, 2);
  is(a.task.status, GREEN_ECLOSED, "the number was used again");
  put(s[1]);
  turns(hub, 3);
  is(c.task.state, GREEN_TASK_PARKED, "its former file's data are not its");
  put(s3[1]);
  turns(hub, 3);
  is(c.task.status, 0, "its own are");
  is(b.task.status, GREEN_EBADF, "a closed one is found out by then");
  green_fd_close(&again);
  green_fd_close(&g);
  green_fd_close(&f);
  close(copy), close(s[1]), close(s2[1]), close(s3[0]), close(s3[1]);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

static void test_use_with_a_closed_fd(const char *to)
{
  green_hub *hub = hub_open("epoll");
  green_fd f;
  actor victim, slow;
  int s[2];
  pair(s);
  green_fd_open(&f, hub, s[0]);
  actor_start(&victim, hub, 'v', step_read);
  victim.fd = &f;
  actor_start(&slow, hub, 's', step_park);
  slow.deadline = green_hub_now(hub) + MS;
  turns(hub, 2);
  close(s[0]);
  is(green_hub_use(hub, to), 0, "use with a fd that is not open any more");
  run_out(hub);
  is(victim.task.status, GREEN_EBADF, "tells the waiter");
  is(slow.task.status, GREEN_ETIMEDOUT, "and the hub survives");
  close(s[1]);
  green_fd_close(&f);
  ok(is_clean(hub), "nothing is left");
  green_hub_free(hub);
}

/* -- Signals -------------------------------------------------------------- */

static volatile int alarms;

static void on_alarm(int sig)
{
  (void)sig;
  alarms++;
}

static void test_interrupted(const char *backend)
{
  struct sigaction sa = {.sa_handler = on_alarm}, old; /* No SA_RESTART. */
  struct itimerval every = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
  green_hub *hub = hub_open(backend);
  actor a;
  alarms = 0;
  sigaction(SIGVTALRM, NULL, &old);
  sigaction(SIGALRM, &sa, &old);
  setitimer(ITIMER_REAL, &every, NULL);
  actor_start(&a, hub, 'a', step_park);
  a.deadline = green_hub_now(hub) + 20 * MS;
  run_out(hub);
  setitimer(ITIMER_REAL, &off, NULL);
  sigaction(SIGALRM, &old, NULL);
  t_start(); /* The harness's alarm was replaced. */
  is(a.task.status, GREEN_ETIMEDOUT, "a wait ends by its deadline");
  ok(green_hub_now(hub) >= a.deadline, "at its time");
  ok(alarms >= 3, "however many signals interrupt it");
  green_hub_free(hub);
}

static int stopped_child(const char *backend)
{
  green_hub *hub = hub_open(backend);
  actor a;
  actor_start(&a, hub, 'a', step_park);
  a.deadline = green_hub_now(hub) + 30 * MS;
  run_out(hub);
  return a.task.status == GREEN_ETIMEDOUT && green_hub_now(hub) >= a.deadline;
}

static void test_stopped(const char *backend)
{
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(stopped_child(backend) ? 0 : 1);
  usleep(5000);
  kill(pid, SIGSTOP);
  waitpid(pid, &status, WUNTRACED);
  usleep(5000);
  kill(pid, SIGCONT);
  waitpid(pid, &status, 0);
  ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
     "a stop and a continue are invisible");
}

int main(void)
{
  t_start();
  test_choice();
  for (int i = 0; i < N_BACKENDS; i++) {
    printf("# %s\n", backends[i]);
    test_wait_on(backends[i]);
    test_closed_behind(backends[i]);
    test_closed_before_the_poll(backends[i]);
    test_closed_half_armed(backends[i]);
    test_closed_but_duplicated(backends[i]);
    test_use_with_a_closed_fd(backends[i]);
    test_interrupted(backends[i]);
    test_stopped(backends[i]);
    for (int k = 0; k < N_BACKENDS; k++) test_use(backends[i], backends[k]);
  }
  return t_done();
}
