/*
** tls_move_test.c: connections go from one thread to another.
*/

#include "base/mem.h"
#include "io/tls_kit.h"
#include "io/tls_priv.h"

#include <pthread.h>

static green_tls_ctx *client, *client12, *server;

static pair pair_shaken(green_tls_ctx *c, green_tls_ctx *s)
{
  pair p = pair_open(c, s, "a.test");
  if (shake(&p)) abort();
  return p;
}

static void depart(pair *p)
{
  if (green_tls_depart(p->client) || green_tls_depart(p->server)) abort();
}

static void arrive(pair *p, green_tls_io *io)
{
  green_tls_arrive(p->client, io);
  green_tls_arrive(p->server, io);
}

/* -- Two threads ---------------------------------------------------------- */

/* What a thread of their own finds of two ends. */
typedef struct found {
  pair p;
  pthread_t thread;
  bool there, back, ended;
  int bytes;
  green_tls_info info;
} found;

static void *use(void *data)
{
  found *f = data;
  char c;
  green_buf der;
  green_tls_io *io = green_tls_io_new();
  green_buf_init(&der, UINT32_MAX);
  arrive(&f->p, io);
  f->there = says(f->p.client, f->p.server, "hello");
  f->back = says(f->p.server, f->p.client, "good day");
  green_tls_get_info(f->p.client, &f->info);
  green_tls_peer_text(f->p.client, 0, GREEN_TLS_DER, &der);
  f->bytes = (int)green_buf_len(&der);
  green_tls_close(f->p.server);
  carry_both(&f->p);
  f->ended = green_tls_read(f->p.client, &c, 1) == 0;
  green_buf_reset(&der);
  pair_close(&f->p);
  green_tls_io_free(io);
  return NULL;
}

/* Their contexts are gone, but for them; the thread that they were made in has
** other connections of the same io. */
static void check_two_threads(int version, const char *name)
{
  green_tls_ctx *s = server_ctx("a"), *c = client_ctx_of(version);
  found f = {.p = pair_shaken(c, s)};
  depart(&f.p);
  pair other = pair_open(c, s, "a.test");
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
  if (pthread_create(&f.thread, NULL, use, &f)) abort();
  is(shake(&other), 0, "others go on here");
  ok(says(other.client, other.server, "meanwhile"), "and talk");
  pthread_join(f.thread, NULL);
  is_str(f.info.version, name, "what was agreed");
  ok(f.there && f.back, "they talk there");
  ok(f.bytes > 100, "who the peer is");
  ok(f.ended, "the end is told");
  pair_close(&other);
}

static void test_two_threads(void)
{
  check_two_threads(GREEN_TLS_1_2, "TLSv1.2");
  check_two_threads(GREEN_TLS_1_3, "TLSv1.3");
}

static void *free_both(void *data)
{
  pair_close(data);
  return NULL;
}

static void test_they_are_freed_by_whoever_has_them(void)
{
  pthread_t thread;
  pair p = pair_shaken(client, server), other = pair_shaken(client, server);
  green_tls_write(p.client, "unsent", 6);
  depart(&p);
  if (pthread_create(&thread, NULL, free_both, &p)) abort();
  ok(says(other.client, other.server, "meanwhile"), "others talk");
  pthread_join(thread, NULL);
  pair_close(&other);
}

/* -- What goes along ------------------------------------------------------ */

static void test_what_was_not_sent(void)
{
  char got[100];
  green_tls_io *there = green_tls_io_new();
  pair p = pair_shaken(client, server), other = pair_shaken(client, server);
  settle(&p);
  green_tls_write(p.client, "unsent", 6);
  depart(&p);
  ok(says(other.client, other.server, "another's"),
     "the buffer of all is free");
  arrive(&p, there);
  green_tls_write(p.client, ", and more", 10);
  carry_both(&p);
  int n = green_tls_read(p.server, got, sizeof(got) - 1);
  got[n > 0 ? n : 0] = '\0';
  is_str(got, "unsent, and more", "in its order");
  pair_close(&p);
  pair_close(&other);
  green_tls_io_free(there);
}

