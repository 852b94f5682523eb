/*
** dict_mend_test.c: a process is killed at every instruction of every change,
** and what it leaves is brought into order.
**
** A child makes the change, one instruction at a time. Whenever the memory is
** another than before, a copy of it is what a kill would have left there.
*/

#include "child.h"
#include "base/dict_kit.h"

#include <sys/ptrace.h>

enum { SIZE = 16384 };

static green_dict *d, *copy;
static char seen[SIZE];

/* -- What is there --------------------------------------------------------- */

static const char *const keys[] = {"a",   "b",  "c",  "n",  "l",  "m",  "big",
                                   "new", "f0", "f1", "f2", "f3", "f4", "f5"};
enum { KEYS = sizeof(keys) / sizeof(keys[0]), MOST = 16000 };

static size_t tell_list(const green_dict *it, const dict_item *list, char *p,
                        size_t room)
{
  size_t at = 0;
  for (uint32_t b = list->is.list.first; b; b = dict_element_at(it, b)->next) {
    const dict_element *e = dict_element_at(it, b);
    at += (size_t)snprintf(p + at, room - at, "(%.*s)", (int)e->len, e->bytes);
  }
  return at;
}

/* The value of a key as a text. An empty list is as good as none. */
static void tell(green_dict *it, const char *key, char *p, size_t room)
{
  int64_t now = NOW;
  dict_place at = {.key = key, .n = strlen(key)};
  const dict_item *found = green__dict_live(it, &at, &now);
  snprintf(p, room, "-");
  if (found && found->type == GREEN_DICT_LIST)
    tell_list(it, found, p, room);
  else if (found && found->type == GREEN_DICT_NUMBER)
    snprintf(p, room, "%g until %lld", found->is.number,
             (long long)found->expires);
  else if (found)
    snprintf(p, room, "'%.*s' until %lld", (int)found->len,
             found->bytes + found->key_len, (long long)found->expires);
}

typedef char told[KEYS][MOST];
static told before, after, between;

static void tell_all(green_dict *it, told t)
{
  for (int i = 0; i < KEYS; i++) tell(it, keys[i], t[i], MOST);
}

/* -- Changes --------------------------------------------------------------- */

static char big[3000];

static void set_new(void)
{
  set(d, "a", "a text");
}

static void set_other(void)
{
  set_how(d, "a", 0, "quite another text", 7, NOW);
}

static void set_shorter(void)
{
  set(d, "a", "t");
}

static void set_beside(void)
{
  set(d, "b", "a text");
  set_number(d, "c", 7);
}

static void delete_it(void)
{
  delete (d, "b");
}

static void count_new(void)
{
  incr(d, "n", 1, 1);
}

static void count_on(void)
{
  incr(d, "n", 41, 0);
}

static void expire(void)
{
  green_dict_expire(d, "n", 1, 5, NOW);
}

static void list_new(void)
{
  push(d, "l", LEFT, "two");
}

static void list_left(void)
{
  push(d, "l", LEFT, "one");
}

static void list_right(void)
{
  push(d, "l", RIGHT, "three");
}

static void list_pop_left(void)
{
  pop(d, "l", LEFT);
}

static void list_pop_right(void)
{
  pop(d, "l", RIGHT);
}

static void list_over(void)
{
  push(d, "m", RIGHT, "one");
}

static void list_more(void)
{
  push(d, "m", RIGHT, "another");
}

static void list_replace(void)
{
  set(d, "m", "no list");
}

static void fill(void)
{
  char key[] = "f0";
  for (; key[1] < '6'; key[1]++) set_how(d, key, GREEN_DICT_SAFE, big, 0, NOW);
}

static void evict(void)
{
  set(d, "new", big);
  set(d, "big", big);
}

static void use(void)
{
  get(d, "a");
}

static void flush_all(void)
{
  green_dict_flush_all(d);
}

static void flush_expired(void)
{
  green_dict_flush_expired(d, 0, NOW);
}

static void mend(void)
{
  green__dict_mend(d);
}

/* -- Step by step ---------------------------------------------------------- */

static int snapshots, ill, wrong, useless;

static int is_one_of_both(void)
{
  for (int i = 0; i < KEYS; i++)
    if (strcmp(between[i], before[i]) && strcmp(between[i], after[i])) {
      printf("# %s is %.200s\n", keys[i], between[i]);
      return 0;
    }
  return 1;
}

static char *states; /* What was left at each change of the memory. */
static size_t n_states, cap_states;

static void keep_state(void)
{
  if (n_states == cap_states) {
    cap_states = cap_states ? 2 * cap_states : 256;
    states = realloc(states, cap_states * SIZE);
    if (!states) abort();
  }
  memcpy(states + n_states++ * SIZE, d, SIZE);
  memcpy(seen, d, SIZE);
}

