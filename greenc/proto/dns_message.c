/*
** dns_message.c: header, question, and the walk from record to record.
*/

#include "proto/dns_message_priv.h"

#include <string.h>

enum { HEADER = 12, RECORD_FIXED = 10, LEN_MAX = 65535 };

static int message_fail(green_dns_message *m, const char *reason)
{
  m->reason = reason;
  return GREEN_EPROTO;
}

/* -- Header and question -------------------------------------------------- */

static void header_read(green_dns_message *m, const char *buf)
{
  uint16_t bits = green__dns_get16(buf + 2);
  m->id = green__dns_get16(buf);
  m->flags = bits & 0x87f0;
  m->opcode = bits >> 11 & 15;
  m->rcode = bits & 15;
  for (int i = 0; i < 3; i++) m->count[i] = green__dns_get16(buf + 6 + 2 * i);
}

/* The first question's name has nothing before it that it could point to. */
static int question_read(green_dns_message *m, const char *buf)
{
  int end = green_dns_name_end(buf, m->len, HEADER);
  if (end < 0) return message_fail(m, "bad name in the question");
  if (m->len - (uint32_t)end < 4) return message_fail(m, "no whole question");
  m->name_off = HEADER;
  m->name_len = (uint32_t)end - HEADER;
  m->type = green__dns_get16(buf + end);
  m->cls = green__dns_get16(buf + end + 2);
  m->records_off = (uint32_t)end + 4;
  return 0;
}

static int head_read(green_dns_message *m, const char *buf, size_t len)
{
  memset(m, 0, sizeof(*m));
  if (len < HEADER) return message_fail(m, "shorter than a header");
  if (len > LEN_MAX) return message_fail(m, "longer than a message can be");
  m->len = (uint32_t)len;
  header_read(m, buf);
  uint16_t questions = green__dns_get16(buf + 4);
  if (questions > 1) return message_fail(m, "more than one question");
  m->records_off = HEADER;
  return questions ? question_read(m, buf) : 0;
}

/* -- Records -------------------------------------------------------------- */

static uint8_t section_of(const green_dns_message *m, uint32_t index)
{
  uint32_t end = m->count[0];
  if (index < end) return GREEN_DNS_ANSWER;
  return index < end + m->count[1] ? GREEN_DNS_AUTHORITY : GREEN_DNS_ADDITIONAL;
}

/* Where the name at off ends, whose pointer nobody follows. */
static uint32_t name_skip(const green_dns_message *m, const char *buf,
                          uint32_t off)
{
  while (off < m->len) {
    unsigned char n = (unsigned char)buf[off];
    if (n >= 0xc0) return off + 2;
    off += n + 1U;
    if (!n) return off;
  }
  return off;
}

/* The record at off, whose name has not been looked at: parse did, or will.
** Returns where the next begins, or GREEN_EPROTO. */
static int record_read(const green_dns_message *m, const char *buf,
                       uint32_t off, green_dns_record *r)
{
  uint32_t end = name_skip(m, buf, off);
  if (end > m->len || m->len - end < RECORD_FIXED) return GREEN_EPROTO;
  const char *p = buf + end;
  r->name_off = off;
  r->type = green__dns_get16(p);
  r->cls = green__dns_get16(p + 2);
  r->ttl = green__dns_ttl(green__dns_get32(p + 4));
  r->data_len = green__dns_get16(p + 8);
  r->data_off = end + RECORD_FIXED;
  if (m->len - r->data_off < r->data_len) return GREEN_EPROTO;
  return (int)(r->data_off + r->data_len);
}

int green_dns_message_next(const green_dns_message *m, const char *buf,
                           green_dns_record *r)
{
  uint32_t total = (uint32_t)m->count[0] + m->count[1] + m->count[2];
  if (m->reason || r->index >= total) return 0;
  uint32_t off = r->index ? r->next : m->records_off;
  int next = record_read(m, buf, off, r);
  if (next < 0) return 0;
  r->section = section_of(m, r->index);
  r->next = (uint32_t)next;
  r->index++;
  return 1;
}

/* -- OPT ------------------------------------------------------------------ */

