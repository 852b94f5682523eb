/*
** tls_idle_test.c: what a TLS connection costs between two requests, as the
** allocator counts it, OpenSSL's part included.
*/

#include "httpd/tls_house_kit.h"

#include <malloc.h>

/* Bytes that a connection between two requests may have. */
#define LIMIT 15000

enum { MANY = 1000 }; /* The allocator keeps some of what was freed. */

static size_t in_use(void)
{
  malloc_trim(0);
  return mallinfo2().uordblks;
}

/* A client's share is taken away: his descriptor alone stays. */
static int idle_without_client(house *h, int version)
{
  peer p = peer_new(client_open(h), version);
  int fd = p.fd;
  if (shake(h, &p) < 0) abort();
  for (int i = 0; i < 2; i++) {
    serve(asks(h, &p, GET));
    turns(h->hub, 1);
    listens(&p);
  }
  p.fd = -1;
  peer_free(&p);
  return fd;
}

static void check(int version, const char *what)
{
  house h = tls_house();
  int fds[MANY + 10];
  for (int i = 0; i < 10; i++) fds[i] = idle_without_client(&h, version);
  size_t before = in_use();
  for (int i = 0; i < MANY; i++) fds[i + 10] = idle_without_client(&h, version);
  size_t each = (in_use() - before) / MANY;
  printf("# %zu bytes a connection, %s\n", each, what);
  ok(each < LIMIT, what);
  for (int i = 0; i < MANY + 10; i++) close(fds[i]);
  turns(h.hub, 2);
  while (next(&h)) continue;
  house_close(&h);
}

int main(void)
{
  t_start();
  check(GREEN_TLS_1_3, "TLS 1.3");
  check(GREEN_TLS_1_2, "TLS 1.2");
  return t_done();
}
