/*
** tls_wait_test.c: handshakes of a server that wait: for a worker's choice, and
** for the pool.
*/

#include "child.h"
#include "httpd/httpd_kit.h"
#include "io/tls_pool_kit.h"

static green_tls_ctx *asking_ctx(int which)
{
  green_tls_ctx *c = server_begin(which);
  green_tls_ctx_set_asks(c, true);
  if (green_tls_ctx_seal(c) < 0) abort();
  return c;
}

/* **Takes** the context. The pool is of the house's hub. */
static house house_of(green_tls_ctx *c)
{
  house h = house_open();
  if (green_httpd_set_tls(h.d, c) < 0) abort();
  green_tls_ctx_free(c);
  pool = green_tls_pool_new(h.hub);
  if (green_httpd_set_tls_pool(h.d, pool) < 0) abort();
  return h;
}

static void house_end(house *h)
{
  green_tls_pool_close(pool);
  green_tls_pool_unref(pool);
  house_close(h);
}

static peer peer_hello(house *h)
{
  peer p = peer_new(client_open(h), 0);
  peer_shake(&p);
  return p;
}

/* Until something for a worker is there. */
static green_conn *asks(house *h, peer *p, const char *text)
{
  green_conn *c = NULL;
  int r = GREEN_EAGAIN;
  for (int i = 0; i < 2000 && !c && r; i++) {
    r = peer_shake(p);
    if (r < 0 && r != GREEN_EAGAIN) return NULL;
    c = next(h);
    if (!c && r) usleep(500);
  }
  if (!c && r == 0) peer_say(p, text);
  return c ? c : next(h);
}

/* -- Choices -------------------------------------------------------------- */

static void test_choice(void)
{
  house h = house_of(asking_ctx(GREEN_TLS_POOL_NEVER));
  green_tls_hello hello;
  peer p = peer_hello(&h);
  green_conn *c = next(&h);
  ok(c && c->found == GREEN_HTTPD_CHOICE, "a worker gets the hello");
  is(h.d->choices, 1, "which is counted");
  ok(green_conn_tls(c) != NULL, "its TLS is there");
  is(green_tls_get_hello(green_conn_tls(c), &hello), 0, "and can be asked");
  ok(!next(&h), "nobody else gets it");
  is(green_tls_choose(green_conn_tls(c), NULL, NULL), 0, "chosen");
  is(green_conn_finish(c), 0, "it is the server's again");
  is(h.d->choices, 0, "it asks no more");
  c = asks(&h, &p, GET_CLOSE);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "a request comes");
  is(serve(c), 0, "and is answered");
  peer_free(&p);
  house_end(&h);
}

static void test_refusal(void)
{
  house h = house_of(asking_ctx(GREEN_TLS_POOL_NEVER));
  peer p = peer_hello(&h);
  green_conn *c = next(&h);
  green_tls_refuse(green_conn_tls(c), GREEN_TLS_NO_NAME);
  is(green_conn_finish(c), 0, "finished");
  ok(!next(&h), "no request comes of it");
  is(h.d->handshakes_failed, 1, "the handshake failed");
  is(peer_shake(&p), GREEN_ETLSALERT, "the client hears why");
  peer_free(&p);
  next(&h);
  is(h.d->connections, 0, "the connection has gone");
  house_end(&h);
}

static void test_choices_end(void)
{
  house h = house_of(asking_ctx(GREEN_TLS_POOL_NEVER));
  peer a = peer_hello(&h);
  green_conn *c = next(&h);
  green_conn_close(c);
  is(h.d->choices, 0, "a worker may close it");
  peer_free(&a);
  h.d->max_choices = 1;
  a = peer_hello(&h);
  c = next(&h);
  peer b = peer_hello(&h);
  ok(!next(&h), "there is no room for one more");
  is(h.d->handshakes_refused, 1, "who comes then is refused");
  is(h.d->connections, 1, "and gone");
  h.d->closing = true;
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 1, "what a worker has is the worker's");
  green_tls_choose(green_conn_tls(c), NULL, NULL);
  is(green_conn_finish(c), 0, "until he is done with it");
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 0, "then a stop closes it");
  peer_free(&a);
  peer_free(&b);
  house_end(&h);
}

/* -- The pool ------------------------------------------------------------- */

static void test_pool(void)
{
  house h = house_of(server_ctx(GREEN_TLS_POOL_ALWAYS));
  peer p = peer_hello(&h);
  httpd_of(h.d)->taken = 0;
  next(&h);
  ok(httpd_of(h.d)->taken < 8, "a hello costs little of the turn");
  green_conn *c = asks(&h, &p, GET_CLOSE);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "a request comes");
  is(h.d->handshakes, 1, "after a handshake");
  is(h.d->handshakes_pooled, 1, "in the pool");
  is(serve(c), 0, "it is answered");
  peer_free(&p);
  house_end(&h);
}

