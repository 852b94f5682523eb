/*
** child.c: a child from its start to its end, as its parent sees it.
*/

#include "io/child.h"
#include "io/child_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* -- Life ----------------------------------------------------------------- */

size_t green_child_size(void)
{
  return sizeof(green_child);
}

static void child_forked(green_forkhook *h);

void green_child_init(green_child *c, green_hub *hub)
{
  c->f.hub = hub;
  c->f.fd = -1;
  c->kill_due = GREEN_NEVER;
  c->forked.run = child_forked;
  green_waitq_init(&c->waiters);
}

static int child_is_over(const green_child *c)
{
  return c->state != GREEN_CHILD_RUNNING;
}

static void child_leave(green_child *c)
{
  green_fd_close(&c->f);
  green_forkhook_remove(&c->forked);
  if (c->task.hub && c->task.state != GREEN_TASK_DEAD) green_task_end(&c->task);
}

void green_child_deinit(green_child *c)
{
  if (!c->f.hub) return;
  child_leave(c);
  if (!child_is_over(c)) c->code = GREEN_ECLOSED;
  if (!child_is_over(c)) c->state = GREEN_CHILD_LOST;
  green_waitq_wake_all(&c->waiters, GREEN_ECLOSED);
  c->f.hub = NULL;
}

green_child *green_child_new(green_hub *hub)
{
  green_child *c = green__zalloc(sizeof(*c));
  if (c) green_child_init(c, hub);
  return c;
}

void green_child_free(green_child *c)
{
  if (!c) return;
  green_child_deinit(c);
  green__free(c);
}

/* -- Its end -------------------------------------------------------------- */

static double seconds_of(const struct timeval *t)
{
  return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

static void child_note_usage(green_child *c, const struct rusage *u)
{
  int64_t now = green_hub_now(c->f.hub);
  c->usage.user = seconds_of(&u->ru_utime);
  c->usage.system = seconds_of(&u->ru_stime);
  c->usage.memory = (double)u->ru_maxrss * 1024;
  c->usage.real = (double)(now - c->started) * 1e-9;
}

static void child_note_end(green_child *c, const siginfo_t *info)
{
  c->state =
      info->si_code == CLD_EXITED ? GREEN_CHILD_EXITED : GREEN_CHILD_KILLED;
  c->code = info->si_status;
  c->dumped = info->si_code == CLD_DUMPED;
}

/* 1: it has ended, and is reaped; 0: it runs. libc's waitid tells no usage. */
static int child_reap(green_child *c)
{
  siginfo_t info = {0};
  struct rusage u = {0};
  long r;
  do r = syscall(SYS_waitid, P_PIDFD, c->f.fd, &info, WEXITED | WNOHANG, &u);
  while (r < 0 && errno == EINTR);
  int err = r < 0 ? errno : 0;
  if (!err && !info.si_pid) return 0;
  if (err) {
    c->state = GREEN_CHILD_LOST;
    c->code = -err;
  } else {
    child_note_end(c, &info);
  }
  child_note_usage(c, &u);
  return 1;
}

static void child_tell_end(green_child *c)
{
  green_waitq_wake_all(&c->waiters, 0);
  if (c->on_end) c->on_end(c);
}

/* Is there something left that is to be killed when the grace is over? */
static int child_has_rest(const green_child *c)
{
  if (c->kill_due == GREEN_NEVER || !c->kills_group) return 0;
  return kill(-c->pid, 0) == 0;
}

static void child_kill(green_child *c)
{
  int group = c->kills_group;
  c->kill_due = GREEN_NEVER;
  green_child_signal(c, SIGKILL, group);
}

/* Has it ended? What that means is done once. */
static void child_look(green_child *c)
{
  if (child_is_over(c) || !child_reap(c)) return;
  green_fd_close(&c->f);
  if (!child_has_rest(c)) c->kill_due = GREEN_NEVER;
  child_tell_end(c);
}

/* Nobody knows when it ends any more. */
static void child_lose(green_child *c, int err)
{
  c->state = GREEN_CHILD_LOST;
  c->code = err;
  c->kill_due = GREEN_NEVER;
  green_fd_close(&c->f);
  child_tell_end(c);
}

/* 0: parked */
static int child_park(green_child *c)
{
  if (child_is_over(c)) return green_task_park(&c->task, NULL, c->kill_due);
  return green_fd_park(&c->f, &c->task, GREEN_READ, c->kill_due);
}

static void child_resume(green_task *t)
{
  green_child *c = green_container(t, green_child, task);
  child_look(c);
  if (c->kill_due <= green_hub_now(c->f.hub)) child_kill(c);
  if (!child_is_over(c) || c->kill_due != GREEN_NEVER) {
    int err = child_park(c);
    if (err == 0) return;
    if (err == GREEN_ENOMEM) {
      green_task_yield(t); /* There may be more. */
      return;
    }
    child_lose(c, err);
  }
  green_forkhook_remove(&c->forked);
  green_task_end(t);
}

/* From now on, what happens to it is heard. */
static void child_watch(green_child *c)
{
  memset(&c->task, 0, sizeof(c->task));
  green_task_init(&c->task, c->f.hub, child_resume);
  green_hub_on_fork(c->f.hub, &c->forked);
  green_task_start(&c->task);
}

/* It is no child of this process's. */
static void child_forked(green_forkhook *h)
{
  green_child *c = green_container(h, green_child, forked);
  int was_over = child_is_over(c);
  child_leave(c);
  c->kill_due = GREEN_NEVER;
  if (was_over) return;
  c->state = GREEN_CHILD_LOST;
  c->code = -ECHILD;
  child_tell_end(c);
}

/* -- Its start ------------------------------------------------------------ */

static int plan_is_sound(const green_child_plan *p)
{
  if (!p->paths || !p->paths[0] || !p->argv || !p->argv[0]) return 0;
  if (p->n_fds < 0 || p->n_fds > GREEN_CHILD_FDS) return 0;
  return p->group >= 0 && p->n_groups >= -1 && p->gid >= -1 && p->uid >= -1;
}

/* It could not be watched: as if it had not been started. */
static void child_undo(int pidfd)
{
  siginfo_t info;
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
  while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0 && errno == EINTR) {
  }
  close(pidfd);
}

