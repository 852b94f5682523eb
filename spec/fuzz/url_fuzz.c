/*
** url_fuzz.c: no text brings the parser down; what it lets through is a URL
** whose parts make up the text, and whose host is one for everybody.
**
** The first byte is the flags.
*/

#include "base/addr.h"
#include "proto/url.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond) \
  do { \
    if (!(cond)) __builtin_trap(); \
  } while (0)

static const char *skip(const char *p, const char *word)
{
  size_t n = strlen(word);
  CHECK(strncmp(p, word, n) == 0);
  return p + n;
}

/* Where a part ends that must begin at p. */
static const char *pass(const char *text, const char *p, green_url_part part)
{
  CHECK(p - text == part.at && part.len >= 0);
  return p + part.len;
}

/* The parts and what stands between them are all of the text. */
static void check_parts(const green_url *u, const char *text, size_t n)
{
  const char *p = text;
  if (u->scheme.len >= 0) p = skip(pass(text, p, u->scheme), ":");
  CHECK((u->kind == GREEN_URL_HOST_NONE) == (u->host.len < 0));
  if (u->kind != GREEN_URL_HOST_NONE) {
    p = skip(p, "//");
    if (u->userinfo.len >= 0) p = skip(pass(text, p, u->userinfo), "@");
    p = pass(text, p, u->host);
    if (p < text + u->path.at) {
      char *end;
      p = skip(p, ":");
      long port = p < text + u->path.at ? strtol(p, &end, 10) : -1;
      CHECK(port == u->port);
      p = text + u->path.at;
    }
  }
  p = pass(text, p, u->path);
  if (u->query.len >= 0) p = pass(text, skip(p, "?"), u->query);
  if (u->fragment.len >= 0) p = pass(text, skip(p, "#"), u->fragment);
  CHECK(p == text + n);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    int is_host = u->host.len > 0 && (int)i >= u->host.at &&
                  (int)i < u->host.at + u->host.len;
    CHECK(is_host || (c > 0x20 && c < 0x7f));
  }
}

/* Would the system take the name for a number? */
static int is_number(const char *name)
{
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
                           .ai_socktype = SOCK_STREAM};
  struct addrinfo *found = NULL;
  if (getaddrinfo(name, NULL, &hints, &found) != 0) return 0;
  freeaddrinfo(found);
  return 1;
}

static void check_host(const green_url *u)
{
  green_addr a;
  char again[GREEN_ADDR_TEXT];
  CHECK(u->name_len >= 0 && u->name_len < GREEN_URL_HOST);
  CHECK(strlen(u->name) == (size_t)u->name_len);
  for (int i = 0; i < u->name_len; i++) {
    CHECK(u->name[i] > 0x20 && u->name[i] < 0x7f);
    CHECK(!strchr("/?#@[]\\", u->name[i]) || strchr(u->name, '%'));
    CHECK(u->kind == GREEN_URL_HOST_IP6 || !strchr(":%", u->name[i]));
  }
  if (u->kind == GREEN_URL_HOST_NAME) {
    CHECK(u->name_len > 0 && !is_number(u->name));
    CHECK(green_addr_ip(&a, u->name, (size_t)u->name_len, 0) ==
          GREEN_EAI_NONAME);
  } else if (u->kind != GREEN_URL_HOST_NONE &&
             u->kind != GREEN_URL_HOST_EMPTY) {
    size_t n = strcspn(u->name, "%");
    CHECK(green_addr_ip(&a, u->name, n, 0) == 0);
    CHECK(green_addr_host(&a, again, sizeof(again)) == (int)n);
    CHECK(memcmp(again, u->name, n) == 0);
  }
}

/* The name in a URL is read as the same host. */
static void check_again(const green_url *u)
{
  char text[GREEN_URL_HOST + 10] = "x://";
  green_url other;
  if (u->kind != GREEN_URL_HOST_NAME && u->kind != GREEN_URL_HOST_IP4) return;
  strcat(text, u->name);
  memset(&other, 0xff, sizeof(other));
  CHECK(green_url_parse(&other, text, strlen(text), 0) == 0);
  CHECK(other.kind == u->kind && !strcmp(other.name, u->name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  green_url u;
  if (size == 0) return 0;
  size_t n = size - 1;
  char *text = malloc(n + !n);
  CHECK(text);
  if (n) memcpy(text, data + 1, n);
  memset(&u, 0xff, sizeof(u));
  int err = green_url_parse(&u, text, n, data[0] & 3);
  if (err == 0) {
    char *ended = malloc(n + 1);
    CHECK(ended);
    if (n) memcpy(ended, text, n);
    ended[n] = '\0';
    check_parts(&u, ended, n);
    free(ended);
    check_host(&u);
    check_again(&u);
    CHECK(data[0] & 1 || u.scheme.len > 0);
  } else {
    CHECK(err == GREEN_EINVAL || err == GREEN_ENOLIBRARY);
    CHECK(u.wrong_at >= 0 && (size_t)u.wrong_at <= n);
    CHECK(*u.why && strlen(u.why) < sizeof(u.why));
  }
  free(text);
  return 0;
}
