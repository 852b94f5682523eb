/*
** load_ws.c: the load generator of websockets. Each connection has one message
** under way; no message is the one before, and each answer is compared with
** what was sent. Prints one line of fields as load does:
**
**   requests errors seconds rate   messages that came back, or reached somebody
**   cpu_ns                         the server's CPU time for one (with -p)
**   rss, growth                    the server's memory, and by how much a
**                                  connection it had grown before the first
**                                  message
**   conns                          how many were open at once
*/

#include "load_ws.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

static const char usage[] =
    "usage: load_ws [options] PORT\n"
    "  -m echo|idle|all  messages come back; no messages; \"all\" of one goes "
    "to all\n"
    "  -c N        connections (64)\n"
    "  -s BYTES    size of a message (125)\n"
    "  -d          compressed\n"
    "  -n N        messages (100000); of `all`: rounds\n"
    "  -t SECONDS  stop asking after that long (10)\n"
    "  -W N        messages before the measured ones (0)\n"
    "  -p PID      the server, to be measured with its descendants\n"
    "  -C CPU      run on that CPU\n"
    "  -w SECONDS  for the server to listen (10)\n"
    "  -z SECONDS  to let the server settle before its memory is read (0)\n"
    "  -f N        connections that come and go before its memory is read (0)\n"
    "  -g FOLDER   make FOLDER/open.PID when all are connected, and send "
    "nothing\n"
    "              before there is FOLDER/go\n"
    "  -q TEXT     a message that the first connection sends at the end; the\n"
    "              answer is printed as it is\n";

enum { EVENTS = 256 };

typedef struct options {
  ws_opts ws;
  const char *mode, *question, *gate;
  unsigned conns, before;
  uint64_t count, warmup;
  double seconds, settle;
  int pid, cpu;
} options;

typedef struct load {
  const options *o;
  int epoll;
  ws_conn *conns;
  unsigned open;
  uint64_t issued, count, answered, errors, waiting;
  int64_t ends;
} load;

static void bad_usage(void)
{
  fputs(usage, stderr);
  exit(2);
}

static void options_set(options *o, int letter, const char *v)
{
  switch (letter) {
  case 'm':
    o->mode = v;
    break;
  case 'c':
    o->conns = (unsigned)atoi(v);
    break;
  case 's':
    o->ws.size = strtoul(v, NULL, 10);
    break;
  case 'd':
    o->ws.deflate = true;
    break;
  case 'n':
    o->count = strtoull(v, NULL, 10);
    break;
  case 't':
    o->seconds = atof(v);
    break;
  case 'W':
    o->warmup = strtoull(v, NULL, 10);
    break;
  case 'p':
    o->pid = atoi(v);
    break;
  case 'C':
    o->cpu = atoi(v);
    break;
  case 'w':
    o->ws.wait = atof(v);
    break;
  case 'z':
    o->settle = atof(v);
    break;
  case 'f':
    o->before = (unsigned)atoi(v);
    break;
  case 'g':
    o->gate = v;
    break;
  case 'q':
    o->question = v;
    break;
  default:
    bad_usage();
  }
}

static options options_read(int argc, char **argv)
{
  options o = {.ws = {.size = 125, .wait = 10},
               .mode = "echo",
               .conns = 64,
               .count = 100000,
               .seconds = 10,
               .cpu = -1};
  for (int l; (l = getopt(argc, argv, "m:c:s:dn:t:W:p:C:w:z:f:g:q:")) != -1;)
    options_set(&o, l, optarg);
  if (optind + 1 != argc) bad_usage();
  o.ws.port = (uint16_t)atoi(argv[optind]);
  if (!o.ws.port || !o.conns || o.ws.size < WS_SIZE_MIN) bad_usage();
  return o;
}

/* -- Running -------------------------------------------------------------- */

static void conn_fail(load *l, ws_conn *k, const char *why)
{
  if (l->errors++ == 0) fprintf(stderr, "load_ws: %s\n", why);
  if (k->waits) l->waiting--;
  k->waits = false;
  ws_close(k);
  l->open--;
}

static bool may_issue(const load *l)
{
  return l->issued < l->count && meter_now() < l->ends;
}

static void conn_ask(load *l, ws_conn *k, const char *text)
{
  k->waits = true;
  l->waiting++;
  if (ws_ask(k, &l->o->ws, text, l->issued++) < 0)
    conn_fail(l, k, strerror(errno));
}

/* What has come, and the next message. */
static void echo_event(load *l, ws_conn *k, uint32_t events)
{
  if (k->fd < 0) return;
  if ((events & EPOLLOUT) && ws_send_rest(k) < 0) {
    conn_fail(l, k, strerror(errno));
    return;
  }
  if (!k->waits && !k->in) return; /* It has just been opened. */
  int rc;
  while ((rc = ws_take(k, &l->o->ws)) > 0) {
    if (!k->waits) break;
    k->waits = false;
    l->answered++;
    l->waiting--;
    if (may_issue(l)) conn_ask(l, k, NULL);
  }
  if (rc != 0) conn_fail(l, k, rc > 0 ? "an answer too many" : ws_why());
}

