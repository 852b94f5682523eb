/*
** floor_echo.c: the least a TCP echo server can do: one thread, epoll through
** libev, what is read is written back from the same buffer.
**
**   floor_echo PORT
*/

#include "floor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static void on_read(struct ev_loop *loop, ev_io *w, int events)
{
  static char buf[64 << 10];
  (void)events;
  ssize_t n = read(w->fd, buf, sizeof buf);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0)
    floor_close(loop, w->data);
  else
    floor_send(loop, w->data, buf, (size_t)n);
}

int main(int argc, char **argv)
{
  return floor_serve(argc > 1 ? atoi(argv[1]) : 8080, on_read) != 0;
}
