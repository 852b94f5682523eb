/*
** answer.h: how long an HTTP/1.x answer is, told from its first bytes.
*/
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include <stddef.h>
#include <sys/types.h>

enum { ANSWER_HEAD_MAX = 8192 };

/* Zeroed at first; keep it between calls: an answer whose head equals the one
** before is not parsed again, so that the load generator stays cheap. */
typedef struct answer_parser {
  int status;      /* Of the last answer. */
  size_t head_len; /* Of the last head; 0 for none. */
  size_t total;    /* Head and body of the last answer. */
  char head[ANSWER_HEAD_MAX];
} answer_parser;

/* The length of the answer at p. It may pass n, when the body is still to
** come. 0: more bytes are needed to know. -1: no HTTP answer, or one whose
** length only the end of the connection tells. */
ssize_t answer_length(answer_parser *a, const char *p, size_t n);

#endif