int green_child_spawn(green_child *c, const green_child_plan *plan)
{
  int pidfd = -1;
  if (!c->f.hub) return GREEN_ECLOSED;
  if (c->state != GREEN_CHILD_NEW || !plan_is_sound(plan)) return GREEN_EINVAL;
  int64_t started = green_hub_now(c->f.hub);
  int pid = green__child_start(plan, &pidfd, &c->step);
  if (pid < 0) return pid;
  int err = green__fd_adopt(&c->f, c->f.hub, pidfd);
  if (err < 0) {
    child_undo(pidfd);
    return err;
  }
  c->pid = pid;
  c->started = started;
  c->state = GREEN_CHILD_RUNNING;
  c->leads = plan->flags & GREEN_CHILD_SESSION ||
             (plan->flags & GREEN_CHILD_GROUP && plan->group == 0);
  child_watch(c);
  return 0;
}

/* -- What is asked of it -------------------------------------------------- */

const char *green_child_step(const green_child *c)
{
  return c->step;
}

int green_child_state(const green_child *c)
{
  return c->state;
}

int green_child_code(const green_child *c)
{
  return c->code;
}

int green_child_pid(const green_child *c)
{
  return c->pid;
}

int green_child_dumped(const green_child *c)
{
  return c->dumped;
}

void green_child_usage_get(const green_child *c, green_child_usage *u)
{
  *u = c->usage;
}

green_waitq *green_child_waiters(green_child *c)
{
  return &c->waiters;
}

int green_child_signal(green_child *c, int signo, int group)
{
  long r;
  if (c->state == GREEN_CHILD_NEW || signo < 0) return GREEN_EINVAL;
  if (group && !c->leads) return GREEN_EINVAL;
  if (!group && c->f.fd < 0) return -ESRCH;
  if (group && c->code == -ECHILD && c->state == GREEN_CHILD_LOST)
    return -ESRCH;
  if (group)
    r = kill(-c->pid, signo);
  else
    r = syscall(SYS_pidfd_send_signal, c->f.fd, signo, NULL, 0);
  return r < 0 ? -errno : 0;
}

int green_child_stop(green_child *c, int signo, double grace, int group)
{
  int err = green_child_signal(c, signo, group);
  if (err < 0) return err;
  int64_t due = green_clock_after(green_hub_now(c->f.hub), grace);
  if (due < c->kill_due) c->kill_due = due;
  if (group) c->kills_group = 1;
  if (c->task.state == GREEN_TASK_DEAD)
    child_watch(c); /* What is left of its group. */
  else
    green_task_wake(&c->task, 0);
  return 0;
}
