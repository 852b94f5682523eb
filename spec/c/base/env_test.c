/*
** env_test.c: what the environment says, and when nobody listens.
*/

#include "base/env.h"
#include "t.h"

int main(void)
{
  t_start();
  setenv("GREENLUA_TEST", "said", 1);
  setenv("GREENLUA_EMPTY", "", 1);
  unsetenv("GREENLUA_NEVER");
  is_str(green_env("GREENLUA_TEST"), "said", "a variable has its value");
  ok(!green_env("GREENLUA_EMPTY"), "an empty one says nothing");
  ok(!green_env("GREENLUA_NEVER"), "one that is not set says nothing");
  ok(!green_env_is_ignored(), "somebody listens");
  green_env_ignore();
  ok(green_env_is_ignored(), "until told not to");
  ok(!green_env("GREENLUA_TEST"), "then nothing is said");
  is_str(getenv("GREENLUA_TEST"), "said", "and the program's own is as it was");
  return t_done();
}
