/*
** tls_failure_test.c: why handshakes were not done, kept for whoever asks.
*/

#include "httpd/tls_house_kit.h"
#include "base/mem.h"

static const char garbage[] = "\x16\x03\x01\x00\x04zzzz";

/* A client whose handshake fails. */
static void fail_once(house *h)
{
  int fd = client_open(h);
  say_n(fd, garbage, 9);
  ok(!next(h), "no request");
  close(fd);
}

static green_httpd_failure taken(house *h)
{
  green_httpd_failure f;
  if (!green_httpd_take_failure(h->d, &f)) abort();
  return f;
}

static void test_kinds(void)
{
  house h = tls_house();
  green_httpd_failure f;
  fail_once(&h);
  ok(!green_httpd_take_failure(h.d, &f), "nobody wants them: none is kept");
  h.d->keeps_failures = true;
  fail_once(&h);
  f = taken(&h);
  ok(f.code < 0 && f.code != GREEN_ETLSPLAIN, "a code");
  is(f.alert, -1, "no alert of the client's");
  ok(f.text[0] != '\0', "a sentence");
  is(f.who.len, 0, "nobody knows whose, by a UNIX socket");
  ok(!green_httpd_take_failure(h.d, &f), "and no more");
  int plain = client_open(&h);
  green_conn *c = next_after(&h, plain, GET);
  is(taken(&h).code, GREEN_ETLSPLAIN, "who speaks plainly");
  if (c) green_conn_finish(c);
  close(plain);
  h.d->header_timeout = 1000 * MS;
  int silent = client_open(&h);
  turns(h.hub, 2);
  pass(&h, 1100 * MS);
  next(&h);
  f = taken(&h);
  is(f.code, GREEN_ETIMEDOUT, "who says nothing in time");
  is_str(f.text, "", "of which TLS knows nothing");
  close(silent);
  is(h.d->failures_lost, 0, "none was lost");
  house_close(&h);
}

static void test_room(void)
{
  house h = tls_house();
  green_httpd_failure f;
  h.d->keeps_failures = true;
  for (int i = 0; i < GREEN_HTTPD_FAILURES + 3; i++) fail_once(&h);
  is(h.d->failures_lost, 3, "there is room for so many");
  for (int i = 0; i < 5; i++) taken(&h);
  for (int i = 0; i < 5; i++) fail_once(&h);
  is(h.d->failures_lost, 3, "and again where some were taken");
  for (int i = 0; i < GREEN_HTTPD_FAILURES; i++)
    ok(taken(&h).code < 0, "each of them");
  ok(!green_httpd_take_failure(h.d, &f), "once");
  house_close(&h);
}

/* One that finds no memory is lost, and counted. */
static void test_memory(void)
{
  int lost = 0, calls = 0;
  for (int n = 1; n == 1 || n <= calls; n++) {
    house h = tls_house();
    green_httpd_failure f;
    h.d->keeps_failures = true;
    int fd = client_open(&h);
    say_n(fd, garbage, 9);
    green__alloc_fail_from(n);
    next(&h);
    calls = green__alloc_fail_from(0);
    int kept = green_httpd_take_failure(h.d, &f);
    is(kept + (int)h.d->failures_lost, (int)h.d->handshakes_failed,
       "each is kept or lost");
    lost += (int)h.d->failures_lost;
    close(fd);
    house_close(&h);
  }
  ok(lost > 0, "there were some");
}

int main(void)
{
  t_start();
  test_kinds();
  test_room();
  test_memory();
  return t_done();
}
