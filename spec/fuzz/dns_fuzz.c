/*
** dns_fuzz.c: any bytes as a DNS message, as an answer, and as a name's text.
**
** What parse takes, every other call must read; names must come back the same
** from their text; and another walk must find the same chain.
*/

#include "proto/dns_kit.h"

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static char text[GREEN_DNS_NAME_TEXT];

/* A name that is right has a text, which has the name. */
static void check_name(const char *buf, size_t len, size_t off)
{
  char wire[GREEN_DNS_NAME_WIRE], again[GREEN_DNS_NAME_TEXT];
  int n = green_dns_name_text(buf, len, off, text, sizeof(text));
  CHECK(n > 0 && text[n] == '\0' && strlen(text) == (size_t)n);
  for (int i = 0; i < n; i++) CHECK(text[i] > ' ' && text[i] < 127);
  CHECK(green_dns_name_text(buf, len, off, again, (size_t)n) == GREEN_ENOBUFS);
  CHECK(green_dns_name_text(buf, len, off, again, (size_t)n + 1) == n);
  int size = green_dns_name_pack(text, (size_t)n, wire, sizeof(wire));
  CHECK(size > 0 && !wire[size - 1]);
  char whole[12 + GREEN_DNS_NAME_WIRE];
  memset(whole, 0, 12);
  memcpy(whole + 12, wire, (size_t)size);
  CHECK(green_dns_name_end(whole, 12 + (size_t)size, 12) == 12 + size);
  CHECK(green_dns_name_text(whole, 12 + (size_t)size, 12, again,
                            sizeof(again)) == n);
  CHECK(!strcmp(text, again));
  CHECK(green_dns_name_same(buf, len, off, off));
  CHECK(green_dns_name_within(buf, len, off, off));
}

static void check_bytes(const green_dns_record *r, green_dns_bytes b)
{
  CHECK(b.off >= r->data_off || !b.len);
  CHECK(!b.len || b.off + b.len <= r->data_off + r->data_len);
}

static void check_data(const green_dns_message *m, const char *buf,
                       const green_dns_record *r)
{
  green_dns_data d;
  int rc = green_dns_message_data(m, buf, r, &d);
  CHECK(rc == 0 || rc == GREEN_EOPNOTSUPP);
  if (rc) return;
  CHECK(d.address_len == 0 || d.address_len == r->data_len);
  if (d.name_off) check_name(buf, m->len, d.name_off);
  if (d.mailbox_off) check_name(buf, m->len, d.mailbox_off);
  check_bytes(r, d.text);
  check_bytes(r, d.tag);
  check_bytes(r, d.pattern);
  if (r->type != GREEN_DNS_TXT) return;
  uint32_t total = d.text.len + 1;
  while (green_dns_message_more(buf, r, &d.text)) {
    check_bytes(r, d.text);
    total += d.text.len + 1;
  }
  CHECK(total == r->data_len);
}

static void check_records(const green_dns_message *m, const char *buf)
{
  uint32_t count[3] = {0}, end = m->records_off;
  green_dns_record r = {0};
  while (green_dns_message_next(m, buf, &r)) {
    CHECK(r.section <= GREEN_DNS_ADDITIONAL && r.ttl <= GREEN_DNS_TTL_MAX);
    CHECK(r.name_off == end && r.data_off > end && r.next <= m->len);
    CHECK(r.data_off + r.data_len == r.next);
    end = r.next;
    count[r.section]++;
    check_name(buf, m->len, r.name_off);
    check_data(m, buf, &r);
  }
  for (int i = 0; i < 3; i++) CHECK(count[i] == m->count[i]);
  CHECK(end == m->len || m->flags & GREEN_DNS_TC);
}

/* -- Answers -------------------------------------------------------------- */

static void lower_text(const green_dns_message *m, const char *buf,
                       uint32_t off, char *out)
{
  CHECK(green_dns_name_text(buf, m->len, off, out, GREEN_DNS_NAME_TEXT) > 0);
  for (; *out; out++)
    if (*out >= 'A' && *out <= 'Z') *out = (char)(*out | 32);
}

