/*
** dns_query.c: what makes answers to a query hard to guess.
*/

#include "io/dns_priv.h"

#include "base/fork.h"
#include "base/random.h"
#include "proto/dns_message.h"

#include <string.h>

/* Bytes before the name; those of the OPT record without options at the end. */
enum { QUERY_HEAD = 12, QUERY_OPT = 11 };

/* -- Chance --------------------------------------------------------------- */

static int dice_refill(green__dns_dice *d)
{
  d->left = 0;
  int err = green_random_fill(d->bytes, sizeof(d->bytes));
  if (err == 0) d->left = sizeof(d->bytes);
  return err;
}

/* n random bytes, at most 40; NULL: the kernel has none (*err). Bytes are used
** once. */
static const uint8_t *dice_take(green__dns_dice *d, uint32_t n, int *err)
{
  int is_child = green_fork_happened(&d->generation);
  if ((is_child || d->left < n) && (*err = dice_refill(d)) < 0) return NULL;
  d->left -= n;
  return d->bytes + d->left;
}

/* -- Questions ------------------------------------------------------------ */

static size_t name_len(const uint8_t *query)
{
  size_t at = QUERY_HEAD;
  while (query[at]) at += query[at] + 1u;
  return at + 1 - QUERY_HEAD;
}

/* ASCII's alone, whatever the locale says. */
static int is_letter(uint8_t c)
{
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static int is_same(uint8_t a, uint8_t b)
{
  return a == b || ((a ^ b) == 0x20 && is_letter(a));
}

/* Eight bytes at once: 0x20 in those that are letters. Lengths of labels are
** below 64: no letters. */
static uint64_t letters_of(uint64_t bytes)
{
  const uint64_t each = UINT64_C(0x0101010101010101);
  uint64_t low = (bytes | 0x20 * each) & 0x7f * each;
  uint64_t from_a = low + (0x80 - 'a') * each;
  uint64_t past_z = low + (0x7f - 'z') * each;
  return (from_a & ~past_z & ~bytes & 0x80 * each) >> 2;
}

/* 0x20 in the i-th byte of eight for the i-th bit. */
static uint64_t spread(uint8_t bits)
{
  const uint64_t each = UINT64_C(0x0101010101010101);
  uint64_t apart = bits * each & UINT64_C(0x8040201008040201);
  return (((apart & 0x7f * each) + 0x7f * each) | apart) >> 2 & 0x20 * each;
}

static void name_mix(uint8_t *name, size_t n, const uint8_t *bits)
{
  for (size_t i = 0; i < n; i += 8) {
    uint64_t part = 0;
    size_t size = n - i < 8 ? n - i : 8;
    memcpy(&part, name + i, size);
    part ^= letters_of(part) & spread(bits[i / 8]);
    memcpy(name + i, &part, size);
  }
}

int green__dns_roll(uint8_t *query, green__dns_dice *d, int mixed)
{
  int err = 0;
  size_t n = mixed ? name_len(query) : 0;
  const uint8_t *chance = dice_take(d, 2 + (uint32_t)(n + 7) / 8, &err);
  if (!chance) return err;
  memcpy(query, chance, 2);
  name_mix(query + QUERY_HEAD, n, chance + 2);
  return 0;
}

size_t green__dns_plain(uint8_t *query, size_t n)
{
  if (query[11] == 0) return n;
  query[11] = 0;
  return n - QUERY_OPT;
}

int green__dns_is_answer(const uint8_t *answer, size_t n, const uint8_t *query)
{
  size_t size = name_len(query) + 4;
  if (n < QUERY_HEAD + size || !(answer[2] & 0x80)) return 0;
  return answer[4] == 0 && answer[5] == 1 &&
         !memcmp(answer + QUERY_HEAD, query + QUERY_HEAD, size);
}

/* Where the question of a message that has this query's ends, in whatever
** letters; 0: it has another one. */
static size_t question_end(const uint8_t *answer, size_t n,
                           const uint8_t *query)
{
  size_t end = QUERY_HEAD + name_len(query);
  if (n < end + 4 || answer[4] != 0 || answer[5] != 1) return 0;
  if (memcmp(answer + end, query + end, 4) != 0) return 0; /* Type and class. */
  if (!memcmp(answer + QUERY_HEAD, query + QUERY_HEAD, end - QUERY_HEAD))
    return end + 4;
  for (size_t i = QUERY_HEAD; i < end; i++)
    if (!is_same(answer[i], query[i])) return 0;
  return end + 4;
}

/* Not with an answer code that would say something of a name. */
int green__dns_is_headless(const uint8_t *answer, size_t n)
{
  int rcode = n == QUERY_HEAD ? answer[3] & 15 : GREEN_DNS_NOERROR;
  return rcode != GREEN_DNS_NOERROR && rcode != GREEN_DNS_NXDOMAIN &&
         (answer[2] & 0x80) && answer[4] == 0 && answer[5] == 0;
}

int green__dns_is_same(const uint8_t *answer, size_t n, const uint8_t *query)
{
  return n >= QUERY_HEAD && !memcmp(answer, query, 2) &&
         (question_end(answer, n, query) != 0 ||
          green__dns_is_headless(answer, n));
}

int green__dns_restore(uint8_t *answer, size_t n, const uint8_t *query)
{
  size_t end = question_end(answer, n, query);
  if (end) memcpy(answer + QUERY_HEAD, query + QUERY_HEAD, end - QUERY_HEAD);
  return end != 0;
}
