/*
** err.c: names and texts of the error table.
*/

#include "err.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Our own codes have no errno; they stand in for themselves here. */
#define OWN_ECLOSED 4001
#define OWN_EDEADLOCK 4002
#define OWN_ETOOBIG 4003
#define OWN_EEOF 4004

#define SAME(name) _Static_assert(GREEN_##name == -name, "errno of " #name)
SAME(EAGAIN);
SAME(EBADF);
SAME(EBUSY);
SAME(ECANCELED);
SAME(ECONNREFUSED);
SAME(ECONNRESET);
SAME(EINPROGRESS);
SAME(EINVAL);
SAME(EISCONN);
SAME(EMFILE);
SAME(ENOMEM);
SAME(ENOTCONN);
SAME(EPIPE);
SAME(ETIMEDOUT);

static const struct {
  int code;
  const char *name;
  const char *text;
} err_table[] = {
#define X(name, number, text) {number, #name, text},
    GREEN_ERR_MAP(X)
#undef X
};

const char *green_err_name(int code)
{
  for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++)
    if (err_table[i].code == code) return err_table[i].name;
  return NULL;
}

const char *green_err_text(int code)
{
  for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++)
    if (err_table[i].code == code) return err_table[i].text;
  const char *text = code > -4000 && code < 0 ? strerrordesc_np(-code) : NULL;
  return text ? text : "unknown error";
}
