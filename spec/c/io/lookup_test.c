/*
** lookup_test.c: names looked up in native threads.
*/

/* wrap: getaddrinfo */

#include "base/mem.h"
#include "hub/scope.h"
#include "t.h"
#include "io/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>

static green_hub *hub;

/* -- A name service of our own -------------------------------------------- */

static atomic_int lookups; /* Calls of getaddrinfo. */
static sem_t lookup_gate;  /* "slow.test" waits for it. */

int __real_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list);

static int numeric(const char *host, const char *service,
                   const struct addrinfo *hint, struct addrinfo **list)
{
  struct addrinfo h = *hint;
  h.ai_flags |= AI_NUMERICHOST;
  return __real_getaddrinfo(host, service, &h, list);
}

/* No network and no files here: "two.test" has two addresses, "eai-N.test"
** fails with N. */
int __wrap_getaddrinfo(const char *host, const char *service,
                       const struct addrinfo *hint, struct addrinfo **list)
{
  int eai;
  lookups++;
  if (host && sscanf(host, "eai%d.test", &eai) == 1) {
    errno = EMFILE;
    return eai;
  }
  if (host && strcmp(host, "slow.test") == 0) sem_wait(&lookup_gate);
  if (!host || strncmp(host, "127.", 4) == 0)
    return __real_getaddrinfo(host, service, hint, list);
  eai = numeric("192.0.2.1", service, hint, list);
  if (eai || strcmp(host, "two.test") != 0) return eai;
  struct addrinfo *last = *list;
  while (last->ai_next) last = last->ai_next;
  return numeric("192.0.2.2", service, hint, &last->ai_next);
}

/* -- Lookups -------------------------------------------------------------- */

static green_tpool_stats stats(green_tpool *p)
{
  green_tpool_stats s;
  green_tpool_stats_get(p, &s);
  return s;
}

static green_tpool *pool;
static const green_lookup_hint stream = {0, SOCK_STREAM, 0};

/* A task that waits for a lookup. */
typedef struct asker {
  green_task task;
  green_lookup *lookup;
  int status;
  int asked;
  int done;
} asker;

/* The answer may be there before the first turn is. */
static void asker_resume(green_task *t)
{
  asker *a = green_container(t, asker, task);
  if (!a->asked++ && green_lookup_result(a->lookup) == GREEN_EAGAIN) {
    int64_t due = green_clock_after(green_hub_now(hub), 5);
    green_task_park(t, green_lookup_waiters(a->lookup), due);
    return;
  }
  a->status = t->status;
  a->done = 1;
  green_task_end(t);
}

static void asker_start(asker *a, green_lookup *l)
{
  memset(a, 0, sizeof(*a));
  a->lookup = l;
  green_task_init(&a->task, hub, asker_resume);
  green_task_start(&a->task);
}

/* Wait for it and say what came of it. */
static int result_of(green_lookup *l)
{
  asker a;
  if (green_lookup_result(l) == GREEN_EAGAIN) {
    asker_start(&a, l);
    green_hub_run(hub, &a.done);
  }
  return green_lookup_result(l);
}

/* The result, and the first address as text. */
static int look_up(const char *host, const char *service, char *text)
{
  green_lookup *l;
  int err = green_lookup_start(&l, pool, host, service, &stream);
  if (err < 0) return err;
  int n = result_of(l);
  if (n > 0) green_addr_format(green_lookup_addr(l, 0), text, GREEN_ADDR_TEXT);
  green_lookup_free(l);
  return n;
}

static void test_numeric_hosts_need_no_thread(void)
{
  char text[GREEN_ADDR_TEXT] = "";
  green_lookup *l;
  lookups = 0;
  is(look_up("127.0.0.1", "80", text), 1, "IPv4");
  is_str(text, "127.0.0.1:80", "with its port");
  is(look_up("::1%2", NULL, text), 1, "IPv6 with a scope");
  is_str(text, "[::1%2]:0", "without a port");
  is(look_up("127.1", "80", text), GREEN_EAI_NONAME, "what inet_aton takes");
  is(look_up("::1%nope", "80", text), GREEN_ENODEV, "no such interface");
  green_lookup_hint six = {GREEN_INET6, SOCK_STREAM, 0};
  green_lookup_start(&l, pool, "127.0.0.1", "80", &six);
  is(green_lookup_result(l), GREEN_EAI_FAMILY, "the wrong family");
  ok(!green_lookup_addr(l, 0), "has no address");
  green_lookup_free(l);
  is(stats(pool).threads, 0, "no thread was started");
  is(lookups, 0, "nobody was asked");
}

