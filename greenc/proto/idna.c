/*
** idna.c: libidn2, and what it leaves to its callers.
*/

#include "proto/idna.h"
#include "base/ascii.h"

#include "base/library.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_MOST = 63, NAME_MOST = 253 };

/* -- libidn2: three functions of an ABI that does not change. -------------- */

enum {
  IDN2_OK = 0,
  IDN2_MALLOC = -100,
  IDN2_NFC_INPUT = 1,
  IDN2_NONTRANSITIONAL = 8
};

static struct {
  int (*lookup_u8)(const uint8_t *name, uint8_t **out, int flags);
  int (*to_unicode_8z8z)(const char *name, char **out, int flags);
  const char *(*strerror)(int rc);
  void (*free)(void *p);
} lib;

static const char *const lib_names[] = {
    "idn2_lookup_u8",
    "idn2_to_unicode_8z8z",
    "idn2_strerror",
    "idn2_free",
};

static green__library idn2 = {
    .file = "libidn2.so.0",
    .env = "GREENLUA_LIBIDN2",
    .needs = "names that are not ASCII need libidn2, Debian's package "
             "libidn2-0",
    .names = lib_names,
    .table = &lib,
    .n = sizeof(lib_names) / sizeof(lib_names[0]),
};

static void idna_clear(green_idna_error *e)
{
  if (!e) return;
  e->code = 0;
  e->text[0] = '\0';
}

static int idna_say(green_idna_error *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int idna_say(green_idna_error *e, int code, const char *format, ...)
{
  va_list args;
  if (!e) return code;
  e->code = code;
  va_start(args, format);
  vsnprintf(e->text, sizeof(e->text), format, args);
  va_end(args);
  return code;
}

int green_idna_load(green_idna_error *why)
{
  idna_clear(why);
  if (green__library_load(&idn2) == 0) return 0;
  return idna_say(why, GREEN_ENOLIBRARY, "%s", idn2.why);
}

/* -- ASCII ---------------------------------------------------------------- */

static bool is_ascii(const char *name, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (name[i] & 0x80) return false;
  return true;
}

/* Letters, digits, "-", "_" and dots: what mapping may leave and nothing else.
** Some characters become "a/c" or "?" otherwise. */
static bool is_plain(const char *name, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    char c = green_ascii_lower(name[i]);
    bool is = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_' || c == '.';
    if (!is) return false;
  }
  return true;
}

/* Length by length. at: where in the name. */
static int idna_check(const char *name, size_t n, green_idna_error *why)
{
  size_t label = 0;
  bool has_dot = n > 1 && name[n - 1] == '.';
  if (n == 0) return idna_say(why, GREEN_EINVAL, "the name is empty");
  if (n - has_dot > NAME_MOST)
    return idna_say(why, GREEN_EINVAL, "a name has at most 253 bytes");
  if (n == 1 && *name == '.') return 0;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)name[i];
    if (c <= 0x20 || c == 0x7f)
      return idna_say(why, GREEN_EINVAL,
                      "a name has no blanks and no control "
                      "bytes");
    label = c == '.' ? 0 : label + 1;
    if (label > LABEL_MOST)
      return idna_say(why, GREEN_EINVAL,
                      "what stands between two dots of a name has at most 63 "
                      "bytes");
    if (c == '.' && (i == 0 || name[i - 1] == '.'))
      return idna_say(why, GREEN_EINVAL,
                      "two dots of a name have nothing "
                      "between them, or it begins with one");
  }
  return 0;
}

static int idna_put(char *out, size_t size, const char *name, size_t n,
                    green_idna_error *why)
{
  int err = idna_check(name, n, why);
  if (err < 0) return err;
  if (n >= size)
    return idna_say(why, GREEN_EOVERFLOW, "there is no room for the name");
  for (size_t i = 0; i < n; i++) out[i] = green_ascii_lower(name[i]);
  out[n] = '\0';
  return (int)n;
}

/* -- The others ----------------------------------------------------------- */

static int idna_failed(int rc, green_idna_error *why)
{
  if (rc == IDN2_MALLOC)
    return idna_say(why, GREEN_ENOMEM, "%s", green_err_text(GREEN_ENOMEM));
  return idna_say(why, GREEN_EINVAL,
                  "the name is not one of the internationalized names of "
                  "IDNA 2008: %s",
                  lib.strerror(rc));
}

int green_idna_to_ascii(char *out, size_t size, const char *name, size_t n,
                        green_idna_error *why)
{
  char copy[GREEN_IDNA_NAME + 1];
  uint8_t *found = NULL;
  idna_clear(why);
  if (n > GREEN_IDNA_NAME)
    return idna_say(why, GREEN_EINVAL, "the name is too long");
  if (is_ascii(name, n)) return idna_put(out, size, name, n, why);
  if (memchr(name, '\0', n))
    return idna_say(why, GREEN_EINVAL, "a name has no NUL");
  int err = green_idna_load(why);
  if (err < 0) return err;
  memcpy(copy, name, n);
  copy[n] = '\0';
  int rc = lib.lookup_u8((const uint8_t *)copy, &found,
                         IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
  if (rc != IDN2_OK) return idna_failed(rc, why);
  const char *ascii = (const char *)found;
  size_t len = strlen(ascii);
  int result = is_plain(ascii, len)
                   ? idna_put(out, size, ascii, len, why)
                   : idna_say(why, GREEN_EINVAL,
                              "the name means one with bytes that no host has");
  lib.free(found);
  return result;
}

static bool has_a_label(const char *name, size_t n)
{
  for (size_t i = 0; i + 4 <= n; i++) {
    bool begins = i == 0 || name[i - 1] == '.';
    if (begins && (name[i] | 32) == 'x' && (name[i + 1] | 32) == 'n' &&
        name[i + 2] == '-' && name[i + 3] == '-')
      return true;
  }
  return false;
}

/* What an ASCII name stands for; NULL: nobody knows. Free with lib.free. */
static char *idna_decode(const char *name, size_t n)
{
  char ascii[GREEN_IDNA_TEXT], again[GREEN_IDNA_TEXT], *found = NULL;
  int len = green_idna_to_ascii(ascii, sizeof(ascii), name, n, NULL);
  if (len < 0 || green_idna_load(NULL) < 0) return NULL;
  if (lib.to_unicode_8z8z(ascii, &found, 0) != IDN2_OK) return NULL;
  int back =
      green_idna_to_ascii(again, sizeof(again), found, strlen(found), NULL);
  if (back == len && memcmp(again, ascii, (size_t)len) == 0) return found;
  lib.free(found);
  return NULL;
}

int green_idna_to_unicode(char *out, size_t size, const char *name, size_t n)
{
  char *found = has_a_label(name, n) ? idna_decode(name, n) : NULL;
  const char *text = found ? found : name;
  size_t len = found ? strlen(found) : n;
  if (len < size) {
    memcpy(out, text, len);
    out[len] = '\0';
  }
  if (found) lib.free(found);
  return len < size ? (int)len : GREEN_EOVERFLOW;
}
