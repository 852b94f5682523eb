/*
** hosts.h: a table of the hosts file (hosts(5)): names to addresses and back.
**
** A lookup costs the same whatever the number of lines. The case of ASCII
** letters does not count, nor does a dot at the end of a name. "#" begins a
** comment; CR, LF and CRLF end a line. Left out, and counted, are lines without
** an address in numbers, lines without a name, names that are no text or longer
** than 255 bytes, and link-local addresses (fe80::/10) without a scope: nobody
** could connect to those.
**
** The memory of the struct is the caller's (Lua's: core.object("hosts")), what
** it points to is the table's. Lines have numbers from 0, those left out not
** counted; a number means nothing after the next load. Lookups: any thread, as
** long as nobody loads.
*/
#ifndef GREEN_PROTO_HOSTS_H
#define GREEN_PROTO_HOSTS_H

#include "base/addr.h"

/* ffi needs: addr */
/* ffi */
typedef struct green_hosts {
  uint32_t nlines;
  uint32_t nnames;
  uint32_t skipped; /* Lines and names that were left out. */
  uint32_t mask;    /* Private, with the rest. */
  void *block;
  struct green__hosts_line *lines;
  struct green__hosts_name *names;
  uint32_t *by_name;
  uint32_t *by_addr;
  char *text;
} green_hosts;

/* An empty table. */
GREEN_API void green_hosts_init(green_hosts *h);
GREEN_API void green_hosts_deinit(green_hosts *h);

/* Put what a file's text says in the place of what there was. The text is
** copied. 0; GREEN_ENOMEM, GREEN_ETOOBIG (over 256 MB): nothing has changed. */
GREEN_API int green_hosts_load(green_hosts *h, const char *text, size_t n);

/* The addresses of a name, each once, in the order of the file. family is
** GREEN_INET, GREEN_INET6 or 0 for both. Returns how many there are, of which
** at most cap were written; 0: none. */
GREEN_API int green_hosts_find(const green_hosts *h, const char *name, size_t n,
                               int family, int port, green_addr *out,
                               size_t cap);

/* The first line behind line `after` (-1: of all) that has the name; -1. */
GREEN_API int green_hosts_line(const green_hosts *h, const char *name, size_t n,
                               int after);

/* The first line behind line `after` that has the address (the port does not
** count, the scope does); -1. */
GREEN_API int green_hosts_line_of(const green_hosts *h, const green_addr *a,
                                  int after);

/* Name i of a line as it stands there, no NUL behind it; the first one, 0, is
** the canonical one. NULL: there is no such line or name. */
GREEN_API const char *green_hosts_name(const green_hosts *h, int line, int i,
                                       uint32_t *len);

/* The address of a line with a port. 0; GREEN_ENOENT: there is no such line. */
GREEN_API int green_hosts_addr(const green_hosts *h, int line, int port,
                               green_addr *out);
/* end ffi */

#endif
