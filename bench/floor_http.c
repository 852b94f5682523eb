/*
** floor_http.c: the least an HTTP server can do and still be honest: one
** thread, epoll through libev, keep-alive; each blank line that arrives is
** answered with a fixed text, the answers to one read leave in one write.
** It does not look at method, path or headers.
**
**   floor_http PORT [BODY_BYTES]
*/

#include "floor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX = 64 << 10, ANSWERS_MAX = 1024, ANSWERS_BYTES = 1 << 20 };

/* As many answers as one write may carry, one after the other. */
static char *answers;
static size_t answer_len, answers_held;

static void answers_make(size_t body)
{
  char head[256];
  int head_len = snprintf(head, sizeof head,
                          "HTTP/1.1 200 OK\r\n"
                          "Content-Type: text/plain\r\n"
                          "Content-Length: %zu\r\n"
                          "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n",
                          body);
  answer_len = (size_t)head_len + body;
  answers_held = ANSWERS_BYTES / answer_len;
  if (answers_held > ANSWERS_MAX) answers_held = ANSWERS_MAX;
  if (answers_held == 0) answers_held = 1;
  answers = malloc(answers_held * answer_len);
  for (size_t i = 0; i < answers_held; i++) {
    char *p = answers + i * answer_len;
    memcpy(p, head, (size_t)head_len);
    for (size_t k = 0; k < body; k++)
      p[(size_t)head_len + k] = "hello\n"[k % 6];
  }
}

/* How many requests end in these bytes. The last three bytes of an unfinished
** one are kept: the blank line may arrive in two pieces. */
static size_t requests_count(floor_conn *c, const char *p, size_t n)
{
  size_t count = 0;
  const char *end = p + n;
  for (const char *blank; (blank = memmem(p, (size_t)(end - p), "\r\n\r\n", 4));
       p = blank + 4)
    count++;
  c->held = (size_t)(end - p) < 3 ? (size_t)(end - p) : 3;
  memcpy(c->tail, end - c->held, c->held);
  return count;
}

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
  size_t count = requests_count(c, buf, c->held + (size_t)n);
  while (count > 0) {
    size_t part = count < answers_held ? count : answers_held;
    if (floor_send(loop, c, answers, part * answer_len) < 0) return;
    count -= part;
  }
}

int main(int argc, char **argv)
{
  answers_make(argc > 2 ? strtoul(argv[2], NULL, 10) : 6);
  return floor_serve(argc > 1 ? atoi(argv[1]) : 8080, on_read) != 0;
}
