/*
** nsswitch_test.c: whom names are asked of.
*/

#include "proto/nsswitch.h"
#include "guard.h"
#include "t.h"

static green_nsswitch s;

static void read_text(const char *text)
{
  size_t n = strlen(text);
  green_nsswitch_read(&s, guard_copy(text, n), n);
}

static int only_ours(void)
{
  return !s.mdns && !s.resolve && !s.myhostname && !s.mymachines && !s.other;
}

static void test_ours(void)
{
  read_text("");
  ok(!s.has_hosts && s.files && s.dns && !s.dns_first && only_ours(),
     "no line: files, then dns");
  read_text("passwd: files ldap\n\thosts:\tfiles dns # ldap\nnetworks: nis\n");
  ok(s.has_hosts && s.files && s.dns && !s.dns_first && only_ours(),
     "other lines are not ours");
  read_text("hosts: dns files");
  ok(s.files && s.dns && s.dns_first, "dns first");
  read_text("hosts: dns");
  ok(!s.files && s.dns && !s.dns_first, "dns alone");
  read_text("hosts: files\nhosts:\n");
  ok(s.has_hosts && !s.files && !s.dns && only_ours(), "the last line counts");
  read_text("#hosts: nis\nhosts:files dns\r\n");
  ok(s.files && s.dns && only_ours(), "no blank is needed");
}

static void test_others(void)
{
  read_text("hosts: files mdns4_minimal [NOTFOUND=return] dns myhostname");
  ok(s.files && s.dns && s.mdns && s.myhostname && !s.other && !s.resolve,
     "as on a desktop");
  read_text("hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns");
  ok(s.files && s.dns && s.resolve && s.mymachines && s.myhostname && !s.other,
     "as systemd has it");
  ok(!s.dns_first, "dns behind files");
  read_text("hosts: mdns[ NOTFOUND = return ]files mdns6 dns");
  ok(s.files && s.dns && s.mdns && !s.other, "brackets without blanks");
  read_text("hosts: files ldap dns");
  ok(s.other && s.files && s.dns, "what has no name here");
  read_text("hosts: files [NOTFOUND=return] dns");
  ok(s.other, "a condition that says more");
  read_text("hosts: [x] files");
  ok(s.other && s.files, "or stands nowhere");
  read_text("hosts: files [");
  ok(s.other && s.files, "or does not end");
}

static void test_cuts(void)
{
  const char *text = "hosts: files mdns4 [NOTFOUND=return] dns\n";
  for (size_t n = 0; n <= strlen(text); n++)
    green_nsswitch_read(&s, guard_copy(text, n), n);
  ok(s.files && s.mdns && s.dns && !s.other, "cut off anywhere");
}

int main(void)
{
  t_start();
  test_ours();
  test_others();
  test_cuts();
  return t_done();
}
