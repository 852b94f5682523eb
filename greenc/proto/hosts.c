/*
** hosts.c: a copy of the text, and two hash tables over what stands in it.
**
** A file is read twice: first to count, then to fill one block of memory of
** the right size. Chains are in the order of the file because they are made
** from the end.
*/

#include "proto/hosts.h"
#include "base/mem.h"
#include "proto/words.h"
#include "base/ascii.h"

enum { NAME_MAX_LEN = 255, TEXT_MAX = 1 << 28 };
#define NONE UINT32_MAX

typedef struct green__hosts_line {
  unsigned char address[16];
  uint32_t scope;
  uint32_t size;  /* Of the address: 4 or 16. */
  uint32_t first; /* Its names: [first, first + count) */
  uint32_t count;
  uint32_t next; /* In the chain of its address. */
} hosts_line;

typedef struct green__hosts_name {
  uint32_t off; /* In the text. */
  uint32_t len;
  uint32_t hash;
  uint32_t line;
  uint32_t next; /* In the chain of its name. */
} hosts_name;

void green_hosts_init(green_hosts *h)
{
  memset(h, 0, sizeof(*h));
}

void green_hosts_deinit(green_hosts *h)
{
  green__free(h->block);
  green_hosts_init(h);
}

/* -- Hashes --------------------------------------------------------------- */

/* FNV-1a. */
static uint32_t name_hash(const char *p, size_t n)
{
  uint32_t hash = 2166136261U;
  for (size_t i = 0; i < n; i++)
    hash = (hash ^ (unsigned char)green_ascii_lower(p[i])) * 16777619U;
  return hash ^ hash >> 15;
}

static uint32_t address_hash(const unsigned char *p)
{
  uint32_t hash = 2166136261U;
  for (size_t i = 0; i < 16; i++) hash = (hash ^ p[i]) * 16777619U;
  return hash ^ hash >> 15;
}

static bool name_same(const char *a, const char *b, size_t n)
{
  for (size_t i = 0; i < n; i++)
    if (green_ascii_lower(a[i]) != green_ascii_lower(b[i])) return false;
  return true;
}

/* A dot at the end does not count. */
static size_t name_length(const char *name, size_t n)
{
  return n > 1 && name[n - 1] == '.' ? n - 1 : n;
}

/* -- Addresses ------------------------------------------------------------ */

/* Size 0: neither IPv4 nor IPv6. */
static hosts_line line_of_addr(const green_addr *a)
{
  hosts_line line = {.next = NONE, .scope = green_addr_scope(a)};
  const char *bytes;
  line.size = green_addr_bytes(a, &bytes);
  memcpy(line.address, bytes, line.size);
  return line;
}

static bool address_same(const hosts_line *a, const hosts_line *b)
{
  return a->size == b->size && a->scope == b->scope &&
         !memcmp(a->address, b->address, 16);
}

static void line_addr(const hosts_line *line, int port, green_addr *out)
{
  green_addr_of(out, line->address, line->size, line->scope, port);
}

/* GREEN_INET, GREEN_INET6 or 0: any. */
static bool is_of_family(const hosts_line *line, int family)
{
  return !family || (family == GREEN_INET ? 4 : 16) == line->size;
}

/* -- Filling -------------------------------------------------------------- */

/* fe80::/10 wants a scope. */
static bool address_is_lost(const hosts_line *line)
{
  return line->size == 16 && line->address[0] == 0xfe &&
         (line->address[1] & 0xc0) == 0x80 && !line->scope;
}

static bool name_is_text(green__text word)
{
  size_t n = name_length(word.p, green__text_len(word));
  if (n > NAME_MAX_LEN || word.p[n - 1] == '.') return false;
  for (size_t i = 0; i < n; i++)
    if ((unsigned char)word.p[i] <= ' ' || word.p[i] == 0x7f) return false;
  return true;
}

static void name_add(green_hosts *h, green__text word)
{
  size_t n = name_length(word.p, green__text_len(word));
  if (!name_is_text(word)) {
    h->skipped++;
    return;
  }
  h->names[h->nnames++] = (hosts_name){
      .off = (uint32_t)(word.p - h->text),
      .len = (uint32_t)n,
      .hash = name_hash(word.p, n),
      .line = h->nlines,
      .next = NONE,
  };
}

static void line_add(green_hosts *h, green__text text)
{
  green__text word;
  green_addr a;
  green__text_until(&text, "#");
  if (!green__text_word(&text, &word)) return;
  uint32_t first = h->nnames;
  if (green_addr_ip(&a, word.p, green__text_len(word), 0) < 0) {
    h->skipped++;
    return;
  }
  hosts_line line = line_of_addr(&a);
  bool is_lost = address_is_lost(&line);
  while (!is_lost && green__text_word(&text, &word)) name_add(h, word);
  line.first = first;
  line.count = h->nnames - first;
  if (line.count)
    h->lines[h->nlines++] = line;
  else
    h->skipped++;
}

static void chains_make(green_hosts *h)
{
  memset(h->by_name, 0xff, (h->mask + 1) * sizeof(uint32_t));
  memset(h->by_addr, 0xff, (h->mask + 1) * sizeof(uint32_t));
  for (uint32_t i = h->nnames; i-- > 0;) {
    uint32_t *head = &h->by_name[h->names[i].hash & h->mask];
    h->names[i].next = *head;
    *head = i;
  }
  for (uint32_t i = h->nlines; i-- > 0;) {
    uint32_t *head = &h->by_addr[address_hash(h->lines[i].address) & h->mask];
    h->lines[i].next = *head;
    *head = i;
  }
}

