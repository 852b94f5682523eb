/*
** nsswitch.h: whom nsswitch.conf says names are asked of (nsswitch.conf(5)).
**
** Files and DNS are ours to ask. What else the line "hosts:" names only the
** system knows how to ask.
**
** No allocation. Any thread.
*/
#ifndef GREEN_PROTO_NSSWITCH_H
#define GREEN_PROTO_NSSWITCH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi */
typedef struct green_nsswitch {
  bool has_hosts;  /* There is a line for hosts; else these are the defaults: */
  bool files;      /* the hosts file (true), */
  bool dns;        /* and name servers (true); */
  bool dns_first;  /* before the file (false). */
  bool mdns;       /* mdns, mdns4, mdns_minimal, ...: names in .local. */
  bool resolve;    /* systemd-resolved: names may be split among networks. */
  bool myhostname; /* The machine's own names. */
  bool mymachines; /* Containers' names. */
  bool other;      /* Any other, or conditions that have no name here. */
} green_nsswitch;

/* Read a file's text; none of it is what a missing file means. Of several lines
** for hosts the last one counts. What stands behind "resolve" or an mDNS
** service in brackets is what it always is, and says nothing of its own; any
** other condition is `other`. */
GREEN_API void green_nsswitch_read(green_nsswitch *s, const char *text,
                                   size_t n);
/* end ffi */

#endif
