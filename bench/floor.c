/*
** floor.c: listener and connections of the bare servers.
*/

#include "floor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct listener {
  ev_io in;
  floor_fn *on_read;
} listener;

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
  (void)events;
  floor_conn *c = w->data;
  ssize_t n = write(w->fd, c->rest + c->rest_at, c->rest_len - c->rest_at);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) {
    floor_close(loop, c);
    return;
  }
  c->rest_at += (size_t)n;
  if (c->rest_at < c->rest_len) return;
  free(c->rest);
  c->rest = NULL;
  c->rest_len = c->rest_at = 0;
  ev_io_stop(loop, &c->out);
  ev_io_start(loop, &c->in);
}

static int keep_rest(struct ev_loop *loop, floor_conn *c, const char *p,
                     size_t n)
{
  char *rest = realloc(c->rest, c->rest_len + n);
  if (!rest) return -1;
  memcpy(rest + c->rest_len, p, n);
  c->rest = rest;
  c->rest_len += n;
  ev_io_stop(loop, &c->in);
  ev_io_start(loop, &c->out);
  return 0;
}

int floor_send(struct ev_loop *loop, floor_conn *c, const char *p, size_t n)
{
  ssize_t sent = c->rest ? 0 : write(c->in.fd, p, n);
  if (sent == (ssize_t)n) return 0;
  if (sent < 0 && errno == EAGAIN) sent = 0;
  if (sent < 0 || keep_rest(loop, c, p + sent, n - (size_t)sent) < 0) {
    floor_close(loop, c);
    return -1;
  }
  return 0;
}

void floor_close(struct ev_loop *loop, floor_conn *c)
{
  ev_io_stop(loop, &c->in);
  ev_io_stop(loop, &c->out);
  close(c->in.fd);
  free(c->rest);
  free(c);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
  (void)events;
  const listener *l = w->data;
  int one = 1;
  for (;;) {
    int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    floor_conn *c = calloc(1, sizeof *c);
    if (!c) {
      close(fd);
      return;
    }
    ev_io_init(&c->in, l->on_read, fd, EV_READ);
    ev_io_init(&c->out, on_writable, fd, EV_WRITE);
    c->in.data = c->out.data = c;
    ev_io_start(loop, &c->in);
  }
}

static int listen_on(int port)
{
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0) return -1;
  if (listen(fd, 4096) < 0) return -1;
  return fd;
}

int floor_serve(int port, floor_fn *on_read)
{
  listener l = {.on_read = on_read};
  int fd = listen_on(port);
  if (fd < 0) {
    perror("floor: listen");
    return -1;
  }
  signal(SIGPIPE, SIG_IGN);
  struct ev_loop *loop = ev_default_loop(EVBACKEND_EPOLL);
  ev_io_init(&l.in, on_accept, fd, EV_READ);
  l.in.data = &l;
  ev_io_start(loop, &l.in);
  ev_run(loop, 0);
  return -1;
}