static void wait_events(load *l)
{
  struct epoll_event events[EVENTS];
  int n = epoll_wait(l->epoll, events, EVENTS, 100);
  for (int i = 0; i < n; i++)
    echo_event(l, events[i].data.ptr, events[i].events);
}

static void until_answered(load *l)
{
  int64_t due = l->ends + 20 * WS_SECOND;
  while (l->waiting && meter_now() < due) wait_events(l);
  l->errors += l->waiting;
  l->waiting = 0;
}

static void run_echo(load *l)
{
  for (unsigned i = 0; i < l->o->conns && may_issue(l); i++)
    if (l->conns[i].fd >= 0) conn_ask(l, &l->conns[i], NULL);
  until_answered(l);
}

/* A message of the first connection reaches them all: each waits for it. */
static void run_all(load *l)
{
  const options *o = l->o;
  while (l->issued < l->count * o->conns && meter_now() < l->ends) {
    for (unsigned i = 0; i < o->conns; i++) {
      ws_conn *k = &l->conns[i];
      if (k->fd < 0) continue;
      k->waits = true;
      l->waiting++;
      ws_expect(k, &o->ws, "all", l->issued);
    }
    if (ws_send_text(&l->conns[0], &o->ws, "all", l->issued) < 0)
      conn_fail(l, &l->conns[0], strerror(errno));
    l->issued += o->conns;
    uint64_t count = l->count;
    l->count = 0; /* nobody asks by himself */
    until_answered(l);
    l->count = count;
    if (l->errors) return;
  }
}

static void run(load *l, uint64_t count)
{
  l->issued = l->answered = 0;
  l->count = count;
  l->ends = meter_now() + (int64_t)(l->o->seconds * 1e9);
  if (strcmp(l->o->mode, "all") == 0)
    run_all(l);
  else if (strcmp(l->o->mode, "echo") == 0)
    run_echo(l);
}

/* -- Connections ---------------------------------------------------------- */

static int load_open(load *l)
{
  const options *o = l->o;
  l->epoll = epoll_create1(EPOLL_CLOEXEC);
  l->conns = calloc(o->conns, sizeof *l->conns);
  for (unsigned i = 0; i < o->conns; i++) {
    ws_conn *k = &l->conns[i];
    if (ws_open(k, &o->ws, i) < 0) {
      fprintf(stderr, "load_ws: connection %u: %s\n", i + 1, ws_why());
      return -1;
    }
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                            .data.ptr = k};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, k->fd, &e) < 0) return -1;
    l->open++;
  }
  return 0;
}

/* Connections before the measured ones: what a server needs once is there. */
static int load_prepare(const options *o)
{
  for (unsigned i = 0; i < o->before; i++) {
    ws_conn k;
    if (ws_open(&k, &o->ws, i) < 0) return -1;
    ws_close(&k);
  }
  return 0;
}

/* Wait for the others, an hour at most. */
static void gate_wait(const char *folder)
{
  int64_t due = meter_now() + 3600 * WS_SECOND;
  char path[512];
  snprintf(path, sizeof path, "%s/open.%d", folder, (int)getpid());
  fclose(fopen(path, "we"));
  snprintf(path, sizeof path, "%s/go", folder);
  while (access(path, F_OK) != 0 && meter_now() < due) usleep(50000);
}

static int measure(load *l)
{
  const options *o = l->o;
  int64_t rss = meter_rss(o->pid);
  if (load_open(l) < 0) return -1;
  usleep((useconds_t)(o->settle * 1e6));
  int64_t grown = meter_rss(o->pid) - rss;
  if (o->gate) gate_wait(o->gate);
  if (o->warmup) run(l, o->warmup);
  int64_t cpu = meter_cpu(o->pid), started = meter_now();
  run(l, o->count);
  double seconds = (double)(meter_now() - started) / 1e9;
  cpu = meter_cpu(o->pid) - cpu;
  double n = l->answered ? (double)l->answered : 1;
  printf("requests=%llu errors=%llu seconds=%.3f rate=%.0f conns=%u",
         (unsigned long long)l->answered, (unsigned long long)l->errors,
         seconds, (double)l->answered / seconds, l->open);
  if (o->pid)
    printf(" cpu_ns=%.1f rss=%lld growth=%.0f", (double)cpu / n,
           (long long)meter_rss(o->pid), (double)grown / o->conns);
  if (o->question) printf(" %s", ws_question(&l->conns[0], o->question));
  putchar('\n');
  return l->errors ? -1 : 0;
}

int main(int argc, char **argv)
{
  options o = options_read(argc, argv);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (o.cpu >= 0 && meter_pin(o.cpu) < 0) perror("load_ws: pin");
  ws_prepare(&o.ws);
  load l = {.o = &o};
  if (load_prepare(&o) < 0) fprintf(stderr, "load_ws: %s\n", ws_why());
  return measure(&l) < 0;
}
