/*
** tls_reload_test.c: contexts that are replaced, files that change, and ticket
** keys that turn.
*/

#include "child.h"
#include "io/tls_kit.h"
#include "io/tls_priv.h"
#include "base/mem.h"

#include <fcntl.h>

static green_tls_ctx *client, *client12;

/* Whom the server shows itself as, "CN=a.test", after a handshake. */
static const char *shown(green_tls_ctx *c, green_tls_ctx *s, const char *host)
{
  static char text[100];
  green_buf b;
  green_buf_init(&b, sizeof(text));
  pair p = pair_open(c, s, host);
  int err = shake(&p);
  if (err == 0) green_tls_peer_text(p.client, 0, GREEN_TLS_SUBJECT, &b);
  snprintf(text, sizeof(text), "%.*s", (int)green_buf_len(&b),
           err < 0 ? "" : green_buf_data(&b));
  if (err < 0) snprintf(text, sizeof(text), "%s", green_err_name(err));
  green_buf_reset(&b);
  pair_close(&p);
  return text;
}

/* -- Replacing ------------------------------------------------------------ */

static void test_new_connections_get_the_new(void)
{
  green_tls_ctx *s = server_ctx("a"), *b = server_ctx("b");
  is_str(shown(client, s, "a.test"), "CN=a.test", "the first");
  is(green_tls_ctx_replace(s, b), 0, "replaced");
  is_str(shown(client, s, "b.test"), "CN=b.test", "the second");
  green_tls_ctx_free(b);
  green_tls_ctx *wild = server_ctx("wild");
  is(green_tls_ctx_replace(s, wild), 0, "and once more");
  green_tls_ctx_free(wild);
  is_str(shown(client, s, "x.w.test"), "CN=wild", "the third");
  is(green_tls_ctx_replace(s, s), GREEN_EINVAL, "not by itself");
  is(green_tls_ctx_replace(s, client), GREEN_EINVAL, "nor by a client's");
  green_tls_ctx_free(s);
}

static void test_old_connections_stay(void)
{
  green_tls_ctx *s = server_ctx("a"), *b = server_ctx("b");
  pair open = pair_open(client, s, "a.test");
  pair begun = pair_open(client, s, "a.test");
  is(shake(&open), 0, "one is open");
  green_tls_handshake(begun.client);
  carry_both(&begun);
  is(green_tls_ctx_replace(s, b), 0, "replaced");
  green_tls_ctx_free(b);
  is(shake(&begun), 0, "one under way ends with the old certificate");
  green_tls_ctx_free(s);
  ok(says(open.client, open.server, "question"), "the open one goes on");
  ok(says(open.server, open.client, "answer"), "in both directions");
  pair_close(&open);
  pair_close(&begun);
}

static void test_names_and_choices(void)
{
  green_tls_ctx *s = server_begin("a"), *named = server_ctx("b");
  green_tls_ctx *cn = server_ctx("wild");
  must_ctx(green_tls_ctx_add_name(s, "b.test", named), s);
  must_ctx(green_tls_ctx_add_name(s, "x.w.test", named), s);
  sealed(s);
  is_str(shown(client, s, "b.test"), "CN=b.test", "by name");
  is(green_tls_ctx_replace(named, cn), 0, "the name's is replaced");
  is_str(shown(client, s, "x.w.test"), "CN=wild", "and found by its name");
  green_tls_ctx *asks = server_begin("a");
  must_ctx(green_tls_ctx_set_asks(asks, true), asks);
  pair p = pair_open(client, sealed(asks), "x.w.test");
  shake(&p);
  is(green_tls_choose(p.server, named, NULL), 0, "chosen");
  is(shake(&p), 0, "the newest, too");
  pair_close(&p);
  green_tls_ctx_free(asks);
  green_tls_ctx_free(cn);
  green_tls_ctx_free(named);
  green_tls_ctx_free(s);
}

/* -- Sessions ------------------------------------------------------------- */

/* Was that one resumed? *next, if given, is what the server gave. */
static int visit(green_tls_ctx *c, green_tls_ctx *s, green_tls_session *with,
                 green_tls_session **next)
{
  green_tls_info info;
  pair p = pair_open(c, s, "a.test");
  int r = with ? green_tls_session_use(p.client, with) : 0;
  if (r == 0) r = shake(&p);
  if (r == 0) {
    settle(&p);
    green_tls_get_info(p.server, &info);
    r = info.resumed;
  }
  if (next) *next = green_tls_session_get(p.client);
  pair_close(&p);
  return r;
}

