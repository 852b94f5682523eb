/*
** dns_host.c: names of hosts.
*/

#include "proto/dns_host.h"
#include "base/ascii.h"

#include <string.h>

/* In small letters, or 0: it may not stand in a name; -1: it needs IDNA. */
static inline int byte_of(char c)
{
  if (c >= 'a' && c <= 'z') return c;
  if (c >= 'A' && c <= 'Z') return c + ('a' - 'A');
  if (green_ascii_is_digit(c) || c == '-' || c == '_') return c;
  return (unsigned char)c > 127 ? -1 : 0;
}

/* What inet_aton takes for a part of an address: decimal, or 0x and hex. */
static int is_number(const char *label, size_t n)
{
  size_t i = 0;
  if (n >= 2 && label[0] == '0' && label[1] == 'x') {
    for (i = 2; i < n; i++)
      if (!green_ascii_is_digit(label[i]) &&
          !(label[i] >= 'a' && label[i] <= 'f'))
        return 0;
    return 1;
  }
  while (i < n && green_ascii_is_digit(label[i])) i++;
  return i == n;
}

/* Is its last label this one? */
static int is_below(const green_dns_host *h, size_t last, const char *label)
{
  return h->len - last == strlen(label) &&
         !memcmp(h->text + last, label, h->len - last);
}

static uint32_t kind_of(const green_dns_host *h, size_t last)
{
  if (is_below(h, last, "localhost")) return GREEN_DNS_HOST_LOCALHOST;
  if (is_below(h, last, "invalid") || is_below(h, last, "onion"))
    return GREEN_DNS_HOST_NOWHERE;
  return is_below(h, last, "local") ? GREEN_DNS_HOST_LOCAL : 0;
}

/* Copy it; *last: where its last label begins. */
static int host_copy(green_dns_host *h, const char *name, size_t n,
                     size_t *last)
{
  int is_bad = 0;
  for (size_t i = 0; i < n; i++) {
    int c = name[i] == '.' ? '.' : byte_of(name[i]);
    if (c < 0) return GREEN_EOPNOTSUPP;
    is_bad |=
        c == 0 || i >= GREEN_DNS_HOST_TEXT - 1 || (c == '.' && i == *last);
    if (is_bad) continue;
    is_bad = c != '.' && i - *last >= 63;
    h->text[i] = (char)c;
    if (c != '.') continue;
    *last = i + 1;
    h->dots++;
  }
  return is_bad || *last == n ? GREEN_EAI_NONAME : 0;
}

int green_dns_host_read(green_dns_host *h, const char *name, size_t n)
{
  size_t last = 0;
  h->flags = h->dots = h->len = 0;
  if (n > 1 && name[n - 1] == '.') {
    h->flags = GREEN_DNS_HOST_WHOLE;
    n--;
  }
  int err = host_copy(h, name, n, &last);
  if (err < 0) return err;
  h->len = (uint32_t)n;
  h->text[n] = '\0';
  if (is_number(h->text + last, n - last)) return GREEN_EINVAL;
  h->flags |= kind_of(h, last);
  return 0;
}
