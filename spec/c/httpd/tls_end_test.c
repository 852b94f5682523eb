/*
** tls_end_test.c: a server that speaks TLS: connections that go, are closed,
** make room or wait for a stop, and what their clients hear of it.
*/

#include "httpd/tls_house_kit.h"

#include <netinet/in.h>
#include <sys/wait.h>

static void test_half_close(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  peer_say(&p, GET);
  green_tls_close(p.tls);
  peer_flush(&p);
  green_conn *c = next(&h);
  ok(c, "a client may end its side");
  serve(c);
  turns(h.hub, 2);
  next(&h);
  is(listens(&p), '.', "then the connection is over, as TLS says, too");
  ok(heard("hello"), "behind its answer");
  is(h.d->connections, 0, "nothing is left of it");
  peer_free(&p);
  house_close(&h);
}

static void test_keepalive_end(void)
{
  house h = tls_house();
  h.d->keepalive_timeout = 1000 * MS;
  peer p = peer_ready(&h);
  serve(asks(&h, &p, GET));
  turns(h.hub, 1);
  pass(&h, 1100 * MS);
  ok(!next(&h), "idle for too long");
  is(listens(&p), '.', "that ends with TLS's end");
  peer_free(&p);
  house_close(&h);
}

/* Without the system's end behind it. */
static void test_answer_to_an_end(void)
{
  for (int asks_first = 0; asks_first < 2; asks_first++) {
    house h = tls_house();
    peer p = asks_first ? peer_idle(&h) : peer_ready(&h);
    green_tls_close(p.tls);
    peer_flush(&p);
    ok(!next(&h), "TLS's end");
    is(listens(&p), '.', "is answered by ours");
    is(h.d->connections, 0, "that was it");
    peer_free(&p);
    house_close(&h);
  }
}

static void say_junk(int fd)
{
  static char junk[60000]; /* More than is read at once. */
  memcpy(junk, "\x17\x03\x03\x00\x20", 5);
  say_n(fd, junk, sizeof(junk));
}

/* Closing with input unread resets the connection, and what is on its way to
** the client is lost. */
static void test_alert_arrives(void)
{
  house h = tls_house();
  peer p = peer_idle(&h);
  say_junk(p.fd);
  ok(!next(&h), "what is no record");
  is(h.d->connections, 1, "is read to its end, and thrown away");
  is(listens(&p), '!', "ends the connection");
  const green_tls_error *e = green_tls_failure(p.tls);
  is(e ? e->code : 0, GREEN_ETLSALERT, "by an alert that says why");
  pass(&h, 600 * MS);
  is(h.d->connections, 0, "it does not linger for long");
  peer_free(&p);
  house_close(&h);
}

static void test_few_linger_behind_alerts(void)
{
  enum { MANY = 100 };
  house h = tls_house();
  int fds[MANY];
  for (int i = 0; i < MANY; i++) {
    fds[i] = client_open(&h);
    say_n(fds[i], "\x16\x03\x01\x00\x04zzzz", 9);
  }
  for (int i = 0; i < 10; i++) next(&h);
  is(h.d->handshakes_failed, MANY, "no hellos");
  is(h.d->connections, 64, "not all of them linger");
  int told = 0;
  for (int i = 0; i < MANY; i++) told += hear(fds[i]) == '.' && heard_len == 7;
  is(told, MANY, "all have their alert");
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(h.d->connections, 0, "a stop does not wait for who has it");
  for (int i = 0; i < MANY; i++) close(fds[i]);
  house_close(&h);
}

/* -- Parts of a record ----------------------------------------------------- */

/* Nothing of a record's head, all of it, and some of what it is the head of. */
static const size_t cuts[] = {1, 4, 5, 6, 30};
#define CUTS (sizeof(cuts) / sizeof(cuts[0]))

static void test_part_is_awaited(void)
{
  for (size_t i = 0; i < CUTS; i++) {
    house h = tls_house();
    peer p = peer_idle(&h);
    peer_say_part(&p, GET, cuts[i]);
    ok(!next(&h), "a part of a record");
    h.d->closing = true;
    green_httpd_close_idle(h.d, false);
    is(h.d->connections, 1, "is the beginning of a request to a stop");
    peer_flush(&p);
    green_conn *c = next(&h);
    ok(c, "which comes");
    if (c) serve(c);
    is(listens(&p), '.', "and is the last");
    ok(heard("hello"), "answered");
    peer_free(&p);
    house_close(&h);
  }
}

