/*
** fswatch_test.c: events of inotify, one at a time.
*/

#include "disk_kit.h"
#include "hub/fd.h"
#include "io/fswatch.h"

static green_fswatch *w;
static green_disk *d;

/* Watch a path of the test's folder. */
static int64_t watch(const char *path, uint32_t mask, int how)
{
  green_desc *f = green_fswatch_desc(w);
  green_disk_call c = {
      .op = GREEN_DISK_WATCH, .file = f, .mode = (int32_t)mask, .how = how};
  int64_t r = kit_call(d, c, path, NULL, NULL);
  green_desc_unref(f);
  return r;
}

static void tells_what_happens(void)
{
  green_fswatch_event e;
  mkdir("top", 0700);
  is(green_fswatch_next(w, &e), GREEN_EAGAIN, "nothing yet");
  int64_t n = watch("top", GREEN_FSWATCH_CREATED | GREEN_FSWATCH_DELETED, 0);
  ok(n > 0, "a watch");
  kit_put("top/file", "x");
  mkdir("top/folder", 0700);
  ok(green_fswatch_next(w, &e) == 1 && e.watch == n, "an event of that");
  ok(e.mask == GREEN_FSWATCH_CREATED && e.len == 4 && !strcmp(e.name, "file"),
     "says what, and of which name");
  ok(green_fswatch_next(w, &e) == 1 &&
         e.mask == (GREEN_FSWATCH_CREATED | GREEN_FSWATCH_FOLDER),
     "and of a folder");
  is(green_fswatch_next(w, &e), GREEN_EAGAIN, "that is all");
  green_fswatch_forget(w, (int)n);
  ok(green_fswatch_next(w, &e) == 1 && e.mask == GREEN_FSWATCH_ENDED &&
         e.len == 0,
     "a watch that is forgotten ends");
}

static void moves_have_a_cookie(void)
{
  green_fswatch_event e;
  uint32_t both = GREEN_FSWATCH_MOVED_FROM | GREEN_FSWATCH_MOVED_TO;
  watch("top", both, 0);
  ok(rename("top/file", "top/other") == 0, "(a file is moved)");
  green_fswatch_next(w, &e);
  uint32_t cookie = e.cookie;
  ok(e.mask == GREEN_FSWATCH_MOVED_FROM && cookie, "from");
  green_fswatch_next(w, &e);
  ok(e.mask == GREEN_FSWATCH_MOVED_TO && e.cookie == cookie, "to, the same");
}

static void what_cannot_be_watched(void)
{
  is(watch("nowhere", GREEN_FSWATCH_CREATED, 0), GREEN_ENOENT, "nothing there");
  if (symlink("top", "link") < 0) abort();
  uint32_t mask = GREEN_FSWATCH_CREATED | GREEN_FSWATCH_ONLY_FOLDER;
  is(watch("link", mask, GREEN_DISK_NOFOLLOW), -ENOTDIR, "a link is no folder");
  ok(watch("link", mask, 0) > 0, "but leads to one");
  is(watch("top/other", mask, 0), -ENOTDIR, "nor is a file");
}

/* The kernel keeps so many; what comes then is said to be lost. */
static void an_overflow_is_told(void)
{
  green_fswatch_event e;
  int most = 16384, lost = 0;
  FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  if (f && fscanf(f, "%d", &most) != 1) most = 16384;
  if (f) fclose(f);
  if (most > 100000) {
    t_skip("an overflow", "the system keeps too many events");
    return;
  }
  watch("top", GREEN_FSWATCH_CREATED | GREEN_FSWATCH_DELETED, 0);
  for (int i = 0; i < most / 2 + 10; i++) {
    kit_put("top/again", "");
    unlink("top/again");
  }
  while (green_fswatch_next(w, &e) == 1)
    if (e.mask & GREEN_FSWATCH_OVERFLOW) lost += e.watch == -1;
  is(lost, 1, "an overflow is told");
}

int main(void)
{
  t_start();
  kit_begin();
  w = calloc(1, green_fswatch_size());
  d = green_disk_new();
  is(green_fswatch_init(w, hub), 0, "made");
  tells_what_happens();
  moves_have_a_cookie();
  what_cannot_be_watched();
  an_overflow_is_told();
  green_fswatch_event e;
  green_fswatch_deinit(w);
  green_fswatch_deinit(w);
  is(green_fswatch_next(w, &e), GREEN_ECLOSED, "closed");
  ok(!green_fswatch_desc(w), "and has no number");
  green_disk_free(d);
  free(w);
  kit_end();
  return t_done();
}
