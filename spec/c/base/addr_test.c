/*
** addr_test.c: addresses from text and back.
*/

#include "base/addr.h"
#include "t.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

static char text[GREEN_ADDR_TEXT];

static int parse(green_addr *a, const char *s)
{
  return green_addr_parse(a, s, strlen(s), 7);
}

/* What a text is after parse and format; or the name of the error. */
static const char *shown(const char *s)
{
  green_addr a;
  int err = parse(&a, s);
  if (err < 0) return green_err_name(err);
  err = green_addr_format(&a, text, sizeof(text));
  if (err != (int)strlen(text)) return "a wrong length";
  return text;
}

static void test_ip4(void)
{
  is_str(shown("127.0.0.1"), "127.0.0.1:7", "the port that stands in");
  is_str(shown("1.2.3.4:80"), "1.2.3.4:80", "a port of its own");
  is_str(shown("0.0.0.0:0"), "0.0.0.0:0", "zeros");
  is_str(shown("255.255.255.255:65535"), "255.255.255.255:65535", "all ones");
}

/* Everything that inet_aton takes and a human does not mean. */
static void test_ip4_is_strict(void)
{
  static const char *const bad[] = {
      "1",        "127.1",         "1.2.3",     "0177.0.0.1", "127.0.0.01",
      "0x7f.1",   "0x7f000001",    "1.2.3.256", "1.2.3.4.5",  "2130706433",
      "1.2.3.-4", "999.1.1.1",     "1..2.3",    "a.0x10",     "1.2.3.4:",
      "::1:",     "1.2.3.4:65536", "1.2:x",     "1.2.3.4:+1", "1.2.3.4: 1"};
  int refused = 0, n = (int)(sizeof(bad) / sizeof(bad[0]));
  for (int i = 0; i < n; i++) {
    green_addr a;
    int err = parse(&a, bad[i]);
    if (err == GREEN_EINVAL)
      refused++;
    else if (strcmp(bad[i], "1.2.3.-4") == 0 && err == GREEN_EAI_NONAME)
      refused++;
    else
      printf("# %s: %d\n", bad[i], err);
  }
  is(refused, n, "no octal, hex, short or overlong forms");
}

static void test_names_are_for_a_name_service(void)
{
  is_str(shown("localhost"), "EAI_NONAME", "a name");
  is_str(shown("example.com:80"), "EAI_NONAME", "a name and a port");
  is_str(shown("1.2.3.com"), "EAI_NONAME", "digits first");
  is_str(shown("0xdeadbeef.com"), "EAI_NONAME", "hex first");
  is_str(shown(":80"), "EAI_NONAME", "an empty host");
  is_str(shown("3com"), "EAI_NONAME", "a label that begins with a digit");
  is_str(shown("host:99999"), "EINVAL", "a name with a bad port");
  is_str(shown(""), "EINVAL", "nothing at all");
}

static void test_ip6(void)
{
  is_str(shown("::1"), "[::1]:7", "bare");
  is_str(shown("[::1]:80"), "[::1]:80", "in brackets with a port");
  is_str(shown("[::1]"), "[::1]:7", "in brackets without");
  is_str(shown("2001:DB8:0:0:0:0:0:1"), "[2001:db8::1]:7", "shortened");
  is_str(shown("::ffff:1.2.3.4"), "[::ffff:1.2.3.4]:7", "IPv4 inside");
  is_str(shown("::"), "[::]:7", "any");
}

static void test_ip6_is_strict(void)
{
  static const char *const bad[] = {
      ":::1",      "1:2",     "::1::",    "12345::", "[::1",    "[::1]80",
      "[::1]:",    "[]:80",   "[a]:1",    "::g",     "[::1]:x", "::ffff:1.2.3",
      "[1.2.3.4]", "fe80::%", "[::1]]:1", "::1 ",    "[::1]:-1"};
  int refused = 0, n = (int)(sizeof(bad) / sizeof(bad[0]));
  for (int i = 0; i < n; i++) {
    green_addr a;
    if (parse(&a, bad[i]) == GREEN_EINVAL)
      refused++;
    else
      printf("# %s\n", bad[i]);
  }
  is(refused, n, "what is no IPv6 address");
}