static void test_part_has_its_time(void)
{
  house h = tls_house();
  h.d->keepalive_timeout = 1000 * MS;
  h.d->header_timeout = 300 * MS;
  peer p = peer_idle(&h);
  pass(&h, 900 * MS);
  peer_say_part(&p, GET, 7);
  ok(!next(&h), "a head has begun in time");
  turns(h.hub, 1);
  is(h.d->idle, 0, "it is between requests no more");
  pass(&h, 200 * MS);
  ok(!next(&h), "it is waited for");
  is(h.d->connections, 1, "from its first byte on");
  pass(&h, 200 * MS);
  green_conn *c = next(&h);
  ok(c && c->found == GREEN_HTTPD_REFUSED, "not for ever");
  is(c->status, 408, "he is told");
  green_conn_finish(c);
  is(listens(&p), '.', "and hears the end");
  ok(heard("HTTP/1.1 408"), "behind that");
  peer_free(&p);
  pass(&h, 3000 * MS);
  house_close(&h);
}

static void test_part_of_what_expires(void)
{
  house h = tls_house();
  h.d->keepalive_timeout = 1000 * MS;
  peer p = peer_idle(&h);
  peer_say_part(&p, GET, 7);
  green_hub_advance(h.hub, 1100 * MS); /* Both are met by one poll. */
  ok(!next(&h), "it came when the time was up");
  is(h.d->connections, 1, "and counts");
  peer_flush(&p);
  green_conn *c = next(&h);
  ok(c, "the rest of it, too");
  if (c) serve(c);
  peer_free(&p);
  house_close(&h);
}

/* What is no request is over with its last byte. */
static void test_part_of_an_end(void)
{
  house h = tls_house();
  peer p = peer_idle(&h);
  const char *out;
  green_tls_close(p.tls);
  ok(green_tls_output(p.tls, &out) > 8, "an alert");
  say_n(p.fd, out, 8);
  green_tls_sent(p.tls, 8);
  ok(!next(&h), "of which a part comes");
  is(h.d->connections, 1, "is waited for");
  peer_flush(&p);
  ok(!next(&h), "with the rest of it");
  is(h.d->connections, 0, "the connection ends");
  peer_free(&p);
  house_close(&h);
}

/* -- Stops ----------------------------------------------------------------- */

static void test_stop(void)
{
  house h = tls_house();
  peer idle = peer_idle(&h), silent = peer_open(&h), busy = peer_ready(&h);
  green_conn *c = asks(&h, &busy, GET);
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(listens(&idle), '.', "who is between requests gets TLS's end");
  is(h.d->connections, 1, "who has said nothing is closed");
  serve(c);
  turns(h.hub, 1);
  is(listens(&busy), '.', "who has asked gets the answer first");
  ok(heard("hello") && heard("Connection: close"), "which says so");
  peer_free(&idle);
  peer_free(&silent);
  peer_free(&busy);
  turns(h.hub, 2);
  house_close(&h);
}

/* As a head that is being read; and it would be for nothing without the request
** behind it. */
static void test_stop_lets_handshakes_finish(void)
{
  house h = tls_house();
  peer p = peer_open(&h);
  peer_shake(&p);
  next(&h);
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(h.d->connections, 1, "a handshake is under way");
  is(shake(&h, &p), 0, "and goes on");
  green_httpd_close_idle(h.d, false);
  is(h.d->connections, 1, "its request is waited for");
  green_conn *c = asks(&h, &p, GET);
  ok(c, "and comes");
  if (c) serve(c);
  is(listens(&p), '.', "answered, it is the last");
  ok(heard("hello"), "with the answer");
  peer_free(&p);
  turns(h.hub, 2);
  is(h.d->connections, 0, "that was all");
  house_close(&h);
}

static void test_stop_waits_no_longer_than_for_heads(void)
{
  house h = tls_house();
  h.d->header_timeout = 1000 * MS;
  peer half = peer_open(&h), whole = peer_open(&h);
  peer_shake(&half);
  peer_shake(&whole);
  next(&h);
  h.d->closing = true;
  is(shake(&h, &whole), 0, "one is done with it");
  pass(&h, 1100 * MS);
  ok(!next(&h), "and asks nothing");
  is(h.d->connections, 0, "like the other he is closed in time");
  is(listens(&whole), '.', "and hears the end");
  peer_free(&half);
  peer_free(&whole);
  half = peer_open(&h);
  peer_shake(&half);
  next(&h);
  green_httpd_close_idle(h.d, true);
  is(h.d->connections, 0, "at the end of the grace at once");
  peer_free(&half);
  house_close(&h);
}

