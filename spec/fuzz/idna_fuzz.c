/*
** idna_fuzz.c: what becomes of a name is a name of DNS, and stays what it is.
*/

#include "proto/idna.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static int is_ascii(const char *name, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (name[i] & 0x80) return 0;
  return 1;
}

static void check_name(const char *name, int n, int was_ascii)
{
  int label = 0;
  CHECK(n > 0 && n <= 254 && strlen(name) == (size_t)n);
  if (n == 1 && *name == '.') return;
  for (int i = 0; i < n; i++) {
    char c = name[i];
    CHECK(c > 0x20 && c < 0x7f && !(c >= 'A' && c <= 'Z'));
    if (!was_ascii)
      CHECK((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
            strchr("-_.", c));
    CHECK(c != '.' || label > 0);
    label = c == '.' ? 0 : label + 1;
    CHECK(label <= 63);
  }
}

/* What people are shown is read as the same name. */
static void check_shown(const char *name, int n)
{
  char shown[GREEN_IDNA_SHOWN], again[GREEN_IDNA_TEXT];
  int len = green_idna_to_unicode(shown, sizeof(shown), name, (size_t)n);
  CHECK(len > 0 && strlen(shown) == (size_t)len);
  int back =
      green_idna_to_ascii(again, sizeof(again), shown, (size_t)len, NULL);
  CHECK(back == n && memcmp(again, name, (size_t)n) == 0);
  char *room = malloc((size_t)len);
  CHECK(room);
  CHECK(green_idna_to_unicode(room, (size_t)len, name, (size_t)n) ==
        GREEN_EOVERFLOW);
  free(room);
}

static void check_ascii(const char *name, size_t n)
{
  char out[GREEN_IDNA_TEXT], again[GREEN_IDNA_TEXT];
  green_idna_error why;
  int len = green_idna_to_ascii(out, sizeof(out), name, n, &why);
  if (len < 0) {
    CHECK(len == GREEN_EINVAL || len == GREEN_ENOLIBRARY);
    CHECK(why.code == len && *why.text);
    return;
  }
  CHECK(why.code == 0 && !*why.text);
  check_name(out, len, is_ascii(name, n));
  CHECK(green_idna_to_ascii(again, sizeof(again), out, (size_t)len, NULL) ==
        len);
  CHECK(memcmp(again, out, (size_t)len) == 0);
  check_shown(out, len);
  char *room = malloc((size_t)len);
  CHECK(room);
  CHECK(green_idna_to_ascii(room, (size_t)len, name, n, NULL) ==
        GREEN_EOVERFLOW);
  free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *name = malloc(size + !size), shown[GREEN_IDNA_SHOWN];
  CHECK(name);
  if (size) memcpy(name, data, size);
  check_ascii(name, size);
  green_idna_to_unicode(shown, sizeof(shown), name, size);
  free(name);
  return 0;
}
