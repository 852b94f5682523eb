/* Numbers that somebody has typed. */

#include "base/typed.h"
#include "t.h"

#include <string.h>

static const green_typed seconds = {
    .what = "number of seconds", .least = 0.001, .most = 86400, .or_zero = 1};
static const green_typed threads = {
    .what = "whole number", .least = 0, .most = 1024, .is_whole = 1};
static const green_typed port = {.what = "port",
                                 .least = 0,
                                 .most = 65535,
                                 .is_whole = 1,
                                 .other = "a path"};

static void test_reading(void)
{
  static const char *const wrong[] = {
      "",     " ",   "x",  "1s",    "-1",  "nan", "inf",
      "0x1",  " 1",  "1 ", "1,5",   "1e9", "1e",  "86400.001",
      "1e-9", "--1", "-",  "1e999", "1\n", "."};
  double x = 7;
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
    is(green_typed_read(&seconds, wrong[i], &x), GREEN_EINVAL, wrong[i]);
  ok(x == 7, "nothing was written");
  is(green_typed_read(&seconds, "0.001", &x), 0, "the least");
  is(green_typed_read(&seconds, "86400", &x), 0, "the most");
  is(green_typed_read(&seconds, "0", &x), 0, "or 0");
  ok(x == 0, "is read");
  is(green_typed_read(&seconds, "2.5e-1", &x), 0, "an exponent");
  ok(x == 0.25, "is read");
  is(green_typed_read(&threads, "1.5", &x), GREEN_EINVAL, "no whole number");
  is(green_typed_read(&threads, "007", &x), 0, "more digits");
  ok(x == 7, "are read");
}

static void explains(const green_typed *t, const char *name, const char *text,
                     const char *want)
{
  char out[256];
  green_typed_explain(t, name, text, out, sizeof(out));
  is_str(out, want, name);
}

static void test_explaining(void)
{
  char x[200], out[20];
  explains(&seconds, "--watchdog=", "1e9",
           "--watchdog=1e9: a number of seconds from 0.001 to 86400, or 0, is "
           "wanted");
  explains(&threads, "T=", "-1",
           "T=-1: a whole number from 0 to 1024 is wanted");
  explains(&port, "-p ", "x\033[1m",
           "-p x?[1m: a port from 0 to 65535, or a path, is wanted");
  memset(x, 'x', sizeof(x));
  x[199] = 0;
  explains(
      &threads, "T=", x,
      "T=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: a "
      "whole number from 0 to 1024 is wanted");
  green_typed_explain(&threads, "T=", "x", out, sizeof(out));
  ok(!strcmp(out, "T=x: a whole number"), "the end is cut off");
}

int main(void)
{
  test_reading();
  test_explaining();
  return t_done();
}
