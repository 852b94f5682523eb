/*
** tls_session_test.c: resumption, and where a session is not good.
*/

#include "child.h"
#include "io/tls_kit.h"
#include "io/tls_priv.h"

static green_tls_ctx *client, *client12, *server;

/* What a server that asks is told, and how often it has asked. */
static green_tls_ctx *choice;
static bool refuses;
static int asked;

static int choose_for(pair *p)
{
  asked++;
  if (refuses)
    green_tls_refuse(p->server, GREEN_TLS_NO_NAME);
  else
    green_tls_choose(p->server, choice, NULL);
  return shake(p);
}

/* A connection that asks to go on with s (NULL: nothing), and the session it
** ends with. Was it resumed? A failure is negative. */
static int visit(green_tls_ctx *c, green_tls_ctx *srv, const char *host,
                 green_tls_session *s, green_tls_session **next)
{
  green_tls_info info;
  pair p = pair_open(c, srv, host);
  int r = s ? green_tls_session_use(p.client, s) : 0;
  if (r == 0) r = shake(&p);
  if (r == GREEN_EINPROGRESS) r = choose_for(&p);
  if (r == 0) {
    settle(&p);
    green_tls_get_info(p.server, &info);
    r = info.resumed;
  }
  if (r >= 0 && !says(p.client, p.server, "hello")) r = GREEN_EEOF;
  if (next) *next = green_tls_session_get(p.client);
  pair_close(&p);
  return r;
}

/* Visit, then again with its session, there: resumed? */
static int again(green_tls_ctx *c, green_tls_ctx *first, green_tls_ctx *second,
                 const char *host)
{
  green_tls_session *s = NULL;
  if (visit(c, first, host, NULL, &s) != 0 || !s) return GREEN_ENOENT;
  int r = visit(c, second, host, s, NULL);
  green_tls_session_free(s);
  return r;
}

static void check_chain(green_tls_ctx *c, const char *what)
{
  green_tls_session *s = NULL, *next = NULL;
  is(visit(c, server, "a.test", NULL, &s), 0, what);
  ok(s, "it gives a session");
  is(visit(c, server, "a.test", s, &next), 1, "which is good");
  ok(next, "and gives another");
  green_tls_session_free(s);
  is(visit(c, server, "a.test", next, NULL), 1, "which is good, too");
  green_tls_session_free(next);
}

static void test_resumption(void)
{
  check_chain(client, "1.3");
  check_chain(client12, "1.2");
}

static void test_none_without_tickets(void)
{
  green_tls_session *s = NULL;
  green_tls_ctx *srv = server_begin("a");
  must_ctx(green_tls_ctx_set_tickets(srv, 0), srv);
  sealed(srv);
  visit(client, srv, "a.test", NULL, &s);
  ok(!s, "1.3 has none");
  green_tls_session_free(s);
  s = NULL;
  if (visit(client12, srv, "a.test", NULL, &s) == 0 && s)
    is(visit(client12, srv, "a.test", s, NULL), 0, "1.2: not resumed");
  green_tls_session_free(s);
  green_tls_ctx_free(srv);
}

/* -- Keys ----------------------------------------------------------------- */

static void check_rotation(green_tls_ctx *c)
{
  green_tls_session *s = NULL, *next = NULL;
  green_tls_ctx *srv = server_ctx("a");
  visit(c, srv, "a.test", NULL, &s);
  must_ctx(green_tls_ticket_rotate(srv), srv);
  is(visit(c, srv, "a.test", s, &next), 1, "an older key decrypts");
  for (int i = 0; i < 7; i++) must_ctx(green_tls_ticket_rotate(srv), srv);
  is(visit(c, srv, "a.test", s, NULL), 0, "until it is forgotten");
  is(visit(c, srv, "a.test", next, NULL), 1, "the renewed one is of a newer");
  green_tls_session_free(s);
  green_tls_session_free(next);
  green_tls_ctx_free(srv);
}

static void test_rotating_keys(void)
{
  check_rotation(client);
  check_rotation(client12);
}

static void test_reloads(void)
{
  char keys[GREEN_TLS_TICKET_KEY * 2];
  green_tls_ctx *other = server_ctx("a"), *given = server_ctx("a");
  is(again(client, server, other, "a.test"), 0, "another has other keys");
  is(green_tls_ticket_copy(other, server), 0, "copied");
  is(again(client, server, other, "a.test"), 1, "the same");
  is(again(client12, server, other, "a.test"), 1, "for 1.2, too");
  memset(keys, 7, sizeof(keys));
  is(green_tls_ticket_set(other, keys, 2), 0, "keys given");
  is(green_tls_ticket_set(given, keys, 2), 0, "to two");
  is(again(client, other, given, "a.test"), 1, "the same");
  green_tls_ctx_free(other);
  green_tls_ctx_free(given);
}

