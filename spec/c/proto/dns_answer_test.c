/*
** dns_answer_test.c: the chain of the question, and nothing else, is believed.
*/

#include "proto/dns_kit.h"
#include "t.h"

static dns_kit kit;
static green_dns_message m;
static green_dns_answer a;
static const char *buf;

static void start(unsigned flags)
{
  kit_start(&kit, 0x8000 | flags, "a.example", GREEN_DNS_A);
}

static int answer(void)
{
  if (kit_parse(&kit, &m, &buf)) return 1 << 30;
  return green_dns_answer_read(&a, &m, buf);
}

static const char *end_of_chain(void)
{
  static char text[GREEN_DNS_NAME_TEXT];
  green_dns_name_text(buf, m.len, a.name_off, text, sizeof(text));
  return text;
}

static void test_direct(void)
{
  green_addr addrs[3];
  char text[GREEN_ADDR_TEXT];
  start(0);
  kit_a(&kit, "A.EXAMPLE", 60, 0x01020304);
  kit_a(&kit, "a.example", 30, 0x05060708);
  is(answer(), 2, "two addresses");
  ok(a.ttl == 30 && a.hops == 0 && !a.has_soa, "with the least TTL");
  is(green_dns_answer_addrs(&a, &m, buf, 80, addrs, 3), 2, "are given out");
  green_addr_format(&addrs[0], text, sizeof(text));
  is_str(text, "1.2.3.4:80", "in order");
  green_addr_format(&addrs[1], text, sizeof(text));
  is_str(text, "5.6.7.8:80", "with the port");
  is(green_dns_answer_addrs(&a, &m, buf, 80, addrs, 1), 1, "as many as wanted");
}

static void test_six(void)
{
  green_addr addr;
  char text[GREEN_ADDR_TEXT];
  kit_start(&kit, 0x8000, "a", GREEN_DNS_AAAA);
  kit_record(&kit, GREEN_DNS_ANSWER, "a", GREEN_DNS_AAAA, 1);
  kit_bytes(&kit, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
  kit_end(&kit);
  is(answer(), 1, "AAAA");
  is(green_dns_answer_addrs(&a, &m, buf, 0, &addr, 1), 1, "is an address");
  green_addr_host(&addr, text, sizeof(text));
  is_str(text, "2001:db8::1", "of IPv6");
}

static void test_chain(void)
{
  green_dns_record r = {0};
  start(0);
  kit_a(&kit, "c.example", 60, 1);
  kit_cname(&kit, "b.example", 10, "c.example");
  kit_cname(&kit, "a.example", 20, "B.example");
  is(answer(), 1, "a chain in any order");
  ok(a.hops == 2 && a.ttl == 10, "with the least TTL of all");
  is_str(end_of_chain(), "c.example", "ends at the canonical name");
  is(green_dns_answer_next(&a, &m, buf, &r), 1, "whose record");
  is(r.data_len, 4, "is there");
  is(green_dns_answer_next(&a, &m, buf, &r), 0, "alone");
}

static void test_others(void)
{
  start(0);
  kit_a(&kit, "b.example", 60, 1);
  is(answer(), 0, "a record of another owner");
  start(0);
  kit_cname(&kit, "x.example", 60, "b.example");
  kit_a(&kit, "b.example", 60, 1);
  is(answer(), 0, "another chain");
  start(0);
  kit_record(&kit, GREEN_DNS_ADDITIONAL, "a.example", GREEN_DNS_A, 1);
  kit32(&kit, 1);
  kit_end(&kit);
  is(answer(), 0, "another section");
  start(0);
  kit_a(&kit, "a.example", 60, 1);
  kit_set16(&kit, kit.data - 8, 3);
  is(answer(), 0, "another class");
}

/* A chain of n links from a.example to n.x, which has an address. */
static int chain_of(int n)
{
  char from[32] = "a.example", to[32];
  start(0);
  for (int i = 1; i <= n; i++) {
    snprintf(to, sizeof(to), "%d.x", i);
    kit_cname(&kit, from, 1, to);
    memcpy(from, to, sizeof(to));
  }
  kit_a(&kit, from, 1, 1);
  return answer();
}

static void test_bad_chains(void)
{
  is(chain_of(16), 1, "a chain of 16");
  is(chain_of(17), GREEN_EPROTO, "of 17");
  start(0);
  kit_cname(&kit, "a.example", 1, "a.example");
  is(answer(), GREEN_EPROTO, "a name that is another name for itself");
  start(0);
  kit_cname(&kit, "a.example", 1, "b.example");
  kit_cname(&kit, "b.example", 1, "a.example");
  is(answer(), GREEN_EPROTO, "a circle");
  start(0);
  kit_cname(&kit, "a.example", 1, "b.example");
  kit_cname(&kit, "a.example", 1, "c.example");
  is(answer(), GREEN_EPROTO, "a fork");
  start(0);
  kit_cname(&kit, "a.example", 1, "b.example");
  kit_cname(&kit, "a.example", 1, "B.example");
  kit_a(&kit, "b.example", 1, 1);
  is(answer(), 1, "the same twice is none");
}

static void test_types(void)
{
  kit_start(&kit, 0x8000, "a", GREEN_DNS_CNAME);
  kit_cname(&kit, "a", 1, "b");
  is(answer(), 1, "CNAME is an answer to CNAME");
  kit_start(&kit, 0x8000, "a", GREEN_DNS_ANY);
  kit_cname(&kit, "a", 1, "b");
  kit_a(&kit, "a", 1, 1);
  is(answer(), 2, "ANY is all of the name");
  kit_start(&kit, 0x8000, NULL, 0);
  is(answer(), GREEN_EPROTO, "no question");
}

static void test_negative(void)
{
  start(3);
  kit_soa(&kit, "example", 300, 60);
  is(answer(), 0, "no such name");
  ok(a.has_soa && a.negative_ttl == 60, "for as long as the minimum says");
  is(a.soa.section, GREEN_DNS_AUTHORITY, "the SOA is there");
  start(3);
  kit_soa(&kit, "a.example", 30, 60);
  answer();
  is(a.negative_ttl, 30, "or its TTL");
  start(0);
  kit_cname(&kit, "a.example", 7, "b.other");
  kit_soa(&kit, "other", 30, 60);
  is(answer(), 0, "no address at the end of a chain");
  ok(a.has_soa && a.negative_ttl == 7, "or the chain's");
  start(3);
  kit_soa(&kit, "other", 30, 60);
  answer();
  ok(!a.has_soa, "another zone's SOA is not believed");
  start(3);
  kit_soa(&kit, ".", 30, 0xffffffff);
  answer();
  ok(a.has_soa && a.negative_ttl == 0, "a negative minimum is 0");
  start(3);
  answer();
  ok(!a.has_soa && a.negative_ttl == 0, "no SOA");
}

int main(void)
{
  t_start();
  test_direct();
  test_six();
  test_chain();
  test_others();
  test_bad_chains();
  test_types();
  test_negative();
  return t_done();
}
