/*
** resolv.h: what resolv.conf says (resolv.conf(5)).
**
** Read as glibc reads it: a keyword begins its line, lines with ";" or "#" at
** their first byte are comments, of several search or domain lines the last one
** counts, what is not known is no error. Unlike glibc it takes more than three
** servers, and names that no DNS message could carry, or with a backslash, are
** left out of the search list.
**
** No allocation. Any thread.
*/
#ifndef GREEN_PROTO_RESOLV_H
#define GREEN_PROTO_RESOLV_H

#include "base/addr.h"

#include <stdbool.h>

/* ffi needs: addr */
/* ffi */
enum {
  GREEN_RESOLV_SERVERS = 16,
  GREEN_RESOLV_SEARCH = 32,
  GREEN_RESOLV_TEXT = 4096,
};

typedef struct green_resolv {
  green_addr servers[GREEN_RESOLV_SERVERS]; /* In order, port 53. */
  uint32_t nservers;
  uint32_t nsearch;
  uint16_t search[GREEN_RESOLV_SEARCH]; /* Where in text each begins; they end
                                        ** in a NUL, and in no dot. */
  bool has_search;                      /* There is a search or domain line. */

  /* Options; the defaults are glibc's. */
  uint8_t ndots;    /* 1; 15 at most. */
  uint8_t timeout;  /* 5 seconds for each attempt; 1 to 30. */
  uint8_t attempts; /* 2; 1 to 5. */
  bool rotate;
  bool use_vc; /* TCP always. */
  bool edns0;
  bool trust_ad;
  bool single_request; /* A and AAAA one after the other. */
  bool no_aaaa;

  uint32_t skipped; /* Lines and servers that were not taken. */
  uint32_t used;    /* Private: bytes of text. */
  char text[GREEN_RESOLV_TEXT];
} green_resolv;

/* No servers, no search list, default options: what a missing file means. Who
** asks then asks 127.0.0.1. */
GREEN_API void green_resolv_init(green_resolv *r);

/* Read a file's text over the defaults. */
GREEN_API void green_resolv_read(green_resolv *r, const char *text, size_t n);

/* Read more options over what there is: the environment's RES_OPTIONS. */
GREEN_API void green_resolv_options(green_resolv *r, const char *text,
                                    size_t n);

/* Replace the search list: the environment's LOCALDOMAIN. */
GREEN_API void green_resolv_search(green_resolv *r, const char *text, size_t n);
/* end ffi */

#endif
