/*
** url.h: a URL taken apart as RFC 3986 says; what is none is refused.
**
** Who is to be connected to is decided here alone: whoever checks an address
** and whoever connects to it must mean the same host, so a host that programs
** read differently (0x7f.1, 127.1, an escaped delimiter) is an error.
**
** Any thread, all of it.
*/
#ifndef GREEN_URL_H
#define GREEN_URL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* ffi */
enum {
  GREEN_URL_HOST = 320, /* Room for the longest host, its zone and a NUL. */
  GREEN_URL_WHY = 300,
};

/* Flags. RELATIVE: the scheme may be left out. GENERIC: http, https, ws and
** wss may be without a host, as RFC 3986 lets any scheme. */
enum { GREEN_URL_RELATIVE = 1, GREEN_URL_GENERIC = 2 };

/* Schemes that must have a host, in whatever case they are written. */
enum {
  GREEN_URL_HTTP = 1,
  GREEN_URL_HTTPS,
  GREEN_URL_WS,
  GREEN_URL_WSS,
};

/* What the host is; HOST_NONE: there is no "//", HOST_EMPTY: nothing in it. */
enum {
  GREEN_URL_HOST_NONE,
  GREEN_URL_HOST_EMPTY,
  GREEN_URL_HOST_NAME,
  GREEN_URL_HOST_IP4,
  GREEN_URL_HOST_IP6,
};

/* Bytes of the text. len -1: there is no such part (an empty one has 0). */
typedef struct green_url_part {
  int32_t at;
  int32_t len;
} green_url_part;

typedef struct green_url {
  green_url_part scheme;
  green_url_part userinfo;
  green_url_part host; /* With the brackets of IPv6. */
  green_url_part path; /* Never absent. */
  green_url_part query;
  green_url_part fragment;
  int32_t port;  /* -1: none, or empty. */
  int32_t known; /* Of the scheme: GREEN_URL_*, or 0. */
  int32_t kind;  /* GREEN_URL_HOST_* */
  /* The host to ask for and to connect to, and its length: a name in lower
  ** case, an IPv6 address without brackets, as green_addr_host writes it, its
  ** zone behind a bare %. Ends in a NUL. */
  int32_t name_len;
  char name[GREEN_URL_HOST];
  /* Of what was refused: the byte where that was seen, and why, a sentence
  ** without a full stop that shows nothing of the text. */
  int32_t wrong_at;
  char why[GREEN_URL_WHY];
} green_url;

/* Take text apart. 0, or with wrong_at and why GREEN_EINVAL, GREEN_ENOLIBRARY
** (a host that is not ASCII, and no libidn2) or GREEN_ENOMEM. */
GREEN_API int green_url_parse(green_url *u, const char *text, size_t n,
                              int flags);
/* end ffi */

#endif
