/*
** order.c: RFC 6724's rules for destinations.
**
** IPv4 addresses are looked at as IPv6 ones, ::ffff:a.b.c.d. Rules 3, 4 and 7
** (deprecated, home and tunnelled addresses) cannot be seen by a program.
*/

#include "io/order.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOLDS INT64_C(10000000000)

/* -- Addresses as 16 bytes ------------------------------------------------ */

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static void bytes_of(const green_addr *a, uint8_t out[16])
{
  const char *bytes;
  uint32_t n = green_addr_bytes(a, &bytes);
  memcpy(out, mapped, 12);
  memcpy(out + 16 - n, bytes, n);
}

static int is_mapped(const uint8_t *a)
{
  return !memcmp(a, mapped, 12);
}

static int is_loopback(const uint8_t *a)
{
  static const uint8_t one[16] = {[15] = 1};
  return is_mapped(a) ? a[12] == 127 : !memcmp(a, one, 16);
}

/* 3.1, 3.2: 2 link-local, 5 site-local, 14 global. */
static int scope_of(const uint8_t *a)
{
  if (is_mapped(a))
    return a[12] == 127 || (a[12] == 169 && a[13] == 254) ? 2 : 14;
  if (a[0] == 0xff) return a[1] & 15;
  if (is_loopback(a) || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80)) return 2;
  return a[0] == 0xfe && (a[1] & 0xc0) == 0xc0 ? 5 : 14;
}

static int common_bits(const uint8_t *a, const uint8_t *b, int most)
{
  int n = 0;
  while (n < most && a[n / 8] == b[n / 8]) n += 8;
  if (n < most) n += __builtin_clz((unsigned)(a[n / 8] ^ b[n / 8])) - 24;
  return n < most ? n : most;
}

/* 2.1, the longest prefix first. */
static const struct policy {
  uint8_t prefix[16];
  uint8_t bits;
  uint8_t precedence;
  uint8_t label;
} policies[] = {
    {{[15] = 1}, 128, 50, 0},  {{[10] = 0xff, [11] = 0xff}, 96, 35, 4},
    {{0}, 96, 1, 3},           {{0x20, 0x01}, 32, 5, 5},
    {{0x20, 0x02}, 16, 30, 2}, {{0x3f, 0xfe}, 16, 1, 12},
    {{0xfe, 0xc0}, 10, 1, 11}, {{0xfc}, 7, 3, 13},
    {{0}, 0, 40, 1},
};

/* Most differ in the first byte already. */
static int is_under(const uint8_t *a, const struct policy *p)
{
  if (p->bits >= 8 && a[0] != p->prefix[0]) return 0;
  return common_bits(a, p->prefix, p->bits) == p->bits;
}

static const struct policy *policy_of(const uint8_t *a)
{
  const struct policy *p = policies;
  while (!is_under(a, p)) p++;
  return p;
}

/* -- Sources -------------------------------------------------------------- */

/* 1; 0: there is no way to it; -1: it cannot be asked for now, without a
** descriptor. */
static int source_ask(const green_addr *to, uint8_t source[16])
{
  green_addr a = *to, mine = {.len = sizeof(mine.u)};
  socklen_t len = sizeof(mine.u);
  if (green_addr_port(&a) == 0) green_addr_set_port(&a, 53);
  int fd = socket(green_addr_family(&a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno == EAFNOSUPPORT ? 0 : -1;
  int r = connect(fd, green_addr_get(&a), a.len);
  if (r == 0)
    r = getsockname(fd, (struct sockaddr *)(void *)mine.u.bytes, &len);
  close(fd);
  if (r == 0) bytes_of(&mine, source);
  return r == 0;
}

/* What is known of a network, or the place for it: that of the one which was
** asked for longest ago. */
static green_route *route_slot(green_order *o, const uint8_t *network,
                               int family)
{
  green_route *oldest = &o->routes[0];
  for (int i = 0; i < GREEN_ORDER_KNOWN; i++) {
    green_route *r = &o->routes[i];
    if (r->family == family && !memcmp(r->network, network, 16)) return r;
    if (r->till < oldest->till) oldest = r;
  }
  return oldest;
}

static const green_route *route_to(green_order *o, const green_addr *to,
                                   int64_t now)
{
  uint8_t network[16];
  int family = green_addr_family(to), is_four = family == GREEN_INET;
  bytes_of(to, network);
  memset(network + (is_four ? 15 : 8), 0, is_four ? 1 : 8);
  green_route *r = route_slot(o, network, family);
  if (r->family == family && now < r->till && now >= r->till - HOLDS &&
      !memcmp(r->network, network, 16))
    return r;
  memcpy(r->network, network, 16);
  r->family = (uint8_t)family;
  int found = source_ask(to, r->source);
  r->till = found < 0 ? 0 : now + HOLDS;
  r->reachable = found > 0;
  return r;
}

/* -- Order ---------------------------------------------------------------- */

typedef struct candidate {
  green_addr addr;
  const struct policy *policy;
  const struct policy *from_policy;
  uint8_t to[16];
  uint8_t from[16];
  uint8_t reachable;
} candidate;

static void candidate_init(candidate *c, green_order *o, const green_addr *a,
                           int64_t now)
{
  const green_route *r = route_to(o, a, now);
  c->addr = *a;
  bytes_of(a, c->to);
  memcpy(c->from, r->source, 16);
  c->policy = policy_of(c->to);
  c->from_policy = policy_of(c->from);
  c->reachable = r->reachable;
}

static int is_fit(const candidate *c)
{
  return scope_of(c->to) == scope_of(c->from);
}

static int has_label(const candidate *c)
{
  return c->policy->label == c->from_policy->label;
}

/* Rule 9 is for IPv6: IPv4's addresses are not given out by the map, and it
** would undo a name server's rotation. */
static int nearness(const candidate *c)
{
  return is_mapped(c->to) ? 0 : common_bits(c->to, c->from, 64);
}

/* > 0: a comes before b. */
static int compare(const candidate *a, const candidate *b)
{
  int d = a->reachable - b->reachable;
  if (d == 0 && a->reachable) d = is_fit(a) - is_fit(b);
  if (d == 0 && a->reachable) d = has_label(a) - has_label(b);
  if (d == 0) d = a->policy->precedence - b->policy->precedence;
  if (d == 0) d = scope_of(b->to) - scope_of(a->to);
  if (d == 0 && a->reachable && is_mapped(a->to) == is_mapped(b->to))
    d = nearness(a) - nearness(b);
  return d;
}

void green_order_sort(green_order *o, green_addr *list, int n, int64_t now)
{
  candidate c[GREEN_ORDER_MOST], moved;
  if (n > GREEN_ORDER_MOST) n = GREEN_ORDER_MOST;
  if (n < 2) return;
  for (int i = 0; i < n; i++) candidate_init(&c[i], o, &list[i], now);
  for (int i = 1; i < n; i++) {
    int k = i;
    moved = c[i];
    for (; k > 0 && compare(&moved, &c[k - 1]) > 0; k--) c[k] = c[k - 1];
    c[k] = moved;
  }
  for (int i = 0; i < n; i++) list[i] = c[i].addr;
}

/* Addresses of documentation: nobody has them, all would be reached. */
int green_order_reaches(green_order *o, int family, int64_t now)
{
  const char *text = family == GREEN_INET ? "198.51.100.1" : "2001:db8::1";
  green_addr a;
  green_addr_ip(&a, text, strlen(text), 53);
  const green_route *r = route_to(o, &a, now);
  return r->till == 0 || (r->reachable && !is_loopback(r->source));
}
