/*
** dns_host.h: what a host's name is, before anybody is asked for it.
**
** No allocation. Any thread.
*/
#ifndef GREEN_PROTO_DNS_HOST_H
#define GREEN_PROTO_DNS_HOST_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_DNS_HOST_WHOLE = 1,     /* It ended in a dot: no search list. */
  GREEN_DNS_HOST_LOCALHOST = 2, /* This machine (RFC 6761, 6.3). */
  GREEN_DNS_HOST_NOWHERE = 4,   /* In .invalid or .onion (RFC 7686): nobody. */
  GREEN_DNS_HOST_LOCAL = 8,     /* In .local: of multicast DNS (RFC 6762). */
};

enum { GREEN_DNS_HOST_TEXT = 254 }; /* Room for any, and a NUL. */

typedef struct green_dns_host {
  uint32_t len;
  uint32_t flags;                 /* GREEN_DNS_HOST_* */
  uint32_t dots;                  /* Inside of it. */
  char text[GREEN_DNS_HOST_TEXT]; /* In small letters, without a dot at its
                                  ** end; a NUL behind it. */
} green_dns_host;

/* Take a host's name: letters, digits, "-" and "_" in labels of 1 to 63, 253 in
** all. 0; GREEN_EAI_NONAME: it can be no name; GREEN_EINVAL: its last label is
** a number ("127.1", "0x7f.1"), which the system may take for an address;
** GREEN_EOPNOTSUPP: there are bytes above 127 in it (IDNA). */
GREEN_API int green_dns_host_read(green_dns_host *h, const char *name,
                                  size_t n);
/* end ffi */

#endif
