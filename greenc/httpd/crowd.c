/*
** crowd.c: how many TLS handshakes are under way, in all and by where they come
** from. Each has its OpenSSL, with buffers, before anything is known of who
** asks for it: there is an end to that.
*/

#include "httpd/httpd_priv.h"

#include <netinet/in.h>

static uint64_t number_of(const uint8_t *p, int n)
{
  uint64_t number = 0;
  while (n-- > 0) number = number << 8 | *p++;
  return number;
}

static uint64_t key_of_ip4(const void *address)
{
  return 1ull << 32 | number_of(address, 4);
}

/* Who has an IPv6 address has 2^64 of them. No address begins like the numbers
** that IPv4 has here. */
static uint64_t key_of_ip6(const struct in6_addr *address)
{
  if (IN6_IS_ADDR_V4MAPPED(address)) return key_of_ip4(address->s6_addr + 12);
  uint64_t prefix = number_of(address->s6_addr, 8);
  return prefix ? prefix : 1;
}

/* 0: nobody can say. */
static uint64_t crowd_key(const httpd_conn *c)
{
  union {
    struct sockaddr any;
    struct sockaddr_in ip4;
    struct sockaddr_in6 ip6;
  } u = {.any.sa_family = AF_UNSPEC};
  memcpy(&u, c->peer, c->peer_len);
  if (u.any.sa_family == AF_INET6) return key_of_ip6(&u.ip6.sin6_addr);
  return u.any.sa_family == AF_INET ? key_of_ip4(&u.ip4.sin_addr) : 0;
}

int green__crowd_enter(httpd_conn *c)
{
  httpd *d = c->d;
  if (c->shaking) return 0;
  uint64_t key = crowd_key(c);
  if (d->pub.handshaking >= d->pub.max_handshakes) return GREEN_EBUSY;
  if (key) {
    if (green_tally_count(&d->crowd, key) >= d->pub.max_handshakes_per_address)
      return GREEN_EBUSY;
    if (green_tally_add(&d->crowd, key) < 0) return GREEN_ENOMEM;
  }
  c->shaking = 1;
  d->pub.handshaking++;
  return 0;
}

void green__crowd_leave(httpd_conn *c)
{
  if (!c->shaking) return;
  uint64_t key = crowd_key(c);
  if (key) green_tally_drop(&c->d->crowd, key);
  c->shaking = 0;
  c->d->pub.handshaking--;
}
