/*
** floor_answer.c: what the HTTP floors answer.
*/

#include "floor_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWERS_MAX = 1024, ANSWERS_BYTES = 1 << 20 };

char *floor_answers;
size_t floor_answer_len, floor_answers_held;

void floor_answers_make(size_t body)
{
  char head[256];
  int head_len = snprintf(head, sizeof head,
                          "HTTP/1.1 200 OK\r\n"
                          "Content-Type: text/plain\r\n"
                          "Content-Length: %zu\r\n"
                          "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
                          body);
  floor_answer_len = (size_t)head_len + body;
  floor_answers_held = ANSWERS_BYTES / floor_answer_len;
  if (floor_answers_held > ANSWERS_MAX) floor_answers_held = ANSWERS_MAX;
  if (floor_answers_held == 0) floor_answers_held = 1;
  floor_answers = malloc(floor_answers_held * floor_answer_len);
  for (size_t i = 0; i < floor_answers_held; i++) {
    char *p = floor_answers + i * floor_answer_len;
    memcpy(p, head, (size_t)head_len);
    for (size_t k = 0; k < body; k++)
      p[(size_t)head_len + k] = "hello\n"[k % 6];
  }
}

size_t floor_requests(floor_conn *c, const char *p, size_t n)
{
  size_t count = 0;
  const char *end = p + n;
  for (const char *blank; (blank = memmem(p, (size_t)(end - p), "\r\n\r\n", 4));
       p = blank + 4)
    count++;
  c->held = (size_t)(end - p) < 3 ? (size_t)(end - p) : 3;
  memcpy(c->tail, end - c->held, c->held);
  return count;
}
