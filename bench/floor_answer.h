/*
** floor_answer.h: what the HTTP floors answer, and how they tell requests: by
** their blank lines.
*/
#ifndef BENCH_FLOOR_ANSWER_H
#define BENCH_FLOOR_ANSWER_H

#include "floor.h"

/* As many answers as one write may carry, one after the other. */
extern char *floor_answers;
extern size_t floor_answer_len, floor_answers_held;

/* Each with a body of that size. */
void floor_answers_make(size_t body);

/* How many requests end in these bytes. The last three bytes of an unfinished
** one are kept in c: the blank line may arrive in two pieces. They must stand
** before p the next time. */
size_t floor_requests(floor_conn *c, const char *p, size_t n);

#endif