/* A kill there: the next who comes finds this. */
static void look_at(const char *state)
{
  memcpy(copy, state, SIZE);
  if (green__robust_init(&copy->lock) < 0) abort();
  green__dict_mend(copy);
  if (green__dict_check(copy)) ill++;
  tell_all(copy, between);
  if (!is_one_of_both()) wrong++;
  if (set(copy, "a", "afterwards") < 0 ||
      strcmp(get(copy, "a"), "afterwards") || green__dict_check(copy))
    useless++;
  snapshots++;
}

static pid_t start(void (*change)(void))
{
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) abort();
  if (pid > 0) return pid;
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0) _exit(3);
  raise(SIGSTOP);
  change();
  raise(SIGSTOP);
  _exit(0);
}

/* Let it make the change, to its second stop. 0: nobody may be traced here. */
static int trace(void (*change)(void))
{
  int status;
  pid_t pid = start(change);
  if (waitpid(pid, &status, 0) != pid) abort();
  if (!WIFSTOPPED(status)) return 0;
  memcpy(seen, d, SIZE);
  for (;;) {
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) return 0;
    if (waitpid(pid, &status, 0) != pid) abort();
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) break;
    if (memcmp(seen, d, SIZE)) keep_state();
  }
  if (!WIFSTOPPED(status)) abort();
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  return 1;
}

static void test_change(void (*change)(void), const char *what)
{
  n_states = 0, snapshots = ill = wrong = useless = 0;
  tell_all(d, before);
  if (!trace(change)) {
    t_skip(what, "a process may not be traced here");
    change();
    return;
  }
  tell_all(d, after);
  for (size_t i = 0; i < n_states; i++) look_at(states + i * SIZE);
  printf("# %s: %d states\n", what, snapshots);
  ok(snapshots > 0, what);
  is(ill, 0, "- and all is well wherever it is killed");
  is(wrong, 0, "- every value is the old or the new one");
  is(useless, 0, "- and it goes on from there");
  is(green__dict_check(d), 0, "- as it does where nobody is killed");
}

/* -- Killed ---------------------------------------------------------------- */

/* A child makes so many instructions of a change and is killed. 1: it had made
** all of it by then; -1: nobody may be traced here. */
static int kill_after(void (*change)(void), int instructions)
{
  int status, done = 0;
  pid_t pid = start(change);
  if (waitpid(pid, &status, 0) != pid) abort();
  if (!WIFSTOPPED(status)) return -1;
  for (int i = 0; i < instructions && !done; i++) {
    if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0) abort();
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) abort();
    done = WSTOPSIG(status) == SIGSTOP;
  }
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  return done;
}

/* Here the kernel says that the lock's holder died, also in the middle of
** taking it or giving it back. A run has a part of the instructions, the next
** has others: all of them take a minute. */
static void test_killed(void)
{
  enum { FAR = 100000 };
  int stride = t_under_asan ? 101 : 11, bad = 0, stuck = 0, done = 0;
  int n = 1 + getpid() % stride;
  set(d, "a", "t");
  for (; n < FAR && !done; n += stride) {
    done = kill_after(set_other, n);
    if (set(d, "b", "by the next") < 0) stuck++;
    const char *a = get_at(d, "a", 1);
    if (strcmp(a, "t") && strcmp(a, "quite another text")) bad++;
    if (green__dict_check(d)) bad++;
    set(d, "a", "t");
  }
  if (done < 0) {
    t_skip("killed", "a process may not be traced here");
    return;
  }
  printf("# killed after one of %d instructions, every %d\n", n, stride);
  is(done, 1, "killed after any instruction, up to the last");
  is(stuck, 0, "- the next gets the lock");
  is(bad, 0, "- and finds all well");
}

int main(void)
{
  t_start();
  memset(big, 'x', sizeof(big) - 1);
  d = dict_new(SIZE);
  copy = dict_new(SIZE);
  d->mask = 0; /* One chain of all items. */
  if (t_under_tsan || t_under_memcheck()) {
    t_skip("all", "a tool that runs the program must not be traced");
    return t_done();
  }
  test_change(set_new, "a new text");
  test_change(set_other, "another one");
  test_change(set_shorter, "a shorter one");
  test_change(set_beside, "two more");
  test_change(use, "a look");
  test_change(count_new, "a new number");
  test_change(count_on, "a sum");
  test_change(expire, "a time");
  test_change(list_new, "a new list");
  test_change(list_left, "an element on the left");
  test_change(list_right, "one on the right");
  test_change(list_over, "another list");
  test_change(list_more, "with more");
  test_change(set_other, "a text before others");
  test_change(mend, "a mend");
  test_change(list_pop_left, "an element from the left");
  test_change(list_pop_right, "one from the right");
  test_change(list_pop_right, "the last");
  test_change(list_replace, "a list replaced");
  test_change(delete_it, "a key deleted");
  test_change(fill, "all filled");
  test_change(evict, "some evicted");
  test_change(flush_all, "all expired");
  test_change(flush_expired, "all freed");
  test_killed();
  free(states);
  dict_end(d);
  dict_end(copy);
  return t_done();
}
