/*
** signal.c: the process-wide table of who watches which signal.
**
** The handler may run in any thread at any moment, so it takes no lock: it
** walks a list of atomic pointers, counts, and posts. Whoever takes a watch out
** of that list waits until no handler is inside, and only then lets go of it.
*/

#include "io/signal.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

struct green_signal {
  green_hub *hub; /* NULL: it has ended. */
  int signo;
  _Atomic(green_signal *) next; /* In the table. */
  atomic_uint caught;           /* Not 0: the post is under way. */
  green_post post;
  green_waitq waiters;
  green_forkhook forked;
  uint32_t pending; /* Caught, delivered, not taken. */
  uint8_t started;
  uint8_t held;
};

typedef struct sig_entry {
  _Atomic(green_signal *) first;
  struct sigaction saved; /* What to put back; valid while first is set. */
} sig_entry;

static sig_entry sig_table[NSIG];
static pthread_mutex_t sig_lock; /* For changes. */
static atomic_int sig_inside;    /* Handlers that run at this moment. */
static green_forkonce sig_made;  /* The two. */

/* -- The handler ---------------------------------------------------------- */

/* Tell the started watches, those of one hub, or of all: NULL. How many. */
static int sig_tell(int signo, const green_hub *hub)
{
  int told = 0;
  atomic_fetch_add(&sig_inside, 1);
  green_signal *w = atomic_load(&sig_table[signo].first);
  for (; w; w = atomic_load(&w->next)) {
    if (hub && w->hub != hub) continue;
    if (atomic_fetch_add(&w->caught, 1) == 0) green_hub_post(w->hub, &w->post);
    told++;
  }
  atomic_fetch_sub(&sig_inside, 1);
  return told;
}

static void sig_caught(int signo)
{
  int error = errno;
  sig_tell(signo, NULL);
  errno = error;
}

/* On the hub's thread. */
static void sig_deliver(green_post *post)
{
  green_signal *w = green_container(post, green_signal, post);
  w->pending += atomic_exchange(&w->caught, 0);
  green_waitq_wake_all(&w->waiters, 0);
}

/* -- Forks ---------------------------------------------------------------- */

/* Another thread of the parent may have held the lock, or have been inside a
** handler, when this process began. */
static void sig_make(void *arg)
{
  (void)arg;
  pthread_mutex_init(&sig_lock, NULL);
  atomic_store(&sig_inside, 0);
}

static void sig_lock_table(void)
{
  green_forkonce_check(&sig_made, sig_make, NULL);
  pthread_mutex_lock(&sig_lock);
}

/* That handler may have counted and not posted. */
static void sig_forked(green_forkhook *h)
{
  green_signal *w = green_container(h, green_signal, forked);
  green_hub_unpost(w->hub, &w->post);
  if (atomic_load(&w->caught)) green_hub_post(w->hub, &w->post);
}

/* -- The table; with the lock held ---------------------------------------- */

static int sig_install(int signo)
{
  struct sigaction ours = {.sa_handler = sig_caught, .sa_flags = SA_RESTART};
  sigfillset(&ours.sa_mask);
  int r = sigaction(signo, &ours, &sig_table[signo].saved);
  return r < 0 ? -errno : 0;
}

static void sig_uninstall(int signo)
{
  struct sigaction now;
  if (sigaction(signo, NULL, &now) == 0 && now.sa_handler == sig_caught)
    sigaction(signo, &sig_table[signo].saved, NULL);
}

static void sig_link(green_signal *w)
{
  sig_entry *e = &sig_table[w->signo];
  atomic_store(&w->next, atomic_load(&e->first));
  atomic_store(&e->first, w);
}

/* No handler sees w when this returns. A handler in this very thread has ended
** before this goes on; others are short. */
static void sig_unlink(green_signal *w)
{
  _Atomic(green_signal *) *at = &sig_table[w->signo].first;
  while (atomic_load(at) != w) at = &atomic_load(at)->next;
  atomic_store(at, atomic_load(&w->next));
  while (atomic_load(&sig_inside)) sched_yield();
}

/* -- Names ---------------------------------------------------------------- */

#define NAME(signo) \
  { \
    signo, #signo \
  }

static const struct {
  int signo;
  const char *name;
} sig_names[] = {NAME(SIGHUP),    NAME(SIGINT),  NAME(SIGQUIT), NAME(SIGILL),
                 NAME(SIGTRAP),   NAME(SIGABRT), NAME(SIGBUS),  NAME(SIGFPE),
                 NAME(SIGKILL),   NAME(SIGUSR1), NAME(SIGSEGV), NAME(SIGUSR2),
                 NAME(SIGPIPE),   NAME(SIGALRM), NAME(SIGTERM), NAME(SIGSTKFLT),
                 NAME(SIGCHLD),   NAME(SIGCONT), NAME(SIGSTOP), NAME(SIGTSTP),
                 NAME(SIGTTIN),   NAME(SIGTTOU), NAME(SIGURG),  NAME(SIGXCPU),
                 NAME(SIGXFSZ),   NAME(SIGPROF), NAME(SIGIO),   NAME(SIGPWR),
                 NAME(SIGVTALRM), NAME(SIGSYS),  NAME(SIGWINCH)};

