/*
** disk_test.c: calls of the file system, one at a time, given up, out of
** memory, over a fork.
*/

#include "disk_kit.h"
#include "base/mem.h"

#include <sys/file.h>
#include <sys/wait.h>

/* -- Calls ---------------------------------------------------------------- */

static void opens_reads_writes(void)
{
  green_disk *d = green_disk_new();
  is(kit_call(d,
              (green_disk_call){.op = GREEN_DISK_OPEN,
                                .flags = O_RDWR | O_CREAT,
                                .mode = 0640},
              "a", NULL, NULL),
     1, "a new file has positions");
  green_desc *f = green_disk_take(d);
  ok(f && !green_disk_take(d), "it is taken once");
  is(green_disk_stat(d)->mode & 0777, 0640, "and has the mode asked for");
  green_disk_call w = {.op = GREEN_DISK_WRITE, .file = f, .size = 5};
  is(kit_call(d, w, NULL, NULL, "a\0b\nc"), 5, "bytes are written");
  green_disk_call r = {
      .op = GREEN_DISK_READ, .file = f, .size = 100, .offset = 1};
  is(kit_call(d, r, NULL, NULL, NULL), 4, "and read from a place on");
  ok(!memcmp(green_disk_data(d), "\0b\nc", 4), "as they were");
  green_buf b;
  green_buf_init(&b, 0);
  green_buf_append(&b, "rest", 4);
  is(green_disk_give(d, &b), 0, "they are given");
  ok(green_buf_len(&b) == 8 && !memcmp(green_buf_data(&b), "rest\0b\nc", 8) &&
         green_disk_size(d) == 0,
     "behind what there was");
  green_buf_reset(&b);
  green_desc_unref(f);
  green_disk_free(d);
}

static void gives_within_limits(void)
{
  green_desc *f = kit_open("a", O_RDONLY);
  green_disk *d = green_disk_new();
  green_disk_call r = {.op = GREEN_DISK_READ, .file = f, .size = 100};
  kit_call(d, r, NULL, NULL, NULL);
  green_buf b;
  green_buf_init(&b, 6);
  green_buf_append(&b, "xx", 2);
  is(green_disk_give(d, &b), GREEN_ETOOBIG, "a buffer's limit is kept");
  is(green_disk_size(d), 5, "and nothing is lost");
  green_buf_reset(&b);
  b.max = 0;
  char *big = calloc(1, 10000);
  green_buf_append(&b, big, 10000);
  is(green_disk_give(d, &b), 0, "much before them");
  is(green_buf_len(&b), 10005, "is copied behind");
  free(big);
  green_buf_reset(&b);
  green_disk_free(d);
  green_desc_unref(f);
}

static void tells_what_waits(void)
{
  green_disk *d = green_disk_new();
  green_disk_call c = {.op = GREEN_DISK_OPEN, .flags = O_RDONLY};
  mkfifo("fifo", 0600);
  is(kit_call(d, c, "fifo", NULL, NULL), GREEN_DISK_WAITS,
     "a FIFO is opened without a writer, and not for us");
  is(kit_call(d, c, "/dev/zero", NULL, NULL), 1, "/dev/zero does not wait");
  is(kit_call(d, c, "/dev/null", NULL, NULL), 1, "nor does /dev/null");
  is(kit_call(d, c, ".", NULL, NULL), -EISDIR, "a folder is no file");
  c.flags = O_WRONLY;
  is(kit_call(d, c, "fifo", NULL, NULL), -ENXIO, "a FIFO without a reader");
  green_disk_free(d);
}

static void locks(void)
{
  green_desc *a = kit_open("a", O_RDWR), *b = kit_open("a", O_RDWR);
  green_disk *d = green_disk_new();
  green_disk_call c = {.op = GREEN_DISK_LOCK, .flags = LOCK_EX, .file = a};
  is(kit_call(d, c, NULL, NULL, NULL), 0, "a lock");
  c.file = b;
  is(kit_call(d, c, NULL, NULL, NULL), 1, "which another has");
  c.file = a;
  c.flags = LOCK_UN;
  kit_call(d, c, NULL, NULL, NULL);
  c.file = b;
  c.flags = LOCK_SH;
  is(kit_call(d, c, NULL, NULL, NULL), 0, "and gives back");
  green_disk_free(d);
  green_desc_unref(a);
  green_desc_unref(b);
}

