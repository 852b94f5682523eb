/*
** shm_test.c: memory that processes share, by name; counters in it; its lock.
*/

/* wrap: mmap memfd_create ftruncate */

#include "child.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/robust.h"
#include "base/shm.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* -- The system, made to fail ---------------------------------------------- */

static size_t mmap_most; /* 0: as much as there is. */
static int memfd_fails, ftruncate_fails;

void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t from)
{
  if (mmap_most == 0 || n <= mmap_most)
    return __real_mmap(at, n, prot, flags, fd, from);
  errno = ENOMEM;
  return MAP_FAILED;
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags)
{
  if (!memfd_fails) return __real_memfd_create(name, flags);
  errno = ENOSYS;
  return -1;
}

int __real_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n);
int __wrap_ftruncate(int fd, off_t n)
{
  if (!ftruncate_fails) return __real_ftruncate(fd, n);
  errno = EFBIG;
  return -1;
}

/* -- Names ----------------------------------------------------------------- */

static int fill(void *it, uint64_t size, const void *arg)
{
  (void)size;
  if (!arg) return GREEN_EIO;
  memcpy(it, arg, strlen(arg) + 1);
  return 0;
}

static int thing(const char *name, uint64_t size, const char *text, void **it)
{
  green__shm_wish w = {.kind = 7, .name = name, .n = strlen(name)};
  uint64_t got = 0;
  w.size = size, w.align = 64, w.fill = fill, w.arg = text;
  *it = NULL;
  int code = green__shm_thing(&w, it, &got);
  return code < 0 ? code : (int)got;
}

static void test_things(void)
{
  void *a, *b, *c;
  is(thing("a", 0, NULL, &a), GREEN_ENOENT, "nothing was made");
  is(thing("a", 100, "first", &a), 100, "one is");
  is_str(a, "first", "with what fills it");
  is(thing("a", 200, "second", &b), 100, "the next gets the same");
  ok(a == b, "in the same place");
  is(thing("a", 0, NULL, &b), 100, "as who makes none");
  is(thing("b", 0, NULL, &b), GREEN_ENOENT, "of another name, there is none");
  is(thing("b", 10, NULL, &b), GREEN_EIO, "one that cannot be filled");
  is(thing("b", 0, NULL, &b), GREEN_ENOENT, "is not there");
  is(thing("b", 10, "third", &c), 10, "and can be made");
  is((int)((uintptr_t)c % 64), 0, "on its boundary");
  is(thing("c", GREEN_SHM_ROOM, "x", &b), GREEN_ENOMEM, "not as large as all");
  green__shm_wish w = {.kind = 8, .name = "a", .n = 1};
  uint64_t size;
  is(green__shm_thing(&w, &b, &size), GREEN_ENOENT, "each kind has its names");
}

static void make_in_child(void *name)
{
  void *it;
  must(thing(name, 50, "a child's", &it) == 50);
}

static void find_in_child(void *name)
{
  void *it;
  must(thing(name, 0, NULL, &it) == 50);
  must(!strcmp(it, "a child's"));
}

static void test_children(void)
{
  void *it;
  char name[] = "of a child";
  is(in_child(make_in_child, name), 0, "a child makes one");
  is(thing(name, 0, NULL, &it), 50, "its parent has it");
  is(in_child(find_in_child, name), 0, "and its sister");
}

static void *name_one(void *arg)
{
  void *it;
  if (thing("raced", 64, "x", &it) < 0) abort();
  *(void **)arg = it;
  return NULL;
}

enum { RACERS = 8 };

static int race(void)
{
  pthread_t threads[RACERS];
  void *its[RACERS];
  int other = 0;
  for (int i = 0; i < RACERS; i++)
    if (pthread_create(&threads[i], NULL, name_one, &its[i])) abort();
  for (int i = 0; i < RACERS; i++) pthread_join(threads[i], NULL);
  for (int i = 1; i < RACERS; i++) other += its[i] != its[0];
  return other;
}

static void limited(void *arg)
{
  struct rlimit r = {(rlim_t)1 << 26, RLIM_INFINITY};
  void *it;
  (void)arg;
  must(setrlimit(RLIMIT_FSIZE, &r) == 0);
  must(thing("small", 100, "x", &it) == 100);
  must(thing("large", UINT64_C(1) << 26, "x", &it) == GREEN_ENOMEM);
  must(thing("also small", 100, "x", &it) == 100);
}

static void no_descriptors(void *arg)
{
  struct rlimit r = {3, 3};
  void *it;
  (void)arg;
  must(setrlimit(RLIMIT_NOFILE, &r) == 0);
  must(thing("any", 100, "x", &it) == GREEN_EMFILE);
}