static green_tls_ctx *demanding(const char *more)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_trust_file(s, cert("ca.pem")), s);
  if (more) must_ctx(green_tls_trust_file(s, cert(more)), s);
  must_ctx(green_tls_ctx_set_verify(s, GREEN_TLS_VERIFY_DEMAND), s);
  return sealed(s);
}

/* What a session of first is worth when another stands in its place. Both are
** given up. */
static int over_reload(green_tls_ctx *c, green_tls_ctx *first,
                       green_tls_ctx *second)
{
  green_tls_session *session = NULL;
  if (visit(c, first, NULL, &session) != 0 || !session) return GREEN_ENOENT;
  is(green_tls_ctx_replace(first, second), 0, "replaced");
  int r = visit(c, first, session, NULL);
  green_tls_session_free(session);
  green_tls_ctx_free(second);
  green_tls_ctx_free(first);
  return r;
}

static void check_sessions(int version)
{
  green_tls_ctx *own = client_begin();
  must_ctx(
      green_tls_key_files(own, cert("client.pem"), cert("client.key"), NULL),
      own);
  must_ctx(green_tls_ctx_set_versions(own, version, version), own);
  sealed(own);
  is(over_reload(own, server_ctx("a"), server_ctx("a")), 1,
     "a session outlives a reload");
  is(over_reload(own, demanding(NULL), demanding(NULL)), 1,
     "one with a client's certificate, too");
  is(over_reload(own, server_ctx("a"), demanding(NULL)), 0,
     "but not where certificates are demanded from then on");
  is(over_reload(own, demanding(NULL), demanding("stranger.pem")), 0,
     "nor where other authorities are believed");
  green_tls_ctx_free(own);
}

static void test_sessions(void)
{
  check_sessions(GREEN_TLS_1_3);
  check_sessions(GREEN_TLS_1_2);
}

/* A client's context, whose sessions are good for what it believes. */
static void test_clients(void)
{
  green_tls_ctx *s = server_ctx("a"), *c = client_ctx();
  green_tls_ctx *again = client_ctx(), *less = green_tls_ctx_new(false);
  green_tls_session *session = NULL;
  must_ctx(green_tls_trust_file(less, cert("stranger.pem")), less);
  visit(c, s, NULL, &session);
  is(green_tls_ctx_replace(c, again), 0, "replaced by its like");
  is(visit(c, s, session, NULL), 1, "its sessions are good");
  is(green_tls_ctx_replace(c, sealed(less)), 0, "by one that believes others");
  is(visit(c, s, session, NULL), GREEN_EINVAL, "they are not");
  is_str(shown(c, s, "a.test"), "ECERTUNKNOWN", "nor is the certificate");
  green_tls_session_free(session);
  green_tls_ctx_free(less);
  green_tls_ctx_free(again);
  green_tls_ctx_free(c);
  green_tls_ctx_free(s);
}

/* -- Changes -------------------------------------------------------------- */

static void test_changes(void)
{
  must_be(certs_run("cd $1; cp a.pem own.pem; cp a.key own.key\n"), client, 0);
  green_tls_ctx *s = server_ctx("own");
  ok(!green_tls_ctx_changed(s), "nothing has changed");
  must_be(certs_run("cd $1; cp b.key new; mv new own.key\n"), client, 0);
  ok(green_tls_ctx_changed(s), "the key has");
  ok(!green_tls_ctx_changed(s), "which is said once");
  must_be(certs_run("cd $1; mv own.pem away\n"), client, 0);
  ok(green_tls_ctx_changed(s), "the certificate is gone");
  ok(!green_tls_ctx_changed(s), "once, too");
  must_be(certs_run("cd $1; mv away own.pem; cp b.pem own.pem\n"), client, 0);
  ok(green_tls_ctx_changed(s), "it is there, and another");
  green_tls_ctx *fresh = server_ctx("own");
  is(green_tls_ctx_replace(s, fresh), 0, "replaced");
  green_tls_ctx_free(fresh);
  ok(!green_tls_ctx_changed(s), "the new one's files count");
  must_be(certs_run("cd $1; touch own.pem\n"), client, 0);
  ok(green_tls_ctx_changed(s), "which may change, too");
  green_tls_ctx_free(s);
}

/* -- Ticket keys ---------------------------------------------------------- */

