/*
** err.c: names and texts of the error table.
*/

#include "err.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Our own codes have no errno; these only let the assertion below name them. */
enum {
  ECLOSED = 4001,
  ETOOBIG = 4003,
  EEOF = 4004,
  EGONE = 4005,
  EAI_NONAME = 4101,
  EAI_AGAIN = 4102,
  EAI_FAIL = 4103,
  EAI_FAMILY = 4104,
  EAI_SERVICE = 4105
};

/* EDEADLOCK is ours, and another word for EDEADLK in the system. */
#define X(name, number, text) \
  _Static_assert((number) <= -4000 || (number) == -(name), "errno of " #name);
GREEN_ERR_MAP(X)
#undef X

static const struct {
  int code;
  const char *name;
  const char *text;
} err_table[] = {
#define X(name, number, text) {number, #name, text},
    GREEN_ERR_MAP(X)
#undef X
};

static int is_errno(int code)
{
  return code < 0 && code > -4000;
}

const char *green_err_name(int code)
{
  for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++)
    if (err_table[i].code == code) return err_table[i].name;
  return is_errno(code) ? strerrorname_np(-code) : NULL;
}

const char *green_err_text(int code)
{
  for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++)
    if (err_table[i].code == code) return err_table[i].text;
  const char *text = is_errno(code) ? strerrordesc_np(-code) : NULL;
  return text ? text : "unknown error";
}

void green__assert_failed(const char *file, int line, const char *sentence)
{
  fprintf(stderr, "greenlua: %s:%d: broken precondition: %s\n", file, line,
          sentence);
  abort();
}
