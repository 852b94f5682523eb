/*
** addr.c: addresses to text and back.
**
** A green_addr is bytes: each struct sockaddr_* is copied in and out, so that
** no two types ever name the same memory.
*/

#include "base/addr.h"
#include "base/ascii.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

_Static_assert(GREEN_UNIX == AF_UNIX && GREEN_INET == AF_INET &&
                   GREEN_INET6 == AF_INET6,
               "families");
_Static_assert(sizeof(((green_addr *)0)->u) >= sizeof(struct sockaddr_storage),
               "room for any address");

#define UNIX_NAME offsetof(struct sockaddr_un, sun_path)
#define UNIX_MAX sizeof(((struct sockaddr_un *)0)->sun_path)

/* The longest numeric host: an IPv6 address, '%' and an interface. */
#define HOST_MAX (INET6_ADDRSTRLEN + 1 + IF_NAMESIZE)

/* -- Bytes and structs ---------------------------------------------------- */

static void addr_put(green_addr *a, const void *sa, size_t len)
{
  memset(a, 0, sizeof(*a));
  memcpy(a->u.bytes, sa, len);
  a->len = (uint32_t)len;
}

static struct sockaddr_in addr_in(const green_addr *a)
{
  struct sockaddr_in in;
  memcpy(&in, a->u.bytes, sizeof(in));
  return in;
}

static struct sockaddr_in6 addr_in6(const green_addr *a)
{
  struct sockaddr_in6 in6;
  memcpy(&in6, a->u.bytes, sizeof(in6));
  return in6;
}

/* -- Numbers -------------------------------------------------------------- */

/* Decimal digits and nothing else, at most max; or -1. */
static int64_t parse_number(const char *s, size_t n, int64_t max)
{
  int64_t v = 0;
  if (n == 0) return -1;
  for (size_t i = 0; i < n; i++) {
    if (!green_ascii_is_digit(s[i])) return -1;
    v = 10 * v + (s[i] - '0');
    if (v > max) return -1;
  }
  return v;
}

static int port_is_valid(int port)
{
  return port >= 0 && port <= 65535;
}

/* -- Numeric hosts -------------------------------------------------------- */

/* inet_aton, and with it getaddrinfo, takes any host for a number whose last
** label is one: "1", "1.2", "0177.0.0.1", "1.0x7f". */
static int host_ends_in_number(const char *host, size_t n)
{
  size_t at = n;
  while (at > 0 && host[at - 1] != '.') at--;
  if (n - at >= 2 && host[at] == '0' && (host[at + 1] | 32) == 'x') return 1;
  size_t i = at;
  while (i < n && green_ascii_is_digit(host[i])) i++;
  return i == n && n > at;
}

static int addr_ip4(green_addr *a, const char *host, int port)
{
  struct sockaddr_in in = {.sin_family = AF_INET};
  if (inet_pton(AF_INET, host, &in.sin_addr) != 1) return GREEN_EINVAL;
  in.sin_port = htons((uint16_t)port);
  addr_put(a, &in, sizeof(in));
  return 0;
}

/* What stands behind '%': 0 or an error. */
static int addr_scope(const char *scope, uint32_t *id)
{
  int64_t number = parse_number(scope, strlen(scope), UINT32_MAX);
  *id = (uint32_t)number;
  if (number >= 0) return 0;
  if (!*scope) return GREEN_EINVAL;
  *id = if_nametoindex(scope);
  return *id ? 0 : GREEN_ENODEV;
}

static int addr_ip6(green_addr *a, char *host, int port)
{
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
  char *percent = strchr(host, '%');
  if (percent) *percent = '\0';
  if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1) return GREEN_EINVAL;
  int err = percent ? addr_scope(percent + 1, &in6.sin6_scope_id) : 0;
  if (err < 0) return err;
  in6.sin6_port = htons((uint16_t)port);
  addr_put(a, &in6, sizeof(in6));
  return 0;
}

/* -- Text ----------------------------------------------------------------- */

/* snprintf's result becomes ours. */
static int text_length(int n, size_t size)
{
  return n >= 0 && (size_t)n < size ? n : GREEN_EOVERFLOW;
}

/* The bytes of a UNIX name and how many: no trailing NUL for paths. */
static size_t unix_name(const green_addr *a, const char **name)
{
  size_t n = a->len > UNIX_NAME ? a->len - UNIX_NAME : 0;
  *name = a->u.bytes + UNIX_NAME;
  return n && **name ? strnlen(*name, n) : n;
}

static int format_unix(const green_addr *a, char *text, size_t size)
{
  const char *name;
  size_t n = unix_name(a, &name);
  if (sizeof("unix:") + n > size) return GREEN_EOVERFLOW;
  memcpy(text, "unix:", 5);
  for (size_t i = 0; i < n; i++) text[5 + i] = name[i] ? name[i] : '@';
  text[5 + n] = '\0';
  return (int)(5 + n);
}

/* -- Public API ----------------------------------------------------------- */

static int is_unix_text(const char *text, size_t n)
{
  return n >= 5 && memcmp(text, "unix:", 5) == 0;
}

