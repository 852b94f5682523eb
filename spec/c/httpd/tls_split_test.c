/*
** tls_split_test.c: requests in records, cut at every byte: one in a record,
** many in one, one in many, with bodies, and behind the handshake's last bytes.
*/

#include "httpd/tls_house_kit.h"

#define POST \
  "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
#define CHUNKED \
  "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" \
  "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"

typedef struct plan {
  const char *what, *text;
  int requests;
  size_t each;         /* Bytes of text in a record. */
  bool with_handshake; /* The client's last bytes of it are cut, too. */
} plan;

static const plan plans[] = {
    {"a request in a record", GET, 1, 1000, false},
    {"requests in a record", GET GET GET, 3, 1000, false},
    {"a request in many", GET, 1, 3, false},
    {"requests across records", GET GET GET, 3, 40, false},
    {"a body", POST GET, 2, 1000, false},
    {"a body in many", POST GET, 2, 17, false},
    {"a chunked body", CHUNKED GET, 2, 1000, false},
    {"a chunked body in many", CHUNKED GET, 2, 11, false},
    {"a request behind the handshake", GET, 1, 1000, true},
    {"a body behind the handshake", POST GET, 2, 30, true},
};

/* -- A worker -------------------------------------------------------------- */

/* It has a request whose body has not all come. */
static green_conn *waiting;
static char body[100];

/* 1: the next one is there. */
static int work(green_conn *c)
{
  if (c->found != GREEN_HTTPD_REQUEST) abort();
  if (waiting)
    green_conn_sock(c)->f.drained = 0; /* As for who parks. */
  else
    body[0] = '\0';
  waiting = take_body(c, body, sizeof(body)) == GREEN_EAGAIN ? c : NULL;
  if (waiting) return 0;
  bool good = !c->head->has_body || !strcmp(body, "0123456789");
  answer(c, good ? 200 : 500, "hello");
  return green_conn_finish(c);
}

static void work_all(house *h)
{
  for (int i = 0; i < 3; i++) {
    green_conn *c = waiting ? waiting : next(h);
    turns(h->hub, 1);
    while (c && work(c) == 1) continue;
  }
}

/* -- A client -------------------------------------------------------------- */

static char wire[20000]; /* What it sends. */
static size_t wire_len;

static void collect(peer *p)
{
  const char *out;
  size_t n = green_tls_output(p->tls, &out);
  if (wire_len + n > sizeof(wire)) abort();
  memcpy(wire + wire_len, out, n);
  wire_len += n;
  green_tls_sent(p->tls, n);
}

static void encrypt(const plan *l, peer *p)
{
  size_t left = strlen(l->text);
  for (const char *text = l->text; left > 0;) {
    size_t n = l->each < left ? l->each : left;
    if (green_tls_write(p->tls, text, n) != (int)n) abort();
    collect(p);
    text += n;
    left -= n;
  }
}

/* -- Cuts ------------------------------------------------------------------ */

/* A house with one client, for many tries; a new one for each where the
** handshake is part of them. */
typedef struct scene {
  const plan *l;
  green_tls_ctx *ctx;
  int version;
  house h;
  peer p;
} scene;

static void scene_open(scene *s)
{
  s->h = (house){.hub = hub_open_virtual()};
  s->h.d = green_httpd_new(s->h.hub);
  if (green_httpd_set_tls(s->h.d, s->ctx) < 0) abort();
  s->p = peer_new(client_open(&s->h), s->version);
  wire_len = 0;
  if (!s->l->with_handshake) {
    if (shake(&s->h, &s->p) < 0) abort();
    return;
  }
  peer_shake(&s->p);
  next(&s->h);
  peer_take(&s->p, GREEN_TLS_INPUT);
  if (green_tls_handshake(s->p.tls) < 0) abort();
  collect(&s->p);
}

static void scene_close(scene *s)
{
  waiting = NULL;
  peer_free(&s->p);
  green_httpd_free(s->h.d);
  green_hub_free(s->h.hub);
}

/* Cut into pieces of at bytes, or once there. Is all answered? */
static bool passes(scene *s, size_t at, bool once)
{
  encrypt(s->l, &s->p);
  for (size_t i = 0, n; i < wire_len; i += n) {
    n = once && i > 0 ? wire_len : at;
    if (n > wire_len - i) n = wire_len - i;
    say_n(s->p.fd, wire + i, n);
    work_all(&s->h);
  }
  turns(s->h.hub, 2);
  return listens(&s->p) == '-' && heard_count(" 200 OK") == s->l->requests &&
         s->h.d->idle == 1;
}

/* How many bytes there were to cut; 0: it did not pass. */
static size_t try_cut(scene *s, size_t at, bool once)
{
  wire_len = 0;
  if (s->l->with_handshake) scene_open(s);
  bool good = passes(s, at, once);
  if (s->l->with_handshake) scene_close(s);
  return good ? wire_len : 0;
}

static void check(green_tls_ctx *c, const plan *l, int version)
{
  scene s = {.l = l, .ctx = c, .version = version};
  if (!l->with_handshake) scene_open(&s);
  size_t n = try_cut(&s, sizeof(wire), true);
  int wrong = 0;
  for (size_t at = 1; at < n; at++) wrong += !try_cut(&s, at, true);
  wrong += !try_cut(&s, 1, false) + !try_cut(&s, 7, false);
  is(wrong, 0, l->what);
  ok(n > strlen(l->text) + 20, "there were records to cut");
  if (!l->with_handshake) scene_close(&s);
}

int main(void)
{
  t_start();
  green_tls_ctx *c = peer_server_ctx();
  for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
    check(c, &plans[i], GREEN_TLS_1_3);
    if (!plans[i].with_handshake) check(c, &plans[i], GREEN_TLS_1_2);
  }
  green_tls_ctx_free(c);
  return t_done();
}
