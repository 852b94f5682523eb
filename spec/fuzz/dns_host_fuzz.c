/*
** dns_host_fuzz.c: any bytes as a host's name.
**
** What is taken is a name, told by other means; what is refused is refused for
** the reason that is given.
*/

#include "proto/dns_host.h"
#include "guard.h"

#include <ctype.h>
#include <stdbool.h>

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* What libc takes for a part of a numeric address: inet_aton's numbers. */
static bool is_number(const char *label)
{
  bool hex = label[0] == '0' && label[1] == 'x';
  const char *p = hex ? label + 2 : label;
  return strspn(p, hex ? "0123456789abcdef" : "0123456789") == strlen(p);
}

static bool ends_in(const green_dns_host *h, const char *label)
{
  size_t n = strlen(label);
  return h->len >= n && !strcmp(h->text + h->len - n, label) &&
         (h->len == n || h->text[h->len - n - 1] == '.');
}

/* Labels of 1 to 63 of what may stand in them, in small letters. */
static void check_text(const green_dns_host *h)
{
  uint32_t dots = 0, label = 0;
  CHECK(h->len > 0 && h->len <= 253 && strlen(h->text) == h->len);
  for (uint32_t i = 0; i < h->len; i++) {
    char c = h->text[i];
    CHECK(c == '.' || c == '-' || c == '_' || islower(c) || isdigit(c));
    CHECK(c == '.' ? label > 0 : ++label <= 63);
    if (c == '.') dots++, label = 0;
  }
  CHECK(label > 0 && dots == h->dots);
}

static void check_taken(const green_dns_host *h, const char *in, size_t n)
{
  green_dns_host again;
  const char *dot = strrchr(h->text, '.');
  bool is_whole = in[n - 1] == '.';
  check_text(h);
  CHECK(n == h->len + is_whole);
  for (size_t i = 0; i < h->len; i++) CHECK(tolower(in[i]) == h->text[i]);
  CHECK(!is_number(dot ? dot + 1 : h->text));
  CHECK(!(h->flags & GREEN_DNS_HOST_WHOLE) == !is_whole);
  CHECK(!(h->flags & GREEN_DNS_HOST_LOCALHOST) == !ends_in(h, "localhost"));
  CHECK(!(h->flags & GREEN_DNS_HOST_LOCAL) == !ends_in(h, "local"));
  CHECK(!(h->flags & GREEN_DNS_HOST_NOWHERE) ==
        (!ends_in(h, "invalid") && !ends_in(h, "onion")));
  CHECK(green_dns_host_read(&again, h->text, h->len) == 0);
  CHECK(again.len == h->len && !strcmp(again.text, h->text));
  CHECK(again.flags == (h->flags & ~(uint32_t)GREEN_DNS_HOST_WHOLE));
}

static bool has_high(const char *in, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)in[i] > 127) return true;
  return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_dns_host h;
  if (size > 4096) return 0;
  memset(&h, 0xaa, sizeof(h));
  const char *in = guard_copy(data, size);
  int rc = green_dns_host_read(&h, in, size);
  CHECK((rc == GREEN_EOPNOTSUPP) == has_high(in, size));
  if (rc == 0) check_taken(&h, in, size);
  if (rc == GREEN_EINVAL) {
    const char *dot = strrchr(h.text, '.');
    check_text(&h);
    CHECK(is_number(dot ? dot + 1 : h.text));
  }
  CHECK(rc == 0 || rc == GREEN_EINVAL || rc == GREEN_EAI_NONAME ||
        rc == GREEN_EOPNOTSUPP);
  return 0;
}