/* How many answers of a type the owner has whose text is given, and the data
** of the last. */
static uint32_t walk_count(const green_dns_message *m, const char *buf,
                           const char *owner, unsigned type, uint32_t *data)
{
  char name[GREEN_DNS_NAME_TEXT];
  uint32_t n = 0;
  green_dns_record r = {0};
  while (green_dns_message_next(m, buf, &r)) {
    if (r.section != GREEN_DNS_ANSWER || r.cls != GREEN_DNS_IN) continue;
    if (r.type != type && type != GREEN_DNS_ANY) continue;
    lower_text(m, buf, r.name_off, name);
    if (strcmp(name, owner)) continue;
    *data = r.data_off;
    n++;
  }
  return n;
}

/* The chain again, by texts. */
static void check_chain(const green_dns_message *m, const char *buf,
                        const green_dns_answer *a, int rc)
{
  char owner[GREEN_DNS_NAME_TEXT], end[GREEN_DNS_NAME_TEXT];
  uint32_t data = 0, hops = 0;
  lower_text(m, buf, m->name_off, owner);
  lower_text(m, buf, a->name_off, end);
  while (hops < a->hops) {
    CHECK(!walk_count(m, buf, owner, m->type, &data));
    CHECK(walk_count(m, buf, owner, GREEN_DNS_CNAME, &data) > 0);
    lower_text(m, buf, data, owner);
    hops++;
  }
  CHECK(!strcmp(owner, end));
  CHECK(walk_count(m, buf, owner, m->type, &data) == (uint32_t)rc);
  if (rc || m->type == GREEN_DNS_CNAME || m->type == GREEN_DNS_ANY) return;
  CHECK(!walk_count(m, buf, owner, GREEN_DNS_CNAME, &data));
}

static void check_answer(const green_dns_message *m, const char *buf)
{
  static green_addr addrs[4096];
  green_dns_answer a;
  green_dns_record r = {0};
  int rc = green_dns_answer_read(&a, m, buf), n = 0;
  CHECK(rc >= 0 || rc == GREEN_EPROTO);
  if (rc < 0) return;
  CHECK(a.count == (uint32_t)rc && a.hops <= GREEN_DNS_CHAIN_MAX);
  CHECK(a.ttl <= GREEN_DNS_TTL_MAX && a.negative_ttl <= a.ttl);
  while (green_dns_answer_next(&a, m, buf, &r)) n++;
  CHECK(n == rc);
  int got = green_dns_answer_addrs(&a, m, buf, 53, addrs, 4096);
  CHECK(got <= rc);
  for (int i = 0; i < got; i++) CHECK(green_addr_port(&addrs[i]) == 53);
  check_chain(m, buf, &a, rc);
}

/* -- Text ----------------------------------------------------------------- */

/* What is packed is a name; what is no name is not packed. */
static void check_text(const char *in, size_t n)
{
  char query[GREEN_DNS_QUERY_MAX];
  green_dns_message m;
  green_dns_query q = {.id = 1, .type = GREEN_DNS_A, .udp_size = 1232};
  const char *p = guard_copy(in, n);
  int len = green_dns_message_query(&q, p, n, query, sizeof(query));
  CHECK(len > 0 || len == GREEN_EINVAL || len == GREEN_ENAMETOOLONG);
  if (len < 0) return;
  CHECK(green_dns_message_parse(&m, query, (size_t)len) == 0);
  check_name(query, m.len, m.name_off);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_dns_message m;
  if (size > 70000) return 0;
  const char *buf = guard_copy(data, size);
  int rc = green_dns_message_parse(&m, buf, size);
  CHECK(rc == 0 || (rc == GREEN_EPROTO && m.reason));
  CHECK(!m.name_len || (m.name_off == 12 && m.name_len <= 255));
  if (m.name_len) check_name(buf, m.len, m.name_off);
  if (rc == 0) {
    check_records(&m, buf);
    check_answer(&m, buf);
  }
  check_text((const char *)data, size);
  return 0;
}
