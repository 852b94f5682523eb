/*
** idna_test.c: names in other scripts to DNS and back.
*/

#include "child.h"
#include "guard.h"
#include "proto/idna.h"
#include "t.h"

#include <pthread.h>
#include <stdbool.h>

static char text[GREEN_IDNA_SHOWN];
static green_idna_error why;

/* The name as DNS has it, or the name of the error. The bytes end at a guard
** page. */
static const char *ascii_n(const char *name, size_t n)
{
  int len =
      green_idna_to_ascii(text, sizeof(text), guard_copy(name, n), n, &why);
  if (len < 0) return why.code == len ? green_err_name(len) : "another code";
  return len == (int)strlen(text) && !why.code ? text : "a wrong length";
}

static const char *ascii(const char *name)
{
  return ascii_n(name, strlen(name));
}

static const char *shown(const char *name)
{
  size_t n = strlen(name);
  int len = green_idna_to_unicode(text, sizeof(text), guard_copy(name, n), n);
  if (len < 0) return green_err_name(len);
  return len == (int)strlen(text) ? text : "a wrong length";
}

static bool is_there(const char *what)
{
  if (green_idna_load(NULL) == 0) return true;
  t_skip(what, "libidn2 is not installed");
  return false;
}

/* -- ASCII ---------------------------------------------------------------- */

static void test_ascii(void)
{
  is_str(ascii("example.com"), "example.com", "as it is");
  is_str(ascii("ExAmPlE.COM"), "example.com", "in lower case");
  is_str(ascii("example.com."), "example.com.", "the last dot is kept");
  is_str(ascii("."), ".", "the root");
  is_str(ascii("_sip._tcp.Example"), "_sip._tcp.example", "SRV");
  is_str(ascii("a+b*c,d!e/f@g:h"), "a+b*c,d!e/f@g:h", "other bytes");
  is_str(ascii("xn--nonsense--"), "xn--nonsense--", "nobody looks into these");
  is_str(ascii("a--b.-c-.1"), "a--b.-c-.1", "hyphens anywhere");
}

static void test_ascii_refused(void)
{
  is_str(ascii(""), "EINVAL", "nothing");
  is_str(ascii(".."), "EINVAL", "two dots");
  is_str(ascii(".a"), "EINVAL", "a dot first");
  is_str(ascii("a..b"), "EINVAL", "an empty label");
  is_str(ascii("a.."), "EINVAL", "two dots last");
  is_str(ascii("a b"), "EINVAL", "a blank");
  is_str(ascii("a\tb"), "EINVAL", "a control byte");
  is_str(ascii("a\x7f"), "EINVAL", "DEL");
  is_str(ascii_n("a\0b", 3), "EINVAL", "a NUL");
  is_str(ascii_n("\0", 1), "EINVAL", "only a NUL");
}

static void test_lengths(void)
{
  char name[300];
  memset(name, 'a', sizeof(name));
  is_str(ascii_n(name, 64), "EINVAL", "a label of 64 bytes");
  ok(strstr(why.text, "63") != NULL, "the limit is told");
  is((int)strlen(ascii_n(name, 63)), 63, "one of 63");
  for (int i = 63; i < 300; i += 64) name[i] = '.';
  is((int)strlen(ascii_n(name, 253)), 253, "253 bytes");
  is_str(ascii_n(name, 254), "EINVAL", "254");
  ok(strstr(why.text, "253") != NULL, "the limit is told");
  name[253] = '.';
  is((int)strlen(ascii_n(name, 254)), 254, "254 with the dot at the end");
  char *much = calloc(1, GREEN_IDNA_NAME + 1);
  memset(much, 'a', GREEN_IDNA_NAME + 1);
  is_str(ascii_n(much, GREEN_IDNA_NAME + 1), "EINVAL", "very many bytes");
  free(much);
}

