/*
** hosts_fuzz.c: any bytes as a hosts file: all that is in the table is found,
** and a walk over the lines finds the same for every name.
*/

#include "proto/hosts.h"
#include "guard.h"

#include <strings.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

enum { ADDRS = 64 };

static int line_has(const green_hosts *h, int line, const char *name,
                    uint32_t n)
{
  uint32_t len;
  const char *p;
  for (int i = 0; (p = green_hosts_name(h, line, i, &len)); i++)
    if (len == n && !strncasecmp(p, name, n)) return 1;
  return 0;
}

/* find, by walking. */
static int walk_find(const green_hosts *h, const char *name, uint32_t n,
                     int family, green_addr *out)
{
  int count = 0;
  for (int line = 0; line < (int)h->nlines; line++) {
    green_addr a;
    int is_known = 0;
    if (!line_has(h, line, name, n)) continue;
    CHECK(green_hosts_addr(h, line, 0, &a) == 0);
    if (family && green_addr_family(&a) != family) continue;
    for (int i = 0; i < count; i++)
      if (green_addr_equal(&out[i], &a)) is_known = 1;
    if (is_known) continue;
    if (count == ADDRS) return -1;
    out[count++] = a;
  }
  return count;
}

static void check_find(const green_hosts *h, const char *name, uint32_t n)
{
  static const int families[] = {0, GREEN_INET, GREEN_INET6};
  static green_addr got[ADDRS], want[ADDRS];
  for (int i = 0; i < 3; i++) {
    int count = walk_find(h, name, n, families[i], want);
    if (count < 0) continue;
    CHECK(green_hosts_find(h, name, n, families[i], 0, got, ADDRS) == count);
    for (int k = 0; k < count; k++) CHECK(green_addr_equal(&got[k], &want[k]));
  }
}

static void check_line(const green_hosts *h, int line)
{
  uint32_t len;
  const char *p;
  green_addr a;
  CHECK(green_hosts_name(h, line, 0, &len));
  CHECK(green_hosts_addr(h, line, 80, &a) == 0 && green_addr_port(&a) == 80);
  CHECK(green_hosts_line_of(h, &a, line - 1) == line);
  for (int i = 0; (p = green_hosts_name(h, line, i, &len)); i++) {
    CHECK(len && len <= 255 && !memchr(p, ' ', len) && !memchr(p, '#', len));
    CHECK(green_hosts_line(h, p, len, line - 1) == line);
    CHECK(p[len - 1] != '.');
    check_find(h, p, len);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_hosts h;
  if (size > 4096) return 0;
  green_hosts_init(&h);
  CHECK(green_hosts_load(&h, guard_copy(data, size), size) == 0);
  CHECK(h.nnames >= h.nlines);
  for (int i = 0; i < (int)h.nlines; i++) check_line(&h, i);
  check_find(&h, "nobody", 6);
  green_hosts_deinit(&h);
  return 0;
}
