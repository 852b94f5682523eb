/*
** dns_answer.c: the chain from the question to its answer.
*/

#include "proto/dns_answer.h"

#include <string.h>

/* Does the record's name stand for the question's, as most do? Both were
** looked at when the message was parsed. */
static int is_questions(const green_dns_message *m, const char *buf,
                        uint32_t off)
{
  return (unsigned char)buf[off] == 0xc0 &&
         (unsigned char)buf[off + 1] == m->name_off;
}

/* Go to the next record of the owner at name_off among the answers. */
static int owner_next(const green_dns_message *m, const char *buf,
                      uint32_t name_off, green_dns_record *r)
{
  while (green_dns_message_next(m, buf, r)) {
    if (r->section != GREEN_DNS_ANSWER) return 0;
    if (r->cls != GREEN_DNS_IN) continue;
    if (name_off == m->name_off && is_questions(m, buf, r->name_off)) return 1;
    if (green_dns_name_same(buf, m->len, r->name_off, name_off)) return 1;
  }
  return 0;
}

static bool is_asked(const green_dns_message *m, const green_dns_record *r)
{
  return m->type == GREEN_DNS_ANY || m->type == r->type;
}

static uint32_t least(uint32_t a, uint32_t b)
{
  return a < b ? a : b;
}

/* -- Chain ---------------------------------------------------------------- */

/* Another link from the same owner. GREEN_EPROTO: it leads elsewhere. */
static int link_add(const green_dns_message *m, const char *buf,
                    green_dns_record *link, const green_dns_record *r)
{
  if (link->data_off &&
      !green_dns_name_same(buf, m->len, r->data_off, link->data_off))
    return GREEN_EPROTO;
  *link = *r;
  return 0;
}

/* Look at the end of the chain as it is now, once: count its records, and see
** where it is linked to (data_off 0: nowhere), which is what a chain is
** followed by if there is no record. */
static int owner_read(green_dns_answer *a, const green_dns_message *m,
                      const char *buf, green_dns_record *link)
{
  green_dns_record r = {0};
  uint32_t ttl = a->ttl;
  int rc = 0;
  memset(link, 0, sizeof(*link));
  while (owner_next(m, buf, a->name_off, &r)) {
    if (is_asked(m, &r)) {
      a->count++;
      ttl = least(ttl, r.ttl);
    } else if (r.type == GREEN_DNS_CNAME && rc == 0) {
      rc = link_add(m, buf, link, &r);
    }
  }
  if (!a->count) return rc;
  a->ttl = ttl;
  return (int)a->count;
}

/* A circle has more links than any chain may have. */
static int chain_follow(green_dns_answer *a, const green_dns_message *m,
                        const char *buf)
{
  for (;;) {
    green_dns_record link;
    int rc = owner_read(a, m, buf, &link);
    if (rc || !link.data_off) return rc;
    if (++a->hops > GREEN_DNS_CHAIN_MAX) return GREEN_EPROTO;
    a->name_off = link.data_off;
    a->ttl = least(a->ttl, link.ttl);
  }
}

/* -- Negative answers ----------------------------------------------------- */

/* The SOA of a zone that the end of the chain is in. */
static void soa_find(green_dns_answer *a, const green_dns_message *m,
                     const char *buf)
{
  green_dns_record r = {0};
  green_dns_data d;
  while (green_dns_message_next(m, buf, &r)) {
    if (r.section != GREEN_DNS_AUTHORITY || r.type != GREEN_DNS_SOA) continue;
    if (!green_dns_name_within(buf, m->len, a->name_off, r.name_off)) continue;
    if (green_dns_message_data(m, buf, &r, &d) < 0) continue;
    uint32_t minimum = d.minimum > INT32_MAX ? 0 : d.minimum;
    a->has_soa = true;
    a->soa = r;
    a->negative_ttl = least(least(r.ttl, minimum), a->ttl);
    return;
  }
}

int green_dns_answer_read(green_dns_answer *a, const green_dns_message *m,
                          const char *buf)
{
  memset(a, 0, sizeof(*a));
  if (m->reason || !m->name_len || m->cls != GREEN_DNS_IN) return GREEN_EPROTO;
  a->name_off = m->name_off;
  a->ttl = GREEN_DNS_TTL_MAX;
  int count = chain_follow(a, m, buf);
  if (count == 0) soa_find(a, m, buf);
  return count;
}

/* -- Records -------------------------------------------------------------- */

int green_dns_answer_next(const green_dns_answer *a, const green_dns_message *m,
                          const char *buf, green_dns_record *r)
{
  while (a->count && owner_next(m, buf, a->name_off, r))
    if (is_asked(m, r)) return 1;
  return 0;
}

int green_dns_answer_addrs(const green_dns_answer *a,
                           const green_dns_message *m, const char *buf,
                           int port, green_addr *out, size_t cap)
{
  green_dns_record r = {0};
  green_dns_data d;
  size_t n = 0;
  while (n < cap && green_dns_answer_next(a, m, buf, &r)) {
    if (green_dns_message_data(m, buf, &r, &d) < 0) continue;
    if (green_addr_of(&out[n], d.address, d.address_len, 0, port) == 0) n++;
  }
  return (int)n;
}