static void test_choice_and_pool(void)
{
  house h = house_of(asking_ctx(GREEN_TLS_POOL_ALWAYS));
  peer p = peer_hello(&h);
  green_conn *c = next(&h);
  green_tls_choose(green_conn_tls(c), NULL, NULL);
  is(green_conn_finish(c), 0, "chosen");
  c = asks(&h, &p, GET_CLOSE);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "a request comes");
  is(h.d->handshakes_pooled, 1, "by the pool");
  serve(c);
  peer_free(&p);
  house_end(&h);
}

static void test_without_pool(void)
{
  house h = house_of(server_ctx(GREEN_TLS_POOL_ALWAYS));
  green_httpd_set_tls_pool(h.d, NULL);
  elsewhere = 0;
  peer p = peer_hello(&h);
  green_conn *c = asks(&h, &p, GET_CLOSE);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "without a pool, too");
  is(elsewhere, 0, "it is done here then");
  serve(c);
  peer_free(&p);
  house_end(&h);
}

/* Its thread has the connection for longer than the server. */
static void test_timeout(void)
{
  house h = house_of(server_ctx(GREEN_TLS_POOL_ALWAYS));
  h.d->header_timeout = 1000 * MS;
  gate_open = 0;
  peer a = peer_hello(&h);
  ok(!next(&h), "nothing for a worker");
  wait_inside(1);
  is(green_httpd_ready(h.d), 0, "now and later");
  peer_say_n(&a, "", 0);
  if (send(a.fd, "more", 4, MSG_NOSIGNAL) != 4) abort();
  ok(!next(&h), "whatever the client sends");
  is(h.d->wanted, 0, "nobody is asked for");
  pass(&h, 999 * MS);
  is(h.d->connections, 1, "it has its time");
  peer b = peer_hello(&h);
  next(&h);
  pass(&h, 2 * MS);
  is(h.d->connections, 1, "when that is up it is closed");
  is(h.d->timeouts, 1, "and counted");
  gate_open = 1;
  green_conn *c = asks(&h, &b, GET_CLOSE);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "the next one is not");
  serve(c);
  wait_quiet_on(h.hub);
  peer_free(&a);
  peer_free(&b);
  house_end(&h);
}

static void test_full_pool(void)
{
  house h = house_of(server_ctx(GREEN_TLS_POOL_ALWAYS));
  pool->at_once = 1;
  pool->queue = 0;
  gate_open = 0;
  peer a = peer_hello(&h);
  next(&h);
  peer b = peer_hello(&h);
  next(&h);
  is(h.d->connections, 1, "who finds no room in the pool is refused");
  is(h.d->handshakes_refused, 1, "and counted");
  is(pool->refused, 1, "there, too");
  h.d->closing = true;
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 0, "the end of a stop waits for no handshake");
  gate_open = 1;
  wait_quiet_on(h.hub);
  peer_free(&a);
  peer_free(&b);
  house_end(&h);
}

static void test_end_of_server(void)
{
  house h = house_of(server_ctx(GREEN_TLS_POOL_ALWAYS));
  gate_open = 0;
  peer a = peer_hello(&h);
  next(&h);
  wait_inside(1);
  green_httpd_deinit(h.d);
  gate_open = 1;
  wait_quiet_on(h.hub);
  peer_free(&a);
  house_end(&h);
}

/* -- In a child ----------------------------------------------------------- */

static void closes(void *arg)
{
  house *h = arg;
  gate_open = 1;
  turns(h->hub, 2);
  must(h->d->connections == 0);
  wait_quiet_on(h->hub);
  peer p = peer_hello(h);
  green_conn *c = asks(h, &p, GET);
  must(c && c->found == GREEN_HTTPD_REQUEST && serve(c) == 0);
  must(h->d->handshakes_pooled == 3);
}

/* The first one's thread is the parent's alone. */
static void goes_on(void *arg)
{
  house *h = arg;
  gate_open = 1;
  wait_quiet_on(h->hub);
  next(h);
  must(h->d->handshakes_failed == 1);
  must(h->d->connections == 1);
}

static void test_fork(void)
{
  house h = house_of(server_ctx(GREEN_TLS_POOL_ALWAYS));
  pool->at_once = 1;
  gate_open = 0;
  peer a = peer_hello(&h);
  next(&h);
  wait_inside(1);
  peer b = peer_hello(&h);
  next(&h);
  is(pool->waiting, 1, "one is under way, one waits");
  is(in_child(closes, &h), 0, "a child closes both, and serves its own");
  green_hub_set_inherit(h.hub, 1);
  is(in_child(goes_on, &h), 0, "one that has all goes on with the second");
  green_hub_set_inherit(h.hub, 0);
  gate_open = 1;
  green_conn *c = asks(&h, &a, GET_CLOSE);
  ok(c && c->found == GREEN_HTTPD_REQUEST, "the parent with the first");
  serve(c);
  peer_free(&a);
  peer_free(&b);
  wait_quiet_on(h.hub);
  next(&h);
  house_end(&h);
}

int main(void)
{
  pool_begin();
  green_tls_pool *first = pool;
  test_choice();
  test_refusal();
  test_choices_end();
  test_pool();
  test_choice_and_pool();
  test_without_pool();
  test_timeout();
  test_full_pool();
  test_end_of_server();
  test_fork();
  pool = first;
  return pool_end();
}