/* Behaviour 90. */
static void test_scopes(void)
{
  char name[IF_NAMESIZE + 16] = "fe80::1%", lo[IF_NAMESIZE];
  green_addr a;
  struct sockaddr_in6 in6;
  is_str(shown("::1%2"), "[::1%2]:7", "a scope by its number");
  is(parse(&a, "[fe80::1%4294967295]:80"), 0, "the largest number");
  memcpy(&in6, green_addr_get(&a), sizeof(in6));
  is(in6.sin6_scope_id, 4294967295u, "is what the system gets");
  is_str(shown("fe80::1%4294967296"), "ENODEV", "beyond it, a name");
  is_str(shown("fe80::1%no_such_if"), "ENODEV", "no such interface");
  is_str(shown("fe80::1%"), "EINVAL", "an empty one");
  is_str(shown("fe80::1%0"), "[fe80::1]:7", "0 is none");
  if (!if_indextoname(1, lo)) {
    t_skip("an interface by its name", "no interface has the number 1");
    return;
  }
  is_str(shown(strcat(name, lo)), "[fe80::1%1]:7", "an interface by its name");
}

static void test_host_length_is_obeyed(void)
{
  green_addr a;
  is(green_addr_ip(&a, "1.2.3.45", 7, 0), 0, "no NUL is needed");
  green_addr_host(&a, text, sizeof(text));
  is_str(text, "1.2.3.4", "the rest is not looked at");
  is(green_addr_ip(&a, "1.2.3.4\0.5", 9, 0), GREEN_EINVAL, "a NUL inside");
  is(green_addr_ip(&a, "::1\0", 4, 0), GREEN_EINVAL, "in IPv6 too");
  is(green_addr_ip(&a, "", 0, 0), GREEN_EAI_NONAME, "an empty host");
  char *longest = calloc(1, 5000);
  memset(longest, '1', 4999);
  is(green_addr_ip(&a, longest, 4999, 0), GREEN_EINVAL, "very many digits");
  memset(longest, ':', 4999);
  is(green_addr_ip(&a, longest, 4999, 0), GREEN_EINVAL, "very many colons");
  free(longest);
}

static void test_ports(void)
{
  green_addr a;
  is(green_addr_ip(&a, "::1", 3, 65535), 0, "the largest");
  is(green_addr_port(&a), 65535, "comes back");
  is(green_addr_ip(&a, "::1", 3, 65536), GREEN_EINVAL, "beyond");
  is(green_addr_ip(&a, "1.2.3.4", 7, -1), GREEN_EINVAL, "negative");
  is(green_addr_set_port(&a, 8080), 0, "changed");
  is(green_addr_port(&a), 8080, "comes back");
  is(green_addr_set_port(&a, 70000), GREEN_EINVAL, "but not to anything");
  green_addr_unix(&a, "/x", 2);
  is(green_addr_port(&a), GREEN_EINVAL, "a path has no port");
  is(green_addr_set_port(&a, 1), GREEN_EINVAL, "and takes none");
  is(green_addr_parse(&a, "::1", 3, -1), GREEN_EINVAL, "no port to stand in");
  is(green_addr_parse(&a, "[::1]:5", 7, -1), 0, "not needed");
}

static void test_unix(void)
{
  green_addr a;
  is_str(shown("unix:/run/x.sock"), "unix:/run/x.sock", "a path");
  is_str(shown("unix:relative"), "unix:relative", "a relative one");
  is_str(shown("unix:@name"), "unix:@name", "an abstract name");
  is_str(shown("unix:"), "EINVAL", "none at all");
  is(green_addr_unix(&a, "/run/x", 6), 0, "by itself");
  is(a.len, offsetof(struct sockaddr_un, sun_path) + 7, "with its NUL");
  is(green_addr_path(&a, text, sizeof(text)), 6, "and back");
  is_str(text, "/run/x", "as it was");
  is(green_addr_unix(&a, "/a\0b", 4), GREEN_EINVAL, "a NUL inside");
  is(green_addr_host(&a, text, sizeof(text)), GREEN_EINVAL, "it has no host");
}