static void resume_in_child(void *arg)
{
  must(visit(client, server, "a.test", arg, NULL) == 1);
}

static void test_children_have_the_same_keys(void)
{
  green_tls_session *s = NULL;
  visit(client, server, "a.test", NULL, &s);
  is(in_child(resume_in_child, s), 0, "a child resumes its parent's session");
  green_tls_session_free(s);
}

/* -- Where it is not good ------------------------------------------------- */

/* Both names are served by one certificate's context, or by two. */
static void check_names(green_tls_ctx *c)
{
  green_tls_session *s = NULL;
  pair p;
  green_tls_info info;
  visit(c, server, "a.test", NULL, &s);
  p = pair_open(c, server, "www.a.test");
  is(green_tls_session_use(p.client, s), GREEN_EINVAL, "not for another name");
  is(shake(&p), 0, "nothing has happened");
  green_tls_get_info(p.server, &info);
  ok(!info.resumed, "all anew");
  pair_close(&p);
  p = pair_open(c, server, NULL);
  is(green_tls_session_use(p.client, s), GREEN_EINVAL, "nor for any");
  pair_close(&p);
  green_tls_session_free(s);
}

static void test_sessions_of_a_name(void)
{
  check_names(client);
  check_names(client12);
}

static void test_clients_of_another_policy(void)
{
  green_tls_session *s = NULL;
  green_tls_ctx *lax = green_tls_ctx_new(false);
  must_ctx(green_tls_ctx_set_verify(lax, GREEN_TLS_VERIFY_NONE), lax);
  visit(sealed(lax), server, "a.test", NULL, &s);
  is(visit(client, server, "a.test", s, NULL), GREEN_EINVAL,
     "one that looked at nothing is no good where one looks");
  is(visit(lax, server, "a.test", s, NULL), 1, "among its like it is");
  green_tls_session_free(s);
  green_tls_ctx *own = client_begin();
  must_ctx(
      green_tls_key_files(own, cert("client.pem"), cert("client.key"), NULL),
      own);
  visit(sealed(own), server, "a.test", NULL, &s);
  is(visit(client, server, "a.test", s, NULL), GREEN_EINVAL,
     "nor one of another certificate of ours");
  green_tls_session_free(s);
  green_tls_ctx *same = client_ctx();
  visit(client, server, "a.test", NULL, &s);
  is(visit(same, server, "a.test", s, NULL), 1,
     "but one of an equal context is");
  green_tls_session_free(s);
  green_tls_ctx_free(same);
  green_tls_ctx_free(own);
  green_tls_ctx_free(lax);
}

/* Kinds of connections, by their keys. */
static bool same_kind(green_tls_ctx *a, const char *host, green_tls_ctx *b,
                      const char *other)
{
  uint8_t x[GREEN_TLS_SESSION_KEY], y[GREEN_TLS_SESSION_KEY];
  pair p = pair_open(a, server, host), q = pair_open(b, server, other);
  if (green_tls_session_key(p.client, x) < 0) abort();
  if (green_tls_session_key(q.client, y) < 0) abort();
  pair_close(&p);
  pair_close(&q);
  return !memcmp(x, y, sizeof(x));
}

static void test_keys_of_kinds(void)
{
  green_tls_ctx *same = client_ctx_of(GREEN_TLS_1_3);
  green_tls_session *s = NULL;
  ok(same_kind(client, "a.test", same, "a.test"), "equal contexts");
  ok(!same_kind(client, "a.test", client, "www.a.test"), "another name");
  ok(!same_kind(client, "a.test", client, NULL), "any name");
  ok(!same_kind(client, "a.test", client12, "a.test"), "another version");
  visit(client, server, "a.test", NULL, &s);
  ok(green_tls_session_lifetime(s) > 0, "it is good for a while");
  ok(green_tls_session_lifetime(s) <= 86400, "a day at most");
  green_tls_session_free(s);
  green_tls_ctx_free(same);
}

static green_tls_ctx *demanding(const char *authority)
{
  green_tls_ctx *s = server_begin("a");
  must_ctx(green_tls_trust_file(s, cert(authority)), s);
  must_ctx(green_tls_ctx_set_verify(s, GREEN_TLS_VERIFY_DEMAND), s);
  return s;
}