static void test_names(void)
{
  char text[GREEN_ADDR_TEXT] = "";
  green_lookup *l;
  is(look_up("one.test", "8080", text), 1, "a name");
  is_str(text, "192.0.2.1:8080", "has an address");
  green_lookup_start(&l, pool, "two.test", "1", NULL);
  ok(result_of(l) >= 2, "another has two");
  ok(!green_lookup_addr(l, -1) && !green_lookup_addr(l, 99), "no more");
  green_lookup_free(l);
  is(look_up("127.0.0.1", "nonesuch-service", text), GREEN_EAI_SERVICE,
     "a service that there is not");
  green_lookup_hint passive = {GREEN_INET, SOCK_STREAM, GREEN_LOOKUP_PASSIVE};
  green_lookup_start(&l, pool, NULL, "81", &passive);
  is(result_of(l), 1, "no host, to listen on");
  green_addr_format(green_lookup_addr(l, 0), text, sizeof(text));
  is_str(text, "0.0.0.0:81", "is any address");
  green_lookup_free(l);
}

/* Neither a hosts file nor a name service is needed, or can change it. */
static void test_localhost(void)
{
  static const char *const names[] = {"localhost", "LocalHost", "localhost.",
                                      "a.localhost", "A.b.LOCALHOST."};
  static const char *const others[] = {"xlocalhost", "localhost.test",
                                       ".localhost", "localhos"};
  static const struct {
    int family;
    const char *first;
    int n;
  } kinds[] = {{0, "127.0.0.1:80", 2},
               {GREEN_INET, "127.0.0.1:80", 1},
               {GREEN_INET6, "[::1]:80", 1}};
  char text[GREEN_ADDR_TEXT] = "";
  green_lookup *l;
  lookups = 0;
  for (int i = 0; i < 15; i++) {
    green_lookup_hint hint = {kinds[i % 3].family, SOCK_STREAM, i % 2};
    green_lookup_start(&l, pool, names[i / 3], "80", &hint);
    is(result_of(l), kinds[i % 3].n, names[i / 3]);
    green_addr_format(green_lookup_addr(l, 0), text, sizeof(text));
    is_str(text, kinds[i % 3].first, "is the loopback");
    green_lookup_free(l);
  }
  green_lookup_start(&l, pool, "localhost", NULL, NULL);
  is(result_of(l), 2, "without a port");
  green_addr_format(green_lookup_addr(l, 1), text, sizeof(text));
  is_str(text, "[::1]:0", "both families");
  green_lookup_free(l);
  green_lookup_hint path = {GREEN_UNIX, SOCK_STREAM, 0};
  green_lookup_start(&l, pool, "localhost", "80", &path);
  is(result_of(l), GREEN_EAI_FAMILY, "no other family");
  green_lookup_free(l);
  is(lookups, 0, "nobody was asked");
  is(look_up("localhost", "nonesuch-service", text), GREEN_EAI_SERVICE,
     "a service that there is not");
  for (int i = 0; i < 4; i++)
    is(look_up(others[i], "80", text), 1, "another name");
  is_str(text, "192.0.2.1:80", "is asked for");
  is(lookups, 5, "as ever");
}

static int eai(int code)
{
  char host[32];
  snprintf(host, sizeof(host), "eai%d.test", code);
  return look_up(host, "80", NULL);
}

static void test_errors(void)
{
  char name[2000];
  is(eai(EAI_NONAME), GREEN_EAI_NONAME, "unknown");
  is(eai(EAI_AGAIN), GREEN_EAI_AGAIN, "not now");
  is(eai(EAI_FAIL), GREEN_EAI_FAIL, "broken");
  is(eai(EAI_NODATA), GREEN_EAI_FAMILY, "no address");
  is(eai(EAI_ADDRFAMILY), GREEN_EAI_FAMILY, "none of that family");
  is(eai(EAI_FAMILY), GREEN_EAI_FAMILY, "no such family");
  is(eai(EAI_SERVICE), GREEN_EAI_SERVICE, "service");
  is(eai(EAI_MEMORY), GREEN_ENOMEM, "memory");
  is(eai(EAI_SOCKTYPE), GREEN_EINVAL, "socket type");
  is(eai(EAI_SYSTEM), GREEN_EMFILE, "the system");
  is(eai(-12345), GREEN_EAI_FAIL, "what nobody knows");
  is(look_up(NULL, NULL, NULL), GREEN_EINVAL, "nothing to look up");
  memset(name, 'n', sizeof(name));
  name[1999] = '\0';
  is(look_up(name, "1", NULL), GREEN_ENAMETOOLONG, "a long host");
  is(look_up("x.test", name, NULL), GREEN_ENAMETOOLONG, "a long service");
}

