/*
** resolv_fuzz.c: any bytes as resolv.conf and as the environment's additions.
*/

#include "proto/dns_name.h"
#include "proto/resolv.h"
#include "guard.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static void check(const green_resolv *r)
{
  CHECK(r->nservers <= GREEN_RESOLV_SERVERS);
  CHECK(r->nsearch <= GREEN_RESOLV_SEARCH && r->used <= GREEN_RESOLV_TEXT);
  CHECK(r->ndots <= 15 && r->timeout >= 1 && r->timeout <= 30);
  CHECK(r->attempts >= 1 && r->attempts <= 5);
  CHECK(r->has_search || !r->nsearch);
  for (uint32_t i = 0; i < r->nservers; i++)
    CHECK(green_addr_port(&r->servers[i]) == 53);
  uint32_t end = 0;
  for (uint32_t i = 0; i < r->nsearch; i++) {
    char wire[GREEN_DNS_NAME_WIRE];
    const char *name = r->text + r->search[i];
    CHECK(r->search[i] == end);
    size_t n = strnlen(name, r->used - end);
    end += (uint32_t)n + 1;
    CHECK(end <= r->used && !name[n]);
    CHECK(green_dns_name_pack(name, n, wire, sizeof(wire)) > 0);
  }
  CHECK(end == r->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_resolv r, again;
  if (size > 65536) return 0;
  memset(&r, 0xff, sizeof(r));
  green_resolv_read(&r, guard_copy(data, size), size);
  check(&r);
  green_resolv_read(&again, guard_copy(data, size), size);
  CHECK(!memcmp(r.search, again.search, sizeof(r.search)));
  CHECK(r.skipped == again.skipped && r.nservers == again.nservers);
  green_resolv_options(&r, guard_copy(data, size), size);
  check(&r);
  green_resolv_search(&r, guard_copy(data, size), size);
  check(&r);
  return 0;
}
