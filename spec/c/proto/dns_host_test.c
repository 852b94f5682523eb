/*
** dns_host_test.c: what a host's name is.
*/

#include "guard.h"
#include "proto/dns_host.h"
#include "t.h"

static green_dns_host h;

/* Its end at the end of a page. */
static int take(const char *name, size_t n)
{
  return green_dns_host_read(&h, guard_copy(name, n), n);
}

static int take_text(const char *name)
{
  return take(name, strlen(name));
}

static void test_names(void)
{
  is(take_text("Www.Example"), 0, "a name");
  is_str(h.text, "www.example", "in small letters");
  is(h.len, 11, "its length");
  is(h.dots, 1, "its dots");
  is(h.flags, 0, "nothing else");
  is(take_text("a.b.c."), 0, "with a dot at its end");
  is_str(h.text, "a.b.c", "which is left out");
  is(h.flags, GREEN_DNS_HOST_WHOLE, "and said");
  is(take_text("_sip._tcp.a-b"), 0, "names of services");
  is(take_text("0x7g"), 0, "what only begins as a number");
  is(take_text("1.a"), 0, "and ends as a name");
}

static void test_kinds(void)
{
  static const struct {
    const char *name;
    uint32_t flags;
  } kinds[] = {{"localhost", GREEN_DNS_HOST_LOCALHOST},
               {"A.LocalHost", GREEN_DNS_HOST_LOCALHOST},
               {"xlocalhost", 0},
               {"localhost.x", 0},
               {"a.invalid", GREEN_DNS_HOST_NOWHERE},
               {"onion", GREEN_DNS_HOST_NOWHERE},
               {"printer.local", GREEN_DNS_HOST_LOCAL},
               {"local.x", 0}};
  for (int i = 0; i < 8; i++) {
    is(take_text(kinds[i].name), 0, kinds[i].name);
    is(h.flags, kinds[i].flags, "its kind");
  }
}

static void test_numbers(void)
{
  static const char *const numbers[] = {"1",    "127.1",  "1.2.3",   "0x7f.1",
                                        "a.0x", "a.0x1F", "a.b.007", "1."};
  for (int i = 0; i < 8; i++)
    is(take_text(numbers[i]), GREEN_EINVAL, numbers[i]);
}

static void test_no_names(void)
{
  char name[400];
  static const char *const wrong[] = {".",   "..",  "a..b", ".a", "a b",
                                      "a/b", "a..", "a*",   "a:b"};
  for (int i = 0; i < 9; i++)
    is(take_text(wrong[i]), GREEN_EAI_NONAME, wrong[i]);
  is(take("", 0), GREEN_EAI_NONAME, "nothing");
  is(take("a\0b", 3), GREEN_EAI_NONAME, "a NUL");
  is(take_text("\xc3\xa4.test"), GREEN_EOPNOTSUPP, "other letters");
  memset(name, 'a', sizeof(name));
  is(take(name, 63), 0, "a label of 63");
  is(take(name, 64), GREEN_EAI_NONAME, "of 64");
  for (int i = 49; i < 400; i += 50) name[i] = '.';
  is(take(name, 253), 0, "a name of 253");
  is(take(name, 254), GREEN_EAI_NONAME, "of 254");
  is(take(name, 400), GREEN_EAI_NONAME, "of 400");
}

/* Every byte at every place: nothing but the results above. */
static void test_any_byte(void)
{
  int good = 1;
  for (int i = 0; i < 4; i++)
    for (int c = 0; c < 256; c++) {
      char name[5] = "a.bc";
      name[i] = (char)c;
      int err = take(name, 4);
      if (err != 0 && err != GREEN_EINVAL && err != GREEN_EAI_NONAME &&
          err != GREEN_EOPNOTSUPP)
        good = 0;
    }
  ok(good, "any byte");
}

int main(void)
{
  t_start();
  test_names();
  test_kinds();
  test_numbers();
  test_no_names();
  test_any_byte();
  return t_done();
}
