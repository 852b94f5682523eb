/*
** nsswitch_fuzz.c: any bytes as nsswitch.conf.
*/

#include "proto/nsswitch.h"
#include "guard.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_nsswitch s;
  if (size > 65536) return 0;
  memset(&s, 0, sizeof(s));
  green_nsswitch_read(&s, guard_copy(data, size), size);
  int others = s.mdns + s.resolve + s.myhostname + s.mymachines + s.other;
  CHECK(!s.dns_first || (s.dns && s.files));
  if (!s.has_hosts) CHECK(s.files && s.dns && !s.dns_first && !others);
  if (s.has_hosts) CHECK(memmem(data, size, "hosts:", 6));
  if (s.mdns) CHECK(memmem(data, size, "mdns", 4));
  if (s.resolve) CHECK(memmem(data, size, "resolve", 7));
  return 0;
}
