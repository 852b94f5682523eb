/*
** core.c: the C core without Lua: three green tasks that wait, in one thread.
**
**   cc core.c -o core $(pkg-config --cflags --libs greenc)
**
** A task is a struct and a function. The function is called when the task may
** run; it says what it waits for, and returns.
*/

#include "green.h"

#include <stdio.h>

typedef struct sleeper {
  green_task task;
  int rounds; /* Left. */
  int pause;  /* Of each wait, in hundredths of a second. */
} sleeper;

static int running;

static void sleeper_run(green_task *task)
{
  sleeper *s = green_container(task, sleeper, task);
  if (s->rounds-- == 0) {
    printf("%d ends\n", s->pause);
    running--;
    green_task_end(task);
    return;
  }
  int64_t now = green_clock_now();
  green_task_park(task, NULL, green_clock_after(now, s->pause / 100.0));
}

int main(void)
{
  green_hub *hub;
  sleeper all[] = {{.rounds = 1, .pause = 3},
                   {.rounds = 1, .pause = 1},
                   {.rounds = 2, .pause = 2}};
  int err = green_hub_new(&hub, NULL);
  if (err < 0) {
    fprintf(stderr, "core: %s\n", green_err_text(err));
    return 1;
  }
  for (int i = 0; i < 3; i++, running++) {
    green_task_init(&all[i].task, hub, sleeper_run);
    green_task_start(&all[i].task);
  }
  while (running > 0) green_hub_turn(hub, 1);
  green_hub_free(hub);
  return 0;
}
