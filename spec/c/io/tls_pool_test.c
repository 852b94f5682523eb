/*
** tls_pool_test.c: handshakes that sign in threads of the pool.
*/

#include "io/tls_pool_kit.h"
#include "base/mem.h"

/* -- Steps ---------------------------------------------------------------- */

static void test_versions(void)
{
  for (int version = GREEN_TLS_1_2; version <= GREEN_TLS_1_3; version++) {
    ends e = ends_open(version);
    elsewhere = 0;
    is(hello(&e), GREEN_EINPROGRESS, "a hello is read, and not answered here");
    ok(green_tls_wants_pool(e.server), "but in the pool");
    is(green_tls_handshake(e.server), GREEN_EINPROGRESS,
       "nor when asked again");
    is(finish(&e), 0, "the handshake is done");
    is(elsewhere, version == GREEN_TLS_1_2 ? 2 : 1,
       "what may sign was done elsewhere");
    ok(says(e.client, e.server, "ping") && says(e.server, e.client, "pong"),
       "both understand each other");
    ends_close(&e);
  }
}

static void test_away(void)
{
  ends e = ends_open(0);
  const char *p;
  green_tls_info info;
  hello(&e);
  gate_open = 0;
  is(start(&e), 0, "it goes");
  wait_inside(1);
  ok(green_tls_pool_waiters(e.server), "its return can be waited for");
  ok(!green_tls_wants_pool(e.server), "it is not to go again");
  is(start(&e), GREEN_EINVAL, "nor can it");
  is(green_tls_handshake(e.server), GREEN_EINPROGRESS, "it is under way");
  is(green_tls_output(e.server, &p), 0, "there is nothing to send");
  is(green_tls_room(e.server), 0, "nor room");
  is(green_tls_feed(e.server, "x", 1), 0, "it takes nothing");
  ok(!green_tls_pending(e.server) && !green_tls_is_done(e.server), "not done");
  is(green_tls_get_info(e.server, &info), GREEN_EAGAIN, "nothing is agreed");
  ok(!green_tls_failure(e.server), "it has not failed");
  is(green_tls_close(e.server), 0, "an end is not said");
  gate_open = 1;
  wait_back(&e, 1);
  ok(!green_tls_pool_waiters(e.server), "it is back");
  ok(green_tls_pending(e.server), "and can go on");
  is(finish(&e), 0, "to the end");
  ends_close(&e);
}

/* The buffer of all is another's meanwhile. */
static void test_neighbour(void)
{
  ends e = ends_open(0),
       other = ends_of(server_ctx(GREEN_TLS_POOL_NEVER), peer_client_ctx(0));
  hello(&e);
  gate_open = 0;
  start(&e);
  is(finish(&other), 0, "another handshake is done");
  wait_inside(1);
  gate_open = 1;
  for (int i = 0; i < 300; i++)
    if (!says(other.client, other.server, "while the other one signs")) abort();
  wait_back(&e, 1);
  is(finish(&e), 0, "so is this one");
  ends_close(&other);
  ends_close(&e);
}

static void test_retry_of_group(void)
{
  green_tls_ctx *c = green_tls_ctx_new(false);
  green_tls_ctx_set_verify(c, GREEN_TLS_VERIFY_NONE);
  green_tls_ctx_set_groups(c, "P-521:P-256");
  if (green_tls_ctx_seal(c) < 0) abort();
  ends e = ends_of(server_ctx(GREEN_TLS_POOL_ALWAYS), c);
  elsewhere = 0;
  is(finish(&e), 0, "a client whose first key does not suit");
  is(elsewhere, 2, "both of its hellos go to the pool");
  ends_close(&e);
}

