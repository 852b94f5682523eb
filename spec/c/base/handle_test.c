/*
** handle_test.c: a handle keeps its slot, and is not the one before it.
*/

#include "base/handle.h"
#include "t.h"

#include <math.h>

enum { LAST_SLOT = GREEN_HANDLE_SLOTS - 1 };

static const uint32_t slots[] = {0, 1, 63, LAST_SLOT};
#define N_SLOTS (sizeof(slots) / sizeof(slots[0]))

static int is_sound(green_handle h, uint32_t slot)
{
  return h != 0 && green_handle_slot(h) == slot &&
         green_handle_of_number((double)h) == h;
}

static void test_slots(void)
{
  int sound = 1, differs = 1;
  for (size_t i = 0; i < N_SLOTS; i++) {
    green_handle h = green_handle_first(slots[i]);
    sound &= is_sound(h, slots[i]);
    for (int n = 0; n < 100; n++) {
      green_handle next = green_handle_next(h);
      differs &= next > h;
      sound &= is_sound(next, slots[i]);
      h = next;
    }
  }
  ok(sound, "a handle is not 0, has its slot, and fits a double");
  ok(differs, "each generation has a number of its own");
}

static void test_the_last_generation(void)
{
  int sound = 1;
  for (size_t i = 0; i < N_SLOTS; i++) {
    green_handle last = GREEN_HANDLE_END - GREEN_HANDLE_SLOTS + slots[i];
    sound &= is_sound(last, slots[i]);
    sound &= green_handle_next(last) == green_handle_first(slots[i]);
  }
  ok(sound, "after the last generation comes the first, of the same slot");
}

static void test_numbers(void)
{
  is(green_handle_of_number(0), 0, "0 is no handle");
  is(green_handle_of_number(-1), 0, "nor is what is negative,");
  is(green_handle_of_number(9007199254740992.0), 0, "or too large,");
  is(green_handle_of_number(INFINITY), 0, "or infinite,");
  is(green_handle_of_number(NAN), 0, "or no number");
  is(green_handle_of_number(9007199254740991.0), GREEN_HANDLE_END - 1,
     "the last one is one");
}

int main(void)
{
  t_start();
  test_slots();
  test_the_last_generation();
  test_numbers();
  return t_done();
}
