/*
** look.c: the way from the number of a thread to the run that it is at.
*/

#include "look.h"
#include "call.h"

#include "io/roster.h"

typedef struct question {
  char *text; /* NULL: ask. */
  size_t room;
  int sleeps;
  int64_t answer;
} question;

/* With the lock of the crews held: the job is there meanwhile. */
static void visit(const green_job *job, void *arg)
{
  question *q = arg;
  vm_run *r = vm_call_run(job);
  if (!r) return;
  q->answer = q->text ? (int64_t)vm_worker_answer(r, q->text, q->room)
                      : vm_worker_ask(r, q->sleeps);
}

int vm_look_ask(uint64_t number, uint64_t jobs, int sleeps)
{
  question q = {NULL, 0, sleeps, 0};
  green_roster_visit(number, jobs, visit, &q);
  return (int)q.answer;
}

size_t vm_look_answer(uint64_t number, uint64_t jobs, char *text, size_t room)
{
  question q = {text, room, 0, 0};
  *text = '\0';
  green_roster_visit(number, jobs, visit, &q);
  return (size_t)q.answer;
}
