/*
** dns_message_priv.h: numbers in DNS messages, for the files that read them.
*/
#ifndef GREEN_PROTO_DNS_MESSAGE_PRIV_H
#define GREEN_PROTO_DNS_MESSAGE_PRIV_H

#include "proto/dns_message.h"

static inline uint16_t green__dns_get16(const char *p)
{
  const unsigned char *b = (const unsigned char *)p;
  return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t green__dns_get32(const char *p)
{
  return (uint32_t)green__dns_get16(p) << 16 | green__dns_get16(p + 2);
}

/* The TTL that the four bytes at p mean. */
static inline uint32_t green__dns_ttl(uint32_t ttl)
{
  if (ttl > INT32_MAX) return 0;
  return ttl < GREEN_DNS_TTL_MAX ? ttl : GREEN_DNS_TTL_MAX;
}

#endif
