/*
** dns_udp_test.c: how questions leave by UDP, and answers are fetched: many in
** a call, and never for ever.
*/

/* wrap: socket sendmmsg recvmmsg */

#include "io/dns_kit.h"

/* -- The system, watched -------------------------------------------------- */

static struct {
  int sends, fetches; /* Calls. */
  int full;           /* So many times the kernel takes no more. */
  int flood;          /* So many times empty datagrams come, as many as fit. */
  int no_sockets;
  int some_sockets; /* Not 0: so many, less one, and no more. */
} kernel;

int __real_socket(int f, int t, int p);
int __real_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __real_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t);
int __wrap_socket(int f, int t, int p);
int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags);
int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t);

int __wrap_socket(int f, int t, int p)
{
  if (kernel.some_sockets > 1) kernel.some_sockets--;
  if (!kernel.no_sockets && kernel.some_sockets != 1)
    return __real_socket(f, t, p);
  errno = kernel.no_sockets ? ENETUNREACH : EMFILE;
  return -1;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *m, unsigned n, int flags)
{
  kernel.sends++;
  if (kernel.full == 0) return __real_sendmmsg(fd, m, n, flags);
  if (kernel.full-- > 1) return __real_sendmmsg(fd, m, 1, flags);
  errno = EAGAIN;
  return -1;
}

int __wrap_recvmmsg(int fd, struct mmsghdr *m, unsigned n, int flags,
                    struct timespec *t)
{
  kernel.fetches++;
  if (kernel.flood == 0) return __real_recvmmsg(fd, m, n, flags, t);
  kernel.flood--;
  for (unsigned i = 0; i < n; i++) m[i].msg_len = 0;
  return (int)n;
}

/* -- Many in a call ------------------------------------------------------- */

enum { SOME = 60 };

static void ask_some(green_resolver *r, green_question **q)
{
  char name[32];
  for (int i = 0; i < SOME; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    q[i] = ask(r, name);
  }
}

static int count_good(green_question **q)
{
  int good = 0;
  for (int i = 0; i < SOME; i++) {
    good += result_of(q[i]) == 0;
    green_resolver_forget(q[i]);
  }
  return good;
}

static void test_many_in_a_call(void)
{
  green_question *q[SOME];
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  memset(&kernel, 0, sizeof(kernel));
  ask_some(r, q);
  is(kernel.sends, 0, "nothing is sent while the turn lasts");
  is(count_good(q), SOME, "all are answered");
  ok(kernel.sends <= 2, "few calls sent them");
  ok(kernel.fetches <= SOME / 4, "few calls fetched the answers");
  is(s.asked[0], SOME, "each was asked once");
  settle();
  is(stats_of(r).channels, 1, "by one channel");
  resolver_free(r);
  server_stop(&s);
}

static void test_each_alone(void)
{
  green_question *q[SOME];
  green_resolver_opts opts = usual;
  opts.alone = 1;
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(&opts, &s, NULL);
  uint32_t fds = fds_of_hub();
  ask_some(r, q);
  is(count_good(q), SOME, "all are answered");
  int same = 0;
  for (int i = 0; i < SOME; i++)
    for (int k = 0; k < i; k++) same += s.ports[i] == s.ports[k];
  is(same, 0, "no two had the same port");
  settle();
  is(fds_of_hub(), fds, "no socket is left");
  ok(stats_of(r).channels <= 1, "nor channel");
  resolver_free(r);
  server_stop(&s);
}

static void test_a_kernel_that_is_full(void)
{
  green_question *q[SOME];
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  memset(&kernel, 0, sizeof(kernel));
  kernel.full = 3; /* One, one more, and no more now. */
  int64_t before = green_hub_now(hub);
  ask_some(r, q);
  is(count_good(q), SOME, "all are answered");
  is(kernel.full, 0, "though the kernel took no more for a moment");
  is(s.asked[0], SOME, "none was sent twice");
  is(green_hub_now(hub), before, "and none waited for its time to be up");
  resolver_free(r);
  server_stop(&s);
}

/* -- Never for ever ------------------------------------------------------- */

