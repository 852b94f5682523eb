/*
** desc.c: counted descriptors.
*/

#include "io/desc.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

struct green_desc {
  atomic_int refs;
  int fd;
};

green_desc *green_desc_new(int fd)
{
  green_assert(fd >= 0, "an open number");
  green_desc *d = green__alloc(sizeof(*d));
  if (!d) return NULL;
  atomic_init(&d->refs, 1);
  d->fd = fd;
  return d;
}

green_desc *green_desc_ref(green_desc *d)
{
  if (d) atomic_fetch_add(&d->refs, 1);
  return d;
}

void green_desc_unref(green_desc *d)
{
  if (!d || atomic_fetch_sub(&d->refs, 1) > 1) return;
  close(d->fd);
  green__free(d);
}

void green_desc_let_go(green_desc_holder *h)
{
  green_desc_unref(h->desc);
  h->desc = NULL;
}

int green_desc_detach(green_desc_holder *h)
{
  green_desc *d = h->desc;
  h->desc = NULL;
  if (!d) return GREEN_ECLOSED;
  int fd = d->fd;
  if (atomic_load(&d->refs) == 1) {
    green__free(d);
    return fd;
  }
  fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) fd = -errno;
  green_desc_unref(d);
  return fd;
}

int green_desc_number(const green_desc *d)
{
  return d ? d->fd : GREEN_ECLOSED;
}

void green_desc_seek(const green_desc *d, int64_t offset)
{
  if (!d) return;
  off_t at = lseek(d->fd, offset, SEEK_SET);
  (void)at;
}