static void saves_as_a_whole(void)
{
  green_disk *d = green_disk_new();
  green_disk_call c = {
      .op = GREEN_DISK_SAVE, .how = GREEN_DISK_SYNCED, .mode = 0666, .size = 3};
  kit_put("s", "old");
  chmod("s", 0604);
  is(kit_call(d, c, "s", NULL, "new"), 0, "it is replaced");
  struct stat st;
  stat("s", &st);
  ok(!strcmp(kit_get("s"), "new") && (st.st_mode & 07777) == 0604,
     "and hands its mode on");
  int n = kit_count(".");
  is(kit_call(d, c, "nowhere/s", NULL, "new"), GREEN_ENOENT, "no folder");
  mkdir("dir", 0700);
  is(kit_call(d, c, "dir", NULL, "new"), -EISDIR, "a folder is not");
  c.how = GREEN_DISK_NOREPLACE;
  is(kit_call(d, c, "s", NULL, "xxx"), GREEN_EEXIST, "nothing is, if asked");
  is(kit_count("."), n + 1, "no temporary file is left");
  green_disk_free(d);
}

static void copies(void)
{
  struct stat a, b;
  kit_put("from", "text");
  int fd = open("from", O_WRONLY);
  is(ftruncate(fd, 50 << 20), 0, "(a file that ends in a hole)");
  close(fd);
  is(kit_do(GREEN_DISK_COPY, 0, "from", "copy"), 0, "a copy");
  stat("from", &a);
  stat("copy", &b);
  ok(a.st_size == b.st_size && b.st_blocks < 1000, "has its holes");
  is(kit_do(GREEN_DISK_COPY, 0, "from", "from"), GREEN_EINVAL, "onto itself");
  is(kit_do(GREEN_DISK_COPY, GREEN_DISK_NOREPLACE, "from", "copy"),
     GREEN_EEXIST, "onto something");
  is(kit_do(GREEN_DISK_COPY, 0, "/proc/self/status", "copy"), 0,
     "what has no size");
  ok(strstr(kit_get("copy"), "Name:"), "is copied too");
  is(kit_do(GREEN_DISK_COPY, 0, "dir", "copy2"), -EISDIR, "no folder");
  is(kit_do(GREEN_DISK_COPY, 0, "fifo", "copy2"), GREEN_EOPNOTSUPP, "no FIFO");
}

/* -- Trees ---------------------------------------------------------------- */

/* Deeper than a path may be long. */
static void removes_what_is_deep(void)
{
  char name[201];
  memset(name, 'd', 200);
  name[200] = '\0';
  int top = open(".", O_RDONLY), at = dup(top);
  for (int i = 0; i < 100; i++) {
    if (mkdirat(at, i ? name : "deep", 0700) < 0) abort();
    int next = openat(at, i ? name : "deep", O_RDONLY);
    close(openat(next, "file", O_CREAT | O_WRONLY, 0600));
    close(at);
    at = next;
  }
  close(at);
  close(top);
  is(kit_do(GREEN_DISK_REMOVE, 0, "deep", NULL), 0, "20,000 bytes deep");
  ok(access("deep", F_OK) < 0, "it is gone");
}

static void removes_links_only(void)
{
  mkdir("kept", 0700);
  kit_put("kept/file", "x");
  mkdir("tree", 0700);
  is(symlink("../kept", "tree/link"), 0, "(a link to a folder)");
  is(kit_do(GREEN_DISK_REMOVE, 0, "tree", NULL), 0, "a tree with a link");
  ok(!access("kept/file", F_OK) && access("tree", F_OK) < 0, "only that");
}

static void tells_where_it_failed(void)
{
  if (geteuid() == 0) {
    t_skip("where a removal failed", "root may do all");
    return;
  }
  green_disk *d = green_disk_new();
  mkdir("tree", 0700);
  mkdir("tree/a", 0700);
  kit_put("tree/a/file", "x");
  chmod("tree/a", 0500);
  green_disk_call c = {.op = GREEN_DISK_REMOVE};
  is(kit_call(d, c, "tree", NULL, NULL), GREEN_EACCES, "not allowed");
  ok(!strncmp(green_disk_data(d), "a/file", green_disk_size(d)), "says where");
  chmod("tree/a", 0700);
  green_disk_free(d);
}

