/*
** dns_message_test.c: messages taken apart; those that lie are refused.
*/

#include "proto/dns_kit.h"
#include "t.h"

static dns_kit kit;
static green_dns_message m;
static const char *buf;

static int parse(void)
{
  return kit_parse(&kit, &m, &buf);
}

static const char *name_at(size_t off)
{
  static char text[GREEN_DNS_NAME_TEXT];
  int n = green_dns_name_text(buf, m.len, off, text, sizeof(text));
  return n < 0 ? "(bad)" : text;
}

/* -- Header and question -------------------------------------------------- */

static void test_header(void)
{
  kit_start(&kit, 0x8000 | 0x0400 | 0x0100 | 0x0080 | 0x0020 | 3, "wWw.a", 1);
  is(parse(), 0, "a header and a question");
  is(m.id, 0x1234, "id");
  is(m.flags,
     GREEN_DNS_QR | GREEN_DNS_AA | GREEN_DNS_RD | GREEN_DNS_RA | GREEN_DNS_AD,
     "flags");
  is(m.rcode, GREEN_DNS_NXDOMAIN, "rcode");
  is(m.opcode, 0, "opcode");
  ok(m.type == GREEN_DNS_A && m.cls == GREEN_DNS_IN, "type and class");
  is_str(name_at(m.name_off), "wWw.a", "the name as it came");
  ok(m.name_off == 12 && m.name_len == 7, "in place");
  green_dns_record r = {0};
  is(green_dns_message_next(&m, buf, &r), 0, "no record");
  kit_start(&kit, 0x8005, NULL, 0);
  is(parse(), 0, "no question");
  ok(m.rcode == GREEN_DNS_REFUSED && !m.name_len && !m.type, "is told");
  kit_start(&kit, 0x2800, NULL, 0);
  parse();
  is(m.opcode, 5, "another opcode");
}

static void test_edns(void)
{
  kit_start(&kit, 0x8000, "a", 1);
  kit_opt(&kit, 1232, 0x01008000);
  is(parse(), 0, "EDNS");
  ok(m.has_edns && m.udp_size == 1232 && m.dnssec_ok, "size and DO");
  is(m.rcode, GREEN_DNS_BADVERS, "the upper bits of the rcode");
  kit_start(&kit, 0x8003, "a", 1);
  kit_opt(&kit, 512, 0xff050000);
  kit_bytes(&kit, "\0\x0f\0\2\0\x06\0\3\0\0", 10);
  kit_end(&kit);
  is(parse(), 0, "options");
  ok(m.rcode == 0xff3 && m.edns_version == 5, "rcode and version");
  ok(m.options_len == 10 && m.options_off == kit.data, "where they are");
}

/* -- Records -------------------------------------------------------------- */

static void test_sections(void)
{
  kit_start(&kit, 0x8000, "a.example", 1);
  kit_pointer(&kit, 12);
  kit_head(&kit, GREEN_DNS_ANSWER, GREEN_DNS_A, 60);
  kit32(&kit, 0x7f000001);
  kit_end(&kit);
  kit_soa(&kit, "example", 0x80000000, 6);
  kit_record(&kit, GREEN_DNS_ADDITIONAL, "c", 65280, 0x7fffffff);
  kit_bytes(&kit, "xyz", 3);
  kit_end(&kit);
  kit_opt(&kit, 4096, 0);
  is(parse(), 0, "three sections");
  green_dns_record r = {0};
  is(green_dns_message_next(&m, buf, &r), 1, "the first");
  ok(r.section == GREEN_DNS_ANSWER && r.type == GREEN_DNS_A && r.ttl == 60,
     "is the answer");
  is_str(name_at(r.name_off), "a.example", "its owner");
  is(green_dns_message_next(&m, buf, &r), 1, "the second");
  ok(r.section == GREEN_DNS_AUTHORITY && r.ttl == 0, "a negative TTL is 0");
  is(green_dns_message_next(&m, buf, &r), 1, "the third");
  ok(r.section == GREEN_DNS_ADDITIONAL && r.ttl == 604800, "a week at most");
  ok(r.data_len == 3 && !memcmp(buf + r.data_off, "xyz", 3), "its bytes");
  green_dns_data d;
  is(green_dns_message_data(&m, buf, &r, &d), GREEN_EOPNOTSUPP,
     "which nobody knows");
  is(green_dns_message_next(&m, buf, &r), 1, "OPT");
  is(green_dns_message_next(&m, buf, &r), 0, "the end");
  is(green_dns_message_next(&m, buf, &r), 0, "stays the end");
}

