/*
** hosts_test.c: the table of the hosts file.
*/

#include "proto/hosts.h"
#include "base/mem.h"
#include "guard.h"
#include "t.h"

static green_hosts h;

static int load(const char *text)
{
  size_t n = strlen(text);
  return green_hosts_load(&h, guard_copy(text, n), n);
}

/* The addresses of a name, with blanks between them. */
static const char *find(const char *name, int family)
{
  static char all[512];
  green_addr addrs[8];
  int n = green_hosts_find(&h, name, strlen(name), family, 0, addrs, 8);
  all[0] = '\0';
  for (int i = 0; i < n && i < 8; i++) {
    char text[GREEN_ADDR_TEXT];
    green_addr_host(&addrs[i], text, sizeof(text));
    snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i ? " " : "",
             text);
  }
  return all;
}

static const char *name_of(int line, int i)
{
  static char text[300];
  uint32_t len = 0;
  const char *p = green_hosts_name(&h, line, i, &len);
  if (!p) return "(none)";
  memcpy(text, p, len);
  text[len] = '\0';
  return text;
}

static void test_find(void)
{
  is(load("127.0.0.1 localhost\n"
          "::1\tlocalhost ip6-localhost ip6-loopback\n"
          "192.0.2.1 Web.Example www.example web\n"
          "2001:db8::1 web.example\n"
          "192.0.2.2 WEB.EXAMPLE\n"
          "192.0.2.1 web.example\n"),
     0, "a hosts file");
  is(h.nlines, 6, "lines");
  is_str(find("localhost", 0), "127.0.0.1 ::1", "both families");
  is_str(find("localhost", GREEN_INET6), "::1", "or one");
  is_str(find("wEb.eXample", 0), "192.0.2.1 2001:db8::1 192.0.2.2",
         "each once, in order, in any case");
  is_str(find("web.example.", GREEN_INET), "192.0.2.1 192.0.2.2",
         "a final dot does not count");
  is_str(find("web", 0), "192.0.2.1", "an alias");
  is_str(find("nobody", 0), "", "not there");
  is_str(find("", 0), "", "no name");
  is_str(find(".", 0), "", "the root");
  is_str(find("web.exampl", 0), "", "a shorter one");
}

static void test_room(void)
{
  green_addr a;
  char text[GREEN_ADDR_TEXT];
  load("192.0.2.1 a\n192.0.2.2 a\n");
  is(green_hosts_find(&h, "a", 1, 0, 80, &a, 1), 2, "more than there is room");
  green_addr_format(&a, text, sizeof(text));
  is_str(text, "192.0.2.1:80", "the first is there");
  is(green_hosts_find(&h, "a", 1, 0, 80, NULL, 0), 2, "or none");
}

static void test_lines(void)
{
  load("192.0.2.1 first.example a b.\n192.0.2.2 second a\n192.0.2.1 third\n");
  int line = green_hosts_line(&h, "a", 1, -1);
  is(line, 0, "the line of a name");
  is_str(name_of(line, 0), "first.example", "has a canonical name");
  is_str(name_of(line, 2), "b", "and others");
  is_str(name_of(line, 3), "(none)", "so many");
  is(line = green_hosts_line(&h, "a", 1, line), 1, "the next line");
  is(green_hosts_line(&h, "a", 1, line), -1, "the last");
  green_addr a;
  green_addr_ip(&a, "192.0.2.1", 9, 80);
  is(line = green_hosts_line_of(&h, &a, -1), 0, "the line of an address");
  is(line = green_hosts_line_of(&h, &a, line), 2, "the next");
  is_str(name_of(line, 0), "third", "has its name");
  is(green_hosts_line_of(&h, &a, line), -1, "no more");
  green_addr_ip(&a, "192.0.2.9", 9, 80);
  is(green_hosts_line_of(&h, &a, -1), -1, "no such address");
  green_addr_unix(&a, "/a", 2);
  is(green_hosts_line_of(&h, &a, -1), -1, "no address of a host");
  is(green_hosts_addr(&h, 1, 7, &a), 0, "the address of a line");
  is(green_addr_port(&a), 7, "with a port");
  is(green_hosts_addr(&h, 3, 7, &a), GREEN_ENOENT, "no such line");
  is(green_hosts_addr(&h, -1, 7, &a), GREEN_ENOENT, "nor that");
}

