/*
** err_test.c: names and texts of errors.
*/

#include "base/err.h"
#include "t.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>

static const struct {
  int code;
  const char *name;
} codes[] = {
#define X(name, number, text) {GREEN_##name, #name},
    GREEN_ERR_MAP(X)
#undef X
};

#define N_CODES ((int)(sizeof(codes) / sizeof(codes[0])))

static void test_every_code_has_its_own_name(void)
{
  int named = 0, text = 0, distinct = 0;
  for (int i = 0; i < N_CODES; i++) {
    const char *name = green_err_name(codes[i].code);
    named += name && strcmp(name, codes[i].name) == 0;
    text += *green_err_text(codes[i].code) != '\0';
    for (int j = 0; j < i; j++) distinct += codes[j].code != codes[i].code;
  }
  is(named, N_CODES, "each code is called by its name");
  is(text, N_CODES, "each code has a text");
  is(distinct, N_CODES * (N_CODES - 1) / 2, "no two codes are the same");
}

static void test_codes_are_negated_errnos(void)
{
  is(GREEN_ECONNREFUSED, -ECONNREFUSED, "ECONNREFUSED");
  is(GREEN_EAGAIN, -EAGAIN, "EAGAIN");
  ok(GREEN_ECLOSED <= -4000, "our own are out of the system's way");
  ok(GREEN_EDEADLOCK != -EDEADLOCK, "EDEADLOCK is ours");
}

static void test_other_errnos_are_known_to_the_system(void)
{
  is_str(green_err_name(-ENOTSOCK), "ENOTSOCK", "name of an unlisted errno");
  ok(strcmp(green_err_text(-ENOTSOCK), "unknown error") != 0, "and its text");
  ok(!green_err_name(-3999), "no name for a number nobody uses");
  is_str(green_err_text(-3999), "unknown error", "but a text");
}

/* "no child processes", as "connection refused"; "RFS specific error" may
** stay. */
static void test_texts_begin_alike(void)
{
  int capitals = 0;
  for (int code = -1; code > -300; code--) {
    const char *text = green_err_text(code);
    capitals +=
        isupper((unsigned char)text[0]) && islower((unsigned char)text[1]);
  }
  for (int i = 0; i < N_CODES; i++)
    capitals += isupper((unsigned char)*green_err_text(codes[i].code)) != 0;
  is(capitals, 0, "no text begins with a capital");
  is_str(green_err_text(-ECHILD), "no child processes", "ECHILD");
}

static void test_what_is_no_error(void)
{
  ok(!green_err_name(0), "0 has no name");
  ok(!green_err_name(11), "a positive number has none");
  ok(!green_err_name(-5000), "nor has one beyond ours");
  is_str(green_err_text(7), "unknown error", "positive numbers have a text");
  is_str(green_err_text(INT32_MIN), "unknown error", "the least int too");
}

int main(void)
{
  t_start();
  test_every_code_has_its_own_name();
  test_codes_are_negated_errnos();
  test_other_errnos_are_known_to_the_system();
  test_texts_begin_alike();
  test_what_is_no_error();
  return t_done();
}
