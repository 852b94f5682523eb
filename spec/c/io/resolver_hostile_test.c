/*
** resolver_hostile_test.c: servers, machines and strangers that make it hard:
** forgeries, errors without a question, no TCP, no ports left.
*/

/* wrap: connect */

#include "io/dns_kit.h"

#include <ctype.h>

static int connect_error; /* 0: it connects. */

int __real_connect(int fd, const struct sockaddr *a, socklen_t n);
int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n);

int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n)
{
  if (!connect_error) return __real_connect(fd, a, n);
  errno = connect_error;
  return -1;
}

static int is_address(const green_question *q)
{
  return q->len >= 4 && !memcmp(q->answer + q->len - 4, "\xc0\0\2\1", 4);
}

static int rcode_of(const green_question *q)
{
  return q->answer[3] & 15;
}

/* -- Forgeries ------------------------------------------------------------ */

static int has_capital(const uint8_t *q)
{
  for (int i = 12; q[i]; i++)
    if (isupper(q[i])) return 1;
  return 0;
}

static int reply_small_letters(server *s, const uint8_t *q, int n, int tcp,
                               uint8_t *out)
{
  int len = reply_address(s, q, n, tcp, out);
  for (int i = 12; out[i]; i++) out[i] = (uint8_t)tolower(out[i]);
  return len;
}

static void test_capitals_are_compared(void)
{
  server s;
  server_start(&s, reply_small_letters);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "a.name.with.letters.enough.for.chance.test");
  is(result_of(q), 0, "answered");
  is(s.asked[0], 1, "by UDP, in other letters");
  is(s.asked[1], 1, "so asked again by TCP");
  is(q->sent, 2, "twice in all");
  ok(!has_capital(s.last), "where it is as it was given");
  ok(is_address(q), "and that is believed");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

/* Two wrong ones before the right one. */
static int reply_wrong_first(server *s, const uint8_t *q, int n, int tcp,
                             uint8_t *out)
{
  struct sockaddr_in to = {.sin_family = AF_INET};
  int len = reply_bytes(q, out, 1, "\6\6\6\6", 4);
  to.sin_port = htons((uint16_t)s->ports[s->asked[0] - 1]);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int other = socket(AF_INET, SOCK_DGRAM, 0);
  sendto(other, out, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to));
  close(other);
  out[0] ^= 1;
  sendto(s->udp.fd, out, (size_t)len, 0, (struct sockaddr *)&to, sizeof(to));
  sendto(s->udp.fd, out, 0, 0, (struct sockaddr *)&to, sizeof(to));
  sendto(s->udp.fd, out, 7, 0, (struct sockaddr *)&to, sizeof(to));
  return reply_address(s, q, n, tcp, out);
}

static void test_wrong_ids_and_senders(void)
{
  server s;
  server_start(&s, reply_wrong_first);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  ok(is_address(q), "by who was asked, with the id that was asked");
  is(s.asked[0], 1, "once");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&s);
}

static void test_chance(void)
{
  server s;
  int ids[64], capitals = 0, twice = 0;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  for (int i = 0; i < 64; i++) {
    look_up(r, "abcdefghijklmnopqrstuvwxyz.test");
    ids[i] = s.last[0] << 8 | s.last[1];
    for (int k = 12; s.last[k]; k++) capitals += isupper(s.last[k]) != 0;
    for (int k = 0; k < i; k++) twice += ids[k] == ids[i];
  }
  ok(twice < 4, "ids are random");
  ok(capitals > 64 * 30 / 4 && capitals < 64 * 30 * 3 / 4, "letters, too");
  resolver_free(r);
  server_stop(&s);
}

/* -- Errors without a question -------------------------------------------- */

static int head_rcode;
static uint16_t head_flags;

/* As servers answer that could not read the query: its id, and no more. */
static int reply_head(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  if (!q[11] && head_rcode == 1) return reply_address(s, q, n, tcp, out);
  memset(out, 0, 12);
  memcpy(out, q, 2);
  out[2] = (uint8_t)(head_flags >> 8);
  out[3] = (uint8_t)head_rcode;
  return 12;
}

static void test_no_edns_and_no_question(void)
{
  server s;
  server_start(&s, reply_head);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  head_flags = 0x8000;
  head_rcode = 1;
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "FORMERR without a question is an answer");
  is(q->count, 1, "and it is asked again without EDNS");
  is(s.asked[0], 2, "by UDP");
  is(s.asked[1], 0, "alone");
  green_resolver_forget(q);
  is(look_up(r, "b.test"), 0, "the next one");
  is(s.n_edns, 1, "is not told of EDNS");
  resolver_free(r);
  server_stop(&s);
}