static int parse_unix(green_addr *a, const char *name, size_t n)
{
  char abstract[UNIX_MAX];
  if (n == 0) return GREEN_EINVAL;
  if (*name != '@') return green_addr_unix(a, name, n);
  if (n > sizeof(abstract)) return GREEN_ENAMETOOLONG;
  memcpy(abstract, name, n);
  abstract[0] = '\0';
  return green_addr_unix(a, abstract, n);
}

int green_addr_parse(green_addr *a, const char *text, size_t n, int port)
{
  green_hostport hp;
  if (is_unix_text(text, n)) return parse_unix(a, text + 5, n - 5);
  int err = green_addr_split(&hp, text, n);
  if (err < 0) return err;
  if (hp.port >= 0) port = hp.port;
  return green_addr_ip(a, text + hp.host, hp.host_len, port);
}

static int split_bracketed(green_hostport *hp, const char *text, size_t n)
{
  const char *close = memchr(text, ']', n);
  if (!close) return GREEN_EINVAL;
  size_t at = (size_t)(close - text);
  hp->host = 1;
  hp->host_len = (uint32_t)(at - 1);
  if (!memchr(text, ':', at)) return GREEN_EINVAL; /* "[name]" */
  if (at + 1 == n) return 0;
  if (text[at + 1] != ':') return GREEN_EINVAL;
  hp->port = (int32_t)parse_number(close + 2, n - at - 2, 65535);
  return hp->port < 0 ? GREEN_EINVAL : 0;
}

int green_addr_split(green_hostport *hp, const char *text, size_t n)
{
  *hp = (green_hostport){.host_len = (uint32_t)n, .port = -1};
  if (n == 0 || n > UINT16_MAX) return GREEN_EINVAL;
  if (text[0] == '[') return split_bracketed(hp, text, n);
  const char *colon = memchr(text, ':', n);
  if (!colon) return 0;
  size_t at = (size_t)(colon - text);
  if (memchr(colon + 1, ':', n - at - 1)) return 0; /* bare IPv6 */
  hp->host_len = (uint32_t)at;
  hp->port = (int32_t)parse_number(colon + 1, n - at - 1, 65535);
  return hp->port < 0 ? GREEN_EINVAL : 0;
}

int green_addr_ip(green_addr *a, const char *host, size_t n, int port)
{
  char copy[HOST_MAX + 1];
  /* A name service would see only what stands before it. */
  if (n && memchr(host, '\0', n)) return GREEN_EINVAL;
  int is_v6 = n && memchr(host, ':', n);
  if (!is_v6 && !host_ends_in_number(host, n)) return GREEN_EAI_NONAME;
  if (n > HOST_MAX || !port_is_valid(port)) return GREEN_EINVAL;
  memcpy(copy, host, n);
  copy[n] = '\0';
  return is_v6 ? addr_ip6(a, copy, port) : addr_ip4(a, copy, port);
}

int green_addr_unix(green_addr *a, const char *path, size_t n)
{
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  int is_path = n && path[0] != '\0';
  /* A path keeps room for its NUL, an abstract name needs none. */
  if (n > UNIX_MAX - (size_t)is_path) return GREEN_ENAMETOOLONG;
  if (is_path && memchr(path, '\0', n)) return GREEN_EINVAL;
  if (n) memcpy(un.sun_path, path, n);
  addr_put(a, &un, UNIX_NAME + n + (size_t)is_path);
  return 0;
}

int green_addr_family(const green_addr *a)
{
  return a->len >= sizeof(a->u.family) ? a->u.family : 0;
}

/* The port stands at the same place in both. */
_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                   offsetof(struct sockaddr_in6, sin6_port),
               "ports");

static int addr_has_port(const green_addr *a)
{
  int family = green_addr_family(a);
  return family == AF_INET || family == AF_INET6;
}

int green_addr_port(const green_addr *a)
{
  return addr_has_port(a) ? ntohs(addr_in(a).sin_port) : GREEN_EINVAL;
}

int green_addr_set_port(green_addr *a, int port)
{
  if (!addr_has_port(a) || !port_is_valid(port)) return GREEN_EINVAL;
  uint16_t net = htons((uint16_t)port);
  memcpy(a->u.bytes + offsetof(struct sockaddr_in, sin_port), &net,
         sizeof(net));
  return 0;
}

/* One number of an IPv4 address; where it ends. */
static char *host_byte(char *p, unsigned n)
{
  if (n >= 100) *p++ = (char)('0' + n / 100);
  if (n >= 10) *p++ = (char)('0' + n / 10 % 10);
  *p++ = (char)('0' + n % 10);
  return p;
}

/* printf(3), which inet_ntop(3) uses, would take longer than all else that an
** address is made for. */
static char *host_four(char *p, const uint8_t *bytes)
{
  for (int i = 0; i < 4; i++) {
    if (i) *p++ = '.';
    p = host_byte(p, bytes[i]);
  }
  return p;
}

