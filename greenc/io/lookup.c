/*
** lookup.c: getaddrinfo as a job of a native pool.
*/

#include "io/lookup.h"
#include "base/mem.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct green_lookup {
  green_job job;
  green_waitq waiters;
  green_lookup_hint hint;
  int result; /* GREEN_EAGAIN while the pool has the job. */
  int answer; /* The thread's, until done makes it the result. */
  uint8_t unwanted;
  green_addr *addrs;
  const char *host; /* In text, or NULL. */
  const char *service;
  char text[];
};

static void lookup_delete(green_lookup *l)
{
  green__free(l->addrs);
  green__free(l);
}

static int error_of_eai(int eai)
{
  switch (eai) {
  case EAI_NONAME:
    return GREEN_EAI_NONAME;
  case EAI_AGAIN:
    return GREEN_EAI_AGAIN;
  case EAI_FAMILY:
  case EAI_ADDRFAMILY:
  case EAI_NODATA:
    return GREEN_EAI_FAMILY;
  case EAI_SERVICE:
    return GREEN_EAI_SERVICE;
  case EAI_MEMORY:
    return GREEN_ENOMEM;
  case EAI_BADFLAGS:
  case EAI_SOCKTYPE:
    return GREEN_EINVAL;
  default:
    return GREEN_EAI_FAIL;
  }
}

/* How many addresses were copied, or GREEN_ENOMEM. */
static int lookup_copy(green_lookup *l, const struct addrinfo *list)
{
  int n = 0;
  for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) n++;
  l->addrs = green__alloc((size_t)n * sizeof(*l->addrs));
  if (!l->addrs) return GREEN_ENOMEM;
  n = 0;
  for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
    if (green_addr_set(&l->addrs[n], ai->ai_addr, ai->ai_addrlen) == 0) n++;
  return n ? n : GREEN_EAI_FAIL;
}

/* A decimal port, 0 for none, or -1: the name of a service. */
static int service_port(const char *service)
{
  char *end;
  if (!service) return 0;
  if (*service < '0' || *service > '9') return -1;
  long n = strtol(service, &end, 10);
  return *end == '\0' && n <= 65535 ? (int)n : -1;
}

/* "localhost" and names that end in ".localhost" are this machine's own
** loopback, whatever files and name services say, or where there are none (RFC
** 6761). */
static int is_localhost(const char *host)
{
  static const char name[] = "localhost";
  size_t n = host ? strlen(host) : 0, m = sizeof(name) - 1;
  if (n && host[n - 1] == '.') n--;
  if (n < m || strncasecmp(host + n - m, name, m) != 0) return 0;
  return n == m || (n > m + 1 && host[n - m - 1] == '.');
}

/* How many addresses of it were put there, or an error. */
static int lookup_loopback(green_lookup *l, int port)
{
  static const char *const hosts[] = {"127.0.0.1", "::1"};
  int n = 0;
  green__free(l->addrs);
  l->addrs = green__alloc(2 * sizeof(*l->addrs));
  if (!l->addrs) return GREEN_ENOMEM;
  for (int i = 0; i < 2; i++) {
    green_addr *a = &l->addrs[n];
    if (green_addr_ip(a, hosts[i], strlen(hosts[i]), port) < 0) continue;
    if (!l->hint.family || l->hint.family == green_addr_family(a)) n++;
  }
  return n ? n : GREEN_EAI_FAMILY;
}

/* What the system's lookup of that host says. */
static int lookup_ask(green_lookup *l, const char *host, int flags)
{
  struct addrinfo *list = NULL;
  struct addrinfo hint = {.ai_family = l->hint.family,
                          .ai_socktype = l->hint.type,
                          .ai_flags = flags};
  int eai = getaddrinfo(host, l->service, &hint, &list);
  if (eai == EAI_SYSTEM) return -errno;
  int n = eai ? error_of_eai(eai) : lookup_copy(l, list);
  if (list) freeaddrinfo(list);
  return n;
}

/* Only a service's name is asked for: without a host nobody else is. */
static int lookup_localhost(green_lookup *l)
{
  int port = service_port(l->service);
  if (port < 0) {
    int n = lookup_ask(l, NULL, 0);
    if (n < 0) return n;
    port = green_addr_port(&l->addrs[0]);
  }
  return lookup_loopback(l, port);
}