/* The only record of a message, with the rdata that was written. */
static green_dns_data data_of(green_dns_record *r)
{
  green_dns_data d = {0};
  memset(r, 0, sizeof(*r));
  kit_end(&kit);
  is(parse(), 0, "rdata");
  green_dns_message_next(&m, buf, r);
  is(green_dns_message_data(&m, buf, r, &d), 0, "is taken apart");
  return d;
}

static void start(unsigned type)
{
  kit_start(&kit, 0x8000, "a.example", type);
  kit_record(&kit, GREEN_DNS_ANSWER, "a.example", type, 1);
}

static int bytes_are(green_dns_bytes b, const char *want)
{
  return b.len == strlen(want) && !memcmp(buf + b.off, want, b.len);
}

static void test_addresses(void)
{
  green_dns_record r;
  start(GREEN_DNS_A);
  kit32(&kit, 0x01020304);
  green_dns_data d = data_of(&r);
  ok(d.address_len == 4 && !memcmp(d.address, "\1\2\3\4", 4), "A");
  start(GREEN_DNS_AAAA);
  kit_bytes(&kit, "0123456789abcdef", 16);
  d = data_of(&r);
  ok(d.address_len == 16 && !memcmp(d.address, "0123456789abcdef", 16), "AAAA");
}

static void test_names(void)
{
  static const unsigned types[] = {GREEN_DNS_NS, GREEN_DNS_CNAME,
                                   GREEN_DNS_DNAME, GREEN_DNS_PTR};
  green_dns_record r;
  for (size_t i = 0; i < 4; i++) {
    start(types[i]);
    kit_string(&kit, "b");
    kit_pointer(&kit, 14);
    is_str(name_at(data_of(&r).name_off), "b.example", "NS CNAME DNAME PTR");
  }
  start(GREEN_DNS_MX);
  kit16(&kit, 10);
  kit_name(&kit, "mail");
  green_dns_data d = data_of(&r);
  is(d.preference, 10, "MX");
  is_str(name_at(d.name_off), "mail", "its host");
  start(GREEN_DNS_SRV);
  for (unsigned i = 1; i <= 3; i++) kit16(&kit, i);
  kit_name(&kit, "host");
  d = data_of(&r);
  ok(d.preference == 1 && d.weight == 2 && d.port == 3, "SRV");
  is_str(name_at(d.name_off), "host", "its host");
}

static void test_soa(void)
{
  green_dns_record r = {0};
  green_dns_data d;
  kit_start(&kit, 0x8000, "a", 1);
  kit_soa(&kit, "example", 9, 5);
  is(parse(), 0, "SOA");
  green_dns_message_next(&m, buf, &r);
  is(green_dns_message_data(&m, buf, &r, &d), 0, "is taken apart");
  is_str(name_at(d.name_off), "ns.example", "server");
  is_str(name_at(d.mailbox_off), "root.example", "mailbox");
  ok(d.serial == 1 && d.refresh == 2 && d.retry == 3 && d.expire == 4 &&
         d.minimum == 5,
     "numbers");
}

static void test_strings(void)
{
  green_dns_record r;
  start(GREEN_DNS_TXT);
  kit_string(&kit, "one");
  kit_string(&kit, "");
  kit_string(&kit, "three");
  green_dns_data d = data_of(&r);
  ok(bytes_are(d.text, "one"), "TXT");
  ok(green_dns_message_more(buf, &r, &d.text) && !d.text.len, "an empty one");
  ok(green_dns_message_more(buf, &r, &d.text) && bytes_are(d.text, "three"),
     "a third");
  ok(!green_dns_message_more(buf, &r, &d.text), "no more");
  start(GREEN_DNS_CAA);
  kit8(&kit, 128);
  kit_string(&kit, "issue");
  kit_bytes(&kit, "ca.example", 10);
  d = data_of(&r);
  ok(d.flags == 128 && bytes_are(d.tag, "issue") &&
         bytes_are(d.text, "ca.example"),
     "CAA");
  start(GREEN_DNS_NAPTR);
  kit16(&kit, 1);
  kit16(&kit, 2);
  kit_string(&kit, "u");
  kit_string(&kit, "E2U+sip");
  kit_string(&kit, "!^.*$!sip:a@b!");
  kit_name(&kit, ".");
  d = data_of(&r);
  ok(d.order == 1 && d.preference == 2 && bytes_are(d.tag, "u") &&
         bytes_are(d.text, "E2U+sip") && bytes_are(d.pattern, "!^.*$!sip:a@b!"),
     "NAPTR");
  is_str(name_at(d.name_off), ".", "its replacement");
  start(GREEN_DNS_TLSA);
  kit_bytes(&kit, "\3\1\2abc", 6);
  d = data_of(&r);
  ok(d.usage == 3 && d.selector == 1 && d.matching == 2 &&
         bytes_are(d.text, "abc"),
     "TLSA");
}

