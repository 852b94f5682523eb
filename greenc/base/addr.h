/*
** addr.h: socket addresses: numeric text to bytes and back, no name service.
**
** Any thread, all of it: there is no state.
*/
#ifndef GREEN_ADDR_H
#define GREEN_ADDR_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct sockaddr;

/* ffi */
/* Linux's numbers; addr.c asserts them. */
enum { GREEN_UNIX = 1, GREEN_INET = 2, GREEN_INET6 = 10 };

/* Room for every text that green_addr_format makes, its NUL included. */
enum { GREEN_ADDR_TEXT = 160 };

/* A struct sockaddr of any family and its length. Zeroed: no address. */
typedef struct green_addr {
  uint32_t len; /* 0: none. */
  uint32_t unused;
  union {
    uint16_t family;
    uint64_t align;
    char bytes[128];
  } u;
} green_addr;

/* What green_addr_split found: offsets into its text. */
typedef struct green_hostport {
  uint32_t host;
  uint32_t host_len;
  int32_t port; /* -1: none was given. */
} green_hostport;

/* "127.0.0.1:80", "[::1%eth0]:80", "::1", "fe80::1%2", "unix:/path",
** "unix:@abstract" ("unix:\0abstract" likewise). port stands in where the text
** has none (GREEN_EINVAL if it is negative then). 0, GREEN_EAI_NONAME (well
** formed, but the host is a name: look it up), GREEN_EINVAL, or as
** green_addr_ip and green_addr_unix. */
GREEN_API int green_addr_parse(green_addr *a, const char *text, size_t n,
                               int port);

/* Take "host", "host:port", "[v6]:port", "[v6]" or a bare IPv6 address apart;
** the host may be a name and may be empty (":80"). 0 or GREEN_EINVAL. */
GREEN_API int green_addr_split(green_hostport *hp, const char *text, size_t n);

/* A numeric host without brackets. IPv4 is four decimal numbers, nothing else;
** IPv6 may carry a scope: a number or an interface's name. 0, GREEN_EAI_NONAME
** (not numeric), GREEN_EINVAL (numeric but wrong, or a NUL inside: never ask a
** name service, which may take 0177.1 for an address; or a bad port),
** GREEN_ENODEV (no such interface). */
GREEN_API int green_addr_ip(green_addr *a, const char *host, size_t n,
                            int port);

/* A UNIX address: a path, or after a NUL byte an abstract name, bytes as they
** are. An empty one makes bind choose a free abstract name. 0, GREEN_EINVAL
** (a NUL inside a path) or GREEN_ENAMETOOLONG. */
GREEN_API int green_addr_unix(green_addr *a, const char *path, size_t n);

/* GREEN_UNIX, GREEN_INET, GREEN_INET6, another of the system's, or 0: none. */
GREEN_API int green_addr_family(const green_addr *a);

/* The bytes of an IPv4 or IPv6 address in the network's order, where they stand
** in it: 4 or 16, and *bytes; 0 for another family. */
GREEN_API uint32_t green_addr_bytes(const green_addr *a, const char **bytes);

/* The IPv6 address's scope, an interface's number; 0: none. */
GREEN_API uint32_t green_addr_scope(const green_addr *a);

/* The address that 4 or 16 such bytes are, with a port; a scope is for 16. 0,
** or GREEN_EINVAL (another n, or a bad port). */
GREEN_API int green_addr_of(green_addr *a, const void *bytes, size_t n,
                            uint32_t scope, int port);

/* 0..65535, or GREEN_EINVAL for a family without ports. */
GREEN_API int green_addr_port(const green_addr *a);
GREEN_API int green_addr_set_port(green_addr *a, int port);

/* Write the numeric host ("fe80::1%2"), the UNIX path (an abstract name with
** its leading NUL byte) or the whole ("[::1]:80", "unix:/path", "unix:@name",
** with @ for each NUL; "-" for none) and a NUL. The length without that NUL, or
** GREEN_EOVERFLOW (size is too small), GREEN_EINVAL (another family). */
GREEN_API int green_addr_host(const green_addr *a, char *text, size_t size);
GREEN_API int green_addr_path(const green_addr *a, char *text, size_t size);
GREEN_API int green_addr_format(const green_addr *a, char *text, size_t size);

/* 1 if both are the same address (IPv6 flow labels do not count), else 0. */
GREEN_API int green_addr_equal(const green_addr *a, const green_addr *b);
/* end ffi */

/* Copy in an address of the system's. 0, or GREEN_EINVAL if it is too long. */
GREEN_API int green_addr_set(green_addr *a, const struct sockaddr *sa,
                             size_t len);

/* For the system's calls. */
static inline const struct sockaddr *green_addr_get(const green_addr *a)
{
  return (const struct sockaddr *)(const void *)a->u.bytes;
}

#endif
