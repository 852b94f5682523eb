/*
** dns_kit.h: DNS messages made by hand, right ones and wrong ones. Fuzzers use
** it too.
*/
#ifndef GREEN_DNS_KIT_H
#define GREEN_DNS_KIT_H

#include "proto/dns_answer.h"
#include "guard.h"

#include <stdio.h>

/* A message that is being written; counts and lengths are as told. */
typedef struct dns_kit {
  unsigned char buf[70000];
  size_t len;
  size_t data; /* Where the rdata of the last record begins. */
} dns_kit;

static inline void kit_bytes(dns_kit *k, const void *p, size_t n)
{
  if (n > sizeof(k->buf) - k->len) abort();
  memcpy(k->buf + k->len, p, n);
  k->len += n;
}

static inline void kit8(dns_kit *k, unsigned n)
{
  unsigned char b = (unsigned char)n;
  kit_bytes(k, &b, 1);
}

static inline void kit16(dns_kit *k, unsigned n)
{
  kit8(k, n >> 8);
  kit8(k, n);
}

static inline void kit32(dns_kit *k, uint32_t n)
{
  kit16(k, n >> 16);
  kit16(k, n & 0xffff);
}

static inline void kit_set16(dns_kit *k, size_t at, unsigned n)
{
  k->buf[at] = (unsigned char)(n >> 8);
  k->buf[at + 1] = (unsigned char)n;
}

static inline void kit_name(dns_kit *k, const char *text)
{
  char wire[GREEN_DNS_NAME_WIRE];
  int n = green_dns_name_pack(text, strlen(text), wire, sizeof(wire));
  if (n < 0) abort();
  kit_bytes(k, wire, (size_t)n);
}

static inline void kit_pointer(dns_kit *k, size_t to)
{
  kit16(k, 0xc000 | (unsigned)to);
}

/* A header without counts; with a question if there is a name. */
static inline void kit_start(dns_kit *k, unsigned flags, const char *name,
                             unsigned type)
{
  static const char zeros[8];
  k->len = k->data = 0;
  kit16(k, 0x1234);
  kit16(k, flags);
  kit_bytes(k, zeros, 8);
  if (!name) return;
  kit_set16(k, 4, 1);
  kit_name(k, name);
  kit16(k, type);
  kit16(k, GREEN_DNS_IN);
}

static inline void kit_count(dns_kit *k, int section)
{
  size_t at = 6 + 2 * (size_t)section;
  kit_set16(k, at, (k->buf[at] << 8 | k->buf[at + 1]) + 1U);
}

/* What follows a record's name; its rdata is to follow. */
static inline void kit_head(dns_kit *k, int section, unsigned type,
                            uint32_t ttl)
{
  kit_count(k, section);
  kit16(k, type);
  kit16(k, GREEN_DNS_IN);
  kit32(k, ttl);
  kit16(k, 0);
  k->data = k->len;
}

static inline void kit_record(dns_kit *k, int section, const char *name,
                              unsigned type, uint32_t ttl)
{
  kit_name(k, name);
  kit_head(k, section, type, ttl);
}

/* The rdata ends here. */
static inline void kit_end(dns_kit *k)
{
  kit_set16(k, k->data - 2, (unsigned)(k->len - k->data));
}

static inline void kit_a(dns_kit *k, const char *name, uint32_t ttl,
                         uint32_t address)
{
  kit_record(k, GREEN_DNS_ANSWER, name, GREEN_DNS_A, ttl);
  kit32(k, address);
  kit_end(k);
}

static inline void kit_cname(dns_kit *k, const char *name, uint32_t ttl,
                             const char *to)
{
  kit_record(k, GREEN_DNS_ANSWER, name, GREEN_DNS_CNAME, ttl);
  kit_name(k, to);
  kit_end(k);
}

static inline void kit_soa(dns_kit *k, const char *zone, uint32_t ttl,
                           uint32_t minimum)
{
  kit_record(k, GREEN_DNS_AUTHORITY, zone, GREEN_DNS_SOA, ttl);
  kit_name(k, "ns.example");
  kit_name(k, "root.example");
  for (uint32_t i = 1; i <= 4; i++) kit32(k, i);
  kit32(k, minimum);
  kit_end(k);
}

static inline void kit_string(dns_kit *k, const char *text)
{
  kit8(k, (unsigned)strlen(text));
  kit_bytes(k, text, strlen(text));
}

static inline void kit_opt(dns_kit *k, unsigned size, uint32_t ttl)
{
  kit8(k, 0);
  kit_count(k, GREEN_DNS_ADDITIONAL);
  kit16(k, GREEN_DNS_OPT);
  kit16(k, size);
  kit32(k, ttl);
  kit16(k, 0);
  k->data = k->len;
}

/* Parse what was written, at the end of readable memory: *at is where. */
static inline int kit_parse(const dns_kit *k, green_dns_message *m,
                            const char **at)
{
  *at = guard_copy(k->buf, k->len);
  return green_dns_message_parse(m, *at, k->len);
}

#endif
