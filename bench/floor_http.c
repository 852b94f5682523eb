/*
** floor_http.c: the least an HTTP server can do and still be honest: one
** thread, epoll through libev, keep-alive; each blank line that arrives is
** answered with a fixed text, the answers to one read leave in one write.
** It does not look at method, path or headers.
**
**   floor_http PORT [BODY_BYTES]
*/

#include "floor_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX = 64 << 10 };

static void on_read(struct ev_loop *loop, ev_io *w, int events)
{
  static char buf[4 + READ_MAX];
  floor_conn *c = w->data;
  (void)events;
  memcpy(buf, c->tail, c->held);
  ssize_t n = read(w->fd, buf + c->held, READ_MAX);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    floor_close(loop, c);
    return;
  }
  size_t count = floor_requests(c, buf, c->held + (size_t)n);
  while (count > 0) {
    size_t part = count < floor_answers_held ? count : floor_answers_held;
    if (floor_send(loop, c, floor_answers, part * floor_answer_len) < 0) return;
    count -= part;
  }
}

int main(int argc, char **argv)
{
  floor_answers_make(argc > 2 ? strtoul(argv[2], NULL, 10) : 6);
  return floor_serve(argc > 1 ? atoi(argv[1]) : 8080, on_read) != 0;
}
