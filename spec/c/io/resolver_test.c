/*
** resolver_test.c: questions to name servers, and what comes back.
*/

#include "hub/scope.h"
#include "io/dns_kit.h"

#include <ctype.h>

static int is_address(const green_question *q)
{
  return q->len >= 4 && !memcmp(q->answer + q->len - 4, "\xc0\0\2\1", 4);
}

static int rcode_of(const green_question *q)
{
  return q->answer[3] & 15;
}

/* -- Answers -------------------------------------------------------------- */

static void test_an_answer(void)
{
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  uint32_t fds = fds_of_hub();
  green_question *q = ask(r, "www.Example.test");
  is(q->result, GREEN_EAGAIN, "asked");
  is(result_of(q), 0, "answered");
  ok(is_address(q), "with an address");
  ok(!memcmp(q->answer + 12, "\3www\7Example\4test", 17),
     "to the name in its own letters");
  is(q->server, 0, "by the server");
  is(q->sent, 1, "asked once");
  is(s.n_edns, 1, "with EDNS");
  is(s.last[3] & 0x20, 0x20, "and whether it is proved");
  is(q->done_at, green_hub_now(hub), "the moment is known");
  green_resolver_forget(q);
  is(fds_of_hub(), fds, "no socket is left");
  is(stats_of(r).out, 0, "nothing is out");
  is(look_up(r, "."), 0, "the root");
  is(look_up(r, "a\\.b.\\007.test."), 0, "bytes");
  ok(!memcmp(s.last + 12, "\3", 1) && s.last[14] == '.' && s.last[17] == 7,
     "as they are");
  resolver_free(r);
  server_stop(&s);
}

static int reply_nxdomain(server *s, const uint8_t *q, int n, int tcp,
                          uint8_t *out)
{
  (void)s, (void)n, (void)tcp;
  return reply_code(q, out, 3);
}

static void test_no_such_name(void)
{
  server s;
  server_start(&s, reply_nxdomain);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "none.test");
  is(result_of(q), 0, "an answer");
  is(rcode_of(q), 3, "that there is no such name");
  green_resolver_forget(q);
  is(s.asked[0], 1, "is not doubted");
  resolver_free(r);
  server_stop(&s);
}

static int reply_large(server *s, const uint8_t *q, int n, int tcp,
                       uint8_t *out)
{
  (void)s, (void)n;
  static const uint8_t data[4000];
  int len = reply_bytes(q, out, 16, data, sizeof(data));
  if (tcp) return len;
  out[2] |= 2;
  out[7] = 0;
  return 12 + question_len(q);
}

static void test_truncated(void)
{
  server s;
  server_start(&s, reply_large);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "large.test");
  is(result_of(q), 0, "answered");
  ok(q->len > 4000, "whole");
  is(s.asked[0], 1, "by UDP");
  is(s.asked[1], 1, "and by TCP");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

static void test_tcp_alone(void)
{
  server s;
  green_resolver_opts opts = usual;
  opts.tcp = 1;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(&opts, &s, NULL);
  uint32_t fds = fds_of_hub();
  is(look_up(r, "a.test"), 0, "answered");
  is(look_up(r, "b.test"), 0, "again");
  settle();
  is(s.asked[0], 0, "not by UDP");
  is(s.asked[1], 2, "by TCP");
  is(fds_of_hub(), fds, "no connection is left");
  resolver_free(r);
  server_stop(&s);
}

static void test_without_edns(void)
{
  server s;
  green_resolver_opts opts = usual;
  opts.edns = 0;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(&opts, &s, NULL);
  is(look_up(r, "a.test"), 0, "answered");
  is(s.n_edns, 0, "nothing was said");
  resolver_free(r);
  server_stop(&s);
}

/* -- Servers that cannot -------------------------------------------------- */

