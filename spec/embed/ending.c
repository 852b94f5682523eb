/*
** ending.c: a host that frees its runtime while cleanups are open: between two
** runs, inside a run of its own loop, and in a child of a fork.
** spec/ending_spec.lua runs it and reads what it prints.
*/

#include <ev.h>
#include <greenlua.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char script[] =
    "local green = require 'green'\n"
    "local function tell(...) io.stderr:write(table.concat({...}, ' '), '\\n') "
    "end\n"
    "green.spawn(function()\n"
    "  green.finally(function() green.sleep(60) end, function()\n"
    "    green.sleep(0.001) tell 'cleaned up'\n"
    "  end)\n"
    "end)\n"
    "green.at_exit(function()\n"
    "  tell('at exit', tostring(pcall(green.sleep, 0.001)))\n"
    "end)\n"
    "green.sleep(0)\n";

static greenlua *g;

static void free_inside(struct ev_loop *loop, ev_timer *w, int revents)
{
  (void)revents;
  ev_timer_stop(loop, w);
  greenlua_free(g);
  ev_break(loop, EVBREAK_ALL);
}

/* The host's loop runs while the runtime goes. */
static int end_inside(void)
{
  struct ev_loop *loop = EV_DEFAULT;
  greenlua_options options = {.ev_loop = loop};
  ev_timer timer;
  g = greenlua_new(&options);
  greenlua_start(g, script, "=script");
  ev_timer_init(&timer, free_inside, 0.01, 0.);
  ev_timer_start(loop, &timer);
  ev_run(loop, 0);
  return 0;
}

static int end_between(void)
{
  g = greenlua_new(NULL);
  int r = greenlua_dostring(g, script, "=script");
  fprintf(stderr, "run %d\n", r);
  greenlua_free(g);
  return r;
}

static int end_in_child(void)
{
  g = greenlua_new(NULL);
  greenlua_dostring(g, script, "=script");
  pid_t pid = fork();
  int status = 0;
  if (pid > 0) waitpid(pid, &status, 0);
  fprintf(stderr, "%s\n", pid ? "parent" : "child");
  greenlua_free(g);
  return status;
}

/* Nobody reads what it prints: neither the host nor the script ends by that. */
static int print_on(void)
{
  g = greenlua_new(NULL);
  int r = greenlua_dostring(g, "require 'green' for _ = 1, 1e5 do print(1) end",
                            "=script");
  fprintf(stderr, "run %d\n", r);
  greenlua_free(g);
  return r;
}

int main(int argc, char **argv)
{
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "inside")) return end_inside();
  if (!strcmp(what, "child")) return end_in_child();
  if (!strcmp(what, "print")) return print_on();
  return end_between();
}
