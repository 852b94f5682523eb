/*
** line.c: a list of rings.
*/

#include "io/line.h"

static green_job *job_of_link(green_link *k)
{
  return green_container(k, green_job, link);
}

static green_job *job_of_level(green_link *k)
{
  return green_container(k, green_job, level);
}

void green__line_init(green__line *l)
{
  green_list_init(&l->levels);
}

int green__line_empty(const green__line *l)
{
  return green_list_empty(&l->levels);
}

/* The first level of that priority or a lower one, or the list's head. */
static green_link *line_find(green__line *l, int priority)
{
  green_link *k = l->levels.next;
  while (k != &l->levels && job_of_level(k)->priority > priority) k = k->next;
  return k;
}

/* Into the ring of its priority, before who leads it, which is the end of the
** ring, or the head if it leads now. */
static void line_add(green__line *l, green_job *job, int leads)
{
  green_link *k = line_find(l, job->priority);
  int is_level = k != &l->levels && job_of_level(k)->priority == job->priority;
  if (is_level)
    green_list_push(&job_of_level(k)->link, &job->link);
  else
    green_list_init(&job->link);
  if (!is_level || leads) green_list_push(k, &job->level);
  if (is_level && leads) green_link_remove(k);
}

void green__line_push(green__line *l, green_job *job)
{
  line_add(l, job, 0);
}

void green__line_push_front(green__line *l, green_job *job)
{
  line_add(l, job, 1);
}

/* Who led leaves the place to the next of the ring. */
void green__line_remove(green_job *job)
{
  if (green_link_in(&job->level)) {
    if (job->link.next != &job->link)
      green_list_push(&job->level, &job_of_link(job->link.next)->level);
    green_link_remove(&job->level);
  }
  green_link_remove(&job->link);
}

green_job *green__line_pop(green__line *l)
{
  green_link *k = green_list_first(&l->levels);
  if (!k) return NULL;
  green_job *job = job_of_level(k);
  green__line_remove(job);
  return job;
}

uint32_t green__line_count(const green__line *l)
{
  uint32_t n = 0;
  for (green_link *k = l->levels.next; k != &l->levels; k = k->next) {
    green_link *leader = &job_of_level(k)->link, *other = leader;
    do n++;
    while ((other = other->next) != leader);
  }
  return n;
}