static void test_silence(void)
{
  server s;
  server_start(&s, reply_nothing);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  uint32_t fds = fds_of_hub();
  green_question *q = ask(r, "a.test");
  settle();
  green_hub_advance(hub, GREEN_SECOND);
  settle();
  is(q->result, GREEN_EAGAIN, "a second round");
  is(s.asked[0], 2, "was begun");
  green_hub_advance(hub, 2 * GREEN_SECOND - 1);
  settle();
  is(q->result, GREEN_EAGAIN, "with twice the time");
  green_hub_advance(hub, 1);
  settle();
  is(q->result, GREEN_ETIMEDOUT, "and the end");
  is(q->server, 0, "by the server that was asked last");
  ok(green_resolver_is_down(r, 0), "it is held to be down");
  green_resolver_forget(q);
  settle();
  is(fds_of_hub(), fds, "no socket is left");
  is(stats_of(r).channels, 0, "nor a channel");
  resolver_free(r);
  server_stop(&s);
}

static uint8_t kept[600];
static int kept_len;

static int reply_later(server *s, const uint8_t *q, int n, int tcp,
                       uint8_t *out)
{
  if (s->asked[0] > 1) return 0;
  kept_len = reply_address(s, q, n, tcp, out);
  memcpy(kept, out, (size_t)kept_len);
  return 0;
}

static void test_a_late_answer(void)
{
  server s;
  server_start(&s, reply_later);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "a.test");
  settle();
  green_hub_advance(hub, GREEN_SECOND);
  settle();
  is(s.asked[0], 2, "asked again");
  struct sockaddr_in to = {.sin_family = AF_INET};
  to.sin_port = htons((uint16_t)s.ports[0]);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sendto(s.udp.fd, kept, (size_t)kept_len, 0, (struct sockaddr *)&to,
         sizeof(to));
  is(result_of(q), 0, "and answered by what comes of the first");
  ok(is_address(q), "with an address");
  ok(!green_resolver_is_down(r, 0), "the server is up");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

static int reply_servfail(server *s, const uint8_t *q, int n, int tcp,
                          uint8_t *out)
{
  (void)s, (void)n, (void)tcp;
  return reply_code(q, out, 2);
}

static void test_servers_that_fail(void)
{
  server a, b;
  server_start(&a, reply_servfail);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  ok(is_address(q), "by the one that can");
  is(q->server, 1, "which is the second");
  green_resolver_forget(q);
  b.reply = reply_servfail;
  q = ask(r, "b.test");
  is(result_of(q), 0, "when neither can");
  is(rcode_of(q), 2, "that is the answer");
  is(q->sent, 4, "after two rounds");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&a);
  server_stop(&b);
}

static int reply_without_edns(server *s, const uint8_t *q, int n, int tcp,
                              uint8_t *out)
{
  return q[11] ? reply_code(q, out, 1) : reply_address(s, q, n, tcp, out);
}

static void test_no_edns_there(void)
{
  server s;
  server_start(&s, reply_without_edns);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  for (int i = 0; i < 3; i++) is(look_up(r, "a.test"), 0, "answered");
  ok(s.n_edns <= 2, "it is remembered that it takes no EDNS");
  resolver_free(r);
  server_stop(&s);
}

static void test_nobody_there(void)
{
  server a, b;
  server_start(&a, NULL);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  server_stop(&a);
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "the second answers");
  is(q->server, 1, "when the first is not there");
  green_resolver_forget(q);
  server_stop(&b);
  is(look_up(r, "b.test"), GREEN_ECONNREFUSED, "nobody");
  resolver_free(r);
}

static void test_health(void)
{
  server a, b;
  server_start(&a, reply_nothing);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  green_question *q = ask(r, "a.test");
  settle();
  green_hub_advance(hub, GREEN_SECOND);
  is(result_of(q), 0, "the second answers in the end");
  green_resolver_forget(q);
  for (int i = 0; i < 5; i++) is(look_up(r, "b.test"), 0, "and at once then");
  is(a.asked[0], 1, "the first is left in peace");
  green_hub_advance(hub, 11 * GREEN_SECOND);
  is(look_up(r, "c.test"), 0, "later the second answers, too");
  settle();
  is(a.asked[0], 2, "while the first is asked as well");
  is(look_up(r, "d.test"), 0, "once");
  settle();
  is(a.asked[0], 2, "only");
  a.reply = NULL;
  green_hub_advance(hub, 60 * GREEN_SECOND);
  is(look_up(r, "e.test"), 0, "answered");
  settle();
  ok(!green_resolver_is_down(r, 0), "it is up again");
  int before = a.asked[0];
  is(look_up(r, "f.test"), 0, "answered");
  is(a.asked[0], before + 1, "and asked first");
  resolver_free(r);
  server_stop(&a);
  server_stop(&b);
}