static void turn(green_tls_ctx *s, int64_t seconds)
{
  pthread_mutex_lock(&s->lock);
  s->ring.since -= seconds; /* So long ago. */
  pthread_mutex_unlock(&s->lock);
}

static void check_turns(green_tls_ctx *c)
{
  green_tls_session *first = NULL, *other = NULL, *second = NULL;
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_ctx_set_ticket_lifetime(s, 1000), s);
  sealed(s);
  visit(c, s, NULL, &first); /* Each is for one use. */
  visit(c, s, NULL, &other);
  turn(s, 1000);
  is(visit(c, s, first, &second), 1, "the key before decrypts");
  is(s->ring.n, 2, "a new one encrypts");
  turn(s, 1000);
  is(visit(c, s, other, NULL), 0, "for as long again");
  green_tls_session_free(other);
  is(visit(c, s, second, &other), 1, "what was renewed is good for longer");
  is(s->ring.n, 2, "older ones are forgotten");
  turn(s, 100000);
  is(visit(c, s, other, NULL), 0, "also after a long sleep");
  green_tls_session_free(other);
  green_tls_session_free(first);
  green_tls_session_free(second);
  green_tls_ctx_free(s);
}

static void test_keys_turn(void)
{
  check_turns(client);
  check_turns(client12);
  green_tls_ctx *s = server_begin("a");
  is(s->ticket_life, 43200, "twelve hours unless told otherwise");
  is(green_tls_ctx_set_ticket_lifetime(s, -1), GREEN_EINVAL, "not negative");
  green_tls_ctx_free(s);
}

/* However long one has slept, and in whatever steps: the same keys. */
static void test_long_sleeps(void)
{
  static const int64_t steps[] = {1,    2,    3,    1000, 1022,   1023,
                                  1024, 1025, 1026, 5000, 1000000};
  green_tls_ctx *s = sealed(server_begin("a"));
  for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
    green__tls_ring one = s->ring, other = s->ring;
    int64_t since = one.since;
    green__tls_ring_turn(&one, 10, since + 10 * steps[i] + 3);
    for (int64_t at = 0; at < steps[i] && steps[i] <= 5000; at += 7)
      green__tls_ring_turn(&other, 10, since + 10 * at);
    green__tls_ring_turn(&other, 10, since + 10 * steps[i]);
    ok(!memcmp(&one, &other, sizeof(one)), "the same");
    is(one.since, since + 10 * steps[i], "of that time");
    is(one.n, 2, "one that encrypts, and the one before");
    green__tls_ring_turn(&other, 10, since + 10 * steps[i] + 10);
    ok(!memcmp(&one.key[0], &other.key[1], sizeof(one.key[0])),
       "which decrypts for as long again");
  }
  green__tls_ring asleep = s->ring;
  green__tls_ring_turn(&asleep, 1, asleep.since + 3000000000);
  is(asleep.n, 2, "a century");
  green_tls_ctx_free(s);
}

/* Keys of a context that others have replaced are those of what is in use. */
static void test_keys_of_the_replaced(void)
{
  uint8_t keys[GREEN_TLS_TICKET_KEY];
  green_tls_ctx *first = sealed(server_begin("a"));
  green_tls_ctx *fresh = sealed(server_begin("a"));
  is(green_tls_ctx_replace(first, fresh), 0, "replaced");
  green__tls_ring before = fresh->ring;
  must_ctx(green_tls_ticket_rotate(first), first);
  ok(memcmp(&before.key[0], &fresh->ring.key[0], sizeof(before.key[0])) != 0,
     "a new key encrypts");
  ok(!memcmp(&before.key[0], &fresh->ring.key[1], sizeof(before.key[0])),
     "and the one before decrypts");
  memset(keys, 7, sizeof(keys));
  is(green_tls_ticket_set(first, keys, 1), 0, "keys given");
  ok(fresh->ring.own && fresh->ring.n == 1, "are its, too");
  green_tls_ctx *next = sealed(server_begin("a"));
  is(green_tls_ctx_replace(first, next), 0, "replaced again");
  ok(!memcmp(next->ring.key[0].name, keys, 16) && next->ring.own,
     "they stay, and do not turn");
  green_tls_ctx_free(next);
  green_tls_ctx_free(fresh);
  green_tls_ctx_free(first);
}

typedef struct kept {
  green_tls_ctx *server;
  green_tls_session *session;
} kept;

static void resume_in_child(void *arg)
{
  const kept *k = arg;
  turn(k->server, 5000);
  must(visit(client, k->server, k->session, NULL) == 1);
}

