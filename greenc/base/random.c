/*
** random.c: getrandom, until there is enough.
*/

#include "base/random.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

int green_random_fill(void *p, size_t n)
{
  uint8_t *out = p;
  while (n) {
    ssize_t got = getrandom(out, n, 0);
    int err = got < 0 ? -errno : 0;
    if (err == GREEN_EINTR) continue;
    if (err < 0) return err;
    out += got;
    n -= (size_t)got;
  }
  return 0;
}
