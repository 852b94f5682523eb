/*
** child_start.c: what a child does before it is another program.
**
** It runs in our memory, on a stack of its own, while the thread that started
** it stands still; other threads of ours run on. So it calls nothing that takes
** a lock or allocates, and no function of libc's that speaks for all threads,
** as setuid does. A handler of ours must not run in it either: all signals are
** blocked until their actions are the default ones.
*/

#include "io/child_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <string.h>
#include <unistd.h>

/* Enough for its deepest call, also of a sanitizer's. */
#define CHILD_STACK 65536

extern char **environ;

typedef struct child_start {
  const green_child_plan *plan;
  const char *step; /* What has failed, */
  int err;          /* and why; 0: nothing. */
} child_start;

/* A sanitizer would take note of frames that are never left. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined", "thread")))

/* -- Steps: 0 or a negative error ----------------------------------------- */

IN_CHILD static int reset_signals(const green_child_plan *p)
{
  struct sigaction now, none;
  (void)p;
  memset(&none, 0, sizeof(none)); /* SIG_DFL */
  for (int s = 1; s < NSIG; s++) {
    if (sigaction(s, NULL, &now) < 0 || now.sa_handler == SIG_DFL) continue;
    sigaction(s, &none, NULL); /* Two of them cannot be, and need not. */
  }
  return 0;
}

IN_CHILD static int set_session(const green_child_plan *p)
{
  int r = 0;
  if (p->flags & GREEN_CHILD_SESSION)
    r = setsid();
  else if (p->flags & GREEN_CHILD_GROUP)
    r = setpgid(0, p->group);
  return r < 0 ? -errno : 0;
}

IN_CHILD static int set_terminal(const green_child_plan *p)
{
  if (!(p->flags & GREEN_CHILD_TERMINAL)) return 0;
  int r = ioctl(p->n_fds ? p->fds[0] : -1, TIOCSCTTY, 0);
  return r < 0 ? -errno : 0;
}

IN_CHILD static rlim_t limit_of(double value)
{
  return isinf(value) ? RLIM_INFINITY : (rlim_t)value;
}

IN_CHILD static int set_limits(const green_child_plan *p)
{
  for (int i = 0; i < p->n_limits; i++) {
    const green_child_limit *l = &p->limits[i];
    struct rlimit r = {limit_of(l->soft), limit_of(l->hard)};
    if (setrlimit((unsigned)l->resource, &r) < 0) return -errno;
  }
  return 0;
}

IN_CHILD static int set_groups(const green_child_plan *p)
{
  if (p->n_groups < 0) return 0;
  long r = syscall(SYS_setgroups, (size_t)p->n_groups, p->groups);
  return r < 0 ? -errno : 0;
}

/* The real, the effective and the saved one. */
IN_CHILD static int set_group(const green_child_plan *p)
{
  gid_t id = (gid_t)p->gid;
  if (p->gid < 0) return 0;
  long r = syscall(SYS_setresgid, id, id, id);
  return r < 0 ? -errno : 0;
}

IN_CHILD static int set_user(const green_child_plan *p)
{
  uid_t id = (uid_t)p->uid;
  if (p->uid < 0) return 0;
  long r = syscall(SYS_setresuid, id, id, id);
  return r < 0 ? -errno : 0;
}

IN_CHILD static int set_folder(const green_child_plan *p)
{
  int r = p->folder ? chdir(p->folder) : 0;
  return r < 0 ? -errno : 0;
}

/* Our numbers below n, which would be overwritten, get others. */
IN_CHILD static int move_sources(int *from, int n)
{
  for (int i = 0; i < n; i++) {
    if (from[i] < 0 || from[i] >= n || from[i] == i) continue;
    from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, n);
    if (from[i] < 0) return -errno;
  }
  return 0;
}

/* Number i of the child's. */
IN_CHILD static int set_fd(int i, int from)
{
  int r = 0;
  if (from == GREEN_CHILD_CLOSED) {
    close(i);
    return 0;
  }
  if (from == i) {
    r = fcntl(i, F_SETFD, 0);
    return r < 0 ? -errno : 0;
  }
  if (from == GREEN_CHILD_NULL) from = r = open("/dev/null", O_RDWR);
  if (r < 0) return -errno;
  if (from != i) r = dup2(from, i);
  return r < 0 ? -errno : 0;
}

/* Where the system cannot close a range. */
IN_CHILD static void close_each(int first)
{
  struct rlimit r;
  int last = getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < 1 << 20
                 ? (int)r.rlim_cur
                 : 1 << 20;
  for (int fd = first; fd < last; fd++) close(fd);
}

/* What is to stay as it is but is closed would be given to the first file that
** the program opens. */
IN_CHILD static int source_of(const green_child_plan *p, int i)
{
  int fd = p->fds[i];
  int stays = fd >= 0 && fd < p->n_fds && p->fds[fd] == fd;
  return stays && fcntl(fd, F_GETFD) < 0 ? GREEN_CHILD_NULL : fd;
}

