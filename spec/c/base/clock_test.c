/*
** clock_test.c: nanoseconds, and durations to deadlines.
*/

#include "base/clock.h"
#include "t.h"

#include <math.h>

static void test_goes_forward(void)
{
  int64_t a = green_clock_now();
  usleep(2000);
  int64_t b = green_clock_now();
  ok(a > 0, "the clock is positive");
  ok(b - a >= 2000000, "two milliseconds take at least that long");
  ok(b - a < 5 * GREEN_SECOND, "and not five seconds");
}

static void test_seconds(void)
{
  is(green_clock_after(100, 1), 100 + GREEN_SECOND, "a second");
  is(green_clock_after(0, 0.1), 100000000, "a tenth");
  is(green_clock_after(5, 0), 5, "nothing");
  is(green_clock_after(7, 1e-9), 8, "a nanosecond");
}

static void test_late_never_early(void)
{
  is(green_clock_after(0, 1.5e-9), 2,
     "fractions of nanoseconds are rounded up");
  is(green_clock_after(3, 1e-300), 4, "however small");
}

/* As Lua has them: seconds in a double. */
static void test_readings_come_back(void)
{
  int wrong = 0;
  for (int64_t ns = 1; ns < 1000000 * GREEN_SECOND; ns += ns / 500 + 1)
    wrong += green_clock_after(0, (double)ns * 1e-9) != ns;
  is(wrong, 0, "a reading of the clock is the same deadline");
}

static void test_what_is_no_duration(void)
{
  is(green_clock_after(9, -1), 9, "negative counts as 0");
  is(green_clock_after(9, -INFINITY), 9, "minus infinity too");
  is(green_clock_after(9, NAN), 9, "and NaN");
}

static void test_saturates(void)
{
  int64_t now = green_clock_now();
  is(green_clock_after(now, INFINITY), GREEN_NEVER, "infinity is never");
  is(green_clock_after(now, 1e10), GREEN_NEVER, "317 years are never");
  is(green_clock_after(now, 1e300), GREEN_NEVER, "and all beyond");
  is(green_clock_after(GREEN_NEVER - 10, 1), GREEN_NEVER, "from late");
  is(green_clock_after(GREEN_NEVER, 1), GREEN_NEVER, "from never");
  ok(green_clock_after(now, 9e9) > now, "285 years are a deadline");
  ok(green_clock_after(now, 9e9) < GREEN_NEVER, "before never");
}

static void test_order_is_kept_up_to_never(void)
{
  int64_t last = 0;
  int ordered = 1;
  for (double s = 1e-9; s < 1e12; s *= 1.7) {
    int64_t due = green_clock_after(12345, s);
    ordered = ordered && due >= last && due >= 12345;
    last = due;
  }
  ok(ordered, "longer durations never end sooner");
  is(last, GREEN_NEVER, "the longest at never");
}

static void test_rest(void)
{
  int64_t before = green_clock_now();
  green_clock_rest(2000000);
  ok(green_clock_now() - before >= 2000000, "a rest is no shorter");
  green_clock_rest(0);
  ok(1, "and may be none");
}

int main(void)
{
  t_start();
  test_goes_forward();
  test_seconds();
  test_late_never_early();
  test_readings_come_back();
  test_what_is_no_duration();
  test_saturates();
  test_order_is_kept_up_to_never();
  test_rest();
  return t_done();
}
