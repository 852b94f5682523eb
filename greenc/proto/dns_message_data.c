/*
** dns_message_data.c: rdata by type.
**
** Each reader takes what it wants from the front and leaves the rest; the
** rdata is right when all of it was taken.
*/

#include "proto/dns_message_priv.h"

#include <string.h>

/* What is left of an rdata. len and end are of the message. */
typedef struct data_cut {
  const char *buf;
  uint32_t len;
  uint32_t at;
  uint32_t end;
  bool is_bad;
} data_cut;

/* -- Parts ---------------------------------------------------------------- */

/* n bytes, or NULL when they are not there. */
static const char *cut_bytes(data_cut *c, uint32_t n)
{
  if (c->is_bad || c->end - c->at < n) {
    c->is_bad = true;
    return NULL;
  }
  c->at += n;
  return c->buf + c->at - n;
}

static uint8_t cut8(data_cut *c)
{
  const char *p = cut_bytes(c, 1);
  return p ? (uint8_t)*p : 0;
}

static uint16_t cut16(data_cut *c)
{
  const char *p = cut_bytes(c, 2);
  return p ? green__dns_get16(p) : 0;
}

static uint32_t cut32(data_cut *c)
{
  const char *p = cut_bytes(c, 4);
  return p ? green__dns_get32(p) : 0;
}

/* A name, which may go on elsewhere. Returns where it begins. */
static uint32_t cut_name(data_cut *c)
{
  uint32_t off = c->at;
  int end = c->is_bad ? -1 : green_dns_name_end(c->buf, c->len, off);
  if (end < 0 || (uint32_t)end > c->end)
    c->is_bad = true;
  else
    c->at = (uint32_t)end;
  return off;
}

/* Bytes behind a byte that says how many. */
static green_dns_bytes cut_string(data_cut *c)
{
  uint8_t n = cut8(c);
  green_dns_bytes s = {c->at, n};
  cut_bytes(c, n);
  return s;
}

static green_dns_bytes cut_rest(data_cut *c)
{
  green_dns_bytes s = {c->at, c->end - c->at};
  c->at = c->end;
  return s;
}

/* -- Types ---------------------------------------------------------------- */

static void address_read(data_cut *c, green_dns_data *d, uint8_t n)
{
  const char *p = cut_bytes(c, n);
  if (!p) return;
  memcpy(d->address, p, n);
  d->address_len = n;
}

static void soa_read(data_cut *c, green_dns_data *d)
{
  d->name_off = cut_name(c);
  d->mailbox_off = cut_name(c);
  d->serial = cut32(c);
  d->refresh = cut32(c);
  d->retry = cut32(c);
  d->expire = cut32(c);
  d->minimum = cut32(c);
}

static void mx_read(data_cut *c, green_dns_data *d)
{
  d->preference = cut16(c);
  d->name_off = cut_name(c);
}

/* One string at least (RFC 1035, 3.3.14). */
static void txt_read(data_cut *c, green_dns_data *d)
{
  d->text = cut_string(c);
  while (!c->is_bad && c->at < c->end) cut_string(c);
}

static void srv_read(data_cut *c, green_dns_data *d)
{
  d->preference = cut16(c);
  d->weight = cut16(c);
  d->port = cut16(c);
  d->name_off = cut_name(c);
}

static void naptr_read(data_cut *c, green_dns_data *d)
{
  d->order = cut16(c);
  d->preference = cut16(c);
  d->tag = cut_string(c);
  d->text = cut_string(c);
  d->pattern = cut_string(c);
  d->name_off = cut_name(c);
}

static void tlsa_read(data_cut *c, green_dns_data *d)
{
  d->usage = cut8(c);
  d->selector = cut8(c);
  d->matching = cut8(c);
  d->text = cut_rest(c);
}

/* RFC 8659, 4.1: the tag is letters and digits, one at least. */
static void caa_read(data_cut *c, green_dns_data *d)
{
  d->flags = cut8(c);
  d->tag = cut_string(c);
  if (!d->tag.len) c->is_bad = true;
  d->text = cut_rest(c);
}

/* false: the type is not known. */
static bool type_read(data_cut *c, uint16_t type, green_dns_data *d)
{
  switch (type) {
  case GREEN_DNS_A:
    return address_read(c, d, 4), true;
  case GREEN_DNS_AAAA:
    return address_read(c, d, 16), true;
  case GREEN_DNS_NS:
  case GREEN_DNS_CNAME:
  case GREEN_DNS_DNAME:
  case GREEN_DNS_PTR:
    return d->name_off = cut_name(c), true;
  case GREEN_DNS_SOA:
    return soa_read(c, d), true;
  case GREEN_DNS_MX:
    return mx_read(c, d), true;
  case GREEN_DNS_TXT:
    return txt_read(c, d), true;
  case GREEN_DNS_SRV:
    return srv_read(c, d), true;
  case GREEN_DNS_NAPTR:
    return naptr_read(c, d), true;
  case GREEN_DNS_TLSA:
    return tlsa_read(c, d), true;
  case GREEN_DNS_CAA:
    return caa_read(c, d), true;
  default:
    return false;
  }
}

int green_dns_message_data(const green_dns_message *m, const char *buf,
                           const green_dns_record *r, green_dns_data *d)
{
  data_cut c = {buf, m->len, r->data_off, r->data_off + r->data_len, false};
  memset(d, 0, sizeof(*d));
  if (r->cls != GREEN_DNS_IN || !type_read(&c, r->type, d))
    return GREEN_EOPNOTSUPP;
  return c.is_bad || c.at != c.end ? GREEN_EPROTO : 0;
}

bool green_dns_message_more(const char *buf, const green_dns_record *r,
                            green_dns_bytes *text)
{
  uint32_t at = text->off + text->len, end = r->data_off + r->data_len;
  if (at >= end) return false;
  text->off = at + 1;
  text->len = (unsigned char)buf[at];
  return true;
}