static void test_turns(void)
{
  server a, b;
  green_resolver_opts opts = usual;
  opts.rotate = 1;
  server_start(&a, NULL);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(&opts, &a, &b);
  for (int i = 0; i < 4; i++) look_up(r, "a.test");
  is(a.asked[0], 2, "the first has its turn");
  is(b.asked[0], 2, "and the second");
  resolver_free(r);
  server_stop(&a);
  server_stop(&b);
}

static int reply_end(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  return s->asked[1] < 2 ? 0 : reply_address(s, q, n, tcp, out);
}

static void test_tcp_that_ends(void)
{
  server s;
  green_resolver_opts opts = usual;
  opts.tcp = 1;
  server_start(&s, reply_end);
  green_resolver *r = resolver_new(&opts, &s, NULL);
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  is(q->sent, 2, "by the second connection");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

/* -- Many ----------------------------------------------------------------- */

static int reply_if_open(server *s, const uint8_t *q, int n, int tcp,
                         uint8_t *out)
{
  return s->last_len < 0 ? 0 : reply_address(s, q, n, tcp, out);
}

static void test_many(void)
{
  static green_question *q[600];
  char name[40];
  server s;
  server_start(&s, reply_if_open);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  uint32_t fds = fds_of_hub();
  for (int i = 0; i < 600; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    q[i] = ask(r, name);
  }
  is(stats_of(r).out, 256, "at most so many are out");
  is(stats_of(r).waiting, 600 - 256, "the others wait");
  int answered = 0, ports = 0;
  for (int i = 0; i < 600; i++) answered += result_of(q[i]) == 0;
  is(answered, 600, "all are answered");
  for (int i = 0; i < 600; i++) {
    int is_new = 1;
    for (int k = 0; k < i && is_new; k++) is_new = s.ports[k] != s.ports[i];
    ports += is_new;
    green_resolver_forget(q[i]);
  }
  ok(ports >= 3, "from other ports now and then");
  settle();
  is(fds_of_hub(), fds, "no socket is left");
  ok(stats_of(r).channels <= 1, "nor a channel that was used up");
  resolver_free(r);
  server_stop(&s);
}

/* -- Ends ----------------------------------------------------------------- */

static void test_forgotten(void)
{
  server s;
  server_start(&s, reply_nothing);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  uint32_t fds = fds_of_hub();
  green_question *a = ask(r, "a.test"), *b = ask(r, "a.test");
  settle();
  is(s.asked[0], 2, "both are asked");
  green_resolver_forget(a);
  settle();
  ok(fds_of_hub() > fds, "one alone is forgotten");
  s.reply = NULL;
  green_hub_advance(hub, GREEN_SECOND);
  is(result_of(b), 0, "the other is answered");
  green_resolver_forget(b);
  settle();
  is(fds_of_hub(), fds, "no socket is left for what will not come");
  s.reply = reply_nothing;
  green_resolver_forget(ask(r, "b.test"));
  settle();
  is(fds_of_hub(), fds, "at once");
  green_resolver_forget(NULL);
  resolver_free(r);
  server_stop(&s);
}

typedef struct waiter {
  green_task task;
  green_question *q;
  int parked;
  int status;
  int done;
} waiter;

static void waiter_resume(green_task *t)
{
  waiter *w = green_container(t, waiter, task);
  if (!w->parked++) {
    green_task_park(t, green_resolver_waiters(w->q), GREEN_NEVER);
    return;
  }
  w->status = t->status;
  w->done = 1;
  green_task_end(t);
}

static void waiter_start(waiter *w, green_question *q)
{
  memset(w, 0, sizeof(*w));
  w->q = q;
  green_task_init(&w->task, hub, waiter_resume);
  green_task_start(&w->task);
}

static void test_waiters(void)
{
  server s;
  waiter w[3];
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "a.test");
  for (int i = 0; i < 3; i++) waiter_start(&w[i], q);
  green_hub_turn(hub, 0);
  green_task_kill(&w[1].task);
  is(result_of(q), 0, "answered");
  settle();
  ok(w[0].done && w[0].status == 0 && w[2].done && w[2].status == 0,
     "all are woken");
  is(w[1].status, GREEN_ECANCELED, "but one that was killed");
  green_resolver_forget(q);
  s.reply = reply_nothing;
  q = ask(r, "b.test");
  waiter_start(&w[0], q);
  green_hub_turn(hub, 0);
  green_resolver_forget(q);
  settle();
  is(w[0].status, GREEN_ECLOSED, "forgotten meanwhile");
  q = ask(r, "c.test");
  waiter_start(&w[0], q);
  green_hub_turn(hub, 0);
  green_resolver_deinit(r);
  is(q->result, GREEN_ECLOSED, "the resolver has ended");
  settle();
  is(w[0].done, 1, "who waits is woken");
  green_resolver_forget(q);
  is(ask(r, "d.test") == NULL, 1, "nothing is asked any more");
  resolver_free(r);
  server_stop(&s);
}

