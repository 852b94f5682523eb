/*
** dns_query_fuzz.c: what may come in answer to a query, from the first look at
** its id to the addresses in it. The first byte says which query; each answer
** ends where its memory does.
*/

#include "base/mem.h"
#include "io/dns_priv.h"
#include "proto/dns_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"a.test", "www.example.org", ".", "x"};

static size_t query_write(uint8_t which, char query[GREEN_DNS_QUERY_MAX])
{
  const char *name = names[which & 3];
  green_dns_query what = {.flags = GREEN_DNS_RD,
                          .id = 0x6162,
                          .type = which & 4 ? GREEN_DNS_AAAA : GREEN_DNS_A,
                          .udp_size = which & 8 ? 1232 : 0};
  int n = green_dns_message_query(&what, name, strlen(name), query,
                                  GREEN_DNS_QUERY_MAX);
  if (n < 0) abort();
  return (size_t)n;
}

/* What is an answer has the question, and is read without going astray. */
static void answer_read(const uint8_t *query, uint8_t *answer, size_t n)
{
  green_question q = {.answer = (const char *)answer, .len = (uint32_t)n};
  int has_question = green__dns_restore(answer, n, query);
  if (has_question && memcmp(answer + 12, query + 12, 5) != 0) abort();
  int err = green__dns_result(&q, 0);
  if (err < 0 && q.addrs) abort();
  if (err == 0 && q.till < 0) abort();
  if (q.addrs && q.addrs != q.few) green__free((void *)(uintptr_t)q.addrs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char room[GREEN_DNS_QUERY_MAX];
  if (size < 1) return 0;
  size_t n = query_write(data[0], room), len = size - 1;
  uint8_t *query = malloc(n), *answer = malloc(len ? len : 1);
  if (!query || !answer) abort();
  memcpy(query, room, n);
  memcpy(answer, data + 1, len);
  int is_same = green__dns_is_same(answer, len, query);
  int is_headless = green__dns_is_headless(answer, len);
  int is_answer = green__dns_is_answer(answer, len, query);
  if (is_headless && (is_answer || len != 12)) abort();
  if (is_same || is_answer) answer_read(query, answer, len);
  free(query);
  free(answer);
  return 0;
}
