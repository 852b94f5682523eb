/*
** addr_fuzz.c: no text brings the addresses down, what they make of one is read
** back as the same, and no name service is asked for what is a number.
**
** The first byte says how the rest is to be taken.
*/

#include "base/addr.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

/* The bytes alone, so that reading one more is seen. */
static char *copy_of(const void *p, size_t n)
{
  char *copy = malloc(n + !n);
  CHECK(copy);
  if (n) memcpy(copy, p, n);
  return copy;
}

/* -- Addresses to text ---------------------------------------------------- */

typedef int writer(const green_addr *a, char *text, size_t size);

/* Every size is either enough or refused, and none is exceeded. */
static int check_writer(writer *write, const green_addr *a, char *text)
{
  int n = write(a, text, GREEN_ADDR_TEXT);
  if (n < 0) {
    CHECK(n == GREEN_EINVAL);
    return n;
  }
  CHECK(n < GREEN_ADDR_TEXT && text[n] == '\0');
  for (int size = 0; size <= n + 1; size++) {
    char *room = malloc((size_t)size + !size);
    CHECK(room);
    int got = write(a, room, (size_t)size);
    CHECK(got == (size > n ? n : GREEN_EOVERFLOW));
    if (size > n) CHECK(memcmp(room, text, (size_t)n + 1) == 0);
    free(room);
  }
  return n;
}

static int is_inet(const green_addr *a)
{
  int family = green_addr_family(a);
  return family == GREEN_INET || family == GREEN_INET6;
}

static void check_inet(const green_addr *a, const char *text, int n)
{
  green_addr again;
  CHECK(green_addr_parse(&again, text, (size_t)n, -1) == 0);
  CHECK(green_addr_equal(a, &again));
  CHECK(green_addr_port(a) == green_addr_port(&again));
  CHECK(green_addr_set_port(&again, 65536) == GREEN_EINVAL);
  CHECK(green_addr_set_port(&again, green_addr_port(a) ^ 1) == 0);
  CHECK(!green_addr_equal(a, &again));
}

/* A path that begins with '@' and a NUL in an abstract name read as others. */
static void check_unix(const green_addr *a, const char *text, int n)
{
  green_addr again;
  char path[GREEN_ADDR_TEXT];
  int len = green_addr_path(a, path, sizeof(path));
  CHECK(len >= 0 && n == len + 5);
  CHECK(green_addr_unix(&again, path, (size_t)len) == 0);
  CHECK(green_addr_equal(a, &again));
  if (len == 0 || path[0] == '@') return;
  if (path[0] == '\0' && memchr(path + 1, '\0', (size_t)len - 1)) return;
  CHECK(green_addr_parse(&again, text, (size_t)n, -1) == 0);
  CHECK(green_addr_equal(a, &again));
}

static void check_texts(const green_addr *a)
{
  char text[GREEN_ADDR_TEXT], other[GREEN_ADDR_TEXT];
  CHECK(green_addr_equal(a, a));
  check_writer(green_addr_host, a, other);
  check_writer(green_addr_path, a, other);
  check_writer(green_addr_format, a, text);
}

static void check_parsed(const green_addr *a)
{
  char text[GREEN_ADDR_TEXT];
  check_texts(a);
  int n = check_writer(green_addr_format, a, text);
  CHECK(n > 0);
  if (is_inet(a))
    check_inet(a, text, n);
  else
    check_unix(a, text, n);
}

/* -- Texts to addresses --------------------------------------------------- */

/* What the system takes for a numeric host; port 0. */
static int system_takes(green_addr *a, const char *host, size_t n)
{
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
                           .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  char text[1024];
  if (n == 0 || n >= sizeof(text) || memchr(host, '\0', n)) return 0;
  memcpy(text, host, n);
  text[n] = '\0';
  if (getaddrinfo(text, NULL, &hints, &found) != 0) return 0;
  CHECK(green_addr_set(a, found->ai_addr, found->ai_addrlen) == 0);
  freeaddrinfo(found);
  return 1;
}

static void check_host(const char *host, size_t n)
{
  green_addr a, theirs;
  int err = green_addr_ip(&a, host, n, 0);
  int is_number = system_takes(&theirs, host, n);
  if (err == 0) {
    /* A scope they do not know is theirs to refuse: they ask for links. */
    CHECK(is_number || memchr(host, '%', n));
    if (is_number && !memchr(host, '%', n))
      CHECK(green_addr_equal(&a, &theirs));
    check_parsed(&a);
  } else {
    CHECK(err == GREEN_EINVAL || err == GREEN_ENODEV ||
          err == GREEN_EAI_NONAME);
    if (err == GREEN_EAI_NONAME) CHECK(!is_number);
  }
}

static void check_split(const char *text, size_t n)
{
  green_hostport hp;
  int err = green_addr_split(&hp, text, n);
  CHECK(err == 0 || err == GREEN_EINVAL);
  if (err < 0) return;
  CHECK(hp.host <= n && hp.host_len <= n - hp.host);
  CHECK(hp.port >= -1 && hp.port <= 65535);
  check_host(text + hp.host, hp.host_len);
}

static void check_parse(const char *text, size_t n)
{
  green_addr a, b;
  int err = green_addr_parse(&a, text, n, 7);
  int bare = green_addr_parse(&b, text, n, -1);
  if (err == 0) {
    check_parsed(&a);
    CHECK(bare == GREEN_EINVAL || green_addr_equal(&a, &b));
  } else {
    CHECK(err == GREEN_EINVAL || err == GREEN_ENODEV ||
          err == GREEN_EAI_NONAME || err == GREEN_ENAMETOOLONG);
    CHECK(bare < 0);
  }
}

/* An address that the system could have given. */
static void check_set(const char *bytes, size_t n)
{
  green_addr a;
  int err = green_addr_set(&a, (const struct sockaddr *)(const void *)bytes, n);
  CHECK(err == (n <= sizeof(a.u) ? 0 : GREEN_EINVAL));
  if (err == 0) check_texts(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_addr a;
  if (size == 0) return 0;
  size_t n = size - 1;
  char *text = copy_of(data + 1, n);
  switch (data[0]) {
  case 'h':
    check_host(text, n);
    break;
  case 's':
    check_set(text, n);
    break;
  case 'u':
    if (green_addr_unix(&a, text, n) == 0) check_parsed(&a);
    break;
  default:
    check_split(text, n);
    check_parse(text, n);
  }
  free(text);
  return 0;
}