static void test_text(void)
{
  load("# a comment\n\n  \t\n192.0.2.1 a # b\n192.0.2.2 c#d\r\n"
       "192.0.2.3 e\r192.0.2.4 f\n  192.0.2.5\t \tg\n192.0.2.6 h");
  is_str(find("a", 0), "192.0.2.1", "a comment behind");
  is_str(find("b", 0), "", "is one");
  is_str(find("c", 0), "192.0.2.2", "also at once");
  is_str(find("e", 0), "192.0.2.3", "CR ends a line");
  is_str(find("f", 0), "192.0.2.4", "alone too");
  is_str(find("g", 0), "192.0.2.5", "blanks and tabs");
  is_str(find("h", 0), "192.0.2.6", "no line end");
  is(h.skipped, 0, "nothing is left out");
}

static void test_bad(void)
{
  load("hello world\n192.0.2 a\n192.0.2.256 a\n0177.0.0.1 a\n192.0.2.1\n"
       "fe80::1 a\nfe80::1%nosuchif a\n1:2 a\n:: b\n192.0.2.1 \x01 c\n");
  is_str(find("a", 0), "", "bad lines are left out");
  is_str(find("b", 0), "::", "others are not");
  is_str(find("c", 0), "192.0.2.1", "nor good names beside bad ones");
  is(h.skipped, 9, "and counted");
  load("fe80::1%lo a\nfebf::1 a\nfec0::1 a\n");
  is_str(find("a", 0), "fe80::1%1 fec0::1", "link-local wants a scope");
  char text[600] = "192.0.2.1 ";
  memset(text + 10, 'x', 256);
  load(text);
  is(h.nnames, 0, "a name over 255 bytes");
  load("192.0.2.1 a.. . c\n");
  is_str(find("a.", 0), "", "two dots at the end");
  is_str(find(".", 0), "", "the root");
  is(green_hosts_load(&h, "192.0.2.1 a\0b c", 15), 0, "NUL");
  is_str(find("a", 0), "", "is no text");
  is_str(find("c", 0), "192.0.2.1", "what is behind it is");
}

static void test_again(void)
{
  load("192.0.2.1 a\n");
  load("192.0.2.2 b\n");
  is_str(find("a", 0), "", "what was there has gone");
  is_str(find("b", 0), "192.0.2.2", "what is there is found");
  load("");
  is_str(find("b", 0), "", "an empty file");
  green_hosts_deinit(&h);
  is_str(find("b", 0), "", "no table");
  is(green_hosts_line(&h, "b", 1, -1), -1, "no line");
  green_addr a;
  green_addr_ip(&a, "192.0.2.2", 9, 80);
  is(green_hosts_line_of(&h, &a, -1), -1, "no address");
}

static void test_memory(void)
{
  load("192.0.2.1 a\n");
  green__alloc_fail_from(1);
  is(load("192.0.2.2 b\n"), GREEN_ENOMEM, "no memory");
  is(green__alloc_fail_from(0), 1, "one block is all that is wanted");
  is_str(find("a", 0), "192.0.2.1", "changes nothing");
  static char big;
  is(green_hosts_load(&h, &big, (1U << 28) + 1), GREEN_ETOOBIG, "too big");
  is_str(find("a", 0), "192.0.2.1", "nor does that");
}

/* 10,000 lines: every name is found, and those that are not are not. */
static void test_many(void)
{
  static char text[1 << 20];
  size_t at = 0;
  int good = 1;
  for (int i = 0; i < 10000; i++)
    at += (size_t)sprintf(text + at, "10.0.%d.%d host%d.example h%d\n", i / 256,
                          i % 256, i, i);
  load(text);
  for (int i = 0; i < 10000; i++) {
    char name[64], want[64];
    snprintf(name, sizeof(name), "HOST%d.example", i);
    snprintf(want, sizeof(want), "10.0.%d.%d", i / 256, i % 256);
    if (strcmp(find(name, 0), want) != 0) good = 0;
    snprintf(name, sizeof(name), "host%d", i);
    if (*find(name, 0)) good = 0;
  }
  ok(good && h.nlines == 10000 && h.nnames == 20000, "10,000 lines");
}

static void test_cuts(void)
{
  const char *text = "192.0.2.1 a b # c\r\n::1 d\n";
  for (size_t n = 0; n <= strlen(text); n++)
    if (green_hosts_load(&h, guard_copy(text, n), n)) break;
  ok(h.nlines == 2 && h.nnames == 3, "cut off anywhere");
}

int main(void)
{
  t_start();
  green_hosts_init(&h);
  test_find();
  test_room();
  test_lines();
  test_text();
  test_bad();
  test_again();
  test_memory();
  test_many();
  test_cuts();
  green_hosts_deinit(&h);
  return t_done();
}