static void test_unix_abstract(void)
{
  green_addr a, b;
  is(green_addr_unix(&a, "\0a\0b", 4), 0, "NULs inside are part of the name");
  is(green_addr_path(&a, text, sizeof(text)), 4, "all of it comes back");
  ok(memcmp(text, "\0a\0b", 5) == 0, "byte for byte");
  green_addr_format(&a, text, sizeof(text));
  is_str(text, "unix:@a@b", "shown with @");
  is(green_addr_parse(&b, "unix:\0a\0b", 9, 0), 0, "NUL-prefixed text");
  ok(green_addr_equal(&a, &b), "is the same address");
  is(parse(&b, "unix:@a"), 0, "@-prefixed text");
  ok(!green_addr_equal(&a, &b), "another name, another address");
  is(green_addr_unix(&a, NULL, 0), 0, "an empty one");
  is(a.len, sizeof(sa_family_t), "is the family alone");
  is(green_addr_format(&a, text, sizeof(text)), 5, "and is shown");
  is_str(text, "unix:", "as nothing");
}

static void test_unix_length(void)
{
  char name[200];
  green_addr a;
  memset(name, 'x', sizeof(name));
  is(green_addr_unix(&a, name, 107), 0, "107 bytes of path");
  is(green_addr_path(&a, text, sizeof(text)), 107, "come back");
  is(green_addr_unix(&a, name, 108), GREEN_ENAMETOOLONG, "108 do not fit");
  name[0] = '\0';
  is(green_addr_unix(&a, name, 108), 0, "as an abstract name they do");
  is(green_addr_unix(&a, name, 109), GREEN_ENAMETOOLONG, "109 do not");
  memcpy(name, "unix:@", 6);
  is(green_addr_parse(&a, name, 5 + 108, 0), 0, "as text likewise");
  is(green_addr_parse(&a, name, 5 + 109, 0), GREEN_ENAMETOOLONG, "and not");
  is(green_addr_format(&a, text, sizeof(text)), 113, "the longest text fits");
}

static void test_split(void)
{
  green_hostport hp;
  is(green_addr_split(&hp, "host:80", 7), 0, "host and port");
  ok(hp.host == 0 && hp.host_len == 4 && hp.port == 80, "taken apart");
  is(green_addr_split(&hp, "host", 4), 0, "a host alone");
  ok(hp.host_len == 4 && hp.port == -1, "has no port");
  is(green_addr_split(&hp, "[::1]:443", 9), 0, "brackets");
  ok(hp.host == 1 && hp.host_len == 3 && hp.port == 443, "are no part of it");
  is(green_addr_split(&hp, "::1", 3), 0, "bare IPv6");
  ok(hp.host_len == 3 && hp.port == -1, "is a host alone");
  is(green_addr_split(&hp, ":80", 3), 0, "a port alone");
  ok(hp.host_len == 0 && hp.port == 80, "has an empty host");
  is(green_addr_split(&hp, "host:http", 9), GREEN_EINVAL, "a port by name");
  is(green_addr_split(&hp, "[host]:80", 9), GREEN_EINVAL, "a name in brackets");
}

static void test_small_room(void)
{
  green_addr a;
  parse(&a, "[fe80::1%12]:80");
  int n = green_addr_format(&a, text, sizeof(text)), short_ones = 0;
  for (int size = 0; size <= n; size++) {
    char *room = malloc((size_t)size + 1);
    short_ones += green_addr_format(&a, room, (size_t)size) == GREEN_EOVERFLOW;
    free(room);
  }
  is(short_ones, n + 1, "no text is cut off silently");
  is(green_addr_format(&a, text, (size_t)n + 1), n, "just enough is enough");
  is(green_addr_host(&a, text, 4), GREEN_EOVERFLOW, "hosts likewise");
  parse(&a, "unix:/run/x");
  is(green_addr_format(&a, text, 11), GREEN_EOVERFLOW, "paths likewise");
  is(green_addr_format(&a, text, 12), 11, "just enough");
  is(green_addr_path(&a, text, 6), GREEN_EOVERFLOW, "alone, too");
  is(green_addr_path(&a, text, 7), 6, "just enough");
}

