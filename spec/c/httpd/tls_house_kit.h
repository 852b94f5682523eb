/*
** tls_house_kit.h: a server that speaks TLS, and its clients: the kits of httpd
** and of TLS peers together.
*/
#ifndef GREEN_TLS_HOUSE_KIT_H
#define GREEN_TLS_HOUSE_KIT_H

#include "httpd/httpd_kit.h"
#include "io/tls_peer_kit.h"

static inline house tls_house(void)
{
  house h = house_open();
  green_tls_ctx *c = peer_server_ctx();
  if (green_httpd_set_tls(h.d, c) < 0) abort();
  green_tls_ctx_free(c);
  return h;
}

/* Who may not have done his handshake. */
static inline peer peer_open(house *h)
{
  return peer_new(client_open(h), 0);
}

/* The server's part of it is done by whoever asks for the next request. */
static inline int shake(house *h, peer *p)
{
  int r = GREEN_EAGAIN;
  for (int i = 0; i < 8 && r; i++) {
    r = peer_shake(p);
    if (r == 0 || r == GREEN_EAGAIN) next(h);
  }
  return r;
}

static inline peer peer_ready(house *h)
{
  peer p = peer_open(h);
  if (shake(h, &p) < 0) abort();
  return p;
}

/* As hear of the kit, of plain bytes. '.': TLS's own end; '!': cut. */
static inline int listens(peer *p)
{
  int end;
  heard_len = peer_hear(p, heard_text, sizeof(heard_text), &end);
  return end == GREEN_EAGAIN ? '-' : end == 0 ? '.' : '!';
}

static inline green_conn *asks(house *h, peer *p, const char *text)
{
  peer_say(p, text);
  return next(h);
}

/* Encrypt text, and send the first n bytes of that; peer_flush sends the
** rest. */
static inline void peer_say_part(peer *p, const char *text, size_t n)
{
  const char *out;
  green_tls_write(p->tls, text, strlen(text));
  if (green_tls_output(p->tls, &out) < n) abort();
  say_n(p->fd, out, n);
  green_tls_sent(p->tls, n);
}

/* Answered once: between two requests. */
static inline peer peer_idle(house *h)
{
  peer p = peer_ready(h);
  serve(asks(h, &p, GET));
  turns(h->hub, 1);
  listens(&p);
  return p;
}

#endif
