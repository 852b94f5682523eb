/*
** runtimes.c: several OS threads, each with a runtime after the other, which
** run small scripts, are interrupted from outside, and are freed at any moment
** while the others go on.
**
**   runtimes SEED SECONDS [THREADS]
*/

#include <greenlua.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_THREADS = 64, TIME_LIMIT = 60 };

/* A script ends by itself, or by an interrupt. What it finds wrong it says. */
static const char *const scripts[] = {
    "local socket = require 'green.socket'\n"
    "local list, err = socket.getaddrinfo('localhost', 80)\n"
    "assert(list, 'rule: a lookup: ' .. tostring(err))",

    /* This one is left behind, to be freed while it is under way. */
    "local green, socket = require 'green', require 'green.socket'\n"
    "for i = 1, 3 do green.spawn(socket.getaddrinfo, 'localhost', 80) end\n"
    "green.sleep(0)",

    "local green = require 'green'\n"
    "for i = 1, 20 do green.spawn(green.sleep, math.random() * 0.01) end\n"
    "green.sleep(0.002)",

    "local green, socket = require 'green', require 'green.socket'\n"
    "local a, b = socket.pair()\n"
    "local t = green.spawn(function()\n"
    "  for line in b:lines() do b:write(line .. '\\n') end\n"
    "end)\n"
    "for i = 1, 10 do\n"
    "  a:write(i .. '\\n')\n"
    "  local got = a:read_line()\n"
    "  assert(got == tostring(i), 'rule: an echo: ' .. tostring(got))\n"
    "end\n"
    "a:close() t:wait() b:close()",

    "local green = require 'green'\n"
    "local signal = require 'green.signal'\n"
    "local h = signal.handler('USR1', function() green.sleep(0) end)\n"
    "green.sleep(0.002)\n"
    "if math.random() < 0.5 then h:cancel() end",

    "local signal = require 'green.signal'\n"
    "signal.wait('USR1', 0.003)",

    "local green = require 'green'\n"
    "local q = green.Queue(1)\n"
    "local t = green.spawn(function() for i = 1, 50 do q:put(i) end end)\n"
    "for i = 1, 50 do assert(q:get() == i, 'rule: a queue') end",

    "local green = require 'green'\n"
    "local l = assert(green.listen('127.0.0.1:0'))\n"
    "local port = select(2, l:sockname())\n"
    "local t = green.spawn(green.connect, '127.0.0.1', port)\n"
    "local conn = l:accept() conn:close() local other = t:wait()\n"
    "if other then other:close() end l:close()",

    "local green = require 'green'\n"
    "local backends = { 'epoll', 'poll', 'select' }\n"
    "green.spawn(green.sleep, 0.001)\n"
    "green.use_hub(backends[math.random(3)]) green.sleep(0.001)",

    "collectgarbage() collectgarbage()",

    "local n = 0 for i = 1, 100000 do n = n + i % 7 end",
};

typedef struct place {
  pthread_t thread;
  pthread_mutex_t lock; /* around g: who interrupts must not meet a free */
  greenlua *g;
  unsigned seed;
  long acts;
} place;

static place places[MAX_THREADS];
static int n_places;
static double due;
static int over, failed;

static double now(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int chance(place *p, int n)
{
  return (int)((unsigned)rand_r(&p->seed) % (unsigned)n);
}

static void show(place *p, greenlua *g)
{
  pthread_mutex_lock(&p->lock);
  p->g = g;
  pthread_mutex_unlock(&p->lock);
}

static void check(greenlua *g, int result)
{
  const char *text = greenlua_error(g);
  if (result == 0 || strstr(text, "interrupted") || strstr(text, "ECANCELED"))
    return;
  fprintf(stderr, "a script ended with %d: %s\n", result, text);
  __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
}

static void run_some(place *p, greenlua *g)
{
  int n = chance(p, 6), count = (int)(sizeof(scripts) / sizeof(*scripts));
  char text[64];
  snprintf(text, sizeof(text), "math.randomseed(%d)", chance(p, 1 << 20));
  check(g, greenlua_dostring(g, text, "=seed"));
  for (int i = 0; i < n; i++, p->acts++) {
    const char *code = scripts[chance(p, count)];
    if (chance(p, 5) == 0)
      check(g, greenlua_start(g, code, "=started"));
    else
      check(g, greenlua_dostring(g, code, "=script"));
    if (chance(p, 3) == 0) greenlua_turn(g, 0);
  }
}

static void *live(void *arg)
{
  static const char *const hubs[] = {NULL, "epoll", "poll", "select"};
  place *p = arg;
  while (now() < due && !__atomic_load_n(&failed, __ATOMIC_RELAXED)) {
    greenlua_options o = {.hub = hubs[chance(p, 4)]};
    greenlua *g = greenlua_new(&o);
    if (!g) {
      fprintf(stderr, "greenlua_new: %d\n", greenlua_new_error());
      __atomic_store_n(&failed, 1, __ATOMIC_RELAXED);
      break;
    }
    show(p, g);
    run_some(p, g);
    show(p, NULL);
    greenlua_free(g);
  }
  return NULL;
}

/* Interrupts and signals, from a thread of no runtime. */
static void *disturb(void *arg)
{
  place *me = arg;
  while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
    place *p = &places[chance(me, n_places)];
    pthread_mutex_lock(&p->lock);
    if (p->g) greenlua_interrupt(p->g);
    pthread_mutex_unlock(&p->lock);
    kill(getpid(), SIGUSR1);
    usleep((useconds_t)chance(me, 3000));
  }
  return NULL;
}

int main(int argc, char **argv)
{
  place disturber = {0};
  long acts = 0;
  if (argc < 3) {
    fprintf(stderr, "usage: runtimes SEED SECONDS [THREADS]\n");
    return 2;
  }
  signal(SIGUSR1, SIG_IGN); /* what it does while no runtime waits for it */
  alarm((unsigned)atoi(argv[2]) + TIME_LIMIT);
  n_places = argc > 3 ? atoi(argv[3]) : 4;
  if (n_places < 1 || n_places > MAX_THREADS) n_places = 4;
  due = now() + atof(argv[2]);
  for (int i = 0; i < n_places; i++) {
    pthread_mutex_init(&places[i].lock, NULL);
    places[i].seed = (unsigned)(atoi(argv[1]) * 131 + i);
  }
  disturber.seed = (unsigned)atoi(argv[1]);
  for (int i = 0; i < n_places; i++)
    pthread_create(&places[i].thread, NULL, live, &places[i]);
  pthread_create(&disturber.thread, NULL, disturb, &disturber);
  for (int i = 0; i < n_places; i++) {
    pthread_join(places[i].thread, NULL);
    acts += places[i].acts;
  }
  __atomic_store_n(&over, 1, __ATOMIC_RELAXED);
  pthread_join(disturber.thread, NULL);
  printf("storm runtimes seed %s: %ld acts, %s\n", argv[1], acts,
         failed ? "failed" : "ok");
  return failed;
}
