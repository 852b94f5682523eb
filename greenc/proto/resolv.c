/*
** resolv.c: resolv.conf, line by line.
*/

#include "proto/resolv.h"
#include "proto/dns_name.h"
#include "proto/words.h"

enum { DNS_PORT = 53, NDOTS_MAX = 15, TIMEOUT_MAX = 30, ATTEMPTS_MAX = 5 };

void green_resolv_init(green_resolv *r)
{
  memset(r, 0, sizeof(*r));
  r->ndots = 1;
  r->timeout = 5;
  r->attempts = 2;
}

/* -- Servers -------------------------------------------------------------- */

static void server_add(green_resolv *r, green__text line)
{
  green__text word;
  green__text_until(&line, ";#");
  if (r->nservers == GREEN_RESOLV_SERVERS || !green__text_word(&line, &word) ||
      green_addr_ip(&r->servers[r->nservers], word.p, green__text_len(word),
                    DNS_PORT) < 0)
    r->skipped++;
  else
    r->nservers++;
}

/* -- Search list ---------------------------------------------------------- */

/* false: it was not taken. */
static bool domain_add(green_resolv *r, green__text word)
{
  char wire[GREEN_DNS_NAME_WIRE];
  size_t n = green__text_len(word);
  if (r->nsearch == GREEN_RESOLV_SEARCH ||
      green_dns_name_pack(word.p, n, wire, sizeof(wire)) < 0)
    return false;
  if (n > 1 && word.end[-1] == '.') n--;
  if (memchr(word.p, '\0', n) || memchr(word.p, '\\', n)) return false;
  if (n >= sizeof(r->text) - r->used) return false;
  r->search[r->nsearch++] = (uint16_t)r->used;
  memcpy(r->text + r->used, word.p, n);
  r->used += (uint32_t)n;
  r->text[r->used++] = '\0';
  return true;
}

/* At most max domains; the rest does not count. */
static void search_read(green_resolv *r, green__text line, uint32_t max)
{
  green__text word;
  r->nsearch = r->used = 0;
  r->has_search = true;
  while (r->nsearch < max && green__text_word(&line, &word))
    if (!domain_add(r, word)) r->skipped++;
}

void green_resolv_search(green_resolv *r, const char *text, size_t n)
{
  search_read(r, (green__text){text, text + n}, GREEN_RESOLV_SEARCH);
}

/* -- Options -------------------------------------------------------------- */

/* "ndots:3" and its like: at least min, at most max; others change nothing. */
static bool option_number(green__text word, const char *name, int min, int max,
                          uint8_t *value)
{
  if (!green__text_skip(&word, name)) return false;
  int n = green__text_number(word, max);
  if (n >= 0) *value = (uint8_t)(n > min ? n : min);
  return true;
}

static bool *option_flag(green_resolv *r, green__text word)
{
  const struct {
    const char *name;
    bool *flag;
  } flags[] = {
      {"rotate", &r->rotate},
      {"use-vc", &r->use_vc},
      {"edns0", &r->edns0},
      {"trust-ad", &r->trust_ad},
      {"single-request", &r->single_request},
      {"single-request-reopen", &r->single_request},
      {"no-aaaa", &r->no_aaaa},
  };
  for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
    if (green__text_is(word, flags[i].name)) return flags[i].flag;
  return NULL;
}

static void options_read(green_resolv *r, green__text line)
{
  green__text word;
  while (green__text_word(&line, &word)) {
    bool *flag = option_flag(r, word);
    if (flag)
      *flag = true;
    else if (!option_number(word, "ndots:", 0, NDOTS_MAX, &r->ndots) &&
             !option_number(word, "timeout:", 1, TIMEOUT_MAX, &r->timeout))
      option_number(word, "attempts:", 1, ATTEMPTS_MAX, &r->attempts);
  }
}

void green_resolv_options(green_resolv *r, const char *text, size_t n)
{
  options_read(r, (green__text){text, text + n});
}

/* -- Lines ---------------------------------------------------------------- */

static void line_read(green_resolv *r, green__text line)
{
  green__text word;
  if (line.p == line.end || *line.p == ';' || *line.p == '#') return;
  if (green__text_blank(*line.p) || !green__text_word(&line, &word))
    r->skipped++;
  else if (green__text_is(word, "nameserver"))
    server_add(r, line);
  else if (green__text_is(word, "search"))
    search_read(r, line, GREEN_RESOLV_SEARCH);
  else if (green__text_is(word, "domain"))
    search_read(r, line, 1);
  else if (green__text_is(word, "options"))
    options_read(r, line);
  else if (!green__text_is(word, "sortlist"))
    r->skipped++;
}

void green_resolv_read(green_resolv *r, const char *text, size_t n)
{
  green__text all = {text, text + n}, line;
  green_resolv_init(r);
  while (green__text_line(&all, &line)) line_read(r, line);
}
