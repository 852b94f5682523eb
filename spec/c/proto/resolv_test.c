/*
** resolv_test.c: resolv.conf, as glibc reads it.
*/

#include "proto/resolv.h"
#include "guard.h"
#include "t.h"

static green_resolv r;

static void read_text(const char *text)
{
  size_t n = strlen(text);
  green_resolv_read(&r, guard_copy(text, n), n);
}

static int server_is(uint32_t i, const char *want)
{
  char text[GREEN_ADDR_TEXT];
  if (i >= r.nservers) return 0;
  green_addr_format(&r.servers[i], text, sizeof(text));
  return !strcmp(text, want);
}

static int search_is(uint32_t i, const char *want)
{
  return i < r.nsearch && !strcmp(r.text + r.search[i], want);
}

static void test_defaults(void)
{
  read_text("");
  ok(!r.nservers && !r.nsearch && !r.has_search, "nothing");
  ok(r.ndots == 1 && r.timeout == 5 && r.attempts == 2, "glibc's defaults");
  ok(!r.rotate && !r.use_vc && !r.edns0 && !r.trust_ad, "no option");
}

static void test_servers(void)
{
  read_text("nameserver 192.0.2.1\nnameserver\t::1\r\n"
            "nameserver fe80::1%lo\n"
            "nameserver 192.0.2.4 # the fourth\nnameserver 192.0.2.5;x\n");
  is(r.nservers, 5, "more than three");
  ok(server_is(0, "192.0.2.1:53"), "IPv4");
  ok(server_is(1, "[::1]:53"), "IPv6");
  ok(server_is(2, "[fe80::1%1]:53"), "with a scope");
  ok(server_is(3, "192.0.2.4:53") && server_is(4, "192.0.2.5:53"), "comments");
  is(r.skipped, 0, "nothing is left out");
  read_text("nameserver\nnameserver name\nnameserver 1.2.3\n"
            "nameserver ::1%nosuchif\n nameserver 192.0.2.1\n");
  ok(!r.nservers && r.skipped == 5, "no numbers, no servers");
  char many[2048] = "";
  for (int i = 0; i < 20; i++) strcat(many, "nameserver 192.0.2.1\n");
  read_text(many);
  ok(r.nservers == 16 && r.skipped == 4, "16 are enough");
}

static void test_search(void)
{
  read_text("search a.example b.example.\tc\n");
  ok(r.nsearch == 3 && r.has_search, "a search list");
  ok(search_is(0, "a.example") && search_is(1, "b.example") &&
         search_is(2, "c"),
     "without final dots");
  read_text("search a b\ndomain c d\n");
  ok(r.nsearch == 1 && search_is(0, "c"), "a domain is a list of one");
  read_text("domain c\nsearch a b\n");
  ok(r.nsearch == 2 && search_is(0, "a"), "the last line counts");
  read_text("search a\nsearch\n");
  ok(!r.nsearch && r.has_search, "and may be empty");
  read_text("search a..b c d\\. .\n");
  ok(r.nsearch == 2 && search_is(0, "c") && search_is(1, "."),
     "what is no name is left out");
  is(r.skipped, 2, "and counted");
  green_resolv_search(&r, "x y", 3);
  ok(r.nsearch == 2 && search_is(1, "y"), "LOCALDOMAIN takes their place");
}

static void test_search_length(void)
{
  static char text[20000] = "search";
  for (int i = 0; i < 40; i++) sprintf(text + strlen(text), " d%d", i);
  read_text(text);
  is(r.nsearch, GREEN_RESOLV_SEARCH, "as many as there is room for");
  strcpy(text, "search");
  for (int i = 0; i < 32; i++) {
    strcat(text, " ");
    for (int k = 0; k < 4; k++) {
      char label[64] = {0};
      memset(label, 'a', k < 3 ? 62 : 60);
      strcat(text, label);
      if (k < 3) strcat(text, ".");
    }
  }
  read_text(text);
  is(r.nsearch, 4096 / 250, "and as long");
}

static void test_options(void)
{
  read_text("options ndots:3 timeout:7 attempts:4 rotate use-vc edns0 trust-ad "
            "single-request no-aaaa unknown ndots:x\n");
  ok(r.ndots == 3 && r.timeout == 7 && r.attempts == 4, "numbers");
  ok(r.rotate && r.use_vc && r.edns0 && r.trust_ad && r.single_request &&
         r.no_aaaa,
     "flags");
  read_text("options ndots:99999999999 timeout:31\noptions attempts:6\n");
  ok(r.ndots == 15 && r.timeout == 30 && r.attempts == 5, "glibc's limits");
  read_text("options ndots:0 timeout:0 attempts:0 single-request-reopen\n");
  ok(r.ndots == 0 && r.timeout == 1 && r.attempts == 1, "at the other end");
  ok(r.single_request, "single-request-reopen");
  green_resolv_options(&r, "ndots:2 rotate", 14);
  ok(r.ndots == 2 && r.rotate && r.timeout == 1, "RES_OPTIONS adds to them");
}

static void test_lines(void)
{
  read_text("# nameserver 1.1.1.1\n;nameserver 1.1.1.1\n\n"
            "sortlist 1.2.3.4\nlookup file bind\nnameserverx 1.1.1.1\n"
            "nameserver 192.0.2.1");
  ok(r.nservers == 1 && server_is(0, "192.0.2.1:53"), "the last line too");
  is(r.skipped, 2, "comments are no mistakes, unknown words are");
}

static void test_cuts(void)
{
  const char *text = "nameserver 192.0.2.1\nsearch a b\noptions ndots:3\n";
  int good = 1;
  for (size_t n = 0; n <= strlen(text); n++) {
    green_resolv_read(&r, guard_copy(text, n), n);
    if (r.nservers > 1 || r.nsearch > 2) good = 0;
  }
  ok(good && r.nservers == 1 && r.ndots == 3, "cut off anywhere");
}

int main(void)
{
  t_start();
  test_defaults();
  test_servers();
  test_search();
  test_search_length();
  test_options();
  test_lines();
  test_cuts();
  return t_done();
}