static void test_of_name(void)
{
  green_tls_ctx *slow = server_ctx(GREEN_TLS_POOL_ALWAYS);
  green_tls_ctx *c = server_begin(GREEN_TLS_POOL_NEVER);
  if (green_tls_ctx_add_name(c, "slow.test", slow) < 0 ||
      green_tls_ctx_seal(c) < 0)
    abort();
  green_tls_ctx_ref(c);
  green_tls_ctx_free(slow);
  elsewhere = 0;
  ends e = ends_of(c, peer_client_ctx(0));
  is(finish(&e), 0, "of two contexts the one is quick");
  is(elsewhere, 0, "its handshake stays here");
  ends_close(&e);
  e = (ends){.client = green_tls_new(io, peer_client_ctx(0)),
             .server = green_tls_new(io, c)};
  green_tls_ctx_free(e.client->ctx);
  green_tls_set_host(e.client, "slow.test");
  is(finish(&e), 0, "the other is slow");
  is(elsewhere, 1, "and goes");
  ends_close(&e);
  green_tls_ctx_free(c);
}

static void test_chosen(void)
{
  green_tls_ctx *slow = server_ctx(GREEN_TLS_POOL_ALWAYS);
  green_tls_ctx *c = server_begin(GREEN_TLS_POOL_NEVER);
  green_tls_ctx_set_asks(c, true);
  if (green_tls_ctx_seal(c) < 0) abort();
  ends e = ends_of(c, peer_client_ctx(0));
  is(hello(&e), GREEN_EINPROGRESS, "a handshake asks");
  ok(!green_tls_wants_pool(e.server), "not for the pool");
  is(start(&e), GREEN_EINVAL, "where it cannot go");
  is(green_tls_choose(e.server, slow, NULL), 0, "the slow one is chosen");
  ok(green_tls_pending(e.server), "it can go on");
  is(green_tls_handshake(e.server), GREEN_EINPROGRESS, "now it waits again");
  ok(green_tls_wants_pool(e.server), "for the pool");
  is(finish(&e), 0, "and is done");
  ends_close(&e);
  green_tls_ctx_free(slow);
}

static void test_refused_by_choice(void)
{
  const int alerts[] = {GREEN_TLS_NO_NAME, GREEN_TLS_NO_PROTOCOL};
  for (int i = 0; i < 2; i++) {
    green_tls_ctx *c = server_begin(GREEN_TLS_POOL_ALWAYS);
    green_tls_ctx_set_asks(c, true);
    if (green_tls_ctx_seal(c) < 0) abort();
    ends e = ends_of(c, peer_client_ctx(0));
    is(green_tls_refuse(e.server, alerts[i]), GREEN_EINVAL, "too early");
    hello(&e);
    is(green_tls_refuse(e.server, alerts[i]), 0, "refused");
    is(green_tls_refuse(e.server, alerts[i]), GREEN_EINVAL, "once");
    is(green_tls_handshake(e.server), GREEN_ETLS, "there is no handshake");
    carry(e.server, e.client);
    is(green_tls_handshake(e.client), GREEN_ETLSALERT, "the client hears why");
    ok(strstr(green_tls_failure(e.client)->text,
              i ? "application protocol" : "name") != NULL,
       "by this alert");
    ends_close(&e);
  }
}

static void test_here(void)
{
  ends e = ends_open(0);
  is(green_tls_work(e.server), GREEN_EINVAL, "there is nothing to be done yet");
  hello(&e);
  elsewhere = 0;
  is(green_tls_work(e.server), 0, "it can be done here");
  is(elsewhere, 0, "by nobody else");
  is(finish(&e), 0, "to the end");
  ends_close(&e);
}

static void test_failure(void)
{
  green_tls_ctx *c = server_begin(GREEN_TLS_POOL_ALWAYS);
  green_tls_ctx_add_alpn(c, "h2");
  if (green_tls_ctx_seal(c) < 0) abort();
  green_tls_ctx *client = green_tls_ctx_new(false);
  green_tls_ctx_set_verify(client, GREEN_TLS_VERIFY_NONE);
  green_tls_ctx_add_alpn(client, "other");
  if (green_tls_ctx_seal(client) < 0) abort();
  ends e = ends_of(c, client);
  hello(&e);
  start(&e);
  wait_back(&e, 1);
  is(green_tls_handshake(e.server), GREEN_ETLS, "what fails there fails here");
  ok(strstr(green_tls_failure(e.server)->text, "ALPN") != NULL, "in words");
  carry(e.server, e.client);
  is(green_tls_handshake(e.client), GREEN_ETLSALERT, "the alert leaves");
  ends_close(&e);
}