/* A group of an IPv6 address, without zeros in front. */
static char *host_group(char *p, unsigned n)
{
  static const char digits[] = "0123456789abcdef";
  int shift = 12;
  while (shift && !(n >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) *p++ = digits[n >> shift & 15];
  return p;
}

/* The first of the longest runs of at least two zeros; its length. */
static int longest_gap(const uint16_t groups[8], int *from)
{
  int best = 1;
  for (int i = 0, n = 0; i < 8; i++) {
    n = groups[i] ? 0 : n + 1;
    if (n <= best) continue;
    best = n;
    *from = i - n + 1;
  }
  return best > 1 ? best : 0;
}

/* RFC 5952, 4 and 5. */
static char *host_six(char *p, const uint8_t *bytes)
{
  uint16_t groups[8];
  int from = 8;
  for (int i = 0; i < 8; i++)
    groups[i] = (uint16_t)(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  int gap = longest_gap(groups, &from);
  int has_four = from == 0 && (gap == 6 || (gap == 5 && groups[5] == 0xffff));
  for (int i = 0; i < 8; i++) {
    if (i == from) {
      *p++ = ':';
      i += gap - 1;
      if (i == 7) *p++ = ':';
      continue;
    }
    if (i) *p++ = ':';
    if (i == 6 && has_four) return host_four(p, bytes + 12);
    p = host_group(p, groups[i]);
  }
  return p;
}

int green_addr_host(const green_addr *a, char *text, size_t size)
{
  const char *bytes;
  char host[INET6_ADDRSTRLEN];
  if (!addr_has_port(a)) return GREEN_EINVAL;
  int is_six = green_addr_bytes(a, &bytes) == 16;
  const uint8_t *from = (const uint8_t *)bytes;
  char *end = is_six ? host_six(host, from) : host_four(host, from);
  unsigned scope = is_six ? addr_in6(a).sin6_scope_id : 0;
  size_t n = (size_t)(end - host);
  *end = '\0';
  if (scope)
    return text_length(snprintf(text, size, "%s%%%u", host, scope), size);
  if (n >= size) return GREEN_EOVERFLOW;
  memcpy(text, host, n + 1);
  return (int)n;
}

int green_addr_path(const green_addr *a, char *text, size_t size)
{
  const char *name;
  if (green_addr_family(a) != AF_UNIX) return GREEN_EINVAL;
  size_t n = unix_name(a, &name);
  if (n >= size) return GREEN_EOVERFLOW;
  memcpy(text, name, n);
  text[n] = '\0';
  return (int)n;
}

int green_addr_format(const green_addr *a, char *text, size_t size)
{
  char host[GREEN_ADDR_TEXT];
  int family = green_addr_family(a);
  if (!family) return text_length(snprintf(text, size, "-"), size);
  if (family == AF_UNIX) return format_unix(a, text, size);
  int n = green_addr_host(a, host, sizeof(host));
  if (n < 0) return n;
  const char *shape = family == AF_INET6 ? "[%s]:%d" : "%s:%d";
  return text_length(snprintf(text, size, shape, host, green_addr_port(a)),
                     size);
}

int green_addr_equal(const green_addr *a, const green_addr *b)
{
  int family = green_addr_family(a);
  if (family != green_addr_family(b)) return 0;
  if (family == AF_INET) {
    struct sockaddr_in x = addr_in(a), y = addr_in(b);
    return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
  }
  if (family == AF_INET6) {
    struct sockaddr_in6 x = addr_in6(a), y = addr_in6(b);
    return x.sin6_port == y.sin6_port && x.sin6_scope_id == y.sin6_scope_id &&
           memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(x.sin6_addr)) == 0;
  }
  return a->len == b->len && memcmp(a->u.bytes, b->u.bytes, a->len) == 0;
}

int green_addr_set(green_addr *a, const struct sockaddr *sa, size_t len)
{
  if (len > sizeof(a->u)) return GREEN_EINVAL;
  addr_put(a, sa, len);
  return 0;
}

/* -- The bytes of numbers ------------------------------------------------- */

uint32_t green_addr_bytes(const green_addr *a, const char **bytes)
{
  int family = green_addr_family(a);
  size_t at = family == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
                                : offsetof(struct sockaddr_in6, sin6_addr);
  *bytes = a->u.bytes + at;
  if (family == AF_INET) return 4;
  return family == AF_INET6 ? 16 : 0;
}

uint32_t green_addr_scope(const green_addr *a)
{
  return green_addr_family(a) == AF_INET6 ? addr_in6(a).sin6_scope_id : 0;
}

int green_addr_of(green_addr *a, const void *bytes, size_t n, uint32_t scope,
                  int port)
{
  struct sockaddr_in in = {.sin_family = AF_INET};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_scope_id = scope};
  if ((n != 4 && n != 16) || !port_is_valid(port)) return GREEN_EINVAL;
  in.sin_port = in6.sin6_port = htons((uint16_t)port);
  memcpy(n == 4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, bytes, n);
  if (n == 4)
    addr_put(a, &in, sizeof(in));
  else
    addr_put(a, &in6, sizeof(in6));
  return 0;
}