/* A record of which a part was read, one that was not looked at, and one that
** has come in part. */
static void check_what_was_not_read(green_tls_ctx *c, size_t part)
{
  char got[100];
  green_tls_io *there = green_tls_io_new();
  pair p = pair_shaken(c, server);
  settle(&p);
  green_tls_write(p.client, "first", 5);
  green_tls_write(p.client, "second", 6);
  while (carry(p.client, p.server, SIZE_MAX)) continue;
  is(green_tls_read(p.server, got, 2), 2, "a part of the first");
  green_tls_write(p.client, "third", 5);
  carry(p.client, p.server, part);
  depart(&p);
  arrive(&p, there);
  ok(green_tls_pending(p.server), "there is something");
  int n = green_tls_read(p.server, got, sizeof(got));
  ok(n == 9 && !memcmp(got, "rstsecond", 9), "the rest, and the second");
  is(green_tls_read(p.server, got, 100), GREEN_EAGAIN, "no more yet");
  ok(green_tls_has_part(p.server), "but a part");
  carry_both(&p);
  n = green_tls_read(p.server, got, sizeof(got));
  ok(n == 5 && !memcmp(got, "third", 5), "the third");
  pair_close(&p);
  green_tls_io_free(there);
}

static void test_what_was_not_read(void)
{
  for (size_t part = 1; part < 20; part += 3) {
    check_what_was_not_read(client, part);
    check_what_was_not_read(client12, part);
  }
}

/* The server's ticket lies in the client's input when that goes. */
static void test_a_session_that_comes_later(void)
{
  green_tls_io *there = green_tls_io_new();
  pair p = pair_shaken(client, server);
  carry_both(&p);
  ok(!green_tls_session_get(p.client), "none yet");
  depart(&p);
  arrive(&p, there);
  settle(&p);
  green_tls_session *s = green_tls_session_get(p.client);
  ok(s, "it has come");
  pair again = pair_open(client, server, "a.test");
  is(green_tls_session_use(again.client, s), 0, "of use elsewhere");
  is(shake(&again), 0, "there");
  green_tls_info info;
  green_tls_get_info(again.client, &info);
  ok(info.resumed, "resumed");
  green_tls_session_free(s);
  pair_close(&p);
  pair_close(&again);
  green_tls_io_free(there);
}

/* The answer is a message of the handshake's kind, which OpenSSL writes by a
** BIO of its own before the one of all. */
static bool renews(green_tls *from, green_tls *to)
{
  bool asked = lib.SSL_key_update(from->ssl, SSL_KEY_UPDATE_REQUESTED) == 1;
  return asked && says(from, to, "new keys") && says(to, from, "the answer") &&
         says(from, to, "and on");
}

static void test_new_keys_before_and_after(void)
{
  green_tls_io *there = green_tls_io_new();
  pair p = pair_shaken(client, server), other = pair_shaken(client, server);
  settle(&p);
  settle(&other);
  ok(renews(p.client, p.server), "here");
  ok(renews(other.client, other.server), "another's");
  depart(&p);
  ok(says(other.server, other.client, "one goes"), "the other talks on");
  arrive(&p, there);
  ok(renews(p.server, p.client), "there");
  ok(renews(other.server, other.client), "the other here");
  depart(&p);
  arrive(&p, tls_io);
  ok(renews(p.client, p.server), "and back");
  pair_close(&other);
  ok(says(p.client, p.server, "alone"), "the other is gone");
  pair_close(&p);
  green_tls_io_free(there);
}

/* -- What does not go ------------------------------------------------------ */

static void test_not_before_the_handshake_is_done(void)
{
  pair p = pair_open(client, server, "a.test");
  is(green_tls_depart(p.client), GREEN_EAGAIN, "not begun");
  green_tls_handshake(p.client);
  carry_both(&p);
  green_tls_handshake(p.server);
  is(green_tls_depart(p.server), GREEN_EAGAIN, "in the middle");
  is(shake(&p), 0, "it goes on");
  ok(says(p.client, p.server, "hello"), "and is well");
  pair_close(&p);
}

static void test_without_memory(void)
{
  pair p = pair_shaken(client, server);
  green_tls_write(p.client, "unsent", 6);
  green__alloc_fail_from(1);
  is(green_tls_depart(p.client), GREEN_ENOMEM, "what is unsent finds no room");
  green__alloc_fail_from(0);
  is(green_tls_write(p.client, "more", 4), GREEN_ENOMEM, "it is over");
  ok(green_tls_depart(p.server) == 0, "who has nothing unsent needs none");
  pair_close(&p);
}

int main(void)
{
  tls_start();
  client = client_ctx_of(GREEN_TLS_1_3);
  client12 = client_ctx_of(GREEN_TLS_1_2);
  server = server_ctx("a");
  test_two_threads();
  test_they_are_freed_by_whoever_has_them();
  test_what_was_not_sent();
  test_what_was_not_read();
  test_a_session_that_comes_later();
  test_new_keys_before_and_after();
  test_not_before_the_handshake_is_done();
  test_without_memory();
  green_tls_ctx_free(client);
  green_tls_ctx_free(client12);
  green_tls_ctx_free(server);
  return tls_done();
}