static void test_small_room(void)
{
  char room[8];
  is(green_idna_to_ascii(room, 4, "abcd", 4, NULL), GREEN_EOVERFLOW, "4 in 4");
  is(green_idna_to_ascii(room, 5, "abcd", 4, NULL), 4, "4 in 5");
  is(green_idna_to_ascii(room, 0, "abcd", 4, NULL), GREEN_EOVERFLOW, "in 0");
  is(green_idna_to_unicode(room, 4, "abcd", 4), GREEN_EOVERFLOW, "back, in 4");
  is(green_idna_to_unicode(room, 5, "abcd", 4), 4, "back, in 5");
}

/* -- Others --------------------------------------------------------------- */

static void test_other_scripts(void)
{
  if (!is_there("other scripts")) return;
  is_str(ascii("bücher.example"), "xn--bcher-kva.example", "Latin");
  is_str(ascii("BÜCHER.Example"), "xn--bcher-kva.example", "capitals");
  is_str(ascii("bu\xcc\x88"
               "cher.example"),
         "xn--bcher-kva.example", "two code points for one letter");
  is_str(ascii("例え.テスト"), "xn--r8jz45g.xn--zckzah", "Japanese");
  is_str(ascii("παράδειγμα"), "xn--hxajbheg2az3al", "Greek");
  is_str(ascii("טעסט"), "xn--deba0ad", "right to left");
  is_str(ascii("bücher.example."), "xn--bcher-kva.example.", "the last dot");
  is_str(ascii("例え。テスト"), "xn--r8jz45g.xn--zckzah",
         "a dot of another script");
  is_str(ascii("_sip._tcp.bücher.example"), "_sip._tcp.xn--bcher-kva.example",
         "underscores pass");
}

/* UTS 46, not transitional: these four characters are kept. */
static void test_deviations(void)
{
  if (!is_there("deviations")) return;
  is_str(ascii("faß.de"), "xn--fa-hia.de", "sharp s");
  is_str(ascii("βόλος.com"), "xn--nxasmm1c.com", "final sigma");
  is_str(ascii("strasse.ß"), "strasse.xn--zca", "in one label");
}

static void test_mapped(void)
{
  if (!is_there("mapping")) return;
  is_str(ascii("ｅｘａｍｐｌｅ.ｃｏｍ"), "example.com", "full width");
  is_str(ascii("１２７.0.0.1"), "127.0.0.1", "digits are digits");
  is_str(ascii("a\xc2\xad"
               "b.example"),
         "ab.example", "a soft hyphen is nothing");
}

/* What would end a host in a URL, or a name in a message. */
static void test_refused(void)
{
  if (!is_there("refusals")) return;
  is_str(ascii("a\xe2\x84\x80"
               "b"),
         "EINVAL", "becomes a/c");
  is_str(ascii("a\xef\xbc\x8f"
               "b"),
         "EINVAL", "a full-width slash");
  is_str(ascii("a\xef\xbc\xa0"
               "b"),
         "EINVAL", "a full-width @");
  is_str(ascii("a\xef\xbc\x9a"
               "80"),
         "EINVAL", "a full-width colon");
  is_str(ascii("a\xe3\x80\x80"
               "b"),
         "EINVAL", "a blank of another script");
  is_str(ascii("ü\x80"), "EINVAL", "no UTF-8");
  is_str(ascii("\xff"), "EINVAL", "never UTF-8");
  is_str(ascii("\xed\xa0\x80"), "EINVAL", "half of a pair");
  is_str(ascii("\xc0\xaf"), "EINVAL", "an overlong slash");
  is_str(ascii_n("ü\0.example", 11), "EINVAL", "a NUL");
  is_str(ascii("ü..example"), "EINVAL", "an empty label");
  is_str(ascii("ü a"), "EINVAL", "a blank");
  is_str(ascii("\xe2\x80\x8d"
               "a"),
         "EINVAL", "a joiner that joins nothing");
  is_str(ascii("\xcc\x88"
               "a"),
         "EINVAL", "a mark first");
  is_str(ascii("אa"), "EINVAL", "both directions in a label");
  ok(*why.text, "why is told");
}