static void lists_in_pieces(void)
{
  char name[64];
  mkdir("many", 0700);
  for (int i = 0; i < 2500; i++) {
    snprintf(name, sizeof(name), "many/%040d", i);
    kit_put(name, "");
  }
  green_disk *d = green_disk_new();
  green_disk_call c = {.op = GREEN_DISK_LIST};
  int64_t r = kit_call(d, c, "many", NULL, NULL);
  size_t bytes = green_disk_size(d);
  is(r, GREEN_DISK_MORE, "there is more");
  c.file = green_disk_take(d);
  while (r == GREEN_DISK_MORE) {
    r = kit_call(d, c, NULL, NULL, NULL);
    bytes += green_disk_size(d);
  }
  is(bytes, 2500 * 42, "every name once");
  green_desc_unref(c.file);
  green_disk_free(d);
  is(kit_do(GREEN_DISK_REMOVE, 0, "many", NULL), 0, "and all are removed");
}

/* -- Given up ------------------------------------------------------------- */

static void leaves_nothing(void)
{
  int fds = kit_fds();
  green_disk *d = green_disk_new();
  green_disk_call c = {.op = GREEN_DISK_OPEN, .flags = O_RDONLY};
  is(green_disk_start(d, pool, &c, "a", NULL, NULL), 0, "an open");
  is(green_disk_start(d, pool, &c, "a", NULL, NULL), GREEN_EBUSY,
     "one at a time");
  green_disk_free(d);
  green_tpool_stop(pool);
  while (green_hub_turn(hub, 0) > 0) {
  }
  is(kit_fds(), fds, "given up before its end: what it opened is closed");
}

static void copy_leaves_nothing(void)
{
  int n = kit_count(".");
  int fds = kit_fds();
  green_disk *d = green_disk_new();
  int fd = open("/dev/zero", O_RDONLY);
  int big = open("big", O_CREAT | O_WRONLY, 0600);
  char *zeros = calloc(1, 1 << 20);
  for (int i = 0; i < 64; i++)
    if (write(big, zeros, 1 << 20) < 0) abort();
  free(zeros);
  close(fd);
  close(big);
  green_disk_call c = {.op = GREEN_DISK_COPY};
  green_disk_start(d, pool, &c, "big", "big2", NULL);
  int64_t r = kit_finish(d);
  ok(r == GREEN_DISK_MORE || r == 0, "a copy begins");
  if (r == GREEN_DISK_MORE) is(kit_count("."), n + 2, "with a hidden file");
  green_disk_free(d);
  unlink("big2");
  is(kit_count("."), n + 1, "given up, it leaves nothing");
  is(kit_fds(), fds, "and nothing is open");
}

static void is_closed_by_the_last(void)
{
  int fds = kit_fds();
  green_desc *f = kit_open("a", O_RDONLY);
  green_disk *d = green_disk_new();
  green_disk_call r = {.op = GREEN_DISK_READ, .file = f, .size = 100};
  green_disk_start(d, pool, &r, NULL, NULL, NULL);
  green_desc_unref(f);
  is(kit_finish(d), 5, "a read holds its file");
  is(kit_fds(), fds, "until it is over");
  green_disk_free(d);
  f = kit_open("a", O_RDONLY);
  green_desc_holder g = {f}, h = {green_desc_ref(f)};
  int one = green_desc_detach(&g), other = green_desc_detach(&h);
  is(green_desc_detach(&g), GREEN_ECLOSED, "what is detached is held no more");
  green_desc_let_go(&g);
  ok(one >= 0 && other >= 0 && one != other, "numbers are handed over");
  close(one);
  close(other);
}