/* -- Refused -------------------------------------------------------------- */

static const struct {
  const char *what;
  unsigned type;
  const char *data;
  size_t n;
} bads[] = {
    {"A of 3", GREEN_DNS_A, "123", 3},
    {"A of 5", GREEN_DNS_A, "12345", 5},
    {"A of none", GREEN_DNS_A, "", 0},
    {"AAAA of 4", GREEN_DNS_AAAA, "1234", 4},
    {"AAAA of 17", GREEN_DNS_AAAA, "0123456789abcdefg", 17},
    {"CNAME of none", GREEN_DNS_CNAME, "", 0},
    {"CNAME that goes on behind its end", GREEN_DNS_CNAME, "\3a", 2},
    {"CNAME with more behind it", GREEN_DNS_CNAME, "\1a\0x", 4},
    {"CNAME that points to itself", GREEN_DNS_CNAME, "\xc0\x30", 2},
    {"MX of one byte", GREEN_DNS_MX, "a", 1},
    {"MX without host", GREEN_DNS_MX, "\0\1", 2},
    {"TXT of none", GREEN_DNS_TXT, "", 0},
    {"TXT longer than it is", GREEN_DNS_TXT, "\3ab", 3},
    {"TXT whose second is longer", GREEN_DNS_TXT, "\1a\5b", 4},
    {"SRV without host", GREEN_DNS_SRV, "123456", 6},
    {"CAA without tag", GREEN_DNS_CAA, "\0\0x", 3},
    {"CAA whose tag is longer", GREEN_DNS_CAA, "\0\5x", 3},
    {"NAPTR without replacement", GREEN_DNS_NAPTR, "\0\1\0\2\0\0\0", 7},
    {"TLSA of 2", GREEN_DNS_TLSA, "12", 2},
    {"SOA without numbers", GREEN_DNS_SOA, "\0\0", 2},
    {"SOA that is too short", GREEN_DNS_SOA,
     "\0\0"
     "0123456789012345678",
     21},
    {"SOA that is too long", GREEN_DNS_SOA,
     "\0\0"
     "012345678901234567890",
     23},
    {"OPT among answers", GREEN_DNS_OPT, "", 0},
};

static void test_bad_data(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
    start(bads[i].type);
    kit_bytes(&kit, bads[i].data, bads[i].n);
    kit_end(&kit);
    ok(parse() == GREEN_EPROTO && m.reason, bads[i].what);
  }
}

static void test_counts(void)
{
  for (size_t at = 6; at <= 10; at += 2) {
    kit_start(&kit, 0x8000, "a", 1);
    kit_a(&kit, "a", 1, 1);
    kit_set16(&kit, at, at == 6 ? 2 : 1);
    is(parse(), GREEN_EPROTO, "more records than there are");
    kit_set16(&kit, at, 65535);
    is(parse(), GREEN_EPROTO, "many more");
  }
  kit_set16(&kit, 10, 0);
  kit_set16(&kit, 6, 0);
  is(parse(), GREEN_EPROTO, "fewer records than there are");
  kit_start(&kit, 0x8000, "a", 1);
  kit_set16(&kit, 4, 2);
  is(parse(), GREEN_EPROTO, "two questions");
  ok(!m.name_len, "of which none counts");
  kit_set16(&kit, 4, 0);
  is(parse(), GREEN_EPROTO, "a question that is not counted");
}

static void test_lengths(void)
{
  kit_start(&kit, 0x8000, "a", 1);
  kit_a(&kit, "a", 1, 1);
  kit_set16(&kit, kit.data - 2, 5);
  is(parse(), GREEN_EPROTO, "rdlength behind the end");
  kit_set16(&kit, kit.data - 2, 65535);
  is(parse(), GREEN_EPROTO, "far behind it");
  kit_start(&kit, 0x8000, "a", 1);
  kit8(&kit, 0);
  is(parse(), GREEN_EPROTO, "a byte behind the end");
  ok(m.name_len == 3 && m.id == 0x1234, "the question is still to be read");
  static const char zeros[66000];
  kit_start(&kit, 0x8000, "a", 1);
  kit_bytes(&kit, zeros, sizeof(zeros));
  is(parse(), GREEN_EPROTO, "longer than any message");
}

