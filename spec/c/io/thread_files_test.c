/*
** thread_files_test.c: a thread that leaves the process's descriptors.
*/

#include "t.h"

#include "io/thread_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLOSE_RANGE 436 /* On every machine. */

static int ends[2];

typedef struct seen {
  int left;     /* What green_files_leave gave. */
  int opened;   /* The first descriptor of its own. */
  int borrowed; /* One of the process's. */
  int gone;     /* One that is not open. */
  ssize_t wrote;
} seen;

static void *leave(void *arg)
{
  seen *s = arg;
  s->left = green_files_leave();
  if (s->left < 0) return NULL;
  s->opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
  s->borrowed = green_files_borrow(ends[1]);
  s->gone = green_files_borrow(9999);
  s->wrote = write(s->borrowed, "from there", 10);
  green_files_return(s->borrowed);
  return NULL;
}

static int open_files(void)
{
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;
  while (dir && readdir(dir)) n++;
  if (dir) closedir(dir);
  return n;
}

static seen in_thread(void *(*fn)(void *))
{
  seen s = {0};
  pthread_t thread;
  pthread_create(&thread, NULL, fn, &s);
  pthread_join(thread, NULL);
  return s;
}

static void test_leaves_and_reaches(void)
{
  char text[16] = "";
  is(pipe(ends), 0, "a pipe");
  int before = open_files();
  seen s = in_thread(leave);
  if (s.left < 0) {
    t_skip("a thread of its own descriptors", "this system has none");
    return;
  }
  is(s.opened, 0, "it has none of the process's");
  ok(s.borrowed > 0, "but gets single ones");
  is(s.gone, GREEN_EBADF, "those that are there");
  is(s.wrote, 10, "which it can use");
  is(read(ends[0], text, sizeof(text)), 10, "it has arrived");
  is_str(text, "from there", "whole");
  is(open_files(), before, "the process's are as they were");
  close(ends[1]);
  is(read(ends[0], text, sizeof(text)), 0, "nobody else has the other end");
  close(ends[0]);
}

static void *stay(void *arg)
{
  seen *s = arg;
  s->borrowed = green_files_borrow(ends[0]);
  green_files_return(s->borrowed);
  return NULL;
}

static void test_who_has_not_left(void)
{
  is(pipe(ends), 0, "a pipe");
  seen s = in_thread(stay);
  is(s.borrowed, ends[0], "it is the process's own");
  ok(fcntl(ends[0], F_GETFD) >= 0, "and stays open");
  close(ends[0]);
  close(ends[1]);
}

/* The kernel forgets locks of who closes the file: not those of the process. */
static void test_locks_stay(void)
{
  char path[] = "/tmp/thread_files_XXXXXX";
  int fd = mkstemp(path), status = -1;
  struct flock lock = {.l_type = F_WRLCK};
  is(fcntl(fd, F_SETLK, &lock), 0, "a lock");
  is(pipe(ends), 0, "a pipe");
  in_thread(leave);
  pid_t pid = fork();
  if (pid == 0) {
    struct flock other = {.l_type = F_WRLCK};
    _exit(fcntl(fd, F_SETLK, &other) < 0 ? 0 : 1);
  }
  waitpid(pid, &status, 0);
  is(status, 0, "it is held still");
  unlink(path);
  close(fd);
  close(ends[0]);
  close(ends[1]);
}

/* It ends the process for the call that leaving takes. */
static int filter_calls(void)
{
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOSE_RANGE, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void test_stays_below_a_filter(void)
{
  int status = -1;
  if (t_under_tsan) return; /* It bears no thread after a fork. */
  is(pipe(ends), 0, "a pipe");
  pid_t pid = fork();
  if (pid == 0) {
    if (filter_calls() < 0) _exit(2);
    _exit(in_thread(leave).left == GREEN_ENOSYS ? 0 : 1);
  }
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
    t_skip("it stays below a filter", "this system has no filters");
  else
    is(status, 0, "it stays below a filter of calls");
  close(ends[0]);
  close(ends[1]);
}

int main(void)
{
  t_start();
  test_leaves_and_reaches();
  test_who_has_not_left();
  test_locks_stay();
  test_stays_below_a_filter();
  return t_done();
}
