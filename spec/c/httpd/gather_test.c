/*
** gather_test.c: answers of several connections that are sent together.
*/

#include "httpd/httpd_kit.h"

enum { N = 32 };

static house gathering_house(void)
{
  house h = house_open();
  h.d->gather = true;
  return h;
}

static int answered(int fd)
{
  hear(fd);
  return heard_count("hello");
}

static void test_sent_when_nothing_is_left(void)
{
  house h = gathering_house();
  int a = client_open(&h), b = client_open(&h);
  say(a, GET);
  say(b, GET);
  is(serve(next(&h)), 0, "one is answered");
  is(answered(a) + answered(b), 0, "the answer waits for others");
  is(serve(green_httpd_next(h.d)), 0, "the other is answered");
  ok(!green_httpd_next(h.d), "there are no more");
  is(answered(a), 1, "so it is sent");
  is(answered(b), 1, "with the other");
  is(h.d->connections, 2, "both stay");
  serve(next_after(&h, a, GET));
  turns(h.hub, 1);
  is(answered(a), 1, "at the end of the turn at the latest");
  close(a);
  close(b);
  turns(h.hub, 2);
  ok(!green_httpd_next(h.d), "clients go as ever");
  is(h.d->connections, 0, "and are forgotten");
  house_close(&h);
}

static void test_sent_when_there_are_many(void)
{
  house h = gathering_house();
  int fd[N + 1], sent = 0;
  for (int i = 0; i <= N; i++) fd[i] = client_open(&h);
  for (int i = 0; i <= N; i++) say(fd[i], GET);
  turns(h.hub, 2);
  for (int i = 0; i < N; i++) serve(green_httpd_next(h.d));
  for (int i = 0; i <= N; i++) sent += answered(fd[i]);
  is(sent, N, "a batch is sent");
  for (int i = 0; i <= N; i++) close(fd[i]);
  house_close(&h);
}

static void test_sent_when_time_has_passed(void)
{
  house h = gathering_house();
  int a = client_open(&h), b = client_open(&h);
  say(a, GET);
  say(b, GET);
  serve(next(&h));
  green_hub_advance(h.hub, 5 * MS); /* A slow handler. */
  serve(green_httpd_next(h.d));
  is(answered(a) + answered(b), 2, "nobody waits for a third");
  close(a);
  close(b);
  house_close(&h);
}

static void test_what_does_not_wait(void)
{
  house h = gathering_house();
  int fd = client_open(&h);
  serve(next_after(&h, fd, GET_CLOSE));
  is(answered(fd), 1, "the last answer of a connection");
  close(fd);
  fd = client_open(&h);
  serve(next_after(&h, fd, GET "GET / HTTP"));
  is(answered(fd), 1, "one with half a request behind it");
  close(fd);
  fd = client_open(&h);
  char *large = repeated("x", 20000);
  answer(next_after(&h, fd, GET), 200, large);
  free(large);
  hear(fd);
  ok(heard_len > 20000, "a large one");
  close(fd);
  house_close(&h);
}

static void test_client_has_gone(void)
{
  house h = gathering_house();
  int fd = client_open(&h);
  serve(next_after(&h, fd, GET));
  close(fd);
  ok(!green_httpd_next(h.d), "nobody to send it to");
  is(h.d->connections, 0, "closed");
  fd = client_open(&h);
  serve(next_after(&h, fd, GET));
  house_close(&h); /* With an answer unsent. */
  close(fd);
}

/* Answer until the socket is full; the connection comes back as unsent. */
static green_conn *fill(house *h, int fd, const char *body, int *answers)
{
  for (int i = 0; i < 1000; i++) {
    green_conn *c = next_after(h, fd, GET);
    if (c->found == GREEN_HTTPD_UNSENT) return c;
    answer(c, 200, body);
    green_conn_finish(c);
    ++*answers;
    c = green_httpd_next(h->d);
    if (c) return c;
  }
  return NULL;
}

static void test_socket_is_full(void)
{
  house h = gathering_house();
  int fd = client_open(&h), n = 0;
  size_t all = 0;
  char *body = repeated("x", 10000);
  green_conn *c = fill(&h, fd, body, &n);
  ok(c && c->found == GREEN_HTTPD_UNSENT, "handed out to be sent");
  if (!c) abort();
  is(green_conn_finish(c), GREEN_EAGAIN, "a worker has to wait");
  while (all < (size_t)n * 10000) {
    hear(fd);
    for (size_t i = 0; i < heard_len; i++) all += heard_text[i] == 'x';
    if (c && green_conn_finish(c) != GREEN_EAGAIN) c = NULL;
    if (heard_len == 0 && !c) break;
  }
  ok(!c, "then it is dealt with");
  is(all, (size_t)n * 10000, "nothing is lost");
  serve(next_after(&h, fd, GET));
  turns(h.hub, 1);
  is(answered(fd), 1, "and it goes on");
  free(body);
  close(fd);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_sent_when_nothing_is_left();
  test_sent_when_there_are_many();
  test_sent_when_time_has_passed();
  test_what_does_not_wait();
  test_client_has_gone();
  test_socket_is_full();
  return t_done();
}
