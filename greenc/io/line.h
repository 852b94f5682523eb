/*
** line.h: jobs in line, by priority, those of one priority by age. Private to
** greenc.
**
** All is quick as long as there are few different priorities in it; how many
** jobs there are does not matter.
*/
#ifndef GREEN_LINE_H
#define GREEN_LINE_H

#include "io/job.h"

/* The oldest of each priority, the highest first; the others of its priority
** stand in a ring with it. */
typedef struct green__line {
  green_list levels;
} green__line;

void green__line_init(green__line *l);

int green__line_empty(const green__line *l);

/* Behind those of its priority. It is in no list. */
void green__line_push(green__line *l, green_job *job);

/* Before those of its priority: it has waited before. */
void green__line_push_front(green__line *l, green_job *job);

/* It is in line. */
void green__line_remove(green_job *job);

/* Whose turn it is, taken out, or NULL. */
green_job *green__line_pop(green__line *l);

/* How many there are; looks at each. */
uint32_t green__line_count(const green__line *l);

#endif
