/*
** url_test.c: URLs taken apart.
*/

#include "base/addr.h"
#include "guard.h"
#include "proto/idna.h"
#include "proto/url.h"
#include "t.h"

#include <stdbool.h>

static green_url u;
static char text[1000];

/* What follows the text is a page that cannot be read. */
static int parse_n(const char *s, size_t n, int flags)
{
  return green_url_parse(&u, guard_copy(s, n), n, flags);
}

static int parse(const char *s)
{
  return parse_n(s, strlen(s), 0);
}

static void put_part(const char *s, green_url_part p, const char *name)
{
  size_t n = strlen(text);
  if (p.len < 0) return;
  snprintf(text + n, sizeof(text) - n, " %s=%.*s", name, (int)p.len, s + p.at);
}

/* "scheme=http host=h path=/", or the name of the error. */
static const char *parts(const char *s, int flags)
{
  int err = parse_n(s, strlen(s), flags);
  text[0] = '\0';
  if (err < 0) return green_err_name(err);
  put_part(s, u.scheme, "scheme");
  put_part(s, u.userinfo, "userinfo");
  put_part(s, u.host, "host");
  if (u.port >= 0) {
    size_t n = strlen(text);
    snprintf(text + n, sizeof(text) - n, " port=%d", u.port);
  }
  put_part(s, u.path, "path");
  put_part(s, u.query, "query");
  put_part(s, u.fragment, "fragment");
  return text + 1;
}

static const char *name_of(const char *s)
{
  int err = parse(s);
  return err < 0 ? green_err_name(err) : u.name;
}

static void test_parts(void)
{
  is_str(parts("http://u:p@H:80/a/b?c=d#e", 0),
         "scheme=http userinfo=u:p host=H port=80 path=/a/b query=c=d "
         "fragment=e",
         "all of them");
  is_str(parts("http://h", 0), "scheme=http host=h path=", "few");
  is_str(parts("x:", 0), "scheme=x path=", "fewer");
  is_str(parts("x://@:?#", 0),
         "scheme=x userinfo= host= path= query= fragment=", "empty ones");
  is_str(parts("", GREEN_URL_RELATIVE), "path=", "nothing");
  is_str(parts("a/b:c", GREEN_URL_RELATIVE), "path=a/b:c", "a colon later");
  is_str(parts("?a/b?c", GREEN_URL_RELATIVE), "path= query=a/b?c", "a query");
  is_str(parts("#a#", GREEN_URL_RELATIVE), "EINVAL", "two fragments");
  is_str(parts("//h", GREEN_URL_RELATIVE), "host=h path=", "no scheme");
  is_str(parts("//h", 0), "EINVAL", "where one is wanted");
  is_str(parts("http:a", 0), "EINVAL", "no host");
  is_str(parts("http:a", GREEN_URL_GENERIC), "scheme=http path=a", "as a rule");
}

static void test_kinds(void)
{
  parse("mailto:a");
  is(u.kind, GREEN_URL_HOST_NONE, "none");
  parse("file:///a");
  is(u.kind, GREEN_URL_HOST_EMPTY, "an empty one");
  parse("http://h/");
  is(u.kind, GREEN_URL_HOST_NAME, "a name");
  parse("http://1.2.3.4/");
  is(u.kind, GREEN_URL_HOST_IP4, "IPv4");
  parse("http://[::1]/");
  is(u.kind, GREEN_URL_HOST_IP6, "IPv6");
  is(u.host.len, 5, "with its brackets in the text");
  is(u.name_len, 3, "without them in the name");
}

static void test_names(void)
{
  is_str(name_of("http://ExAmple.com./"), "example.com.", "in lower case");
  is_str(name_of("http://a%2Db/"), "a-b", "decoded");
  is_str(name_of("http://a%2fb/"), "EINVAL", "unless it would end it");
  is_str(name_of("http://[0:0::1]/"), "::1", "IPv6 is shortened");
  is_str(name_of("http://[::1%25a%2d]/"), "::1%a-", "a zone is decoded");
  is_str(name_of("http://1.2.3/"), "EINVAL", "a short number");
  is_str(name_of("http://1%2e2.3.4/"), "EINVAL", "a number with escapes");
}

