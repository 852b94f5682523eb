/*
** sharing.c: a host with a runtime in each of several threads, which use one
** dictionary and one counter. spec/shared_spec.lua runs it and reads what it
** prints.
*/

#include <greenlua.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4 };

static const char script[] =
    "local shared = require 'green.shared'\n"
    "local dict = assert(shared.dict('sharing', 100000))\n"
    "local counter = assert(shared.counter 'sharing')\n"
    "for i = 1, 2000 do\n"
    "  local sum, err\n"
    "  repeat\n"
    "    sum, err = dict:incr('sum', 1, 0)\n"
    "  until sum or not err:is 'EBUSY'\n"
    "  assert(sum, err)\n"
    "  dict:set('key ' .. i % 10, ('x'):rep(i))\n"
    "  counter:add(1)\n"
    "end\n";

static const char report[] =
    "local shared = require 'green.shared'\n"
    "print(shared.dict('sharing'):get('sum'), shared.counter('sharing'):get())";

static int run(const char *text)
{
  greenlua *g = greenlua_new(NULL);
  if (!g) return 1;
  int r = greenlua_dostring(g, text, "=script");
  greenlua_free(g);
  return r;
}

static void *run_script(void *failed)
{
  if (run(script)) *(int *)failed = 1;
  return NULL;
}

int main(void)
{
  pthread_t threads[THREADS];
  int failed[THREADS] = {0}, any = 0;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, run_script, &failed[i])) abort();
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    any |= failed[i];
  }
  return any || run(report);
}
