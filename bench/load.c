/*
** load.c: the load generator. One thread, bounded by a count and by a time,
** every answer checked. Prints one line of name=value fields:
**
**   requests errors seconds rate answer_bytes p50_us p99_us max_us
**   cpu_ns       the server's CPU time a request (with -p)
**   rss, growth  the server's memory, and by how many bytes a connection it
**                grew from before connecting (with -p)
**
** Status 0 when all was answered right, 1 when not, 2 for bad arguments.
*/

#include "client.h"

#include <getopt.h>
#include <openssl/tls1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static const char usage[] =
    "usage: load [options] PORT\n"
    "  -m echo|http  what the server speaks (http)\n"
    "  -c N          connections (64)\n"
    "  -d N          requests sent at once on a connection (1)\n"
    "  -f N          batches on their way at once, at most (all)\n"
    "  -n N          requests (100000)\n"
    "  -t SECONDS    stop asking after that long (10)\n"
    "  -W N          requests before the measured ones (0)\n"
    "  -r N          requests a second, for latencies (as fast as it goes)\n"
    "  -s BYTES      size of an echoed message (64)\n"
    "  -X METHOD  -u PATH  -H 'NAME: VALUE'  -k N (more headers)  -b BYTES "
    "(body)\n"
    "  -T 1.2|1.3    by TLS of that version, whatever the certificate\n"
    "  -N            a new connection for each batch\n"
    "  -R            it resumes the TLS session of the last one\n"
    "  -e STATUS     that every answer must have (200)\n"
    "  -p PID        the server, to be measured with its descendants\n"
    "  -C CPU        run on that CPU\n"
    "  -w SECONDS    for the server to listen and connections to open (10)\n"
    "  -z SECONDS    to let the server settle before its memory is read (0)\n";

typedef struct options {
  client_opts client;
  const char *method, *path;
  const char *header[32];
  unsigned headers, more_headers;
  size_t size, body;
  uint64_t count, warmup;
  double seconds, settle;
  int pid, cpu;
} options;

static void bad_usage(void)
{
  fputs(usage, stderr);
  exit(2);
}

static void options_set(options *o, int letter, const char *v)
{
  switch (letter) {
  case 'm':
    o->client.mode = strcmp(v, "echo") ? CLIENT_HTTP : CLIENT_ECHO;
    break;
  case 'c':
    o->client.conns = (unsigned)atoi(v);
    break;
  case 'd':
    o->client.depth = (unsigned)atoi(v);
    break;
  case 'f':
    o->client.in_flight = (unsigned)atoi(v);
    break;
  case 'r':
    o->client.rate = atof(v);
    break;
  case 'w':
    o->client.wait = atof(v);
    break;
  case 'e':
    o->client.status = atoi(v);
    break;
  case 'n':
    o->count = strtoull(v, NULL, 10);
    break;
  case 'W':
    o->warmup = strtoull(v, NULL, 10);
    break;
  case 't':
    o->seconds = atof(v);
    break;
  case 'z':
    o->settle = atof(v);
    break;
  case 's':
    o->size = strtoul(v, NULL, 10);
    break;
  case 'b':
    o->body = strtoul(v, NULL, 10);
    break;
  case 'k':
    o->more_headers = (unsigned)atoi(v);
    break;
  case 'X':
    o->method = v;
    break;
  case 'u':
    o->path = v;
    break;
  case 'p':
    o->pid = atoi(v);
    break;
  case 'C':
    o->cpu = atoi(v);
    break;
  case 'T':
    o->client.tls = strcmp(v, "1.2") ? TLS1_3_VERSION : TLS1_2_VERSION;
    break;
  case 'N':
    o->client.fresh = true;
    break;
  case 'R':
    o->client.resume = true;
    break;
  case 'H':
    if (o->headers < 32) o->header[o->headers++] = v;
    break;
  default:
    bad_usage();
  }
}