/* -- Those that are given up ---------------------------------------------- */

static void test_freed(void)
{
  ends e[3] = {ends_open(0), ends_open(0), ends_open(0)};
  pool->at_once = 1;
  gate_open = 0;
  for (int i = 0; i < 3; i++) {
    hello(&e[i]);
    is(start(&e[i]), 0, "they go");
  }
  wait_inside(1);
  is(pool->running, 1, "one has a thread");
  is(pool->waiting, 2, "two wait");
  ends_close(&e[0]);
  ends_close(&e[1]);
  is(pool->waiting, 1, "who is freed waits no more");
  gate_open = 1;
  wait_back(&e[2], 1);
  is(e[0].backs + e[1].backs, 0, "nobody is told of what was freed");
  is(finish(&e[2]), 0, "the third is done");
  ends_close(&e[2]);
  wait_quiet();
  pool->at_once = 2;
}

static void test_limits(void)
{
  ends e[3] = {ends_open(0), ends_open(0), ends_open(0)};
  uint64_t refused = pool->refused;
  pool->at_once = pool->queue = 1;
  gate_open = 0;
  for (int i = 0; i < 3; i++) hello(&e[i]);
  is(start(&e[0]), 0, "one begins");
  is(start(&e[1]), 0, "one waits");
  is(start(&e[2]), GREEN_EBUSY, "one is too many");
  is(pool->refused - refused, 1, "and counted");
  ok(green_tls_wants_pool(e[2].server), "it may come later");
  gate_open = 1;
  wait_back(&e[0], 1);
  wait_back(&e[1], 1);
  for (int i = 0; i < 3; i++) {
    is(finish(&e[i]), 0, "all are done in the end");
    ends_close(&e[i]);
  }
  pool->at_once = 2;
  pool->queue = 256;
}

/* What a thread has when its pool goes is freed by whoever comes last. */
static void test_closed(int owner_first)
{
  ends e[2] = {ends_open(0), ends_open(0)};
  green_tls_pool *kept = pool;
  pool = green_tls_pool_new(hub);
  pool->at_once = 1;
  gate_open = 0;
  for (int i = 0; i < 2; i++) {
    hello(&e[i]);
    start(&e[i]);
  }
  wait_inside(1);
  if (owner_first) ends_close(&e[0]);
  green_tls_pool_close(pool);
  is(e[1].backs, 1, "who waits is told");
  is(green_tls_handshake(e[1].server), GREEN_ECLOSED, "that it is over");
  ends_close(&e[1]);
  e[1] = ends_open(0);
  hello(&e[1]);
  is(start(&e[1]), GREEN_ECLOSED, "nobody else goes");
  ends_close(&e[1]);
  if (!owner_first) {
    ok(!green_tls_pool_waiters(e[0].server), "no return is to be waited for");
    is(green_tls_handshake(e[0].server), GREEN_EINPROGRESS, "it stays away");
    gate_open = 1;
    while (inside) usleep(500);
    ends_close(&e[0]);
  }
  gate_open = 1;
  while (inside) usleep(500);
  while (__atomic_load_n(&io->refs, __ATOMIC_ACQUIRE) > 1) usleep(500);
  green_tls_pool_unref(pool);
  pool = kept;
}

static void test_no_memory(void)
{
  ends e = ends_open(0);
  hello(&e);
  green__alloc_fail_from(1);
  is(start(&e), GREEN_ENOMEM, "without memory it does not go");
  green__alloc_fail_from(0);
  ok(green_tls_wants_pool(e.server), "and still may");
  is(finish(&e), 0, "later");
  ends_close(&e);
}

/* -- Main ----------------------------------------------------------------- */

int main(void)
{
  pool_begin();
  test_versions();
  test_away();
  test_neighbour();
  test_retry_of_group();
  test_of_name();
  test_chosen();
  test_refused_by_choice();
  test_here();
  test_failure();
  test_freed();
  test_limits();
  test_closed(0);
  test_closed(1);
  test_no_memory();
  return pool_end();
}