static void lookup_work(green_job *job)
{
  green_lookup *l = green_container(job, green_lookup, job);
  int is_passive = l->hint.flags & GREEN_LOOKUP_PASSIVE;
  if (is_localhost(l->host))
    l->answer = lookup_localhost(l);
  else
    l->answer = lookup_ask(l, l->host, is_passive ? AI_PASSIVE : 0);
}

static void lookup_done(green_job *job)
{
  green_lookup *l = green_container(job, green_lookup, job);
  if (l->unwanted) {
    lookup_delete(l);
    return;
  }
  l->result = l->answer;
  green_waitq_wake_all(&l->waiters, 0);
}

static void lookup_drop(green_job *job)
{
  green_lookup *l = green_container(job, green_lookup, job);
  if (l->unwanted) lookup_delete(l);
}

static void lookup_note(const green_job *job, green_job_note *n)
{
  const green_lookup *l = green_container(job, green_lookup, job);
  snprintf(n->what, sizeof(n->what), "lookup of %s",
           l->host ? l->host : l->service);
}

/* Numeric hosts need no thread, and no name service shall see wrong ones. */
static int lookup_at_once(green_lookup *l)
{
  green_addr a;
  int port = service_port(l->service);
  if (!l->host) return GREEN_EAGAIN;
  int err = green_addr_ip(&a, l->host, strlen(l->host), port < 0 ? 0 : port);
  if (err == GREEN_EAI_NONAME || (err == 0 && port < 0)) return GREEN_EAGAIN;
  if (err < 0) return err == GREEN_EINVAL ? GREEN_EAI_NONAME : err;
  if (l->hint.family && l->hint.family != green_addr_family(&a))
    return GREEN_EAI_FAMILY;
  l->addrs = green__alloc(sizeof(a));
  if (!l->addrs) return GREEN_ENOMEM;
  l->addrs[0] = a;
  return 1;
}

/* A lookup with copies of the strings behind it. */
static green_lookup *lookup_new(const char *host, const char *service)
{
  size_t n = host ? strlen(host) + 1 : 0;
  size_t m = service ? strlen(service) + 1 : 0;
  green_lookup *l = green__zalloc(sizeof(*l) + n + m);
  if (!l) return NULL;
  if (host) l->host = memcpy(l->text, host, n);
  if (service) l->service = memcpy(l->text + n, service, m);
  green_waitq_init(&l->waiters);
  l->job.work = lookup_work;
  l->job.done = lookup_done;
  l->job.drop = lookup_drop;
  l->job.note = lookup_note;
  return l;
}

int green_lookup_start(green_lookup **lookup, green_tpool *p, const char *host,
                       const char *service, const green_lookup_hint *hint)
{
  if (!host && !service) return GREEN_EINVAL;
  if (host && strlen(host) >= NI_MAXHOST) return GREEN_ENAMETOOLONG;
  if (service && strlen(service) >= NI_MAXSERV) return GREEN_ENAMETOOLONG;
  green_lookup *l = lookup_new(host, service);
  if (!l) return GREEN_ENOMEM;
  if (hint) l->hint = *hint;
  l->result = lookup_at_once(l);
  int err = l->result == GREEN_EAGAIN ? green_job_submit(p, &l->job) : 0;
  if (err < 0) {
    lookup_delete(l);
    return err;
  }
  *lookup = l;
  return 0;
}

int green_lookup_result(const green_lookup *l)
{
  return l->result;
}

const green_addr *green_lookup_addr(const green_lookup *l, int i)
{
  return i >= 0 && i < l->result ? &l->addrs[i] : NULL;
}

void green_lookup_free(green_lookup *l)
{
  if (!l) return;
  green_waitq_wake_all(&l->waiters, GREEN_ECLOSED);
  if (l->result != GREEN_EAGAIN) {
    lookup_delete(l);
    return;
  }
  l->unwanted = 1;
  green_job_cancel(&l->job);
}

green_waitq *green_lookup_waiters(green_lookup *l)
{
  return &l->waiters;
}
