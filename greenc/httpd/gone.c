/*
** gone.c: clients that go while a worker has their request.
**
** A read registration cannot tell: bytes of a next request would report
** themselves without end, and must not be read. So who asks is put into an
** epoll of the server's own, edge by edge and for hang-ups alone, which itself
** is a descriptor that any backend of the loop can wait for.
*/

#include "httpd/httpd_priv.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* -- The descriptor ------------------------------------------------------- */

static int gone_open(httpd *d)
{
  if (d->gone.fd >= 0) return 0;
  int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return -errno;
  int err = green__fd_adopt(&d->gone, d->hub, fd);
  if (err < 0) {
    close(fd);
    return err;
  }
  d->gone_generation = green_fork_generation();
  return 0;
}

void green__httpd_gone_close(httpd *d)
{
  green_fd_close(&d->gone);
  green__free(d->watched);
  d->watched = NULL;
  d->watched_cap = 0;
}

green_fd *green_httpd_gone_fd(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  return d->gone.fd < 0 ? NULL : &d->gone;
}

/* -- Who is in it --------------------------------------------------------- */

/* The kernel may report a connection that has gone without our doing, from a
** number that a child has kept: what it reports are a number and a serial, by
** which the connection is looked up. */
static uint64_t gone_key(const httpd_conn *c)
{
  return (uint64_t)c->watch_serial << 32 | (uint32_t)c->watch_fd;
}

static httpd_conn *gone_find(const httpd *d, uint64_t key)
{
  uint32_t fd = (uint32_t)key;
  httpd_conn *c = fd < d->watched_cap ? d->watched[fd] : NULL;
  return c && gone_key(c) == key ? c : NULL;
}

static int gone_reserve(httpd *d, int fd)
{
  uint32_t cap = d->watched_cap ? d->watched_cap : 64;
  while (cap <= (uint32_t)fd) cap *= 2;
  if (cap == d->watched_cap) return 0;
  httpd_conn **all = green__realloc(d->watched, cap * sizeof(httpd_conn *));
  if (!all) return GREEN_ENOMEM;
  memset(all + d->watched_cap, 0,
         (cap - d->watched_cap) * sizeof(httpd_conn *));
  d->watched = all;
  d->watched_cap = cap;
  return 0;
}

static int gone_control(httpd_conn *c, int op)
{
  struct epoll_event e = {.events = EPOLLET, .data.u64 = gone_key(c)};
  if (!c->d->pub.half_close) e.events |= EPOLLRDHUP;
  return epoll_ctl(c->d->gone.fd, op, c->watch_fd, &e) < 0 ? -errno : 0;
}

static int gone_add(httpd_conn *c, int fd)
{
  httpd *d = c->d;
  int err = gone_open(d);
  if (err == 0) err = gone_reserve(d, fd);
  if (err < 0) return err;
  c->watch_fd = fd;
  c->watch_serial = ++d->gone_serial ? d->gone_serial : ++d->gone_serial;
  err = gone_control(c, EPOLL_CTL_ADD);
  if (err < 0)
    c->watch_serial = 0;
  else
    d->watched[fd] = c;
  return err;
}

/* Asked about again, the kernel tells again. */
int green_conn_watch(green_conn *pub)
{
  httpd_conn *c = conn_in_hand(pub);
  int fd = green_sock_fileno(&c->sock);
  if (fd < 0) return GREEN_ECLOSED;
  if (!c->watch_serial) return gone_add(c, fd);
  return c->has_gone ? gone_control(c, EPOLL_CTL_MOD) : 0;
}

/* A child must not take out of the kernel's set what is its parent's. */
void green__conn_unwatch(httpd_conn *c)
{
  httpd *d = c->d;
  if (!c->watch_serial) return;
  if (d->watched && d->watched[c->watch_fd] == c) {
    d->watched[c->watch_fd] = NULL;
    if (d->gone.fd >= 0 && !green_fork_differs(d->gone_generation))
      gone_control(c, EPOLL_CTL_DEL);
  }
  c->watch_serial = 0;
}

void green__httpd_gone_forked(httpd *d)
{
  int keeps = green_hub_inherits(d->hub);
  if (d->gone.fd < 0) return;
  green__httpd_gone_close(d);
  for (green_link *k = d->conns.next; k != &d->conns; k = k->next) {
    httpd_conn *c = green_container(k, httpd_conn, link);
    int was_watched = c->watch_serial != 0;
    c->watch_serial = 0;
    int fd = green_sock_fileno(&c->sock);
    if (was_watched && keeps && fd >= 0) gone_add(c, fd);
  }
}

/* -- Who has gone --------------------------------------------------------- */

static bool gone_is(const httpd *d, uint32_t events)
{
  return events & (EPOLLERR | EPOLLHUP) ||
         (!d->pub.half_close && events & EPOLLRDHUP);
}

static void conn_goes(httpd_conn *c)
{
  c->has_gone = 1;
  if (c->phase == HTTPD_ACTIVE) c->pub.reason = "client has gone";
}

green_conn *green_httpd_gone(green_httpd *pub)
{
  httpd *d = httpd_of(pub);
  struct epoll_event e;
  if (d->gone.fd < 0 || green_fork_differs(d->gone_generation)) return NULL;
  while (epoll_wait(d->gone.fd, &e, 1, 0) == 1) {
    httpd_conn *c = gone_find(d, e.data.u64);
    if (!c || !gone_is(d, e.events)) continue;
    conn_goes(c);
    if (c->phase == HTTPD_ACTIVE) return &c->pub;
  }
  return NULL;
}

bool green_conn_has_gone(green_conn *pub)
{
  httpd_conn *c = conn_in_hand(pub);
  struct pollfd p = {.fd = green_sock_fileno(&c->sock), .events = POLLRDHUP};
  if (p.fd < 0) return true;
  uint32_t events = poll(&p, 1, 0) > 0 ? (uint32_t)p.revents : 0;
  if (gone_is(c->d, events)) conn_goes(c);
  return c->has_gone;
}