static void test_other_lengths(void)
{
  char name[GREEN_IDNA_NAME];
  if (!is_there("lengths")) return;
  for (int i = 0; i < 60; i++) memcpy(name + 2 * (size_t)i, "ü", 2);
  is_str(ascii_n(name, 120), "EINVAL", "too long a label in DNS");
  for (int i = 0; i + 3 < GREEN_IDNA_NAME; i += 3) memcpy(name + i, "ü.", 3);
  is((int)strlen(ascii_n(name, 3 * 30)), 8 * 30, "thirty short ones");
  is_str(ascii_n(name, 3 * 300), "EINVAL", "too long a name in DNS");
}

/* -- Back ----------------------------------------------------------------- */

static void test_back(void)
{
  is_str(shown("example.com"), "example.com", "ASCII");
  is_str(shown(""), "", "nothing");
  is_str(shown("xn-a.b"), "xn-a.b", "nearly");
  if (!is_there("back")) return;
  is_str(shown("xn--bcher-kva.example"), "bücher.example", "Latin");
  is_str(shown("XN--Bcher-KVA.example."), "bücher.example.", "capitals");
  is_str(shown("xn--r8jz45g.xn--zckzah"), "例え.テスト", "Japanese");
  is_str(shown("xn--fa-hia.de"), "faß.de", "sharp s");
}

static void test_what_means_nothing_stays(void)
{
  if (!is_there("nonsense")) return;
  is_str(shown("xn--nonsense--.de"), "xn--nonsense--.de", "no Punycode");
  is_str(shown("xn--"), "xn--", "nothing behind it");
  is_str(shown("xn--a"), "xn--a", "little behind it");
  is_str(shown("xn--example-.com"), "xn--example-.com", "ASCII inside");
  is_str(shown("a..xn--bcher-kva"), "a..xn--bcher-kva", "no name");
}

/* -- The library ---------------------------------------------------------- */

static void load_absent(void *arg)
{
  setenv("GREENLUA_LIBIDN2", arg, 1);
  must(green_idna_load(&why) == GREEN_ENOLIBRARY);
  must(strstr(why.text, arg) && strstr(why.text, "package libidn2-0"));
  unsetenv("GREENLUA_LIBIDN2");
  must(!strcmp(ascii("bücher"), "ENOLIBRARY")); /* It stays so. */
  must(strstr(why.text, "package libidn2-0") != NULL);
  must(!strcmp(ascii("Example"), "example"));
  must(!strcmp(shown("xn--bcher-kva"), "xn--bcher-kva"));
}

static void test_absent(void)
{
  char none[] = "/nonexistent/libidn2.so.0", other[] = "libm.so.6";
  is(in_child(load_absent, none), 0, "ASCII alone goes on");
  is(in_child(load_absent, other), 0, "another library is none");
}

static void *use_in_thread(void *arg)
{
  char out[GREEN_IDNA_TEXT];
  int n = green_idna_to_ascii(out, sizeof(out),
                              "b\xc3\xbc"
                              "cher",
                              7, NULL);
  *(int *)arg = n == 13 && !strcmp(out, "xn--bcher-kva");
  return NULL;
}

static void use_by_many(void *arg)
{
  pthread_t id[8];
  int results[8], good = 0;
  (void)arg;
  for (int i = 0; i < 8; i++)
    must(!pthread_create(&id[i], NULL, use_in_thread, &results[i]));
  for (int i = 0; i < 8; i++) pthread_join(id[i], NULL);
  for (int i = 0; i < 8; i++) good += results[i];
  must(good == 8);
}

static void use_in_child(void *arg)
{
  must(green_idna_load(NULL) == 0);
  must(in_child(use_by_many, arg) == 0);
}

static void test_threads_and_forks(void)
{
  if (!is_there("threads")) return;
  is(in_child(use_by_many, NULL), 0, "eight threads at once");
  is(in_child(use_in_child, NULL), 0, "in a child of one that has used it");
}

int main(void)
{
  t_start();
  test_absent();
  test_ascii();
  test_ascii_refused();
  test_lengths();
  test_small_room();
  test_other_scripts();
  test_deviations();
  test_mapped();
  test_refused();
  test_other_lengths();
  test_back();
  test_what_means_nothing_stays();
  test_threads_and_forks();
  return t_done();
}
