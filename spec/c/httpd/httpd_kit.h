/*
** httpd_kit.h: a server on a hub with a clock that is moved by hand, and
** clients at the other ends of socket pairs.
*/
#ifndef GREEN_HTTPD_KIT_H
#define GREEN_HTTPD_KIT_H

#include "actor.h"
#include "httpd/httpd.h"
#include "httpd/httpd_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>

#define MS (GREEN_SECOND / 1000)
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET_CLOSE "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

typedef struct house {
  green_hub *hub;
  green_httpd *d;
} house;

static inline house house_open(void)
{
  house h = {.hub = hub_open_virtual()};
  h.d = green_httpd_new(h.hub);
  if (!h.d) abort();
  h.d->date = false;
  return h;
}

static inline void house_close(house *h)
{
  green_httpd_free(h->d);
  turns(h->hub, 1);
  ok(is_clean(h->hub), "nothing is left");
  green_hub_free(h->hub);
}

/* A connection: our number of its other end. */
static inline int client_open(house *h)
{
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  green_sock *s = green_sock_new(h->hub);
  if (green_sock_adopt(s, fds[0]) < 0) abort();
  if (green_httpd_adopt(h->d, s) < 0) {
    close(fds[1]);
    fds[1] = -1;
  }
  green_sock_free(s);
  return fds[1];
}

static inline void say_n(int fd, const char *text, size_t n)
{
  while (n > 0) {
    ssize_t k = write(fd, text, n);
    if (k <= 0) abort();
    text += k;
    n -= (size_t)k;
  }
}

static inline void say(int fd, const char *text)
{
  say_n(fd, text, strlen(text));
}

/* What has come back: text, and whether it has ended ('.'), was reset ('!') or
** goes on. */
static char heard_text[1 << 20];
static size_t heard_len;

static inline int hear(int fd)
{
  ssize_t n;
  heard_len = 0;
  while ((n = recv(fd, heard_text + heard_len,
                   sizeof(heard_text) - 1 - heard_len, 0)) > 0)
    heard_len += (size_t)n;
  int error = errno;
  heard_text[heard_len] = '\0';
  if (n == 0) return '.';
  return error == EAGAIN ? '-' : '!';
}

static inline int heard(const char *part)
{
  return strstr(heard_text, part) != NULL;
}

static inline int heard_count(const char *part)
{
  int n = 0;
  for (const char *p = heard_text; (p = strstr(p, part)) != NULL; p++) n++;
  return n;
}

/* Let what was sent arrive. */
static inline green_conn *next(house *h)
{
  turns(h->hub, 2);
  return green_httpd_next(h->d);
}

static inline green_conn *next_after(house *h, int fd, const char *text)
{
  say(fd, text);
  return next(h);
}

static inline void pass(house *h, int64_t ns)
{
  green_hub_advance(h->hub, ns);
  turns(h->hub, 2);
}

/* A whole answer. */
static inline int answer(green_conn *c, int status, const char *body)
{
  int err = green_conn_begin(c, status);
  if (err == 0) err = green_conn_whole(c, body, strlen(body));
  return err;
}

/* Answer with "hello" and go on. */
static inline int serve(green_conn *c)
{
  answer(c, 200, "hello");
  return green_conn_finish(c);
}

/* The body, as far as it has come, after what text holds already. Returns what
** ended it. */
static inline int take_body(green_conn *c, char *text, size_t size)
{
  const char *p;
  size_t have = strlen(text);
  int n;
  while ((n = green_conn_body(c, &p)) > 0) {
    if (have + (size_t)n >= size) abort();
    memcpy(text + have, p, (size_t)n);
    text[have += (size_t)n] = '\0';
  }
  return n;
}

/* The text n times. **Free with** free. */
static inline char *repeated(const char *text, size_t n)
{
  size_t len = strlen(text);
  char *all = malloc(len * n + 1);
  if (!all) abort();
  for (size_t i = 0; i < n; i++) memcpy(all + len * i, text, len);
  all[len * n] = '\0';
  return all;
}

static inline void limit_send(int fd, int bytes)
{
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

#endif