static void few_addresses(void *arg)
{
  void *it;
  (void)arg;
  mmap_most = (size_t)1 << 24;
  must(thing("small", 100, "x", &it) == 100);
  must(thing("large", 1 << 24, "x", &it) == GREEN_ENOMEM);
}

/* And all is well when the cause has gone. */
static void no_addresses(void *arg)
{
  void *it;
  (void)arg;
  int fd = dup(0);
  close(fd);
  mmap_most = 4096;
  must(thing("any", 100, "x", &it) == GREEN_ENOMEM);
  mmap_most = 0, ftruncate_fails = 1;
  must(thing("any", 100, "x", &it) == -EFBIG);
  ftruncate_fails = 0, memfd_fails = 1;
  must(thing("any", 100, "x", &it) == GREEN_ENOSYS);
  memfd_fails = 0;
  int after = dup(0);
  must(after == fd); /* None was left open. */
  close(after);
  must(thing("any", 100, "x", &it) == 100);
}

/* -- Counters -------------------------------------------------------------- */

static void test_counter(void)
{
  int code;
  double expected = 11;
  green_counter *c = green_counter_named("c", 1, 5, &code);
  ok(c, "a counter");
  ok(green_counter_named("c", 1, 7, &code) == c, "there is one of a name");
  ok(green_counter_get(c) == 5, "it begins as was said first");
  ok(green_counter_add(c, -2) == 3, "less");
  ok(green_counter_add(c, 10) == 13, "more");
  is(green_counter_swap(c, &expected, 1), 0, "not what was expected");
  ok(expected == 13, "what it was");
  is(green_counter_swap(c, &expected, 1), 1, "now it is");
  ok(green_counter_get(c) == 1, "and was changed");
  green_counter_set(c, 9007199254740992.0);
  green_counter_add(c, 1);
  ok(green_counter_get64(c) == INT64_C(9007199254740993), "beyond doubles");
  ok(green_counter_get(c) == 9007199254740992.0, "the nearest of them");
}

enum { ADDS = 20000, ADDERS = 4 };

static void add_many(void *arg)
{
  for (int i = 0; i < ADDS; i++) green_counter_add(arg, 1);
}

static void test_adders(void)
{
  int code, failed = 0;
  pid_t pids[ADDERS];
  green_counter *c = green_counter_named("sum", 3, 0, &code);
  for (int i = 0; i < ADDERS; i++) pids[i] = child_start(add_many, c);
  for (int i = 0; i < ADDERS; i++) failed += child_end(pids[i]) != 0;
  is(failed, 0, "all have counted");
  is((int)green_counter_get(c), ADDS * ADDERS, "each time");
}

/* -- The lock -------------------------------------------------------------- */

static pthread_mutex_t *lock;

static void die_with_it(void *arg)
{
  must(green__robust_lock(lock) == *(int *)arg);
  raise(SIGKILL);
}

static void stop_with_it(void *arg)
{
  (void)arg;
  must(green__robust_lock(lock) == 0);
  raise(SIGSTOP);
  green__robust_unlock(lock);
}

static void test_death(void)
{
  int how = 0;
  is(in_child(die_with_it, &how), -SIGKILL, "one dies with the lock");
  how = 1;
  is(in_child(die_with_it, &how), -SIGKILL, "the next is told, and dies");
  is(green__robust_lock(lock), 1, "so is the next");
  green__robust_mended(lock);
  green__robust_unlock(lock);
  is(green__robust_lock(lock), 0, "and then all is well");
  green__robust_unlock(lock);
}

static void test_stopped(void)
{
  int status;
  pid_t pid = child_start(stop_with_it, NULL);
  ok(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status),
     "one is stopped with the lock");
  is(green__robust_lock(lock), GREEN_EBUSY, "others give up");
  kill(pid, SIGCONT);
  is(child_end(pid), 0, "until it goes on");
  is(green__robust_lock(lock), 0, "then it is free");
  green__robust_unlock(lock);
}

int main(void)
{
  t_start();
  is(in_child(limited, NULL), 0, "a limit of the size of files is kept");
  if (!t_under_memcheck())
    is(in_child(no_descriptors, NULL), 0, "no descriptor is an error");
  is(in_child(few_addresses, NULL), 0, "there may be fewer addresses");
  is(in_child(no_addresses, NULL), 0, "what the system refuses is an error");
  is(race(), 0, "threads that want the first thing of all have the same");
  test_things();
  test_children();
  test_counter();
  test_adders();
  lock = mmap(NULL, sizeof(*lock), PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (lock == MAP_FAILED || green__robust_init(lock) < 0) abort();
  test_death();
  test_stopped();
  munmap(lock, sizeof(*lock));
  return t_done();
}