/* Every pattern of groups that are zero, the others with all their lengths. */
static void test_ip6_as_the_system_writes_it(void)
{
  static const uint16_t values[] = {1, 0x10, 0xabc, 0xffff, 0x7f00};
  int wrong = 0;
  for (int mask = 0; mask < 256 * 5; mask++) {
    uint8_t bytes[16] = {0};
    char theirs[INET6_ADDRSTRLEN];
    green_addr a;
    for (int i = 0; i < 8; i++) {
      uint16_t v = mask >> i & 1 ? values[(i + mask / 256) % 5] : 0;
      bytes[2 * i] = (uint8_t)(v >> 8);
      bytes[2 * i + 1] = (uint8_t)v;
    }
    green_addr_of(&a, (const char *)bytes, 16, 0, 1);
    inet_ntop(AF_INET6, bytes, theirs, sizeof(theirs));
    wrong += green_addr_host(&a, text, sizeof(text)) != (int)strlen(theirs) ||
             strcmp(text, theirs) != 0;
  }
  is(wrong, 0, "as inet_ntop writes it");
}

static void test_equal(void)
{
  green_addr a, b;
  parse(&a, "1.2.3.4:80");
  parse(&b, "1.2.3.4:80");
  ok(green_addr_equal(&a, &b), "the same");
  parse(&b, "1.2.3.4:81");
  ok(!green_addr_equal(&a, &b), "another port");
  parse(&b, "1.2.3.5:80");
  ok(!green_addr_equal(&a, &b), "another host");
  parse(&a, "[fe80::1%1]:80");
  parse(&b, "[fe80::1%2]:80");
  ok(!green_addr_equal(&a, &b), "another scope");
  parse(&b, "[fe80:0::1%1]:80");
  ok(green_addr_equal(&a, &b), "written otherwise");
  memset(&a, 0, sizeof(a));
  ok(!green_addr_equal(&a, &b), "none and one");
}

static void test_from_the_system(void)
{
  green_addr a;
  struct sockaddr_storage ss = {.ss_family = AF_PACKET};
  struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/p"};
  is(green_addr_set(&a, (struct sockaddr *)&un, sizeof(un)), 0, "a path");
  is(green_addr_path(&a, text, sizeof(text)), 2, "ends at its NUL");
  is(green_addr_set(&a, (struct sockaddr *)&ss, 20), 0, "another family");
  is(green_addr_family(&a), AF_PACKET, "is kept");
  is(green_addr_format(&a, text, sizeof(text)), GREEN_EINVAL, "has no text");
  is(green_addr_set(&a, (struct sockaddr *)&ss, 0), 0, "none");
  is(green_addr_family(&a), 0, "has no family");
  green_addr_format(&a, text, sizeof(text));
  is_str(text, "-", "and is shown so");
  is(green_addr_set(&a, (struct sockaddr *)&ss, 129), GREEN_EINVAL, "too long");
}

static void test_bytes(void)
{
  green_addr a, b;
  const char *bytes;
  green_addr_ip(&a, "192.0.2.1", 9, 80);
  is(green_addr_bytes(&a, &bytes), 4, "IPv4 has four");
  ok(!memcmp(bytes, "\xc0\0\2\1", 4), "in the network's order");
  is(green_addr_scope(&a), 0, "no scope");
  is(green_addr_of(&b, bytes, 4, 7, 80), 0, "and back");
  ok(green_addr_equal(&a, &b), "it is the same");
  green_addr_ip(&a, "fe80::1%1", 9, 53);
  is(green_addr_bytes(&a, &bytes), 16, "IPv6 has sixteen");
  is(bytes[15], 1, "the last one");
  is(green_addr_scope(&a), 1, "its scope");
  is(green_addr_of(&b, bytes, 16, 1, 53), 0, "and back");
  ok(green_addr_equal(&a, &b), "it is the same");
  is(green_addr_of(&b, bytes, 5, 0, 53), GREEN_EINVAL, "no address has five");
  is(green_addr_of(&b, bytes, 4, 0, 65536), GREEN_EINVAL, "no such port");
  green_addr_unix(&a, "/x", 2);
  is(green_addr_bytes(&a, &bytes), 0, "a path has none");
  is(green_addr_scope(&a), 0, "and no scope");
}

int main(void)
{
  t_start();
  test_ip4();
  test_ip4_is_strict();
  test_names_are_for_a_name_service();
  test_ip6();
  test_ip6_is_strict();
  test_scopes();
  test_host_length_is_obeyed();
  test_ports();
  test_unix();
  test_unix_abstract();
  test_unix_length();
  test_split();
  test_small_room();
  test_ip6_as_the_system_writes_it();
  test_equal();
  test_from_the_system();
  test_bytes();
  return t_done();
}