/* Options are code, length, value. */
static bool options_are_whole(const char *p, uint32_t len)
{
  while (len >= 4) {
    uint32_t n = 4 + (uint32_t)green__dns_get16(p + 2);
    if (n > len) return false;
    p += n;
    len -= n;
  }
  return !len;
}

static int opt_read(green_dns_message *m, const char *buf,
                    const green_dns_record *r)
{
  if (m->has_edns) return message_fail(m, "two OPT records");
  if (r->section != GREEN_DNS_ADDITIONAL || buf[r->name_off])
    return message_fail(m, "an OPT record out of its place");
  if (!options_are_whole(buf + r->data_off, r->data_len))
    return message_fail(m, "bad options in OPT");
  const char *ttl = buf + r->data_off - 6;
  m->has_edns = true;
  m->udp_size = r->cls;
  m->rcode |= (uint16_t)((unsigned char)ttl[0] << 4);
  m->edns_version = (uint8_t)ttl[1];
  m->dnssec_ok = (unsigned char)ttl[2] >> 7;
  m->options_off = r->data_off;
  m->options_len = r->data_len;
  return 0;
}

/* -- The whole ------------------------------------------------------------ */

/* A truncated message ends before its record number index. */
static int records_cut(green_dns_message *m, uint32_t index)
{
  if (!(m->flags & GREEN_DNS_TC))
    return message_fail(m, "a record that is not whole");
  for (int i = 0; i < 3; i++) {
    uint32_t n = m->count[i] < index ? m->count[i] : index;
    m->count[i] = (uint16_t)n;
    index -= n;
  }
  return 0;
}

static int record_check(green_dns_message *m, const char *buf,
                        const green_dns_record *r)
{
  green_dns_data d;
  if (green_dns_name_end(buf, m->len, r->name_off) < 0)
    return message_fail(m, "bad name of a record");
  if (r->type == GREEN_DNS_OPT) return opt_read(m, buf, r);
  if (green_dns_message_data(m, buf, r, &d) == GREEN_EPROTO)
    return message_fail(m, "rdata is not what its type says");
  return 0;
}

int green_dns_message_parse(green_dns_message *m, const char *buf, size_t len)
{
  int rc = head_read(m, buf, len);
  if (rc < 0) return rc;
  uint32_t total = (uint32_t)m->count[0] + m->count[1] + m->count[2];
  green_dns_record r = {.next = m->records_off};
  while (r.index < total) {
    if (!green_dns_message_next(m, buf, &r)) return records_cut(m, r.index);
    rc = record_check(m, buf, &r);
    if (rc < 0) return rc;
  }
  if (r.next != m->len) return message_fail(m, "bytes behind the last record");
  return 0;
}

/* -- Queries -------------------------------------------------------------- */

static char *put16(char *p, unsigned n)
{
  *p++ = (char)(n >> 8);
  *p++ = (char)n;
  return p;
}

/* OPT: the root's name, the type, our size, version 0, flags, no options. */
static char *put_opt(char *p, const green_dns_query *q)
{
  *p++ = 0;
  p = put16(p, GREEN_DNS_OPT);
  p = put16(p, q->udp_size);
  p = put16(p, 0);
  p = put16(p, q->dnssec_ok ? 0x8000 : 0);
  return put16(p, 0);
}

int green_dns_message_query(const green_dns_query *q, const char *name,
                            size_t n, char *out, size_t cap)
{
  char query[GREEN_DNS_QUERY_MAX], *p = query;
  p = put16(p, q->id);
  p = put16(p, q->flags);
  p = put16(p, 1);
  p = put16(put16(p, 0), 0);
  p = put16(p, q->udp_size > 0);
  int len = green_dns_name_pack(name, n, p, GREEN_DNS_NAME_WIRE);
  if (len < 0) return len;
  p = put16(put16(p + len, q->type), GREEN_DNS_IN);
  if (q->udp_size) p = put_opt(p, q);
  if ((size_t)(p - query) > cap) return GREEN_ENOBUFS;
  memcpy(out, query, (size_t)(p - query));
  return (int)(p - query);
}