IN_CHILD static int set_fds(const green_child_plan *p)
{
  int from[GREEN_CHILD_FDS], n = p->n_fds;
  for (int i = 0; i < n; i++) from[i] = source_of(p, i);
  int err = move_sources(from, n);
  for (int i = 0; i < n && err == 0; i++) err = set_fd(i, from[i]);
  if (err < 0) return err;
  if (syscall(SYS_close_range, (unsigned)n, ~0u, 0u) < 0) close_each(n);
  return 0;
}

/* A path that is not there, or not for us, leads to the next. */
IN_CHILD static int try_exec(const green_child_plan *p, const char *path)
{
  char *const *argv = (char *const *)(uintptr_t)p->argv;
  char *const *envp = p->envp ? (char *const *)(uintptr_t)p->envp : environ;
  execve(path, argv, envp);
  return -errno;
}

IN_CHILD static int exec_first(const green_child_plan *p)
{
  int err = -ENOENT;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (const char *const *path = p->paths; *path; path++) {
    int r = try_exec(p, *path);
    if (r == -EACCES) err = r;
    if (r != -ENOENT && r != -ENOTDIR && r != -EACCES) return r;
  }
  return err;
}

/* A group's and a user's number are set with the right to do so, which ends
** with the latter; so the folder must be one that the user may enter. The
** descriptors come before the limits: where more are open here than it may
** have, none could be opened, and close_each would stop below the last. */
static const struct {
  const char *name;
  int (*run)(const green_child_plan *p);
} steps[] = {
    {"signals", reset_signals}, {"session", set_session},
    {"terminal", set_terminal}, {"descriptors", set_fds},
    {"limits", set_limits},     {"setgroups", set_groups},
    {"setgid", set_group},      {"setuid", set_user},
    {"folder", set_folder},     {"exec", exec_first},
};

IN_CHILD static int child_main(void *arg)
{
  child_start *s = arg;
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    s->err = steps[i].run(s->plan);
    if (s->err == 0) continue;
    s->step = steps[i].name;
    break;
  }
  _exit(127);
}

/* -- The parent's side ---------------------------------------------------- */

/* The process's number and a pidfd, or a negative error. */
static int child_clone(child_start *s, int *pidfd)
{
  const int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
  sigset_t all, old;
  char *stack = green__alloc(CHILD_STACK);
  if (!stack) return GREEN_ENOMEM;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int pid = clone(child_main, stack + CHILD_STACK, flags, s, pidfd);
  int err = pid < 0 ? -errno : 0;
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  green__free(stack);
  return err ? err : pid;
}

/* A change of user in our memory takes our right to be looked at by a debugger
** and by /proc: the system means the child's. */
static int child_clone_as(child_start *s, int *pidfd)
{
  int changes = s->plan->uid >= 0 || s->plan->gid >= 0;
  int before = changes ? prctl(PR_GET_DUMPABLE) : -1;
  int pid = child_clone(s, pidfd);
  if (before == 1) prctl(PR_SET_DUMPABLE, 1);
  return pid;
}

/* It has ended before it was another program. */
static void child_collect(int pidfd)
{
  siginfo_t info;
  while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR) {
  }
  close(pidfd);
}

int green__child_start(const green_child_plan *plan, int *pidfd,
                       const char **step)
{
  child_start s = {.plan = plan};
  *step = NULL;
  int pid = child_clone_as(&s, pidfd);
  if (pid < 0) {
    *step = "start";
    return pid;
  }
  if (s.err == 0) return pid;
  child_collect(*pidfd);
  *step = s.step;
  return s.err;
}

/* -- Names ---------------------------------------------------------------- */

int green_child_resource(const char *name)
{
  static const struct {
    const char *name;
    int resource;
  } limits[] = {{"as", RLIMIT_AS},
                {"core", RLIMIT_CORE},
                {"cpu", RLIMIT_CPU},
                {"data", RLIMIT_DATA},
                {"fsize", RLIMIT_FSIZE},
                {"memlock", RLIMIT_MEMLOCK},
                {"nofile", RLIMIT_NOFILE},
                {"nproc", RLIMIT_NPROC},
                {"rss", RLIMIT_RSS},
                {"stack", RLIMIT_STACK},
                {"msgqueue", RLIMIT_MSGQUEUE},
                {"nice", RLIMIT_NICE},
                {"rtprio", RLIMIT_RTPRIO},
                {"sigpending", RLIMIT_SIGPENDING}};
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
    if (!strcmp(limits[i].name, name)) return limits[i].resource;
  return GREEN_EINVAL;
}

const char *green_child_variable(int i)
{
  if (!environ) return NULL; /* clearenv */
  return environ[i];
}
