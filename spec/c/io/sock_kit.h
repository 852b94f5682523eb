/*
** sock_kit.h: a hub, connected sockets and waiting, for the tests of sock.
*/
#ifndef GREEN_SOCK_KIT_H
#define GREEN_SOCK_KIT_H

#include "base/mem.h"
#include "hub/hub.h"
#include "io/sock.h"
#include "t.h"

#include <dirent.h>
#include <errno.h>

static green_hub *hub;

/* -- Waiting -------------------------------------------------------------- */

/* A task that parks once on a socket and remembers how it ended. */
typedef struct waiter {
  green_task task;
  green_sock *s;
  int mode;
  int64_t deadline;
  int status;
  int done;
} waiter;

static inline void waiter_resume(green_task *t)
{
  waiter *w = green_container(t, waiter, task);
  if (w->mode) {
    int mode = w->mode;
    w->mode = 0;
    w->status = green_fd_park(green_sock_fd(w->s), t, mode, w->deadline);
    if (w->status == 0) return;
  } else {
    w->status = t->status;
  }
  w->done = 1;
  green_task_end(t);
}

static inline void waiter_start(waiter *w, green_sock *s, int mode, double secs)
{
  memset(w, 0, sizeof(*w));
  w->s = s;
  w->mode = mode;
  w->deadline = green_clock_after(green_hub_now(hub), secs);
  green_task_init(&w->task, hub, waiter_resume);
  green_task_start(&w->task);
}

/* Run the hub until s is ready: 0, GREEN_ETIMEDOUT, ... */
static inline int wait_for(green_sock *s, int mode, double seconds)
{
  waiter w;
  waiter_start(&w, s, mode, seconds);
  int err = green_hub_run(hub, &w.done);
  return err < 0 ? err : w.status;
}

static inline int wait_readable(green_sock *s)
{
  return wait_for(s, GREEN_READ, 5);
}

/* Receive, waiting as long as there is nothing. */
static inline int recv_wait(green_sock *s, void *ptr, size_t n)
{
  int r;
  while ((r = green_sock_recv(s, ptr, n)) == GREEN_EAGAIN)
    if (wait_readable(s) < 0) break;
  return r;
}

static inline int fill_wait(green_sock *s, size_t want)
{
  int r;
  while ((r = green_sock_fill(s, want)) == GREEN_EAGAIN)
    if (wait_readable(s) < 0) break;
  return r;
}

/* -- Sockets -------------------------------------------------------------- */

static inline int open_fds(void)
{
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  if (!d) return -1;
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

static inline green_addr address(const char *text)
{
  green_addr a;
  memset(&a, 0, sizeof(a));
  green_addr_parse(&a, text, strlen(text), 0);
  return a;
}

/* A listener on a free port of the loopback; its address. */
static inline green_sock *tcp_listener(green_addr *at)
{
  green_sock *s = green_sock_new(hub);
  green_addr any = address("127.0.0.1:0");
  green_sock_open(s, GREEN_INET, GREEN_STREAM);
  green_sock_bind(s, &any);
  green_sock_listen(s, 16);
  green_sock_sockname(s, at);
  return s;
}

static inline int connect_wait(green_sock *s, const green_addr *to)
{
  int err = green_sock_connect(s, to);
  while (err == GREEN_EINPROGRESS) {
    err = wait_for(s, GREEN_WRITE, 5);
    if (err == 0) err = green_sock_connect_finish(s);
  }
  return err;
}

static inline int accept_wait(green_sock *listener, green_sock *conn,
                              green_addr *peer)
{
  int err;
  while ((err = green_sock_accept(listener, conn, peer)) == GREEN_EAGAIN)
    if (wait_readable(listener) < 0) break;
  return err;
}

/* Two ends of a TCP connection. */
static inline void tcp_pair(green_sock **client, green_sock **server)
{
  green_addr at;
  green_sock *l = tcp_listener(&at);
  *client = green_sock_new(hub);
  *server = green_sock_new(hub);
  green_sock_open(*client, GREEN_INET, GREEN_STREAM);
  connect_wait(*client, &at);
  accept_wait(l, *server, NULL);
  green_sock_free(l);
}

static inline void unix_pair(green_sock **a, green_sock **b, int type)
{
  *a = green_sock_new(hub);
  *b = green_sock_new(hub);
  green_sock_pair(*a, *b, type);
}

static inline void free_both(green_sock *a, green_sock *b)
{
  green_sock_free(a);
  green_sock_free(b);
}

/* The last of the checks. */
static inline void nothing_is_left(int fds_before)
{
  green_hub_stats st;
  green_hub_stats_get(hub, &st);
  is(st.fds, 0, "no descriptor is registered");
  is(st.live, 0, "no task lives");
  is(st.waits, 0, "nobody waits");
  is(open_fds(), fds_before, "no descriptor is left open");
}

#endif