static void test_failures_without_a_question(void)
{
  server a, b;
  server_start(&a, reply_head);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  head_flags = 0x8000;
  head_rcode = 2;
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  is(q->server, 1, "by the next server");
  green_resolver_forget(q);
  b.reply = reply_head;
  q = ask(r, "b.test");
  is(result_of(q), 0, "where all say so");
  is(q->rcode, 2, "that is the answer");
  is(rcode_of(q), 2, "as it came");
  is(q->count, 0, "with nothing in it");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&a);
  server_stop(&b);
}

/* What says that all is well, or that there is no such name, says of which. */
static void test_no_question_and_no_failure(void)
{
  static const int rcodes[] = {0, 3, 2};
  server s;
  server_start(&s, reply_head);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  for (int i = 0; i < 3; i++) {
    head_rcode = rcodes[i];
    head_flags = rcodes[i] == 2 ? 0 : 0x8000; /* The last is no answer. */
    green_question *q = ask(r, "a.test");
    settle();
    is(q->result, GREEN_EAGAIN, "not believed");
    green_resolver_forget(q);
  }
  is(s.asked[1], 0, "nor asked for by TCP");
  resolver_free(r);
  server_stop(&s);
}

/* -- What is no message --------------------------------------------------- */

/* An address is promised, and is not there. */
static int reply_lie(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  (void)s, (void)n, (void)tcp;
  int len = reply_code(q, out, 0);
  out[7] = 1;
  return len;
}

static void test_lies(void)
{
  server a, b;
  server_start(&a, reply_lie);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  is(q->server, 1, "by the server that makes sense");
  is(q->count, 1, "with an address");
  is(q->sent, 2, "the second that was asked");
  ok(!green_resolver_is_down(r, 0), "the first is not silent");
  green_resolver_forget(q);
  b.reply = reply_lie;
  q = ask(r, "b.test");
  is(result_of(q), GREEN_EPROTO, "where none does");
  is(q->sent, 4, "in two rounds");
  ok(q->answer != NULL, "that is what is told");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&a);
  server_stop(&b);
}

/* -- Silence where there is EDNS ------------------------------------------ */

static int reply_plain(server *s, const uint8_t *q, int n, int tcp,
                       uint8_t *out)
{
  return q[11] ? 0 : reply_address(s, q, n, tcp, out);
}

static void test_edns_that_is_dropped(void)
{
  server s;
  server_start(&s, reply_plain);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  green_question *q = ask(r, "a.test");
  settle();
  is(q->result, GREEN_EAGAIN, "silence");
  green_hub_advance(hub, GREEN_SECOND);
  is(result_of(q), 0, "the second round says nothing of EDNS");
  is(s.n_edns, 1, "the first did");
  green_resolver_forget(q);
  is(look_up(r, "b.test"), 0, "the next question");
  is(s.n_edns, 1, "does not, either");
  green_hub_advance(hub, 601 * GREEN_SECOND);
  s.reply = NULL;
  is(look_up(r, "c.test"), 0, "some time later");
  is(s.n_edns, 2, "it is tried again");
  resolver_free(r);
  server_stop(&s);
}

/* -- No TCP --------------------------------------------------------------- */

static int reply_cut(server *s, const uint8_t *q, int n, int tcp, uint8_t *out)
{
  (void)s, (void)n, (void)tcp;
  int len = reply_code(q, out, 0);
  out[2] |= 2;
  return len;
}

static void test_no_tcp(void)
{
  server a, b;
  server_start(&a, reply_cut);
  server_start(&b, NULL);
  green_resolver *r = resolver_new(NULL, &a, &b);
  green_fd_close(&a.tcp);
  settle();
  green_question *q = ask(r, "a.test");
  is(result_of(q), 0, "answered");
  is(q->server, 1, "by the server that can");
  ok(!green_resolver_is_down(r, 0), "the other one is well by UDP");
  green_resolver_forget(q);
  resolver_free(r);
  server_stop(&a);
  server_stop(&b);
}

/* -- No ports ------------------------------------------------------------- */

static void test_no_ports(void)
{
  server s;
  server_start(&s, NULL);
  green_resolver *r = resolver_new(NULL, &s, NULL);
  connect_error = EAGAIN; /* As Linux says it of UDP. */
  is(look_up(r, "a.test"), GREEN_EADDRNOTAVAIL, "told");
  connect_error = 0;
  is(look_up(r, "a.test"), 0, "then all is well");
  resolver_free(r);
  server_stop(&s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  green_hub_set_virtual(hub, 1);
  test_capitals_are_compared();
  test_wrong_ids_and_senders();
  test_chance();
  test_no_edns_and_no_question();
  test_failures_without_a_question();
  test_no_question_and_no_failure();
  test_lies();
  test_edns_that_is_dropped();
  test_no_tcp();
  test_no_ports();
  green_hub_free(hub);
  return t_done();
}
