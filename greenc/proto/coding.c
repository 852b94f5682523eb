/*
** coding.c: which decoder a content coding has.
*/

#include "proto/coding.h"

#include <string.h>
#include <strings.h>

static const struct {
  const char *name;
  int kind;
} coding_names[] = {
    {"gzip", GREEN_CODING_GZIP},
    {"x-gzip", GREEN_CODING_GZIP}, /* RFC 9110, 8.4.1.3. */
    {"deflate", GREEN_CODING_DEFLATE},
    {"br", GREEN_CODING_BR},
};

int green_coding_find(const char *name, size_t n)
{
  size_t count = sizeof(coding_names) / sizeof(coding_names[0]);
  for (size_t i = 0; i < count; i++)
    if (strlen(coding_names[i].name) == n &&
        !strncasecmp(name, coding_names[i].name, n))
      return coding_names[i].kind;
  return GREEN_EOPNOTSUPP;
}

const char *green_coding_missing(int kind)
{
  return kind == GREEN_CODING_BR ? green_brotli_missing()
                                 : green_inflate_missing();
}

static bool is_brotli(const green_coding *c)
{
  return c->kind == GREEN_CODING_BR;
}

/* What the decoder found is what c found. Returns rc. */
static int coding_note(green_coding *c, int rc)
{
  c->used = is_brotli(c) ? c->of.brotli.used : c->of.inflate.used;
  c->error = is_brotli(c) ? c->of.brotli.error : c->of.inflate.error;
  c->reason = is_brotli(c) ? c->of.brotli.reason : c->of.inflate.reason;
  return rc;
}

int green_coding_init(green_coding *c, int kind)
{
  int format = kind == GREEN_CODING_GZIP ? GREEN_Z_GZIP : GREEN_Z_HTTP;
  memset(c, 0, sizeof(*c));
  c->kind = kind;
  return coding_note(c, is_brotli(c)
                            ? green_brotli_init(&c->of.brotli)
                            : green_inflate_init(&c->of.inflate, format, 0));
}

int green_coding_run(green_coding *c, const void *in, size_t n, void *out,
                     size_t cap)
{
  return coding_note(
      c, is_brotli(c) ? green_brotli_run(&c->of.brotli, in, n, out, cap)
                      : green_inflate_run(&c->of.inflate, in, n, out, cap));
}

int green_coding_eof(const green_coding *c)
{
  return is_brotli(c) ? green_brotli_eof(&c->of.brotli)
                      : green_inflate_eof(&c->of.inflate);
}

void green_coding_deinit(green_coding *c)
{
  if (is_brotli(c))
    green_brotli_deinit(&c->of.brotli);
  else
    green_inflate_deinit(&c->of.inflate);
  coding_note(c, 0);
}
