/*
** dns_result.c: what the answer to a question says, read once for all.
*/

#include "io/dns_priv.h"

#include "base/mem.h"
#include "io/resolver.h"
#include "proto/dns_answer.h"

#include <netinet/in.h>
#include <string.h>

/* Nobody who was told "there is none" shall believe that for longer (RFC 2308,
** 5). */
#define NEGATIVE_MOST 900

static uint32_t size_of(int type)
{
  return type == GREEN_DNS_A ? 4 : 16;
}

static int64_t life_of(const green_dns_answer *a)
{
  uint32_t seconds = a->ttl;
  if (!a->count) {
    seconds = a->has_soa ? a->negative_ttl : 0;
    if (seconds > NEGATIVE_MOST) seconds = NEGATIVE_MOST;
  }
  return (int64_t)seconds * GREEN_SECOND;
}

/* Their bytes, without what is no address. */
static int addrs_read(green_question *q, const green_dns_answer *a,
                      const green_dns_message *m)
{
  uint32_t size = size_of(m->type), n = 0;
  green_dns_record r = {0};
  green_dns_data d;
  char *out = q->few;
  if ((size_t)a->count * size > sizeof(q->few))
    out = green__alloc((size_t)a->count * size);
  if (!out) return GREEN_ENOMEM;
  while (n < a->count && green_dns_answer_next(a, m, q->answer, &r)) {
    if (green_dns_message_data(m, q->answer, &r, &d) < 0) continue;
    if (d.address_len != size) continue;
    memcpy(out + (size_t)n++ * size, d.address, size);
  }
  q->addrs = out;
  q->count = n;
  return 0;
}

int green__dns_result(green_question *q, int64_t now)
{
  green_dns_message m;
  green_dns_answer a;
  if (green_dns_message_parse(&m, q->answer, q->len) < 0) return GREEN_EPROTO;
  q->rcode = m.rcode;
  q->is_proved = (m.flags & GREEN_DNS_AD) != 0;
  q->till = now;
  if (m.rcode != GREEN_DNS_NOERROR && m.rcode != GREEN_DNS_NXDOMAIN) return 0;
  int count = green_dns_answer_read(&a, &m, q->answer);
  if (count < 0) return GREEN_EPROTO;
  q->till = now + life_of(&a);
  q->name_off = a.name_off;
  q->is_linked = a.hops != 0;
  q->count = a.count;
  int has_addrs = m.type == GREEN_DNS_A || m.type == GREEN_DNS_AAAA;
  return count && has_addrs ? addrs_read(q, &a, &m) : 0;
}

/* -- Addresses ------------------------------------------------------------ */

static void addr_four(green_addr *a, const char *bytes)
{
  struct sockaddr_in in = {.sin_family = AF_INET};
  memcpy(&in.sin_addr, bytes, 4);
  green_addr_set(a, (const struct sockaddr *)&in, sizeof(in));
}

static void addr_six(green_addr *a, const char *bytes)
{
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
  memcpy(&in6.sin6_addr, bytes, 16);
  green_addr_set(a, (const struct sockaddr *)&in6, sizeof(in6));
}

static int add(green_addr *list, int n, const green_question *q, uint32_t size)
{
  if (!q || !q->addrs) return n;
  for (uint32_t i = 0; i < q->count && n < GREEN_ORDER_MOST; i++, n++) {
    const char *bytes = q->addrs + (size_t)i * size;
    if (size == 4)
      addr_four(&list[n], bytes);
    else
      addr_six(&list[n], bytes);
  }
  return n;
}

int green__dns_spots(green_order *o, const green_question *six,
                     const green_question *four, green_spot *out, int cap,
                     int64_t now)
{
  green_addr list[GREEN_ORDER_MOST];
  int n = add(list, add(list, 0, six, 16), four, 4);
  if (n > cap) n = cap;
  green_order_sort(o, list, n, now);
  for (int i = 0; i < n; i++) {
    out[i].family = (uint8_t)green_addr_family(&list[i]);
    out[i].len =
        (uint8_t)green_addr_host(&list[i], out[i].host, sizeof(out[i].host));
  }
  return n;
}
