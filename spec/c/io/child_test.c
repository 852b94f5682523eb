/*
** child_test.c: children: what they are given, how they end, what fails.
*/

/* wrap: clone */

#include "actor.h"
#include "base/mem.h"
#include "io/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static green_hub *hub;
static char said[4096]; /* What a child wrote. */
static int clone_fails;

int __real_clone(int (*fn)(void *), void *stack, int flags, void *arg, ...);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg,
                 int *pidfd);

int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg,
                 int *pidfd)
{
  if (!clone_fails) return __real_clone(fn, stack, flags, arg, pidfd);
  errno = clone_fails;
  clone_fails = 0;
  return -1;
}

static int open_fds(void)
{
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  if (!d) return -1;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static green_child *new_child(void)
{
  green_child *c = green_child_new(hub);
  if (!c) abort();
  return c;
}

/* Is there a process of ours, dead or alive, that nobody has waited for? */
static int have_children(void)
{
  siginfo_t info;
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* -- Plans ---------------------------------------------------------------- */

static const char *sh_paths[] = {"/nowhere/sh", "/bin/sh", NULL};
static const char *sh_argv[] = {"sh", "-c", NULL, NULL};
static int32_t fds[3];

/* A shell that runs the text; its output goes to out. */
static green_child_plan plan_of(const char *text, int out)
{
  green_child_plan p = {.paths = sh_paths,
                        .argv = sh_argv,
                        .fds = fds,
                        .n_fds = 3,
                        .n_groups = -1,
                        .gid = -1,
                        .uid = -1};
  sh_argv[2] = text;
  fds[0] = GREEN_CHILD_NULL;
  fds[1] = fds[2] = out;
  return p;
}

static void step_child(actor *a)
{
  green_child *c = (green_child *)a->value;
  if (green_child_state(c) == GREEN_CHILD_RUNNING)
    green_task_park(&a->task, green_child_waiters(c), a->deadline);
}

/* Run the hub until c has ended; its state. */
static int ends_as(green_child *c)
{
  actor a;
  actor_start(&a, hub, 0, step_child);
  a.value = (long)c;
  run_out(hub);
  return green_child_state(c);
}

/* What the planned child writes, which ends with status 0. */
static const char *says_with(green_child_plan *p, int ends[2])
{
  size_t n = 0;
  ssize_t r;
  green_child *c = new_child();
  is(green_child_spawn(c, p), 0, "started");
  close(ends[1]);
  while ((r = read(ends[0], said + n, sizeof(said) - 1 - n)) > 0)
    n += (size_t)r;
  said[n] = '\0';
  close(ends[0]);
  is(ends_as(c), GREEN_CHILD_EXITED, "ended");
  is(green_child_code(c), 0, "well");
  green_child_free(c);
  return said;
}

static void open_pipe(int ends[2])
{
  if (pipe2(ends, O_CLOEXEC) < 0) abort();
}

static const char *says(const char *text)
{
  int ends[2];
  open_pipe(ends);
  green_child_plan p = plan_of(text, ends[1]);
  return says_with(&p, ends);
}

static green_child *start(const char *text)
{
  green_child_plan p = plan_of(text, GREEN_CHILD_NULL);
  green_child *c = new_child();
  if (green_child_spawn(c, &p) < 0) abort();
  return c;
}

/* A child that has said that it is there. */
static green_child *start_and_hear(const char *text)
{
  int ends[2];
  char byte;
  open_pipe(ends);
  green_child_plan p = plan_of(text, ends[1]);
  green_child *c = new_child();
  if (green_child_spawn(c, &p) < 0) abort();
  close(ends[1]);
  if (read(ends[0], &byte, 1) != 1) abort();
  close(ends[0]);
  return c;
}

/* -- Ends ----------------------------------------------------------------- */

static void test_ends(void)
{
  green_child_usage u;
  green_child *c = start("exit 7");
  ok(green_child_pid(c) > 0, "it has a number");
  is(green_child_state(c), GREEN_CHILD_RUNNING, "it runs");
  is(ends_as(c), GREEN_CHILD_EXITED, "it exits");
  is(green_child_code(c), 7, "with its status");
  green_child_usage_get(c, &u);
  ok(u.memory > 0 && u.real > 0, "and used something");
  is(green_child_signal(c, SIGTERM, 0), -ESRCH, "too late for signals");
  ok(!have_children(), "no zombie");
  green_child_free(c);

  c = start("kill -USR1 $$");
  is(ends_as(c), GREEN_CHILD_KILLED, "a signal ends it");
  is(green_child_code(c), SIGUSR1, "which is known");
  is(green_child_dumped(c), 0, "no core");
  green_child_free(c);
}

static void test_nobody_waits(void)
{
  green_child *c = start("exit 3");
  run_out(hub);
  ok(!have_children(), "it is reaped");
  is(green_child_code(c), 3, "and its status kept");
  is(ends_as(c), GREEN_CHILD_EXITED, "a late wait is none");
  green_child_free(c);
}

static void test_somebody_else_reaps(void)
{
  green_child *c = start("exit 3");
  while (waitpid(-1, NULL, 0) < 0 && errno == EINTR) {
  }
  is(ends_as(c), GREEN_CHILD_LOST, "lost");
  is(green_child_code(c), -ECHILD, "and says so");
  green_child_free(c);
}

static void test_signals(void)
{
  green_child *c = start_and_hear("trap '' TERM; echo; while :; do :; done");
  is(green_child_signal(c, 0, 0), 0, "it is there");
  is(green_child_signal(c, 9999, 0), GREEN_EINVAL, "no signal");
  is(green_child_signal(c, SIGTERM, 1), GREEN_EINVAL, "it leads no group");
  is(green_child_stop(c, SIGTERM, 0.02, 0), 0, "asked to end");
  is(ends_as(c), GREEN_CHILD_KILLED, "made to");
  is(green_child_code(c), SIGKILL, "when the grace was over");
  green_child_free(c);

  c = start_and_hear("trap 'exit 5' TERM; echo; while :; do :; done");
  green_child_stop(c, SIGTERM, 1e9, 0);
  is(ends_as(c), GREEN_CHILD_EXITED, "one that hears");
  is(green_child_code(c), 5, "ends by itself");
  green_child_free(c);
}

static void test_sooner(void)
{
  green_child *c = start_and_hear("trap '' TERM; echo; while :; do :; done");
  green_child_stop(c, SIGTERM, 1e9, 0);
  turns(hub, 2);
  green_child_stop(c, SIGTERM, 0.01, 0);
  is(ends_as(c), GREEN_CHILD_KILLED, "the sooner one counts");
  green_child_free(c);
}

/* The leader ends at once, its own child does not hear. */
static void test_group(void)
{
  int ends[2];
  char byte;
  open_pipe(ends);
  green_child_plan p =
      plan_of("(trap '' TERM; echo; exec sleep 1000) & wait", ends[1]);
  p.flags = GREEN_CHILD_GROUP;
  green_child *c = new_child();
  is(green_child_spawn(c, &p), 0, "started");
  close(ends[1]);
  ok(read(ends[0], &byte, 1) == 1, "both are there");
  is(green_child_stop(c, SIGTERM, 0.02, 1), 0, "all are asked");
  is(ends_as(c), GREEN_CHILD_KILLED, "the leader ends");
  is(green_child_code(c), SIGTERM, "of itself");
  is(read(ends[0], &byte, 1), 0, "and the other is killed");
  close(ends[0]);
  green_child_free(c);
}

static void test_deinit(void)
{
  actor a;
  green_child *c = start("exec sleep 1000");
  actor_start(&a, hub, 0, step_child);
  a.value = (long)c;
  turns(hub, 2);
  int pid = green_child_pid(c);
  green_child_deinit(c);
  run_out(hub);
  is(a.task.status, GREEN_ECLOSED, "who waits is told");
  is(kill(pid, SIGKILL), 0, "it runs on");
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
  }
  is(green_child_signal(c, 0, 0), -ESRCH, "it is not ours");
  green_child_free(c);
}

/* -- What it is given ----------------------------------------------------- */

static void test_given(void)
{
  int ends[2];
  const char *envp[] = {"A=1", "B=2", NULL};
  open_pipe(ends);
  green_child_plan p = plan_of("echo $A$B; pwd; cat", ends[1]);
  p.envp = envp;
  p.folder = "/";
  is_str(says_with(&p, ends), "12\n/\n", "environment, folder, no input");
  ok(green_child_variable(0) != NULL, "ours has a variable");
  is_str(says("echo out; echo err >&2"), "out\nerr\n", "both to one place");
}

static void test_descriptors(void)
{
  int extra = open("/dev/null", O_RDONLY); /* Not close-on-exec. */
  is_str(says("ls /proc/self/fd"), "0\n1\n2\n3\n",
         "nothing else is open, but the folder that is read");
  close(extra);
  int ends[2];
  int32_t swap[5];
  open_pipe(ends);
  green_child_plan p = plan_of("echo one; echo four >&4", 0);
  int saved = fcntl(1, F_DUPFD_CLOEXEC, 10);
  dup2(ends[1], 1); /* Sources that stand where others are to be. */
  swap[0] = GREEN_CHILD_NULL;
  swap[1] = ends[1];
  swap[2] = 1;
  swap[3] = GREEN_CHILD_CLOSED;
  swap[4] = 1;
  p.fds = swap;
  p.n_fds = 5;
  green_child *c = new_child();
  int err = green_child_spawn(c, &p);
  dup2(saved, 1);
  close(saved);
  is(err, 0, "started");
  close(ends[1]);
  ends_as(c);
  ssize_t n = read(ends[0], said, sizeof(said) - 1);
  said[n > 0 ? n : 0] = '\0';
  close(ends[0]);
  is_str(said, "one\nfour\n", "numbers that overlap");
  green_child_free(c);
}

static void handler(int signo)
{
  (void)signo;
}

static void test_signals_are_reset(void)
{
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  signal(SIGUSR2, SIG_IGN);
  signal(SIGHUP, handler);
  says("sed -n 's/^Sig\\(Blk\\|Ign\\|Cgt\\):.//p' /proc/self/status");
  unsigned long long mask = 0;
  for (char *at = said; *at;) mask |= strtoull(at, &at, 16), at += *at == '\n';
  /* Two are libc's own, and ignored in what posix_spawn has started. */
  is((long long)(mask & ~0x180000000ull), 0,
     "none is blocked, ignored or caught");
  sigprocmask(SIG_SETMASK, &old, NULL);
  signal(SIGUSR2, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
}

static void test_limits(void)
{
  int ends[2];
  green_child_limit limits[] = {{green_child_resource("nofile"), 20, 30},
                                {green_child_resource("core"), 0, INFINITY}};
  open_pipe(ends);
  green_child_plan p = plan_of("ulimit -Sn; ulimit -Hn; ulimit -Sc", ends[1]);
  p.limits = limits;
  p.n_limits = getuid() == 0 ? 2 : 1;
  says_with(&p, ends);
  ok(!strncmp(said, "20\n30\n", 6), "its limits");
  is(green_child_resource("soup"), GREEN_EINVAL, "no such limit");
}

static void test_session(void)
{
  int ends[2];
  open_pipe(ends);
  green_child_plan p =
      plan_of("set -- $(cat /proc/self/stat); [ $5 = $$ ] && [ $6 = $$ ] && "
              "echo alone",
              ends[1]);
  p.flags = GREEN_CHILD_SESSION;
  is_str(says_with(&p, ends), "alone\n", "a session and a group of its own");
}

static void test_user(void)
{
  int ends[2];
  const uint32_t groups[] = {7, 8};
  if (getuid() != 0) {
    t_skip("another user", "needs root");
    return;
  }
  open_pipe(ends);
  green_child_plan p =
      plan_of("grep -E '^(Uid|Gid|Groups)' /proc/self/status", ends[1]);
  p.uid = 65534;
  p.gid = 65533;
  p.groups = groups;
  p.n_groups = 2;
  is_str(says_with(&p, ends),
         "Uid:\t65534\t65534\t65534\t65534\n"
         "Gid:\t65533\t65533\t65533\t65533\nGroups:\t7 8 \n",
         "all of its numbers");
  is(prctl(PR_GET_DUMPABLE), 1, "ours are as they were");
}

/* -- What fails ----------------------------------------------------------- */

static void fails_as(green_child_plan *p, int err, const char *step)
{
  green_child *c = new_child();
  is(green_child_spawn(c, p), err, step ? step : "no step");
  if (step) is_str(green_child_step(c), step, "is the step");
  is(green_child_state(c), GREEN_CHILD_NEW, "it never ran");
  ok(!have_children(), "and left nothing");
  green_child_free(c);
}

static void test_fails(void)
{
  const char *none[] = {"/nowhere/a", "/etc/passwd/b", NULL};
  const char *refused[] = {"/etc/passwd", "/nowhere/b", NULL};
  const char *argv[] = {"x", NULL};
  green_child_plan p = plan_of(":", GREEN_CHILD_NULL);
  p.argv = argv;
  p.paths = none;
  fails_as(&p, GREEN_ENOENT, "exec");
  p.paths = refused;
  fails_as(&p, GREEN_EACCES, "exec");
  p = plan_of(":", GREEN_CHILD_NULL);
  p.folder = "/nowhere";
  fails_as(&p, GREEN_ENOENT, "folder");
  p = plan_of(":", 9999);
  fails_as(&p, GREEN_EBADF, "descriptors");
  p = plan_of(":", GREEN_CHILD_NULL);
  p.flags = GREEN_CHILD_TERMINAL;
  fails_as(&p, GREEN_EBADF, "terminal");
  p = plan_of(":", GREEN_CHILD_NULL);
  p.flags = GREEN_CHILD_GROUP;
  p.group = 1;
  fails_as(&p, GREEN_EPERM, "session");
  clone_fails = EAGAIN;
  p = plan_of(":", GREEN_CHILD_NULL);
  fails_as(&p, GREEN_EAGAIN, "start");
  p.n_fds = 9999;
  fails_as(&p, GREEN_EINVAL, NULL);
}

/* The n-th allocation of a start fails, until none does. */
static void test_no_memory(void)
{
  int err = GREEN_ENOMEM;
  green_child_plan p = plan_of("exec sleep 1000", GREEN_CHILD_NULL);
  for (int n = 1; err == GREEN_ENOMEM && n < 20; n++) {
    green_child *c = new_child();
    green__alloc_fail_from(n);
    err = green_child_spawn(c, &p);
    green__alloc_fail_from(0);
    if (err == GREEN_ENOMEM) {
      ok(!have_children(), "no memory, no child");
    } else {
      is(err, 0, "memory enough");
      green_child_stop(c, SIGKILL, 0, 0);
      is(ends_as(c), GREEN_CHILD_KILLED, "it ran");
    }
    green_child_free(c);
  }
}

static void test_fork(void)
{
  int status;
  green_child *c = start("exec sleep 1000");
  turns(hub, 2);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    green_hub_check_fork(hub);
    int good = green_child_state(c) == GREEN_CHILD_LOST &&
               green_child_code(c) == -ECHILD &&
               green_child_signal(c, SIGKILL, 0) == -ESRCH;
    _exit(good ? 0 : 1);
  }
  waitpid(pid, &status, 0);
  is(status, 0, "in a child of ours it is not its");
  is(green_child_stop(c, SIGKILL, 0, 0), 0, "but ours it is");
  is(ends_as(c), GREEN_CHILD_KILLED, "to the end");
  green_child_free(c);
}

int main(void)
{
  t_start();
  hub = hub_open(NULL);
  int n = open_fds();
  test_ends();
  test_nobody_waits();
  test_somebody_else_reaps();
  test_signals();
  test_sooner();
  test_group();
  test_deinit();
  test_given();
  test_descriptors();
  test_signals_are_reset();
  test_limits();
  test_session();
  test_user();
  test_fails();
  test_no_memory();
  test_fork();
  ok(is_clean(hub), "nothing is left in the hub");
  is(open_fds(), n, "no descriptor is left open");
  green_hub_free(hub);
  return t_done();
}