static int reply_to_b(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  return tolower(q[13]) == 'b' ? reply_address(s, q, n, tcp, out) : 0;
}

static void test_pairs(void)
{
  server s;
  waiter w;
  server_start(&s, reply_to_b);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *a = ask(r, "a.test"), *b = ask(r, "b.test");
  green_resolver_pair(a, b);
  waiter_start(&w, a);
  is(result_of(b), 0, "one is done");
  settle();
  ok(w.done && w.status == 0, "who waits for the other is woken");
  is(a->result, GREEN_EAGAIN, "which is not done");
  green_resolver_forget(b);
  b = ask(r, "b.test");
  green_resolver_pair(b, a);
  green_resolver_forget(a);
  is(result_of(b), 0, "the other one may be forgotten");
  a = ask(r, "a.test");
  green_resolver_pair(a, b);
  green_resolver_forget(a);
  green_resolver_forget(b);
  resolver_free(r);
  server_stop(&s);
}

static void test_arguments(void)
{
  char name[300];
  green_question *q = NULL;
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL), *empty;
  memset(name, 'a', sizeof(name));
  is(green_resolver_ask(&q, r, "a..b", 4, 1), GREEN_EINVAL, "an empty label");
  is(green_resolver_ask(&q, r, name, 64, 1), GREEN_ENAMETOOLONG, "a long one");
  is(green_resolver_ask(&q, r, "a", 1, 0), GREEN_EINVAL, "no type");
  is(green_resolver_ask(&q, r, "a", 1, 65536), GREEN_EINVAL, "none either");
  is(green_resolver_set(r, &usual, &s.addr, 1), GREEN_EALREADY, "set twice");
  ok(!green_resolver_server(r, 1) && green_resolver_server(r, 0), "one server");
  empty = calloc(1, green_resolver_size());
  green_resolver_init(empty, hub);
  is(green_resolver_ask(&q, empty, "a", 1, 1), GREEN_EINVAL, "no servers");
  green_resolver_opts bad = usual;
  bad.tries = 0;
  is(green_resolver_set(empty, &bad, &s.addr, 1), GREEN_EINVAL, "no tries");
  is(green_resolver_set(empty, &usual, &s.addr, 0), GREEN_EINVAL, "no server");
  is(green_resolver_set(empty, &usual, &s.addr, 17), GREEN_EINVAL, "too many");
  green_addr path;
  green_addr_unix(&path, "/x", 2);
  is(green_resolver_set(empty, &usual, &path, 1), GREEN_EINVAL, "a path");
  resolver_free(empty);
  resolver_free(r);
  server_stop(&s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  green_hub_set_virtual(hub, 1);
  test_an_answer();
  test_no_such_name();
  test_truncated();
  test_tcp_alone();
  test_without_edns();
  test_silence();
  test_a_late_answer();
  test_servers_that_fail();
  test_no_edns_there();
  test_nobody_there();
  test_health();
  test_turns();
  test_tcp_that_ends();
  test_many();
  test_forgotten();
  test_waiters();
  test_pairs();
  test_arguments();
  green_hub_free(hub);
  return t_done();
}
