/*
** glob_test.c: wildcards.
*/

#include "t.h"
#include "proto/glob.h"

static int matches(const char *pattern, const char *name)
{
  return green_glob_match(pattern, strlen(pattern), name, strlen(name));
}

static void plain_texts(void)
{
  ok(matches("", "") && matches("abc", "abc"), "a text matches itself");
  ok(!matches("abc", "ab") && !matches("ab", "abc") && !matches("", "a") &&
         !matches("a", ""),
     "and nothing else");
  ok(!matches("abc", "abC"), "letters have a case");
}

static void stars(void)
{
  ok(matches("*", "") && matches("*", "abc") && matches("***", "x"),
     "a star matches all");
  ok(matches("*.lua", "x.lua") && matches("*.lua", ".lua") &&
         !matches("*.lua", "x.lua~"),
     "it stands before an end");
  ok(matches("a*b*c", "aXbYbZc") && !matches("a*b*c", "aXcYb"),
     "several find their places");
  ok(matches("*ab", "aab") && matches("*aab*", "aaaab"), "it takes more later");
}

static void one_character(void)
{
  ok(matches("?", "x") && !matches("?", "") && !matches("?", "xy"),
     "a question mark is one character");
  ok(matches("?", "\xc3\xa4") && matches("??", "\xe2\x82\xac\xf0\x9f\x98\x80"),
     "which may be some bytes");
  ok(!matches("A", "\xe0\x81\x81") && matches("???", "\xe0\x81\x81"),
     "a long way to write one is none");
  ok(matches("?", "\xff") && matches("??", "\xc3x") && matches("?", "\xc3"),
     "a byte that is none counts as one");
}

static void sets(void)
{
  ok(matches("[abc]", "b") && !matches("[abc]", "d"), "a set");
  ok(matches("[a-c]x", "bx") && !matches("[a-c]", "-"), "a range");
  ok(matches("[!a-c]", "d") && matches("[^a]", "b") && !matches("[!a]", "a"),
     "all others");
  ok(matches("[]]", "]") && matches("[!]]", "a") && matches("[a-]", "-") &&
         matches("[-a]", "-"),
     "what stands for itself in one");
  ok(matches("[\xc3\xa4-\xc3\xbc]", "\xc3\xb6"), "a range of characters");
  ok(!matches("[\xc3\xa4]", "\xc3"), "and not of their bytes");
  ok(matches("[ab", "[ab") && matches("[", "[") && matches("[]", "[]") &&
         matches("[!", "[!"),
     "a bracket that is not closed");
  ok(matches("[\\]]", "]") && matches("[\\-a]", "-") && !matches("[z-a]", "m"),
     "escapes in a set; an empty range");
}

static void escapes(void)
{
  ok(matches("\\*", "*") && !matches("\\*", "x"), "an escape");
  ok(matches("\\\\", "\\") && matches("a\\", "a\\"), "a backslash, also last");
  ok(matches("\\[a]", "[a]"), "of a bracket");
}

static void patterns(void)
{
  ok(!green_glob_is_pattern("abc", 3) && !green_glob_is_pattern("", 0),
     "no pattern");
  ok(green_glob_is_pattern("a*", 2) && green_glob_is_pattern("?", 1) &&
         green_glob_is_pattern("[", 1) && green_glob_is_pattern("\\a", 2),
     "patterns");
  ok(!green_glob_is_pattern("a\0b", 3), "a NUL is no wildcard");
}

static void hard_ones(void)
{
  char name[4001], pattern[401];
  memset(name, 'a', 4000);
  name[4000] = '\0';
  for (int i = 0; i < 200; i++) memcpy(pattern + 2 * i, "*a", 2);
  pattern[400] = '\0';
  ok(matches(pattern, name), "two hundred stars");
  pattern[399] = 'b';
  ok(!matches(pattern, name), "that match nothing, and say so before long");
}

int main(void)
{
  t_start();
  plain_texts();
  stars();
  one_character();
  sets();
  escapes();
  patterns();
  hard_ones();
  return t_done();
}