static void test_a_flood(void)
{
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  memset(&kernel, 0, sizeof(kernel));
  green_question *q = ask(r, "a.test");
  kernel.flood = 1000;
  for (int i = 0; i < 10 && !kernel.fetches; i++) green_hub_turn(hub, 0);
  ok(kernel.fetches > 0 && kernel.fetches < 100,
     "datagrams without bytes let others have their turn");
  is(result_of(q), 0, "and the answer is heard in the end");
  is(kernel.flood, 0, "after them");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

/* Nobody waits for a descriptor here: a turn that has nothing to do lets time
** pass. */
static void test_no_way_to_any(void)
{
  server a, b;
  server_start(&a, NULL);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  server_stop(&a);
  server_stop(&b);
  memset(&kernel, 0, sizeof(kernel));
  kernel.no_sockets = 1;
  int64_t before = green_hub_now(hub);
  green_question *q = ask(r, "a.test");
  for (int i = 0; i < 100 && q->result == GREEN_EAGAIN; i++)
    green_hub_turn(hub, 1);
  is(q->result, -ENETUNREACH, "no server can be reached");
  is(q->sent, 4, "all were tried");
  is(green_hub_now(hub), before, "which is told at once");
  kernel.no_sockets = 0;
  green_resolver_forget(q);
  resolver_free(r);
}

/* -- What comes ----------------------------------------------------------- */

static int reply_beyond(server *s, const uint8_t *q, int n, int tcp,
                        uint8_t *out)
{
  static const uint8_t data[2000];
  (void)s, (void)n, (void)tcp;
  return reply_bytes(q, out, 16, data, sizeof(data));
}

static int long_answer; /* Bytes of its data. */

static int reply_long(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  static const uint8_t data[4096];
  (void)s, (void)n, (void)tcp;
  return reply_bytes(q, out, 99, data, long_answer);
}

/* They come while nobody reads: the server answers all in a row. */
static void all_at_once(int edns)
{
  green_question *q[GREEN_RESOLVER_OUT];
  green_resolver_opts opts = usual;
  char name[32];
  server s;
  int good = 0;
  server_start(&s, reply_long);
  opts.edns = edns;
  long_answer = edns - 60;
  green_resolver *r = resolver_new(&opts, &s, NULL);
  for (int i = 0; i < GREEN_RESOLVER_OUT; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    q[i] = ask(r, name);
  }
  for (int i = 0; i < GREEN_RESOLVER_OUT; i++) {
    good += result_of(q[i]) == 0 && q[i]->len > (uint32_t)long_answer;
    green_resolver_forget(q[i]);
  }
  is(good, GREEN_RESOLVER_OUT, "all are answered");
  is(s.asked[0] + s.asked[1], good, "and none was asked twice");
  resolver_free(r);
  server_stop(&s);
}

/* Then they share what there is. */
static void test_few_descriptors(void)
{
  green_question *q[SOME];
  green_resolver_opts opts = usual;
  server s;
  server_start(&s, NULL);
  opts.edns = 4096; /* Few of them have room in one socket. */
  green_resolver *r = resolver_new(&opts, &s, NULL);
  memset(&kernel, 0, sizeof(kernel));
  kernel.some_sockets = 3;
  ask_some(r, q);
  is(count_good(q), SOME, "all are answered");
  is(kernel.some_sockets, 1, "though there were two sockets, and no more");
  is(s.asked[0], SOME, "each was asked once");
  kernel.some_sockets = 0;
  resolver_free(r);
  server_stop(&s);
}

static void test_as_long_as_may_be(void)
{
  all_at_once(1232);
  all_at_once(4096);
}

static void test_larger_than_was_asked_for(void)
{
  server s;
  server_start(&s, reply_beyond);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "large.test");
  is(result_of(q), 0, "answered");
  ok(q->len > 2000, "whole");
  is(s.asked[0], 1, "by UDP, with more than there was room for");
  is(s.asked[1], 1, "so again by TCP");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

/* The answer to another question of the same id, then the right one. */
static int reply_other_first(server *s, const uint8_t *q, int n, int tcp,
                             uint8_t *out)
{
  struct sockaddr_in to = {.sin_family = AF_INET};
  int len = reply_bytes(q, out, 1, "\6\6\6\6", 4);
  to.sin_port = htons((uint16_t)s->ports[s->asked[0] - 1]);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  out[13] = 'x';
  sendto(s->udp.fd, out, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to));
  for (int cut = 1; cut < 12 + question_len(q); cut++)
    sendto(s->udp.fd, q, (size_t)cut, 0, (struct sockaddr *)&to, sizeof(to));
  return reply_address(s, q, n, tcp, out);
}

static void test_other_questions(void)
{
  server s;
  server_start(&s, reply_other_first);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  ok(!memcmp(q->answer + q->len - 4, "\xc0\0\2\1", 4), "by what was asked for");
  is(s.asked[0] + s.asked[1], 1, "once");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  green_hub_set_virtual(hub, 1);
  test_many_in_a_call();
  test_each_alone();
  test_a_kernel_that_is_full();
  test_a_flood();
  test_no_way_to_any();
  test_few_descriptors();
  test_as_long_as_may_be();
  test_larger_than_was_asked_for();
  test_other_questions();
  green_hub_free(hub);
  return t_done();
}