static options options_read(int argc, char **argv)
{
  options o = {
      .client = {.mode = CLIENT_HTTP,
                 .conns = 64,
                 .depth = 1,
                 .wait = 10,
                 .status = 200},
      .path = "/",
      .size = 64,
      .count = 100000,
      .seconds = 10,
      .cpu = -1,
  };
  for (int l; (l = getopt(argc, argv,
                          "m:c:d:f:n:t:W:r:s:X:u:H:k:b:e:p:C:w:z:T:NR")) != -1;)
    options_set(&o, l, optarg);
  if (optind + 1 != argc) bad_usage();
  o.client.port = (uint16_t)atoi(argv[optind]);
  if (!o.client.port || !o.client.conns || !o.client.depth || !o.size)
    bad_usage();
  if (!o.client.in_flight) o.client.in_flight = o.client.conns;
  if (!o.method) o.method = o.body ? "POST" : "GET";
  return o;
}

/* -- What is sent --------------------------------------------------------- */

static void write_bytes(FILE *f, size_t n)
{
  unsigned x = 1;
  for (size_t i = 0; i < n; i++) {
    x = x * 1103515245u + 12345u;
    fputc('!' + (int)((x >> 16) % 90), f);
  }
}

static void write_http(FILE *f, const options *o)
{
  fprintf(f, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n", o->method, o->path,
          o->client.port);
  for (unsigned i = 0; i < o->headers; i++) fprintf(f, "%s\r\n", o->header[i]);
  for (unsigned i = 0; i < o->more_headers; i++)
    fprintf(f, "X-Header-%u: some value of header %u\r\n", i + 1, i + 1);
  if (o->body) fprintf(f, "Content-Length: %zu\r\n", o->body);
  fputs("\r\n", f);
  write_bytes(f, o->body);
}

static char *request_text(const options *o, size_t *len)
{
  char *text;
  FILE *f = open_memstream(&text, len);
  if (o->client.mode == CLIENT_ECHO)
    write_bytes(f, o->size);
  else
    write_http(f, o);
  fclose(f);
  return text;
}

/* -- What is told --------------------------------------------------------- */

static void print_client(const client_result *r)
{
  double n = r->requests ? (double)r->requests : 1;
  printf("requests=%llu errors=%llu seconds=%.3f rate=%.0f answer_bytes=%.1f",
         (unsigned long long)r->requests, (unsigned long long)r->errors,
         r->seconds, (double)r->requests / r->seconds, (double)r->bytes / n);
  printf(" p50_us=%.1f p99_us=%.1f max_us=%.1f",
         (double)meter_quantile(&r->latency, 0.5) / 1e3,
         (double)meter_quantile(&r->latency, 0.99) / 1e3,
         (double)r->latency.max / 1e3);
}

static void print_server(const options *o, const client_result *r, int64_t cpu,
                         int64_t rss_before)
{
  double n = r->requests ? (double)r->requests : 1;
  usleep((useconds_t)(o->settle * 1e6));
  int64_t rss = meter_rss(o->pid);
  printf(" cpu_ns=%.1f rss=%lld growth=%.0f", (double)cpu / n, (long long)rss,
         (double)(rss - rss_before) / o->client.conns);
}

static int run(const options *o)
{
  static client_result warm, r;
  int64_t rss = meter_rss(o->pid);
  client *c = client_new(&o->client);
  if (!c) return 1;
  if (o->warmup) client_run(c, o->warmup, o->seconds, &warm);
  int64_t cpu = meter_cpu(o->pid);
  client_run(c, o->count, o->seconds, &r);
  cpu = meter_cpu(o->pid) - cpu;
  r.errors += warm.errors;
  print_client(&r);
  if (o->pid) print_server(o, &r, cpu, rss);
  putchar('\n');
  client_free(c);
  return r.errors || !r.requests;
}

int main(int argc, char **argv)
{
  options o = options_read(argc, argv);
  struct rlimit files = {.rlim_cur = o.client.conns + 64};
  getrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < o.client.conns + 64) {
    files.rlim_cur = o.client.conns + 64;
    if (files.rlim_max < files.rlim_cur) files.rlim_max = files.rlim_cur;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0) perror("load: open files");
  }
  if (o.cpu >= 0 && meter_pin(o.cpu) < 0) perror("load: pin");
  prctl(PR_SET_TIMERSLACK, 1UL);
  char *text = request_text(&o, &o.client.request_len);
  o.client.request = text;
  int status = run(&o);
  free(text);
  return status;
}
