/*
** http_field_name.c: header names to numbers.
*/

#include "proto/http_field_priv.h"
#include "base/ascii.h"

#include <string.h>

enum { NAME_MAX_KNOWN = 25 };

/* clang-format off */
/* Number, place by name_hash, name in lower case. The factors of name_hash were
** searched for until no two names met; a new name may need new ones. */
#define KNOWN(X) \
  X(ACCEPT,                    120, "accept") \
  X(ACCEPT_CHARSET,             82, "accept-charset") \
  X(ACCEPT_ENCODING,           119, "accept-encoding") \
  X(ACCEPT_LANGUAGE,            97, "accept-language") \
  X(AUTHORIZATION,             123, "authorization") \
  X(CACHE_CONTROL,             103, "cache-control") \
  X(CONNECTION,                 22, "connection") \
  X(CONTENT_ENCODING,          126, "content-encoding") \
  X(CONTENT_LANGUAGE,          104, "content-language") \
  X(CONTENT_LENGTH,             36, "content-length") \
  X(CONTENT_TYPE,                6, "content-type") \
  X(COOKIE,                     78, "cookie") \
  X(DATE,                       76, "date") \
  X(DNT,                        85, "dnt") \
  X(EXPECT,                     94, "expect") \
  X(FORWARDED,                  89, "forwarded") \
  X(HOST,                      106, "host") \
  X(IF_MATCH,                  108, "if-match") \
  X(IF_MODIFIED_SINCE,          95, "if-modified-since") \
  X(IF_NONE_MATCH,             115, "if-none-match") \
  X(IF_RANGE,                   84, "if-range") \
  X(IF_UNMODIFIED_SINCE,        21, "if-unmodified-since") \
  X(KEEP_ALIVE,                 92, "keep-alive") \
  X(ORIGIN,                     86, "origin") \
  X(PRAGMA,                    116, "pragma") \
  X(RANGE,                     105, "range") \
  X(REFERER,                    43, "referer") \
  X(SEC_FETCH_DEST,             74, "sec-fetch-dest") \
  X(SEC_FETCH_MODE,            100, "sec-fetch-mode") \
  X(SEC_FETCH_SITE,              4, "sec-fetch-site") \
  X(SEC_FETCH_USER,             30, "sec-fetch-user") \
  X(SEC_WEBSOCKET_EXTENSIONS,   54, "sec-websocket-extensions") \
  X(SEC_WEBSOCKET_KEY,         111, "sec-websocket-key") \
  X(SEC_WEBSOCKET_PROTOCOL,     58, "sec-websocket-protocol") \
  X(SEC_WEBSOCKET_VERSION,      31, "sec-websocket-version") \
  X(TE,                        118, "te") \
  X(TRAILER,                    23, "trailer") \
  X(TRANSFER_ENCODING,          47, "transfer-encoding") \
  X(UPGRADE,                    19, "upgrade") \
  X(UPGRADE_INSECURE_REQUESTS,  25, "upgrade-insecure-requests") \
  X(USER_AGENT,                 40, "user-agent") \
  X(VIA,                       127, "via") \
  X(X_FORWARDED_FOR,            11, "x-forwarded-for") \
  X(X_FORWARDED_HOST,           14, "x-forwarded-host") \
  X(X_FORWARDED_PROTO,          99, "x-forwarded-proto") \
  X(X_REAL_IP,                  13, "x-real-ip") \
  X(X_REQUESTED_WITH,           72, "x-requested-with")
/* clang-format on */

static const char name_text[GREEN_H_COUNT][NAME_MAX_KNOWN + 1] = {
#define X(id, place, text) [GREEN_H_##id] = text,
    KNOWN(X)
#undef X
};

static const uint8_t name_len[GREEN_H_COUNT] = {
#define X(id, place, text) [GREEN_H_##id] = sizeof(text) - 1,
    KNOWN(X)
#undef X
};

static const uint8_t name_place[128] = {
#define X(id, place, text) [place] = GREEN_H_##id,
    KNOWN(X)
#undef X
};

_Static_assert(sizeof(((green_http_fields *)0)->first) == GREEN_H_COUNT,
               "first has a place for each known name");

static unsigned name_hash(const char *p, size_t len)
{
  unsigned first = (unsigned char)p[0] | 0x20;
  unsigned late = (unsigned char)p[len - 2] | 0x20;
  return ((unsigned)len * 27 + late * 58 + first * 54) & 127;
}

/* Bits that differ between 8 (4) bytes of a name and of known text, the case of
** letters aside. In the text a byte above 0x3f is a lower-case letter. */
static uint64_t name_diff8(const char *p, const char *text)
{
  uint64_t x, t;
  memcpy(&x, p, 8);
  memcpy(&t, text, 8);
  return (x | (t >> 1 & UINT64_C(0x2020202020202020))) ^ t;
}

static uint32_t name_diff4(const char *p, const char *text)
{
  uint32_t x, t;
  memcpy(&x, p, 4);
  memcpy(&t, text, 4);
  return (x | (t >> 1 & UINT32_C(0x20202020))) ^ t;
}

/* Is p[0 .. len) this text of the same length? The last words overlap. */
static bool name_is(const char *p, const char *text, size_t len)
{
  if (len >= 8) {
    uint64_t diff = name_diff8(p + len - 8, text + len - 8);
    for (size_t i = 0; i + 8 < len; i += 8) diff |= name_diff8(p + i, text + i);
    return !diff;
  }
  if (len >= 4)
    return !(name_diff4(p, text) | name_diff4(p + len - 4, text + len - 4));
  return green__http_same(p, text, len);
}

unsigned green__http_field_id(const char *name, size_t len)
{
  if (len < 2 || len > NAME_MAX_KNOWN) return GREEN_H_OTHER;
  unsigned id = name_place[name_hash(name, len)];
  if (name_len[id] != len || !name_is(name, name_text[id], len))
    return GREEN_H_OTHER;
  return id;
}

bool green__http_same(const char *a, const char *b, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (green_ascii_lower(a[i]) != green_ascii_lower(b[i])) return false;
  return true;
}