/* A stop that found it with bytes must hear that they were the last. */
static void test_stop_hears(void)
{
  house h = tls_house();
  actor stop;
  peer p = peer_open(&h);
  peer_shake(&p);
  turns(h.hub, 2);
  h.d->closing = true;
  green_httpd_close_idle(h.d, false);
  is(h.d->connections, 1, "a hello has come that nobody has looked at");
  actor_init(&stop, h.hub, 0, step_park);
  stop.q = green_httpd_departures(h.d);
  green_task_start(&stop.task);
  turns(h.hub, 1);
  is(stop.runs, 1, "a stop waits");
  peer_free(&p);
  next(&h);
  turns(h.hub, 1);
  is(stop.runs, 2, "until the client has gone");
  is(h.d->connections, 0, "and with it the connection");
  house_close(&h);
}

/* -- Forks ----------------------------------------------------------------- */

/* A child that closes what it has inherited says nothing in its parent's
** name. */
static void test_fork(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  serve(asks(&h, &p, GET));
  turns(h.hub, 1);
  listens(&p);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    green_hub_turn(h.hub, 0);
    _exit(h.d->connections ? 1 : 0);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  is(status, 0, "the child has closed it");
  is(listens(&p), '-', "the client hears nothing of that");
  green_conn *c = asks(&h, &p, GET);
  ok(c, "it is the parent's");
  if (c) serve(c);
  turns(h.hub, 1);
  listens(&p);
  ok(heard("hello"), "who answers");
  peer_free(&p);
  house_close(&h);
}

/* Two that write by the same keys give them away, and one that writes without
** them everything. */
static void test_fork_in_hand(void)
{
  house h = tls_house();
  peer p = peer_ready(&h);
  green_conn *c = asks(&h, &p, GET);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    green_hub_turn(h.hub, 0);
    int open = green_conn_sock(c) != NULL || green_conn_tls(c) != NULL;
    _exit(open || serve(c) != 0 || h.d->connections);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  is(status, 0, "in the child it is cut");
  is(listens(&p), '-', "the client hears nothing of that");
  serve(c);
  turns(h.hub, 1);
  is(listens(&p), '-', "the parent goes on");
  ok(heard("hello"), "and answers");
  peer_free(&p);
  house_close(&h);
}

/* -- Making room ----------------------------------------------------------- */

static void test_evict(void)
{
  house h = tls_house();
  green_sock *l = green_sock_new(h.hub);
  green_addr at;
  peer p[3];
  green_addr_parse(&at, "127.0.0.1:0", 11, 0);
  green_sock_open(l, GREEN_INET, GREEN_STREAM);
  green_sock_bind(l, &at);
  green_sock_listen(l, 8);
  green_sock_sockname(l, &at);
  h.d->max_connections = 2;
  for (int i = 0; i < 3; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)at.u.bytes, at.len) < 0) abort();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    p[i] = peer_new(fd, 0);
    is(green_httpd_accept(h.d, l, 4), 1, "let in");
    is(shake(&h, &p[i]), 0, "over TCP");
    serve(asks(&h, &p[i], GET));
    turns(h.hub, 1);
    listens(&p[i]);
    pass(&h, MS);
  }
  is(h.d->evicted, 1, "one had to go");
  ok(listens(&p[0]) != '-' && listens(&p[1]) == '-', "the oldest");
  for (int i = 0; i < 3; i++) peer_free(&p[i]);
  green_sock_free(l);
  turns(h.hub, 2);
  next(&h);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_half_close();
  test_keepalive_end();
  test_answer_to_an_end();
  test_alert_arrives();
  test_few_linger_behind_alerts();
  test_part_is_awaited();
  test_part_has_its_time();
  test_part_of_what_expires();
  test_part_of_an_end();
  test_stop();
  test_stop_lets_handshakes_finish();
  test_stop_waits_no_longer_than_for_heads();
  test_stop_hears();
  test_fork();
  test_fork_in_hand();
  test_evict();
  return t_done();
}
