/*
** redis_hiredis.c: the client of bench/redis.lua by hiredis, its asynchronous
** form on libev:
**
**   redis_hiredis PORT COMMANDS CONNECTIONS DEPTH WARMUP
*/

#include <ev.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libev.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct peer_conn {
  redisAsyncContext *redis;
  long under_way;
  int is_get;
} peer_conn;

static char value[65];
static long depth, to_ask, to_come, errors, warmup;
static double cpu_start, wall_start;

static double seconds(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_clocks(void)
{
  cpu_start = seconds(CLOCK_PROCESS_CPUTIME_ID);
  wall_start = seconds(CLOCK_MONOTONIC);
}

static void ask(peer_conn *c);

static void check(const redisReply *r)
{
  int is_status = r && r->type == REDIS_REPLY_STATUS && !strcmp(r->str, "OK");
  int is_value = r && r->type == REDIS_REPLY_STRING && !strcmp(r->str, value);
  errors += !is_status && !is_value;
}

static void on_reply(redisAsyncContext *redis, void *reply, void *data)
{
  peer_conn *c = data;
  (void)redis;
  check(reply);
  c->under_way--;
  to_come--;
  if (warmup > 0 && --warmup == 0) start_clocks();
  if (to_come == 0)
    ev_break(EV_DEFAULT, EVBREAK_ALL);
  else if (c->under_way == 0)
    ask(c);
}

static void ask(peer_conn *c)
{
  for (long i = 0; i < depth && to_ask > 0; i++) {
    to_ask--;
    c->under_way++;
    if (c->is_get)
      redisAsyncCommand(c->redis, on_reply, c, "GET %s", "key");
    else
      redisAsyncCommand(c->redis, on_reply, c, "SET %s %s", "key", value);
    c->is_get = !c->is_get;
  }
}

int main(int argc, char **argv)
{
  if (argc != 6) return 2;
  long count = atol(argv[2]), conns = atol(argv[3]);
  depth = atol(argv[4]);
  warmup = atol(argv[5]);
  to_ask = to_come = count + warmup;
  snprintf(value, sizeof value, "%064d", 7);
  peer_conn *all = calloc((size_t)conns, sizeof *all);
  for (long i = 0; i < conns; i++) {
    all[i].redis = redisAsyncConnect("127.0.0.1", atoi(argv[1]));
    redisLibevAttach(EV_DEFAULT, all[i].redis);
    ask(&all[i]);
  }
  ev_run(EV_DEFAULT, 0);
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  double wall = seconds(CLOCK_MONOTONIC) - wall_start;
  printf("commands=%ld errors=%ld seconds=%.3f cpu_ns=%.0f\n", count, errors,
         wall, cpu * 1e9 / (double)count);
  return errors || to_come > 0;
}