/* -- Loading -------------------------------------------------------------- */

/* More than enough lines, and more than enough names. */
static void text_count(green__text all, uint32_t *lines, uint32_t *names)
{
  green__text line, word;
  *lines = *names = 0;
  while (green__text_line(&all, &line)) {
    uint32_t words = 0;
    green__text_until(&line, "#");
    while (green__text_word(&line, &word)) words++;
    if (words < 2) continue;
    ++*lines;
    *names += words - 1;
  }
}

/* The parts of one block. What wants the most comes first. */
static int block_make(green_hosts *h, uint32_t lines, uint32_t names,
                      size_t text)
{
  size_t buckets = 16;
  while (buckets < names) buckets *= 2;
  size_t size = lines * sizeof(hosts_line) + names * sizeof(hosts_name) +
                2 * buckets * sizeof(uint32_t) + text;
  char *p = h->block = green__alloc(size);
  if (!p) return GREEN_ENOMEM;
  h->lines = (hosts_line *)(void *)p;
  p += lines * sizeof(hosts_line);
  h->names = (hosts_name *)(void *)p;
  p += names * sizeof(hosts_name);
  h->by_name = (uint32_t *)(void *)p;
  h->by_addr = h->by_name + buckets;
  h->text = (char *)(h->by_addr + buckets);
  h->mask = (uint32_t)buckets - 1;
  return 0;
}

int green_hosts_load(green_hosts *h, const char *text, size_t n)
{
  green_hosts fresh;
  green__text line;
  uint32_t lines, names;
  if (n > TEXT_MAX) return GREEN_ETOOBIG;
  green_hosts_init(&fresh);
  text_count((green__text){text, text + n}, &lines, &names);
  int rc = block_make(&fresh, lines, names, n);
  if (rc < 0) return rc;
  if (n) memcpy(fresh.text, text, n);
  green__text all = {fresh.text, fresh.text + n};
  while (green__text_line(&all, &line)) line_add(&fresh, line);
  chains_make(&fresh);
  green_hosts_deinit(h);
  *h = fresh;
  return 0;
}

/* -- Looking up ----------------------------------------------------------- */

/* The first of the name's entries at or behind i in its chain; NONE. */
static uint32_t chain_name(const green_hosts *h, uint32_t i, const char *name,
                           size_t n, uint32_t hash)
{
  for (; i != NONE; i = h->names[i].next) {
    const hosts_name *e = &h->names[i];
    if (e->hash == hash && e->len == n && name_same(h->text + e->off, name, n))
      return i;
  }
  return NONE;
}

/* The name's first entry. */
static uint32_t name_first(const green_hosts *h, const char *name, size_t n,
                           uint32_t hash)
{
  if (!h->block || !n || n > NAME_MAX_LEN) return NONE;
  return chain_name(h, h->by_name[hash & h->mask], name, n, hash);
}

static bool addr_is_new(const green_addr *out, size_t n, const green_addr *a)
{
  for (size_t i = 0; i < n; i++)
    if (green_addr_equal(&out[i], a)) return false;
  return true;
}

int green_hosts_find(const green_hosts *h, const char *name, size_t n,
                     int family, int port, green_addr *out, size_t cap)
{
  n = name_length(name, n);
  uint32_t hash = name_hash(name, n), i = name_first(h, name, n, hash);
  size_t count = 0;
  while (i != NONE) {
    const hosts_line *line = &h->lines[h->names[i].line];
    green_addr a;
    line_addr(line, port, &a);
    if (is_of_family(line, family) &&
        addr_is_new(out, count < cap ? count : cap, &a)) {
      if (count < cap) out[count] = a;
      count++;
    }
    i = chain_name(h, h->names[i].next, name, n, hash);
  }
  return (int)count;
}

int green_hosts_line(const green_hosts *h, const char *name, size_t n,
                     int after)
{
  n = name_length(name, n);
  uint32_t hash = name_hash(name, n), i = name_first(h, name, n, hash);
  while (i != NONE && (int)h->names[i].line <= after)
    i = chain_name(h, h->names[i].next, name, n, hash);
  return i == NONE ? -1 : (int)h->names[i].line;
}

int green_hosts_line_of(const green_hosts *h, const green_addr *a, int after)
{
  hosts_line want = line_of_addr(a);
  if (!h->block || !want.size) return -1;
  uint32_t i = h->by_addr[address_hash(want.address) & h->mask];
  while (i != NONE && ((int)i <= after || !address_same(&h->lines[i], &want)))
    i = h->lines[i].next;
  return i == NONE ? -1 : (int)i;
}

/* NULL: there is no such line. */
static const hosts_line *line_at(const green_hosts *h, int line)
{
  return line >= 0 && (uint32_t)line < h->nlines ? &h->lines[line] : NULL;
}

const char *green_hosts_name(const green_hosts *h, int line, int i,
                             uint32_t *len)
{
  const hosts_line *l = line_at(h, line);
  if (!l || i < 0 || (uint32_t)i >= l->count) return NULL;
  const hosts_name *name = &h->names[l->first + (uint32_t)i];
  *len = name->len;
  return h->text + name->off;
}

int green_hosts_addr(const green_hosts *h, int line, int port, green_addr *out)
{
  const hosts_line *l = line_at(h, line);
  if (!l) return GREEN_ENOENT;
  line_addr(l, port, out);
  return 0;
}
