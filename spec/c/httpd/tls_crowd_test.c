/*
** tls_crowd_test.c: how many TLS handshakes may be under way, in all and of one
** address.
*/

#include "httpd/tls_house_kit.h"

#include <arpa/inet.h>
#include <netinet/in.h>

/* As if it had come from there; NULL: from nowhere, as by a UNIX socket. */
static peer peer_from(house *h, const char *address)
{
  peer p = peer_open(h);
  green_link *last = httpd_of(h->d)->conns.prev;
  httpd_conn *c = green_container(last, httpd_conn, link);
  struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6};
  struct sockaddr_in ip4 = {.sin_family = AF_INET};
  if (!address) return p;
  if (inet_pton(AF_INET6, address, &ip6.sin6_addr) == 1) {
    c->peer_len = sizeof(ip6);
    memcpy(c->peer, &ip6, sizeof(ip6));
  } else {
    if (inet_pton(AF_INET, address, &ip4.sin_addr) != 1) abort();
    c->peer_len = sizeof(ip4);
    memcpy(c->peer, &ip4, sizeof(ip4));
  }
  return p;
}

/* He says hello: is he let in? */
static int begins(house *h, peer *p)
{
  uint64_t refused = h->d->handshakes_refused;
  peer_shake(p);
  next(h);
  return h->d->handshakes_refused == refused;
}

static void test_in_all(void)
{
  house h = tls_house();
  h.d->max_handshakes = 3;
  peer p[5];
  for (int i = 0; i < 5; i++) p[i] = peer_open(&h);
  is(h.d->handshaking, 0, "who says nothing is in none");
  for (int i = 0; i < 3; i++) ok(begins(&h, &p[i]), "under way");
  is(h.d->handshaking, 3, "counted");
  ok(!begins(&h, &p[3]), "one more is refused");
  is(h.d->connections, 4, "and closed");
  ok(listens(&p[3]) == '!' && heard_len == 0, "without a word");
  is(h.d->handshakes_refused, 1, "counted");
  is(h.d->handshakes_failed, 0, "as nothing else");
  for (int i = 0; i < 3; i++) is(shake(&h, &p[i]), 0, "others notice nothing");
  is(h.d->handshaking, 0, "they are done");
  ok(begins(&h, &p[4]), "there is room again");
  for (int i = 0; i < 3; i++) {
    green_conn *c = asks(&h, &p[i], GET);
    ok(c, "requests are no handshakes");
    if (c) serve(c);
  }
  for (int i = 0; i < 5; i++) peer_free(&p[i]);
  house_close(&h);
}

/* Whatever becomes of it, it is under way no more. */
static void test_ends(void)
{
  house h = tls_house();
  h.d->max_handshakes = 1;
  h.d->header_timeout = 1000 * MS;
  peer p = peer_open(&h);
  ok(begins(&h, &p), "one");
  peer_free(&p);
  next(&h);
  p = peer_open(&h);
  ok(begins(&h, &p), "whose client leaves");
  pass(&h, 1100 * MS);
  next(&h);
  peer_free(&p);
  int fd = client_open(&h);
  say_n(fd, "\x16\x03\x01\x00\x04zzzz", 9);
  ok(!next(&h), "that takes too long");
  is(h.d->handshakes_failed, 2, "that fails");
  is(h.d->connections, 1, "and lingers");
  int plain = client_open(&h);
  green_conn *c = next_after(&h, plain, GET);
  ok(c && c->status == 400, "that is none");
  if (!c) abort();
  p = peer_open(&h);
  ok(begins(&h, &p), "that is under way");
  green_conn_finish(c);
  h.d->closing = true;
  green_httpd_close_idle(h.d, true);
  is(h.d->handshaking, 0, "that a stop closes");
  is(h.d->handshakes_refused, 0, "none was refused");
  close(fd);
  close(plain);
  peer_free(&p);
  turns(h.hub, 2);
  house_close(&h);
}

static void test_of_one_address(void)
{
  static const struct {
    const char *first, *second;
    int same;
  } pairs[] = {
      {"192.0.2.1", "192.0.2.1", 1},
      {"192.0.2.1", "192.0.2.2", 0},
      {"192.0.2.1", "::ffff:192.0.2.1", 1},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.3", 0},
      {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 1},
      {"2001:db8:1:2::1", "2001:db8:1:3::1", 0},
      {"::1", "::2", 1},
      {"::1", "0.0.0.1", 0},
      {"2001:200:100::1", "192.0.1.32", 0},
      {NULL, NULL, 0},
      {NULL, "192.0.2.1", 0},
  };
  for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    house h = tls_house();
    h.d->max_handshakes_per_address = 1;
    peer a = peer_from(&h, pairs[i].first), b = peer_from(&h, pairs[i].second);
    ok(begins(&h, &a), "the first");
    is(begins(&h, &b), !pairs[i].same, "the second of one address is refused");
    is(shake(&h, &a), 0, "the first is done");
    peer c = peer_from(&h, pairs[i].second);
    is(begins(&h, &c), pairs[i].same || !pairs[i].second,
       "then there is room for one");
    peer_free(&a);
    peer_free(&b);
    peer_free(&c);
    house_close(&h);
  }
}

/* One that was begun elsewhere counts, too. */
static void test_adopted(void)
{
  house h = tls_house();
  h.d->max_handshakes = 1;
  peer p = peer_open(&h), q = peer_new(-1, 0);
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  q.fd = fds[1];
  green_sock *s = green_sock_new(h.hub);
  green_sock_adopt(s, fds[0]);
  green_tls_sock_start(s, httpd_of(h.d)->tls_io, httpd_of(h.d)->tls_ctx);
  is(green_httpd_adopt(h.d, s), 0, "adopted before its handshake");
  ok(begins(&h, &q), "which begins");
  ok(!begins(&h, &p), "and is the one");
  green_sock_free(s);
  peer_free(&p);
  peer_free(&q);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_in_all();
  test_ends();
  test_of_one_address();
  test_adopted();
  return t_done();
}