/* A pool that ends with the call under way. */
static void pool_goes_first(void)
{
  int fds = kit_fds();
  green_tpool *other = green_tpool_new(hub);
  green_disk_call c = {.op = GREEN_DISK_OPEN, .flags = O_RDONLY};
  for (int i = 0; i < 50; i++) {
    green_disk *d = green_disk_new();
    green_disk_start(d, other, &c, "a", NULL, NULL);
    green_disk_free(d);
  }
  green_tpool_free(other);
  green_tpool_stop(pool);
  while (kit_fds() > fds) usleep(500);
  is(kit_fds(), fds, "a pool that ends leaves nothing open");
}

/* -- Forks and memory ----------------------------------------------------- */

static void child_does_nothing_twice(void)
{
  int status, pipes[2];
  green_tpool_set_threads(pool, 1);
  if (pipe(pipes) < 0) abort();
  green_disk *first = green_disk_new(), *d = green_disk_new();
  green_desc *p = green_desc_new(pipes[0]);
  green_disk_call r = {
      .op = GREEN_DISK_READ, .file = p, .offset = -1, .size = 1};
  green_disk_call w = {.op = GREEN_DISK_APPEND, .size = 1, .mode = 0600};
  green_disk_start(first, pool, &r, NULL, NULL, NULL);
  green_disk_start(d, pool, &w, "twice", NULL, "x");
  pid_t child = fork();
  if (child == 0) {
    /* One for the parent's thread, which reads the same pipe. */
    if (write(pipes[1], "yy", 2) < 0) _exit(9);
    _exit(kit_finish(d) == GREEN_ECANCELED ? 0 : 1);
  }
  waitpid(child, &status, 0);
  is(status, 0, "what waited in the parent is not done in a child");
  is(kit_finish(d), 1, "but in the parent");
  is_str(kit_get("twice"), "x", "once");
  kit_finish(first);
  green_desc_unref(p);
  close(pipes[1]);
  green_disk_free(first);
  green_disk_free(d);
  green_tpool_stop(pool);
  green_tpool_set_threads(pool, 4);
}

static void out_of_memory(void)
{
  static const int ops[] = {
      GREEN_DISK_OPEN, GREEN_DISK_LOAD,  GREEN_DISK_SAVE,
      GREEN_DISK_COPY, GREEN_DISK_LIST,  GREEN_DISK_REMOVE,
      GREEN_DISK_TEMP, GREEN_DISK_MKDIR, GREEN_DISK_RENAME};
  int fds = kit_fds(), failed = 0;
  green_tpool_set_threads(pool, 0); /* In place: nobody else allocates. */
  for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++) {
    for (int n = 1; n < 12; n++) {
      mkdir("oom", 0700);
      mkdir("oom/sub", 0700);
      kit_put("oom/sub/x", "x");
      kit_put("oom.file", "x");
      int is_tree = ops[i] == GREEN_DISK_LIST || ops[i] == GREEN_DISK_REMOVE ||
                    ops[i] == GREEN_DISK_TEMP;
      const char *path = is_tree ? "oom" : "oom.file";
      green_disk_call c = {.op = ops[i],
                           .mode = 0600,
                           .size = ops[i] == GREEN_DISK_LOAD ? 9 : 1};
      green_disk *d = green_disk_new();
      green__alloc_fail_from(n);
      int64_t r = kit_call(d, c, path, "oom.to", "x");
      green_disk_free(d);
      green__alloc_fail_from(0);
      if (r == GREEN_ENOMEM) failed++;
      unlink("oom.to");
    }
  }
  ok(failed >= 9, "calls that get no memory say so");
  is(kit_fds(), fds, "and leave nothing open");
  green__alloc_fail_from(1);
  green_disk *d = green_disk_new();
  green__alloc_fail_from(0);
  ok(!d, "nor is there one");
  green_tpool_set_threads(pool, 4);
}

int main(void)
{
  t_start();
  kit_begin();
  opens_reads_writes();
  gives_within_limits();
  tells_what_waits();
  locks();
  saves_as_a_whole();
  copies();
  removes_what_is_deep();
  removes_links_only();
  tells_where_it_failed();
  lists_in_pieces();
  leaves_nothing();
  copy_leaves_nothing();
  is_closed_by_the_last();
  pool_goes_first();
  child_does_nothing_twice();
  out_of_memory();
  kit_end();
  return t_done();
}
