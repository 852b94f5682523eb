/*
** load_test.c: how long requests took, how they were answered, how many come a
** second.
*/

#include "httpd_kit.h"
#include "base/mem.h"

/* A request that takes so many milliseconds. */
static void ask(house *h, int fd, int ms, int status)
{
  green_conn *c = next_after(h, fd, GET);
  if (!c) abort();
  green_hub_advance(h->hub, ms * MS);
  answer(c, status, "hello");
  green_conn_finish(c);
  turns(h->hub, 1);
  hear(fd);
}

static void test_off(void)
{
  house h = house_open();
  int fd = client_open(&h);
  ask(&h, fd, 0, 200);
  ok(green_httpd_measured(h.d) == NULL, "nobody asks, nothing is measured");
  close(fd);
  house_close(&h);
}

static void test_times(void)
{
  house h = house_open();
  int fd = client_open(&h);
  is(green_httpd_measure(h.d), 0, "somebody asks");
  const green_httpd_load *l = green_httpd_measured(h.d);
  is(green_httpd_measure(h.d), 0, "and again");
  ok(l && green_httpd_measured(h.d) == l, "which changes nothing");
  ask(&h, fd, 0, 200);
  ask(&h, fd, 8, 404);
  ask(&h, fd, 100, 503);
  is(green_histogram_count(&l->times), 3, "three were answered");
  is(l->times.most, 100 * MS, "the longest took 100 ms");
  is(l->times.sum, 108 * MS, "all together 108");
  is(l->answers[2], 1, "one was a success");
  is(l->answers[4] + l->answers[5], 2, "two were not");
  close(fd);
  house_close(&h);
}

static void test_refused(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_httpd_measure(h.d);
  green_conn *c = next_after(&h, fd, "nonsense\r\n\r\n");
  if (!c) abort();
  green_conn_finish(c);
  is(green_httpd_measured(h.d)->answers[4], 1, "a bad one was answered, too");
  close(fd);
  house_close(&h);
}

static void test_slow_client(void)
{
  house h = house_open();
  int fd = client_open(&h);
  char *body = repeated("0123456789abcdef", 1 << 16);
  green_httpd_measure(h.d);
  green_conn *c = next_after(&h, fd, GET);
  if (!c) abort();
  answer(c, 200, body);
  is(green_conn_finish(c), GREEN_EAGAIN, "a client does not read");
  is(green_conn_finish(c), GREEN_EAGAIN, "nor later");
  is(green_histogram_count(&green_httpd_measured(h.d)->times), 1,
     "its request counts once");
  green_conn_close(c);
  free(body);
  close(fd);
  house_close(&h);
}

static void test_since(void)
{
  house h = house_open();
  int fd = client_open(&h);
  int64_t began = green_hub_now(h.hub);
  green_conn *c = next_after(&h, fd, GET);
  if (!c) abort();
  green_hub_advance(h.hub, 5 * MS);
  is(green_conn_since(c), began, "a request knows when it came");
  serve(c);
  close(fd);
  house_close(&h);
}

static double rate(const house *h)
{
  return green_httpd_load_rate(green_httpd_measured(h->d),
                               green_hub_now(h->hub));
}

static void test_rate(void)
{
  house h = house_open();
  int fd = client_open(&h);
  h.d->keepalive_timeout = GREEN_NEVER;
  green_hub_advance(h.hub, GREEN_SECOND - green_hub_now(h.hub) % GREEN_SECOND);
  green_httpd_measure(h.d);
  ask(&h, fd, 0, 200);
  ask(&h, fd, 0, 200);
  ok(rate(&h) == 2, "two in the second that has begun");
  pass(&h, GREEN_SECOND);
  ok(rate(&h) == 2, "and when it is over");
  pass(&h, GREEN_SECOND);
  ok(rate(&h) == 1, "the half in two");
  for (int i = 0; i < 30; i++) {
    ask(&h, fd, 0, 200);
    pass(&h, GREEN_SECOND);
  }
  ok(rate(&h) == 1, "one a second in the long run");
  pass(&h, 11 * GREEN_SECOND);
  ok(rate(&h) == 0, "and none after a while");
  close(fd);
  house_close(&h);
}

static void test_no_memory(void)
{
  house h = house_open();
  green__alloc_fail_from(1);
  is(green_httpd_measure(h.d), GREEN_ENOMEM, "there is no memory");
  green__alloc_fail_from(0);
  ok(green_httpd_measured(h.d) == NULL, "nothing is measured");
  is(green_httpd_measure(h.d), 0, "and is when there is");
  green_httpd_deinit(h.d);
  is(green_httpd_measure(h.d), GREEN_ECLOSED, "not of one that has ended");
  ok(green_httpd_measured(h.d) == NULL, "which has nothing measured either");
  house_close(&h);
}

int main(void)
{
  t_start();
  test_off();
  test_times();
  test_refused();
  test_slow_client();
  test_since();
  test_rate();
  test_no_memory();
  return t_done();
}