/* The task that waits is killed; the answer comes later and is dropped. */
static void test_killed_while_waiting(void)
{
  green_lookup *l;
  asker a;
  lookups = 0;
  green_lookup_start(&l, pool, "slow.test", "80", &stream);
  while (lookups < 1) usleep(1000);
  asker_start(&a, l);
  green_hub_turn(hub, 0);
  is(green_task_kill(&a.task), 1, "kill");
  green_hub_run(hub, &a.done);
  is(a.status, GREEN_ECANCELED, "the wait ends at once");
  is(green_lookup_result(l), GREEN_EAGAIN, "the lookup goes on");
  green_lookup_free(l);
  is(stats(pool).pending, 1, "also when nobody wants it");
  sem_post(&lookup_gate);
  while (stats(pool).pending) green_hub_turn(hub, 1);
  ok(1, "until it is over");
}

static void test_freed_in_line_is_not_asked_for(void)
{
  green_lookup *busy[4], *l;
  lookups = 0;
  for (int i = 0; i < 4; i++)
    green_lookup_start(&busy[i], pool, "slow.test", "80", &stream);
  while (lookups < 4) usleep(1000);
  green_lookup_start(&l, pool, "one.test", "80", &stream);
  lookups = 0;
  green_lookup_free(l);
  for (int i = 0; i < 4; i++) sem_post(&lookup_gate);
  for (int i = 0; i < 4; i++) {
    is(result_of(busy[i]), 1, "the others get their answer");
    green_lookup_free(busy[i]);
  }
  is(lookups, 0, "nobody asked for it");
  green_lookup_free(NULL);
}

static void test_pool_freed_before_the_answer(void)
{
  green_lookup *l, *m;
  green_tpool *p = green_tpool_new(hub);
  green_tpool_set_threads(p, 1);
  lookups = 0;
  green_lookup_start(&l, p, "slow.test", "80", &stream);
  green_lookup_start(&m, p, "slow.test", "80", &stream);
  while (lookups < 1) usleep(1000);
  green_lookup_free(l);
  green_lookup_free(m);
  green_tpool_free(p);
  sem_post(&lookup_gate);
  usleep(50000); /* The sanitizer tells if the memory was not freed. */
  green_hub_turn(hub, 0);
  is(lookups, 1, "the second was never asked for");
}

static void test_out_of_memory(void)
{
  int n = 0, calls, good = 1;
  do {
    green_lookup *l;
    green__alloc_fail_from(++n);
    green_tpool *p = green_tpool_new(hub);
    if (p) green_tpool_set_threads(p, 1); /* What is shared is there. */
    int err = p ? green_lookup_start(&l, p, "one.test", "80", &stream) : 0;
    if (p && err == 0) {
      while (stats(p).pending) green_hub_turn(hub, 1);
      err = green_lookup_result(l);
      green_lookup_free(l);
    }
    if (p && err != 1 && err != GREEN_ENOMEM) good = 0;
    calls = green__alloc_fail_from(0);
    green_tpool_free(p);
  } while (calls >= n);
  ok(n >= 5, "each allocation failed in turn");
  ok(good, "and was reported");
  green__alloc_fail_from(1);
  is(look_up("1.2.3.4", "1", NULL), GREEN_ENOMEM, "a numeric one");
  green__alloc_fail_from(0);
}

int main(void)
{
  t_start();
  sem_init(&lookup_gate, 0, 0);
  green_hub_new(&hub, NULL);
  pool = green_tpool_new(hub);
  test_numeric_hosts_need_no_thread();
  test_names();
  test_localhost();
  test_errors();
  test_killed_while_waiting();
  test_freed_in_line_is_not_asked_for();
  test_pool_freed_before_the_answer();
  test_out_of_memory();
  green_tpool_stop(pool);
  green_tpool_free(pool);
  green_hub_turn(hub, 0);
  green_hub_free(hub);
  return t_done();
}
