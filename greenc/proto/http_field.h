/*
** http_field.h: the fields of a head, of a request or a response (RFC 9110).
**
** No copy: positions are offsets from the start of the buffer that was parsed,
** so the buffer may move afterwards.
*/
#ifndef GREEN_PROTO_HTTP_FIELD_H
#define GREEN_PROTO_HTTP_FIELD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
/* Room for this many fields in one head. */
enum { GREEN_HTTP_FIELDS = 128 };

/* Header names known by number; any other is GREEN_H_OTHER. */
enum {
  GREEN_H_OTHER,
  GREEN_H_ACCEPT,
  GREEN_H_ACCEPT_CHARSET,
  GREEN_H_ACCEPT_ENCODING,
  GREEN_H_ACCEPT_LANGUAGE,
  GREEN_H_AUTHORIZATION,
  GREEN_H_CACHE_CONTROL,
  GREEN_H_CONNECTION,
  GREEN_H_CONTENT_ENCODING,
  GREEN_H_CONTENT_LANGUAGE,
  GREEN_H_CONTENT_LENGTH,
  GREEN_H_CONTENT_TYPE,
  GREEN_H_COOKIE,
  GREEN_H_DATE,
  GREEN_H_DNT,
  GREEN_H_EXPECT,
  GREEN_H_FORWARDED,
  GREEN_H_HOST,
  GREEN_H_IF_MATCH,
  GREEN_H_IF_MODIFIED_SINCE,
  GREEN_H_IF_NONE_MATCH,
  GREEN_H_IF_RANGE,
  GREEN_H_IF_UNMODIFIED_SINCE,
  GREEN_H_KEEP_ALIVE,
  GREEN_H_ORIGIN,
  GREEN_H_PRAGMA,
  GREEN_H_RANGE,
  GREEN_H_REFERER,
  GREEN_H_SEC_FETCH_DEST,
  GREEN_H_SEC_FETCH_MODE,
  GREEN_H_SEC_FETCH_SITE,
  GREEN_H_SEC_FETCH_USER,
  GREEN_H_SEC_WEBSOCKET_EXTENSIONS,
  GREEN_H_SEC_WEBSOCKET_KEY,
  GREEN_H_SEC_WEBSOCKET_PROTOCOL,
  GREEN_H_SEC_WEBSOCKET_VERSION,
  GREEN_H_TE,
  GREEN_H_TRAILER,
  GREEN_H_TRANSFER_ENCODING,
  GREEN_H_UPGRADE,
  GREEN_H_UPGRADE_INSECURE_REQUESTS,
  GREEN_H_USER_AGENT,
  GREEN_H_VIA,
  GREEN_H_X_FORWARDED_FOR,
  GREEN_H_X_FORWARDED_HOST,
  GREEN_H_X_FORWARDED_PROTO,
  GREEN_H_X_REAL_IP,
  GREEN_H_X_REQUESTED_WITH,
  GREEN_H_COUNT,
};

/* Flags of one header. */
enum {
  GREEN_HF_UNDERSCORE = 1, /* "_" in the name: CGI must not see it. */
  GREEN_HF_REPEATED = 2,   /* First of several with the same known name. */
};

typedef struct green_http_field {
  uint32_t name_off;
  uint32_t value_off; /* Blanks around the value are not part of it. */
  uint32_t value_len;
  uint16_t name_len;
  uint8_t id;    /* GREEN_H_* */
  uint8_t flags; /* GREEN_HF_* */
} green_http_field;

typedef struct green_http_fields {
  uint32_t n;
  uint8_t first[48]; /* By GREEN_H_*: index + 1 of the first one, or 0. */
  green_http_field list[GREEN_HTTP_FIELDS];
} green_http_fields;

/* Index of the first field of that name at or after from, whatever the case of
** its letters; -1: none. from < 0 counts as 0. */
GREEN_API int green_http_field_find(const green_http_fields *f, const char *buf,
                                    const char *name, size_t len, int from);

/* *value: the first value of that name, whatever the case of its letters.
** Returns its length; -1: there is none. */
GREEN_API int green_http_field_value(const green_http_fields *f,
                                     const char *buf, const char *name,
                                     size_t len, const char **value);

/* Index of the next field with the same name as field i; -1: none. */
GREEN_API int green_http_field_next(const green_http_fields *f, const char *buf,
                                    int i);

/* Write the values of field i and all later ones of its name to out, with ","
** between them ("; " for Cookie). Returns the length, GREEN_ENOBUFS (cap too
** small; the length of the head always suffices) or GREEN_EINVAL (no field i).
** Never for Set-Cookie: its values hold commas of their own. */
GREEN_API int green_http_field_join(const green_http_fields *f, const char *buf,
                                    int i, char *out, size_t cap);
/* end ffi */

#endif