/* A context that demands certificates of clients does not take the sessions of
** one that does not, though it has its keys; nor of other authorities. */
static void test_servers_of_another_policy(void)
{
  green_tls_ctx *strict = sealed(demanding("ca.pem"));
  green_tls_ctx *like = sealed(demanding("ca.pem"));
  green_tls_ctx *other = demanding("ca.pem");
  green_tls_ctx *own = client_begin();
  must_ctx(green_tls_trust_file(other, cert("stranger.pem")), other);
  must_ctx(
      green_tls_key_files(own, cert("client.pem"), cert("client.key"), NULL),
      own);
  sealed(own);
  sealed(other);
  green_tls_ticket_copy(strict, server);
  green_tls_ticket_copy(like, server);
  green_tls_ticket_copy(other, server);
  is(again(own, server, strict, "a.test"), 0, "from one that does not ask");
  is(again(own, strict, server, "a.test"), 0, "nor back");
  is(again(own, strict, other, "a.test"), 0, "from other authorities");
  is(again(own, strict, like, "a.test"), 1, "from its like");
  green_tls_ctx_free(own);
  green_tls_ctx_free(other);
  green_tls_ctx_free(like);
  green_tls_ctx_free(strict);
}

/* As green_tls_session_use, but asks nobody. */
static int tls_cheat(green_tls *t, const green_tls_session *s)
{
  return lib.SSL_set_session(t->ssl, *(SSL_SESSION *const *)s);
}

/* One listener, a name that demands certificates and one that does not: what
** was given for one is no good for the other. The client here cheats: it uses
** its session under another name. */
static void check_crossing(int version)
{
  green_tls_ctx *strict = sealed(demanding("ca.pem")), *s = server_begin("a");
  green_tls_ctx *own = client_begin();
  green_tls_session *session = NULL;
  green_tls_info info;
  must_ctx(green_tls_ctx_add_name(s, "www.a.test", strict), s);
  must_ctx(
      green_tls_key_files(own, cert("client.pem"), cert("client.key"), NULL),
      own);
  must_ctx(green_tls_ctx_set_versions(own, version, version), own);
  visit(sealed(own), sealed(s), "a.test", NULL, &session);
  pair p = pair_open(own, s, "www.a.test");
  is(tls_cheat(p.client, session), 1, "the client asks for it");
  is(shake(&p), 0, "well");
  green_tls_get_info(p.server, &info);
  ok(!info.resumed, "but nothing is resumed");
  is(green_tls_peer_count(p.server), 1, "the client had to show who it is");
  pair_close(&p);
  green_tls_session_free(session);
  green_tls_ctx_free(own);
  green_tls_ctx_free(strict);
  green_tls_ctx_free(s);
}

static void test_sessions_do_not_cross_names(void)
{
  check_crossing(GREEN_TLS_1_3);
  check_crossing(GREEN_TLS_1_2);
}

/* Whoever has a session is chosen for like everybody. */
static void check_choice(green_tls_ctx *c)
{
  green_tls_ctx *strict = sealed(demanding("ca.pem")), *like = server_ctx("b");
  green_tls_ctx *s = server_begin("a");
  green_tls_session *session = NULL;
  must_ctx(green_tls_ctx_set_asks(s, true), s);
  sealed(s);
  asked = 0;
  is(visit(c, s, "a.test", NULL, &session), 0, "a server that asks");
  is(visit(c, s, "a.test", session, NULL), 1, "resumes");
  is(asked, 2, "and has asked each time");
  refuses = true;
  is(visit(c, s, "a.test", session, NULL), GREEN_ETLSALERT, "it may refuse");
  refuses = false;
  choice = strict;
  ok(visit(c, s, "a.test", session, NULL) < 0,
     "or choose whom the session is no good for");
  green_tls_session_free(session);
  choice = NULL;
  visit(c, s, "a.test", NULL, &session);
  choice = like;
  is(visit(c, s, "a.test", session, NULL), 1, "or the like of the first");
  choice = NULL;
  green_tls_session_free(session);
  green_tls_ctx_free(s);
  green_tls_ctx_free(like);
  green_tls_ctx_free(strict);
}

static void test_choices(void)
{
  check_choice(client);
  check_choice(client12);
}

int main(void)
{
  tls_start();
  client = client_ctx_of(GREEN_TLS_1_3);
  client12 = client_ctx_of(GREEN_TLS_1_2);
  server = server_ctx("a");
  test_resumption();
  test_none_without_tickets();
  test_rotating_keys();
  test_reloads();
  test_children_have_the_same_keys();
  test_sessions_of_a_name();
  test_clients_of_another_policy();
  test_keys_of_kinds();
  test_servers_of_another_policy();
  test_sessions_do_not_cross_names();
  test_choices();
  green_tls_ctx_free(client);
  green_tls_ctx_free(client12);
  green_tls_ctx_free(server);
  return tls_done();
}