static void test_other_scripts(void)
{
  if (green_idna_load(NULL) < 0) {
    t_skip("other scripts", "libidn2 is not installed");
    return;
  }
  is_str(name_of("http://b\xc3\xbc"
                 "cher/"),
         "xn--bcher-kva", "as bytes");
  is_str(name_of("http://b%C3%BCcher/"), "xn--bcher-kva", "as escapes");
  is_str(name_of("http://\xef\xbc\x91.2.3.4/"), "EINVAL", "numbers in them");
  is_str(name_of("http://\xe2\x84\x80/"), "EINVAL", "a slash in them");
  is_str(name_of("http://h/\xc3\xbc"), "EINVAL", "but in hosts alone");
}

/* A zone that fits, and the first that does not. */
static void test_long_zone(void)
{
  char url[2 * GREEN_URL_HOST];
  int fits = 0, n;
  for (n = 1; n < GREEN_URL_HOST; n++) {
    int len = snprintf(url, sizeof(url), "x://[::1%%25%0*d]/", n, 0);
    if (parse_n(url, (size_t)len, 0) < 0) break;
    fits = u.name_len == n + 4 && u.name[u.name_len] == '\0';
  }
  ok(fits, "the name ends in its NUL");
  is(n, GREEN_URL_HOST - 4, "no byte more than there is room for");
  ok(strstr(u.why, "too long") != NULL, "why is told");
}

static void test_long_hosts(void)
{
  char *url = malloc(100000);
  memset(url, 'a', 100000);
  memcpy(url, "http://", 7);
  is(parse_n(url, 100000, 0), GREEN_EINVAL, "a name of 100,000 bytes");
  memset(url + 7, '.', 99993);
  is(parse_n(url, 100000, 0), GREEN_EINVAL, "of dots");
  memset(url + 7, ':', 99993);
  is(parse_n(url, 100000, 0), GREEN_EINVAL, "of colons");
  memset(url + 7, '/', 99993);
  is(parse_n(url, 100000, 0), GREEN_EINVAL, "no host, and a long path");
  url[7] = 'h';
  is(parse_n(url, 100000, 0), 0, "a long path");
  free(url);
}

/* Where it is wrong: at the byte that is. */
static void test_place(void)
{
  static const struct {
    const char *text;
    int at;
  } rows[] = {
      {"", 0},
      {"h", 0},
      {"http://h/ ", 9},
      {"http://h/%4", 9},
      {"http://u%@h/", 8},
      {"http://h:8x/", 10},
      {"http://h:70000/", 9},
      {"http://h:01/", 9},
      {"http://a..b/", 7},
      {"http://a\\b/", 8},
      {"http://[::1/", 7},
      {"http://[::1]x/", 12},
      {"http://[x]/", 8},
      {"http://[::1%1]/", 11},
      {"http://[::1%25]/", 14},
      {"http:///", 7},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    if (parse(rows[i].text) != GREEN_EINVAL) ok(false, rows[i].text);
    is(u.wrong_at, rows[i].at, rows[i].text);
    if (!*u.why || strchr(u.why, '\n')) ok(false, "no sentence");
  }
}

/* Nothing is read behind the text, wherever it ends, and what was parsed before
** leaves nothing. */
static void test_every_end(void)
{
  static const char *const urls[] = {
      "http://u:p%20w@[2001:db8::1%25eth0]:8080/a%2Fb/..?c=%20#d%21",
      "https://ex%41mple.com.:443/?#", "a+b-c.d://127.0.0.1:0//x",
      "http://\xc3\xbc%C3%BC.example/", "//u@h:1/x"};
  int told = 0, n = 0;
  for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
    for (size_t len = 0; len <= strlen(urls[i]); len++, n++) {
      int err = parse_n(urls[i], len, GREEN_URL_RELATIVE);
      bool is_told =
          err < 0 && *u.why && u.wrong_at >= 0 && (size_t)u.wrong_at <= len;
      bool is_whole = err == 0 && !*u.why && !u.wrong_at && u.path.len >= 0;
      told += is_told || is_whole;
    }
  is(told, n, "each end is an error with a place, or a URL");
}

int main(void)
{
  t_start();
  test_parts();
  test_kinds();
  test_names();
  test_other_scripts();
  test_long_zone();
  test_long_hosts();
  test_place();
  test_every_end();
  return t_done();
}
