/*
** resolver_look_test.c: who asks for the same joins, and answers are kept.
*/

#include "io/dns_kit.h"

static green_resolver *keeper(server *s, uint32_t known)
{
  green_resolver_opts o = usual;
  o.known = known;
  return resolver_new(&o, s, NULL);
}

static green_question *look(green_resolver *r, const char *name)
{
  green_question *q = NULL;
  return green_resolver_look(&q, r, name, strlen(name), 1) < 0 ? NULL : q;
}

static int is_known(green_resolver *r, const char *name)
{
  green_question *q = NULL;
  int err = green_resolver_known(&q, r, name, strlen(name), 1);
  green_resolver_forget(q);
  return err == 0;
}

static void test_joined(void)
{
  server s;
  server_start(&s, NULL);
  green_resolver *r = keeper(&s, 10);
  green_question *a = look(r, "a.test"), *b = look(r, "a.test");
  ok(a && a == b, "two ask one question");
  green_resolver_forget(a);
  is(result_of(b), 0, "one leaves, the other is answered");
  is(s.asked[0], 1, "asked once");
  is((int)b->count, 1, "one address");
  green_spot spot;
  green_order order = {0};
  is(green_resolver_spots(r, &order, NULL, b, &spot, 1), 1, "which is told");
  is(spot.len, 9, "as text");
  ok(!memcmp(spot.host, "192.0.2.1", 9), "192.0.2.1");
  green_resolver_forget(b);
  b = look(r, "a.test");
  is(b->result, 0, "it is known");
  is(s.asked[0], 1, "and not asked for");
  b->till = b->done_at;
  a = look(r, "a.test");
  ok(a != b && a->result == GREEN_EAGAIN, "out of date: asked anew");
  ok(look(r, "a.test") == a, "by all");
  green_resolver_forget(a);
  is(result_of(a), 0, "answered");
  green_resolver_forget(a);
  green_resolver_forget(b);
  is(s.asked[0], 2, "once");
  a = look(r, "b.test");
  green_resolver_forget(a);
  is((int)stats_of(r).out, 0, "with the last goes the question");
  a = look(r, "a.test");
  b = look(r, "c.test");
  resolver_free(r);
  is(b->result, GREEN_ECLOSED, "the resolver ends");
  is(a->result, 0, "what is known stays with who has it");
  green_resolver_forget(a);
  green_resolver_forget(b);
  server_stop(&s);
}

static void look_up_many(green_resolver *r, int n)
{
  char name[32];
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof(name), "n%d.test", i);
    green_question *q = look(r, name);
    result_of(q);
    green_resolver_forget(q);
  }
}

static void test_kept(void)
{
  server s;
  server_start(&s, NULL);
  green_resolver *r = keeper(&s, 100);
  look_up_many(r, 200);
  ok(is_known(r, "n199.test") && is_known(r, "n100.test"), "so many are kept");
  ok(!is_known(r, "n99.test"), "and no more");
  green_resolver_forget(look(r, "n100.test"));
  look_up_many(r, 1);
  ok(is_known(r, "n100.test"), "what is wanted stays");
  ok(!is_known(r, "n101.test"), "what was wanted longest ago goes");
  resolver_free(r);
  r = keeper(&s, 0);
  look_up_many(r, 2);
  ok(!is_known(r, "n1.test"), "none is kept");
  resolver_free(r);
  server_stop(&s);
}

/* -- Who joins late ------------------------------------------------------- */

static green_question *join(green_resolver *r, const char *name)
{
  green_question *q = look(r, name);
  settle();
  return q;
}

/* A server that was away and is back shall not look silent to who joins a
** question that was lost. */
static void test_joined_late(void)
{
  server s;
  green_question *q[5];
  uint8_t first[12];
  green_resolver_opts o = usual;
  server_start(&s, reply_nothing);
  o.timeout = 5 * GREEN_SECOND;
  green_resolver *r = resolver_new(&o, &s, NULL);
  q[0] = join(r, "a.test");
  q[1] = join(r, "a.test");
  is(s.asked[0], 1, "who joins at once does not ask");
  memcpy(first, s.last, sizeof(first));
  green_hub_advance(hub, 2 * GREEN_SECOND);
  q[2] = join(r, "a.test");
  is(s.asked[0], 2, "who joins later has the server asked once more");
  ok(!memcmp(first, s.last, 12) && s.ports[0] == s.ports[1],
     "with nothing new to be guessed");
  q[3] = join(r, "a.test");
  is(s.asked[0], 2, "but once");
  green_hub_advance(hub, 2 * GREEN_SECOND);
  ok(!green_resolver_is_down(r, 0), "its time is not up");
  is(q[0]->result, GREEN_EAGAIN, "nor anybody else's");
  s.reply = NULL;
  q[4] = join(r, "a.test");
  for (int i = 0; i < 5; i++) {
    is(q[i]->result, 0, "all have the answer");
    green_resolver_forget(q[i]);
  }
  is(s.asked[0], 3, "to the last one");
  settle();
  is(stats_of(r).out, 0, "nothing is under way");
  s.reply = reply_nothing;
  q[0] = join(r, "b.test");
  green_hub_advance(hub, 2 * GREEN_SECOND);
  q[1] = join(r, "b.test");
  for (int i = 0; i < 20; i++) {
    green_hub_advance(hub, GREEN_SECOND);
    settle();
  }
  is(q[0]->result, GREEN_ETIMEDOUT, "silence ends as it does");
  is(q[0]->sent, 3, "in two rounds, and one more message");
  for (int i = 0; i < 2; i++) green_resolver_forget(q[i]);
  resolver_free(r);
  server_stop(&s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  green_hub_set_virtual(hub, 1);
  test_joined();
  test_kept();
  test_joined_late();
  green_hub_free(hub);
  return t_done();
}
