/*
** ws_kit.h: a set of WebSocket connections on a hub with a clock that is moved
** by hand, and peers at the other ends of socket pairs.
*/
#ifndef GREEN_WS_KIT_H
#define GREEN_WS_KIT_H

#include "httpd/httpd_kit.h"
#include "httpd/wsd.h"

#include "base/mem.h"

typedef struct hall {
  green_hub *hub;
  green_wsd *d;
} hall;

static inline hall hall_open(void)
{
  hall h = {.hub = hub_open_virtual()};
  h.d = green__zalloc(green_wsd_size());
  if (!h.d) abort();
  green_wsd_init(h.d, h.hub);
  return h;
}

static inline void hall_close(hall *h)
{
  green_wsd_deinit(h->d);
  green__free(h->d);
  turns(h->hub, 2);
  ok(is_clean(h->hub), "nothing is left");
  green_hub_free(h->hub);
}

/* A connection and our number of its other end; ws NULL: there was no memory.
*/
static inline int peer_open(hall *h, const green_ws_terms *terms, green_ws **ws)
{
  int fds[2];
  double handle = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  green_sock *s = green_sock_new(h->hub);
  if (!s || green_sock_adopt(s, fds[0]) < 0) {
    if (s) green_sock_free(s);
    close(fds[0]);
    *ws = NULL;
    return fds[1];
  }
  int err = green_wsd_open(h->d, s, terms, &handle);
  green_sock_free(s);
  *ws = err < 0 ? NULL : green_wsd_get(h->d, handle);
  return fds[1];
}

/* Send a frame as a client does: masked with zeros. */
static inline void say_frame(int fd, int opcode, bool last, const char *p,
                             size_t n)
{
  static const uint8_t mask[4];
  char head[14];
  int len = green_ws_head(head, opcode, last, false, n, mask);
  say_n(fd, head, (size_t)len);
  say_n(fd, p, n);
}

static inline void say_text(int fd, const char *text)
{
  say_frame(fd, GREEN_WS_TEXT, true, text, strlen(text));
}

static inline void say_close(int fd, int code)
{
  char p[2] = {(char)(code >> 8), (char)code};
  say_frame(fd, GREEN_WS_CLOSE, true, p, 2);
}

/* Is that, as a server sends it, what has come? */
static inline int heard_frame(int first, const char *p, size_t n)
{
  return heard_len == n + 2 && (uint8_t)heard_text[0] == first &&
         (uint8_t)heard_text[1] == n && !memcmp(heard_text + 2, p, n);
}

static inline int message_is(const green_ws *ws, const char *text)
{
  return ws->len == strlen(text) && !memcmp(ws->text, text, ws->len);
}

#endif
