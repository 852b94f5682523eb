/*
** resolver_fork_test.c: a fork in the middle of a batch, behind the hub's back:
** the child neither sends what its parent is about to send nor reads what its
** parent waits for.
*/

/* wrap: sendmmsg recvmmsg sendmsg recv */

#include "child.h"
#include "io/dns_kit.h"

#include <sys/stat.h>

/* -- The system, watched -------------------------------------------------- */

static struct {
  int is_child;
  ino_t socket; /* The parent's, whatever its number. */
  int uses;     /* Of it, by the child. */
} kernel;

static void note(int fd)
{
  struct stat st;
  if (fstat(fd, &st) < 0) abort();
  if (!kernel.is_child) kernel.socket = st.st_ino;
  kernel.uses += kernel.is_child && st.st_ino == kernel.socket;
}

int __real_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __real_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t);
ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __real_recv(int fd, void *p, size_t n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_recv(int fd, void *p, size_t n, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
  note(fd);
  return __real_sendmmsg(fd, m, n, flags);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t)
{
  note(fd);
  return __real_recvmmsg(fd, m, n, flags, t);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
  note(fd);
  return __real_sendmsg(fd, m, flags);
}

ssize_t __wrap_recv(int fd, void *p, size_t n, int flags)
{
  note(fd);
  return __real_recv(fd, p, n, flags);
}

/* -- The fork ------------------------------------------------------------- */

/* Runs each turn, before what the last poll made ready. */
typedef struct forker {
  green_task task;
  const int *asked; /* It forks when that is not 0. */
  pid_t child;      /* In the child: 0. */
} forker;

static void forker_resume(green_task *t)
{
  forker *f = green_container(t, forker, task);
  if (!*f->asked) {
    green_task_yield(t);
    return;
  }
  fflush(stdout);
  f->child = fork();
  kernel.is_child = f->child == 0;
  green_task_end(t);
}

static void forker_start(forker *f, const int *asked)
{
  memset(f, 0, sizeof(*f));
  memset(&kernel, 0, sizeof(kernel));
  f->asked = asked;
  f->child = -1;
  green_task_init(&f->task, hub, forker_resume);
  green_task_start(&f->task);
}

/* Turn until it has forked, and to that turn's end. The child says how often it
** used what is its parent's. */
static int forker_wait(forker *f)
{
  int status = -1;
  for (int i = 0; i < 2000 && f->child < 0; i++) green_hub_turn(hub, 0);
  if (kernel.is_child) {
    child_failed = kernel.uses;
    child_leave();
  }
  if (f->child < 0 || waitpid(f->child, &status, 0) != f->child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* -- What it does not touch ----------------------------------------------- */

static const int at_once = 1;

/* The socket is open already, for another question. */
static void test_sends_nothing(void)
{
  forker f;
  server s;
  server_start(&s, reply_nothing);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *first = ask(r, "first.test");
  settle();
  s.reply = NULL;
  ino_t socket = kernel.socket;
  green_question *q = ask(r, "a.test");
  forker_start(&f, &at_once);
  kernel.socket = socket;
  is(forker_wait(&f), 0, "a child does not send for its parent");
  is(result_of(q), 0, "which is answered");
  green_resolver_forget(q);
  green_resolver_forget(first);
  resolver_free(r);
  server_stop(&s);
}

static void reads_nothing(int tcp)
{
  forker f;
  server s;
  green_resolver_opts opts = usual;
  opts.tcp = tcp;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(&opts, &s, NULL);
  forker_start(&f, &s.asked[tcp]);
  green_question *q = ask(r, "a.test");
  is(forker_wait(&f), 0, "a child does not read its parent's answers");
  is(result_of(q), 0, "which are there still");
  is(s.asked[tcp], 1, "and were asked for once");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  green_hub_set_virtual(hub, 1);
  test_sends_nothing();
  reads_nothing(0);
  reads_nothing(1);
  green_hub_free(hub);
  return t_done();
}
