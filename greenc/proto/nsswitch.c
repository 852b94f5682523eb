/*
** nsswitch.c: the line for hosts.
*/

#include "proto/nsswitch.h"
#include "proto/words.h"

static void defaults_set(green_nsswitch *s)
{
  memset(s, 0, sizeof(*s));
  s->files = s->dns = true;
}

static bool *service_flag(green_nsswitch *s, green__text word)
{
  const struct {
    const char *name;
    bool *flag;
  } services[] = {
      {"files", &s->files},
      {"dns", &s->dns},
      {"resolve", &s->resolve},
      {"myhostname", &s->myhostname},
      {"mymachines", &s->mymachines},
      {"mdns", &s->mdns},
      {"mdns4", &s->mdns},
      {"mdns6", &s->mdns},
      {"mdns_minimal", &s->mdns},
      {"mdns4_minimal", &s->mdns},
      {"mdns6_minimal", &s->mdns},
  };
  for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
    if (green__text_is(word, services[i].name)) return services[i].flag;
  return &s->other;
}

/* A service's name ends at a blank or a bracket; "[" may follow at once. */
static bool service_next(green__text *line, green__text *word)
{
  while (line->p < line->end && green__text_blank(*line->p)) line->p++;
  const char *e = line->p;
  while (e < line->end && !green__text_blank(*e) && (*e != '[' || e == line->p))
    e++;
  *word = (green__text){line->p, e};
  if (word->p < e && *word->p == '[') {
    while (e < line->end && e[-1] != ']') e++;
    word->end = e;
  }
  line->p = e;
  return word->p < e;
}

static void hosts_read(green_nsswitch *s, green__text line)
{
  green__text word;
  bool *last = &s->other;
  memset(s, 0, sizeof(*s));
  s->has_hosts = true;
  while (service_next(&line, &word)) {
    if (*word.p == '[') {
      if (last != &s->mdns && last != &s->resolve) s->other = true;
      continue;
    }
    last = service_flag(s, word);
    *last = true;
    if (last == &s->dns && !s->files) s->dns_first = true;
  }
  s->dns_first = s->dns_first && s->files;
}

void green_nsswitch_read(green_nsswitch *s, const char *text, size_t n)
{
  green__text all = {text, text + n}, line;
  defaults_set(s);
  while (green__text_line(&all, &line)) {
    green__text_until(&line, "#");
    while (line.p < line.end && green__text_blank(*line.p)) line.p++;
    if (green__text_skip(&line, "hosts:")) hosts_read(s, line);
  }
}