static void test_bad_edns(void)
{
  kit_start(&kit, 0x8000, "a", 1);
  kit_opt(&kit, 512, 0);
  kit_opt(&kit, 512, 0);
  is(parse(), GREEN_EPROTO, "two OPT");
  kit_start(&kit, 0x8000, "a", 1);
  kit_record(&kit, GREEN_DNS_ADDITIONAL, "a", GREEN_DNS_OPT, 0);
  is(parse(), GREEN_EPROTO, "OPT with a name");
  kit_start(&kit, 0x8000, "a", 1);
  kit_opt(&kit, 512, 0);
  kit_bytes(&kit, "\0\1\0\5a", 5);
  kit_end(&kit);
  is(parse(), GREEN_EPROTO, "an option longer than it is");
  kit_set16(&kit, kit.data - 2, 3);
  kit.len -= 2;
  is(parse(), GREEN_EPROTO, "half an option");
}

static void test_bad_question(void)
{
  kit_start(&kit, 0x8000, NULL, 0);
  kit_set16(&kit, 4, 1);
  kit_pointer(&kit, 12);
  kit32(&kit, 0x00010001);
  is(parse(), GREEN_EPROTO, "a pointer for a question's name");
  kit_start(&kit, 0x8000, "a", 1);
  kit.len--;
  is(parse(), GREEN_EPROTO, "half a class");
}

/* -- Cuts ----------------------------------------------------------------- */

/* All there is. */
static void write_all(unsigned flags)
{
  kit_start(&kit, flags, "a.example", GREEN_DNS_ANY);
  kit_cname(&kit, "a.example", 1, "b.example");
  kit_a(&kit, "b.example", 1, 1);
  kit_soa(&kit, "example", 1, 1);
  kit_record(&kit, GREEN_DNS_ADDITIONAL, "t", GREEN_DNS_TXT, 1);
  kit_string(&kit, "text");
  kit_end(&kit);
  kit_opt(&kit, 512, 0);
}

static void test_cuts(void)
{
  int good = 1;
  write_all(0x8000);
  is(parse(), 0, "a message with all there is");
  for (size_t n = kit.len; n-- > 0;) {
    const char *p = guard_copy(kit.buf, n);
    if (green_dns_message_parse(&m, p, n) != GREEN_EPROTO || !m.reason)
      good = 0;
  }
  ok(good, "cut off anywhere it is refused");
}

/* Of a truncated message the records count that are whole. */
static void test_truncated(void)
{
  int good = 1, last = 5;
  write_all(0x8000 | GREEN_DNS_TC);
  for (size_t n = kit.len; n >= 27; n--) {
    const char *p = guard_copy(kit.buf, n);
    int count = 0, rc = green_dns_message_parse(&m, p, n);
    green_dns_record r = {0};
    while (green_dns_message_next(&m, p, &r)) count++;
    if (rc || count > last || m.count[0] + m.count[1] + m.count[2] != count)
      good = 0;
    last = count;
  }
  ok(good && last == 0, "what is whole in a truncated one is taken");
  is(green_dns_message_parse(&m, guard_copy(kit.buf, 26), 26), GREEN_EPROTO,
     "but not without its question");
}

/* -- Queries -------------------------------------------------------------- */

static void test_query(void)
{
  char out[GREEN_DNS_QUERY_MAX];
  green_dns_query q = {.id = 7, .flags = GREEN_DNS_RD, .type = GREEN_DNS_MX};
  int n = green_dns_message_query(&q, "a.Example.", 10, out, sizeof(out));
  is(n, 12 + 11 + 4, "a query");
  ok(!memcmp(out, "\0\7\1\0\0\1\0\0\0\0\0\0\1a\7Example\0\0\x0f\0\1",
             (size_t)n),
     "to the byte");
  is(green_dns_message_parse(&m, out, (size_t)n), 0, "can be read");
  is(green_dns_message_query(&q, "a.Example", 9, out, 26), GREEN_ENOBUFS,
     "no room");
  is(green_dns_message_query(&q, "a..b", 4, out, 512), GREEN_EINVAL,
     "a bad name");
  q.udp_size = 1232;
  q.dnssec_ok = true;
  n = green_dns_message_query(&q, "a", 1, out, sizeof(out));
  is(green_dns_message_parse(&m, out, (size_t)n), 0, "with EDNS");
  ok(m.udp_size == 1232 && m.dnssec_ok && m.type == GREEN_DNS_MX, "as asked");
}

int main(void)
{
  t_start();
  test_header();
  test_edns();
  test_sections();
  test_addresses();
  test_names();
  test_soa();
  test_strings();
  test_bad_data();
  test_counts();
  test_lengths();
  test_bad_edns();
  test_bad_question();
  test_cuts();
  test_truncated();
  test_query();
  return t_done();
}