/* The parent's session is of a key that came after the fork, as the child's
** clock has it: each makes it alone. */
static void test_children_turn_alike(void)
{
  green_tls_ctx *s = server_begin("a"), *twin = server_begin("a");
  must_ctx(green_tls_ctx_set_ticket_lifetime(s, 1000), s);
  must_ctx(green_tls_ctx_set_ticket_lifetime(twin, 1000), twin);
  sealed(s);
  green_tls_ticket_copy(sealed(twin), s);
  turn(twin, 5000);
  kept k = {s, NULL};
  visit(client, twin, NULL, &k.session);
  is(in_child(resume_in_child, &k), 0, "a child makes the keys of its parent");
  is(visit(client, s, k.session, NULL), 0, "who has not come so far");
  green_tls_session_free(k.session);
  green_tls_ctx_free(twin);
  green_tls_ctx_free(s);
}

static green_tls_ctx *server_of_keys(const char *name)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_ticket_file(s, cert(name)), s);
  return sealed(s);
}

static void test_keys_of_a_file(void)
{
  must_be(certs_run("cd $1; openssl rand 80 >one; openssl rand 80 >two\n"
                    "cat two one >both; openssl rand 81 >odd; : >none\n"),
          client, 0);
  green_tls_ctx *one = server_of_keys("one"), *both = server_of_keys("both");
  green_tls_session *old = NULL, *other = NULL, *renewed = NULL;
  visit(client, one, NULL, &old);
  turn(one, 1000000);
  is(visit(client, one, old, &other), 1, "they do not turn");
  is(visit(client, both, other, &renewed), 1, "another process has them, too");
  green_tls_session_free(other);
  visit(client, both, NULL, &other);
  is(visit(client, one, other, NULL), 0, "whose first one encrypts");
  is(green_tls_ctx_replace(one, both), 0, "replaced");
  is(visit(client, one, renewed, NULL), 1, "by one with keys of its own");
  green_tls_session_free(other);
  green_tls_session_free(old);
  green_tls_session_free(renewed);
  green_tls_ctx_free(both);
  green_tls_ctx_free(one);
  for (int i = 0; i < 2; i++) {
    green_tls_ctx *s = server_begin("a");
    is(green_tls_ticket_file(s, cert(i ? "odd" : "none")), GREEN_EKEYINVALID,
       "another size is refused");
    ok(strstr(green_tls_ctx_error(s)->text, i ? "81 bytes" : "0 bytes"),
       "which is told");
    green_tls_ctx_free(s);
  }
}

/* -- Out of memory -------------------------------------------------------- */

static int make_all(green_tls_ctx *named)
{
  green_tls_ctx *s = green_tls_ctx_new(true);
  if (!s) return GREEN_ENOMEM;
  int err = green_tls_key_files(s, cert("a.pem"), cert("a.key"), NULL);
  if (err == 0)
    err = green_tls_ctx_add_pin(
        s, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  for (int i = 0; i < 5 && err == 0; i++) {
    char name[] = {(char)('a' + i), '\0'};
    err = green_tls_ctx_add_name(s, name, named);
  }
  if (err == 0) err = green_tls_ctx_seal(s);
  if (err == 0) err = green_tls_ctx_replace(named, s);
  green_tls_ctx_free(s);
  return err;
}

static void test_out_of_memory(void)
{
  int err = GREEN_ENOMEM, n = 0;
  while (err == GREEN_ENOMEM && n < 1000) {
    green_tls_ctx *named = server_ctx("b");
    green__alloc_fail_from(++n);
    err = make_all(named);
    green__alloc_fail_from(0);
    green_tls_ctx_free(named);
  }
  is(err, GREEN_EINVAL, "until there was enough: a circle is refused");
  ok(n > 5, "each allocation failed once");
}

int main(void)
{
  tls_start();
  client = client_ctx_of(GREEN_TLS_1_3);
  client12 = client_ctx_of(GREEN_TLS_1_2);
  test_new_connections_get_the_new();
  test_old_connections_stay();
  test_names_and_choices();
  test_sessions();
  test_clients();
  test_changes();
  test_keys_turn();
  test_long_sleeps();
  test_keys_of_the_replaced();
  test_children_turn_alike();
  test_keys_of_a_file();
  test_out_of_memory();
  green_tls_ctx_free(client);
  green_tls_ctx_free(client12);
  return tls_done();
}
