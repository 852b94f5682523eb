/*
** typed.c: reading numbers, and saying what is wrong with them.
*/

#include "base/typed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN 60 /* Bytes of a wrong text. */

int green_typed_read(const green_typed *t, const char *text, double *value)
{
  char *end;
  /* Neither blanks nor hexadecimal digits, "nan", "inf". */
  if (text[strspn(text, "+-.0123456789eE")]) return GREEN_EINVAL;
  double x = strtod(text, &end);
  if (end == text || *end) return GREEN_EINVAL;
  if (t->is_whole && x != floor(x)) return GREEN_EINVAL;
  if (!(x >= t->least && x <= t->most) && !(t->or_zero && x == 0))
    return GREEN_EINVAL;
  *value = x;
  return 0;
}

static void typed_show(const char *text, char *shown)
{
  const char *end = "";
  size_t n = 0;
  for (; n < SHOWN && text[n]; n++)
    shown[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
  if (text[n]) end = "...";
  memcpy(shown + n, end, strlen(end) + 1);
}

void green_typed_explain(const green_typed *t, const char *name,
                         const char *text, char *out, size_t size)
{
  char shown[SHOWN + 4];
  const char *other = t->or_zero ? "0" : t->other;
  typed_show(text, shown);
  snprintf(out, size, "%s%s: a %s from %.16g to %.16g%s%s%s is wanted", name,
           shown, t->what, t->least, t->most, other ? ", or " : "",
           other ? other : "", other ? "," : "");
}
