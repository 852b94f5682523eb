/*
** dns_name.h: domain names: in messages (RFC 1035, 4.1.4) and as text.
**
** Text is labels with dots between them and none at the end; the root is ".".
** A byte that text could not show stands as "\DDD", one that has a meaning in
** zone files behind a backslash (RFC 1035, 5.1): each name has one text, and
** that text gives the same bytes again. Letters keep their case.
**
** In a message a pointer is followed only to bytes before the labels that it
** ends, and 128 of them at most, so that no name is endless. No allocation. Any
** thread, all of it.
*/
#ifndef GREEN_PROTO_DNS_NAME_H
#define GREEN_PROTO_DNS_NAME_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_DNS_NAME_WIRE = 255,  /* The longest name in a message. */
  GREEN_DNS_NAME_TEXT = 1024, /* Room for the text of any, NUL included. */
};

/* Write the name at buf[off] of a message of len bytes, and a NUL, to text.
** Returns its length; GREEN_EPROTO (cut off, longer than 255 bytes, a label
** of a kind that does not exist, a pointer that does not point back), or
** GREEN_ENOBUFS (size is too small; GREEN_DNS_NAME_TEXT always suffices). */
GREEN_API int green_dns_name_text(const char *buf, size_t len, size_t off,
                                  char *text, size_t size);

/* The same without text: where what follows the name begins; GREEN_EPROTO. */
GREEN_API int green_dns_name_end(const char *buf, size_t len, size_t off);

/* Are the names at a and b the same, but for the case of ASCII letters? One
** that is wrong is the same as none. */
GREEN_API bool green_dns_name_same(const char *buf, size_t len, size_t a,
                                   size_t b);

/* Is the name at a that at b, or one below it? */
GREEN_API bool green_dns_name_within(const char *buf, size_t len, size_t a,
                                     size_t b);

/* Write the name whose text is given to out as it stands in a message, without
** pointers. A dot at the end of the text changes nothing. Returns the length;
** GREEN_EINVAL (empty, an empty label, a bad escape), GREEN_ENAMETOOLONG (a
** label over 63 bytes, the name over 255), GREEN_ENOBUFS (cap is too small;
** GREEN_DNS_NAME_WIRE always suffices). */
GREEN_API int green_dns_name_pack(const char *text, size_t n, char *out,
                                  size_t cap);
/* end ffi */

#endif