#define N_NAMES (sizeof(sig_names) / sizeof(sig_names[0]))

/* -- Public API ----------------------------------------------------------- */

static int signo_is_usable(int signo)
{
  switch (signo) {
  case SIGKILL:
  case SIGSTOP:
  case SIGSEGV:
  case SIGBUS:
  case SIGFPE:
  case SIGILL:
    return 0;
  default:
    return signo > 0 && signo < NSIG;
  }
}

size_t green_signal_size(void)
{
  return sizeof(green_signal);
}

int green_signal_init(green_signal *w, green_hub *hub, int signo)
{
  if (!signo_is_usable(signo)) return GREEN_EINVAL;
  w->hub = hub;
  w->signo = signo;
  w->post.run = sig_deliver;
  w->forked.run = sig_forked;
  green_waitq_init(&w->waiters);
  green_hub_on_fork(hub, &w->forked);
  return 0;
}

/* Nobody posts any more when it has stopped: what is under way is taken
** back. */
void green_signal_deinit(green_signal *w)
{
  if (!w->hub) return;
  green_signal_stop(w);
  green_hub_unpost(w->hub, &w->post);
  green_forkhook_remove(&w->forked);
  green_waitq_wake_all(&w->waiters, GREEN_ECLOSED);
  w->hub = NULL;
}

int green_signal_new(green_signal **out, green_hub *hub, int signo)
{
  green_signal *w = green__zalloc(sizeof(*w));
  if (!w) return GREEN_ENOMEM;
  int err = green_signal_init(w, hub, signo);
  if (err < 0) {
    green__free(w);
    return err;
  }
  *out = w;
  return 0;
}

void green_signal_free(green_signal *w)
{
  if (!w) return;
  green_signal_deinit(w);
  green__free(w);
}

static void sig_set_hold(green_signal *w, int hold)
{
  if (w->held == !!hold) return;
  w->held = !!hold;
  if (hold)
    green_hub_hold(w->hub);
  else
    green_hub_unhold(w->hub);
}

int green_signal_start(green_signal *w, int hold)
{
  int err = 0;
  if (!w->hub) return GREEN_ECLOSED;
  if (!w->started) {
    sig_lock_table();
    int first = !atomic_load(&sig_table[w->signo].first);
    sig_link(w);
    if (first) err = sig_install(w->signo);
    if (err < 0) sig_unlink(w);
    pthread_mutex_unlock(&sig_lock);
  }
  if (err < 0) return err;
  w->started = 1;
  sig_set_hold(w, hold);
  return 0;
}

void green_signal_stop(green_signal *w)
{
  if (!w->started) return;
  sig_lock_table();
  /* Alone in the list: put the old disposition back first. */
  if (atomic_load(&sig_table[w->signo].first) == w && !atomic_load(&w->next))
    sig_uninstall(w->signo);
  sig_unlink(w);
  pthread_mutex_unlock(&sig_lock);
  w->started = 0;
  sig_set_hold(w, 0);
}

int green_signal_take(green_signal *w)
{
  int n = (int)w->pending;
  w->pending = 0;
  return n;
}

int green_signal_number(const char *name)
{
  for (size_t i = 0; i < N_NAMES; i++)
    if (!strcmp(sig_names[i].name, name) ||
        !strcmp(sig_names[i].name + 3, name))
      return sig_names[i].signo;
  return GREEN_EINVAL;
}

const char *green_signal_name(int signo)
{
  for (size_t i = 0; i < N_NAMES; i++)
    if (sig_names[i].signo == signo) return sig_names[i].name;
  return NULL;
}

int green_signal_raise(green_hub *hub, int signo)
{
  return signo_is_usable(signo) ? sig_tell(signo, hub) : 0;
}

static void sig_absorbed(int signo)
{
  (void)signo;
}

static int sig_has_handler(int signo, void (*fn)(int))
{
  struct sigaction now;
  if (sigaction(signo, NULL, &now) < 0 || now.sa_flags & SA_SIGINFO) return 0;
  return now.sa_handler == fn;
}

/* SA_ONSTACK: a host's threads may have small stacks. */
void green_signal_absorb(int signo)
{
  struct sigaction nothing = {.sa_handler = sig_absorbed,
                              .sa_flags = SA_RESTART | SA_ONSTACK};
  sigemptyset(&nothing.sa_mask);
  if (sig_has_handler(signo, SIG_DFL)) sigaction(signo, &nothing, NULL);
}

int green_signal_is_absorbed(int signo)
{
  return sig_has_handler(signo, sig_absorbed);
}

int green_signal_is_watched(int signo)
{
  return sig_has_handler(signo, sig_caught);
}

green_waitq *green_signal_waiters(green_signal *w)
{
  return &w->waiters;
}
