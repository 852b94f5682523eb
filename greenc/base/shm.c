/*
** shm.c: one mapping, and a list of things in it that only grows.
**
** A thing is written whole and then hung on the list by one store, so whoever
** is killed meanwhile leaves at most a gap, and readers take no lock.
*/

#include "base/shm.h"
#include "base/clock.h"
#include "base/robust.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

typedef struct shm_thing {
  uint64_t next; /* Offsets from the root. 0: the last. */
  uint64_t at;
  uint64_t size;
  uint16_t n;
  uint8_t kind;
  char name[];
} shm_thing;

typedef struct shm_root {
  pthread_mutex_t lock;
  uint64_t room;
  uint64_t used;
  uint64_t first;
} shm_root;

/* Enough for a thing of a page or two: less is no use. */
#define SHM_LEAST (UINT64_C(1) << 20)

/* The one thing of this file that changes: a child has its parent's. */
static shm_root *shm_the_root;

static void *shm_at(shm_root *root, uint64_t offset)
{
  return (char *)root + offset;
}

static uint64_t shm_load(const uint64_t *p)
{
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void shm_store(uint64_t *p, uint64_t offset)
{
  __atomic_store_n(p, offset, __ATOMIC_RELEASE);
}

/* -- The memory ------------------------------------------------------------ */

/* A file that is longer than the limit would raise SIGXFSZ; and of few
** addresses, the program needs some for itself. */
static uint64_t shm_room(void)
{
  struct rlimit r;
  uint64_t room = GREEN_SHM_ROOM;
  if (getrlimit(RLIMIT_FSIZE, &r) == 0 && r.rlim_cur < room) room = r.rlim_cur;
  if (getrlimit(RLIMIT_AS, &r) == 0 && r.rlim_cur / 4 < room)
    room = r.rlim_cur / 4;
  return room & ~(SHM_LEAST - 1);
}

/* NULL: *code says why. */
static void *shm_map(int fd, uint64_t *room, int *code)
{
  *code = GREEN_ENOMEM;
  for (; *room >= SHM_LEAST; *room /= 2) {
    void *p = MAP_FAILED;
    if (ftruncate(fd, (off_t)*room) == 0)
      p = mmap(NULL, *room, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
               fd, 0);
    if (p != MAP_FAILED) return p;
    *code = -errno;
  }
  return NULL;
}

/* New memory; NULL: *code says why. */
static void *shm_reserve(uint64_t *room, int *code)
{
  int fd = memfd_create("green.shared", MFD_CLOEXEC);
  *code = -errno;
  if (fd < 0) return NULL;
  *room = shm_room();
  void *p = shm_map(fd, room, code);
  close(fd);
  if (p) madvise(p, *room, MADV_DONTDUMP); /* No core of gigabytes. */
  return p;
}

static shm_root *shm_make_root(int *code)
{
  uint64_t room = 0;
  shm_root *root = shm_reserve(&room, code);
  if (!root) return NULL;
  *code = green__robust_init(&root->lock);
  if (*code < 0) {
    munmap(root, room);
    return NULL;
  }
  root->room = room;
  root->used = sizeof(shm_root);
  return root;
}

/* Of two threads that make one at a time, the second takes the first's. */
static shm_root *shm_root_of(int *code)
{
  shm_root *there = __atomic_load_n(&shm_the_root, __ATOMIC_ACQUIRE);
  if (there) return there;
  shm_root *mine = shm_make_root(code);
  if (!mine) return NULL;
  if (__atomic_compare_exchange_n(&shm_the_root, &there, mine, 0,
                                  __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return mine;
  pthread_mutex_destroy(&mine->lock);
  munmap(mine, mine->room);
  return there;
}

/* -- Things ---------------------------------------------------------------- */

static int shm_is(const shm_thing *t, const green__shm_wish *w)
{
  return t->kind == w->kind && t->n == w->n && !memcmp(t->name, w->name, w->n);
}

/* The thing, or NULL; *end: the link that the next one made is hung on. */
static shm_thing *shm_find(shm_root *root, const green__shm_wish *w,
                           uint64_t **end)
{
  uint64_t *link = &root->first, at;
  for (; (at = shm_load(link)) != 0;) {
    shm_thing *t = shm_at(root, at);
    if (shm_is(t, w)) return t;
    link = &t->next;
  }
  *end = link;
  return NULL;
}

static uint64_t shm_up(uint64_t n, uint64_t align)
{
  return (n + align - 1) & ~(align - 1);
}

/* Take the room first: what is used by a thing must not be used by the next,
** whoever is killed where. */
static int shm_make(shm_root *root, const green__shm_wish *w, uint64_t *link)
{
  uint64_t head = shm_up(root->used, _Alignof(shm_thing));
  uint64_t at = shm_up(head + sizeof(shm_thing) + w->n, w->align);
  if (at > root->room || w->size > root->room - at) return GREEN_ENOMEM;
  shm_store(&root->used, at + w->size);
  shm_thing *t = shm_at(root, head);
  *t = (shm_thing){.at = at, .size = w->size, .n = (uint16_t)w->n};
  t->kind = (uint8_t)w->kind;
  memcpy(t->name, w->name, w->n);
  int code = w->fill(shm_at(root, at), w->size, w->arg);
  if (code < 0) return code;
  shm_store(link, head);
  return 0;
}

/* Nothing has to be mended after a death: the list is right at any time. */
static int shm_find_or_make(shm_root *root, const green__shm_wish *w,
                            shm_thing **t)
{
  uint64_t *end = NULL;
  int code = green__robust_lock(&root->lock);
  if (code < 0) return code;
  if (code > 0) green__robust_mended(&root->lock);
  code = 0;
  *t = shm_find(root, w, &end);
  if (!*t) code = shm_make(root, w, end);
  if (!*t && code == 0) *t = shm_at(root, *end);
  green__robust_unlock(&root->lock);
  return code;
}

int green__shm_thing(const green__shm_wish *w, void **it, uint64_t *size)
{
  green_assert(w->n <= GREEN_SHM_NAME_MOST, "at most GREEN_SHM_NAME_MOST");
  uint64_t *end = NULL;
  int code = 0;
  if (w->size == 0 && !__atomic_load_n(&shm_the_root, __ATOMIC_ACQUIRE))
    return GREEN_ENOENT;
  shm_root *root = shm_root_of(&code);
  if (!root) return code;
  shm_thing *t = shm_find(root, w, &end);
  if (!t && w->size == 0) return GREEN_ENOENT;
  if (!t) code = shm_find_or_make(root, w, &t);
  if (code < 0) return code;
  *it = shm_at(root, t->at);
  *size = t->size;
  return 0;
}
