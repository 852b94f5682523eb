/*
** tls_hostile_test.c: clients that mean no good, to a server that speaks TLS:
** each is cut, or answered, in bounded memory, and nobody else notices.
*/

#include "httpd/tls_house_kit.h"
#include "io/tls_forge_kit.h"

#include <malloc.h>
#include <sys/resource.h>

static size_t in_use(void)
{
  return mallinfo2().uordblks;
}

/* A house, and one who is served before and after all of it. */
typedef struct scene {
  house h;
  peer good;
  size_t before; /* Bytes in use. */
} scene;

static void serve_good(scene *s)
{
  green_conn *c = asks(&s->h, &s->good, GET);
  if (c) serve(c);
  turns(s->h.hub, 1);
  ok(listens(&s->good) == '-' && heard("hello"), "others are served");
}

static scene scene_open(void)
{
  scene s = {.h = tls_house()};
  s.good = peer_ready(&s.h);
  serve_good(&s);
  s.before = in_use();
  return s;
}

static void scene_close(scene *s)
{
  serve_good(s);
  peer_free(&s->good);
  turns(s->h.hub, 2);
  while (next(&s->h)) continue;
  pass(&s->h, 3000 * MS);
  is(s->h.d->connections, 0, "nobody stays");
  house_close(&s->h);
}

/* Who asks and answers nothing of that counts as memory of the client, too. */
static void check_memory(const scene *s, size_t most, const char *what)
{
  size_t now = in_use(), more = now > s->before ? now - s->before : 0;
  if (more > most) printf("# %zu bytes more\n", more);
  ok(more <= most, what);
}

/* Send until the server has had enough: how many times, most at most. The
** server looks at each. */
typedef size_t make_fn(void *arg, uint8_t *out);

static int pour(scene *s, int fd, make_fn *make, void *arg, int most)
{
  static uint8_t text[70000];
  uint32_t had = s->h.d->connections;
  int n = 0;
  while (n < most && s->h.d->connections == had) {
    size_t len = make(arg, text);
    if (send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len) break;
    n++;
    green_conn *c = next(&s->h);
    if (c) serve(c);
    if (httpd_of(s->h.d)->brief.n_waiting) break;
  }
  return n;
}

/* -- Before a handshake ---------------------------------------------------- */

static void test_silent_crowd(void)
{
  enum { MANY = 10000 };
  static int fds[MANY];
  scene s = scene_open();
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  int n = r.rlim_cur > 2 * MANY + 100 ? MANY : (int)(r.rlim_cur - 100) / 2;
  s.h.d->header_timeout = 1000 * MS;
  s.before = in_use();
  for (int i = 0; i < n; i++) fds[i] = client_open(&s.h);
  printf("# %d of them\n", n);
  check_memory(&s, (size_t)n * 1000, "each costs less than a kilobyte");
  ok(!next(&s.h), "they are no work");
  is(s.h.d->wanted, 0, "for anybody");
  is(s.h.d->handshaking, 0, "nor handshakes");
  serve_good(&s);
  pass(&s.h, 1100 * MS);
  while (httpd_of(s.h.d)->heads.n_ready) next(&s.h);
  is(s.h.d->connections, 1, "their time is up");
  is(s.h.d->timeouts, n, "counted");
  for (int i = 0; i < n; i++) close(fds[i]);
  scene_close(&s);
}

static void test_hello_that_stops(void)
{
  scene s = scene_open();
  s.h.d->header_timeout = 1000 * MS;
  peer p = peer_open(&s.h);
  const char *out;
  green_tls_handshake(p.tls);
  s.before = in_use();
  size_t n = green_tls_output(p.tls, &out);
  for (size_t i = 0; i + 1 < n; i++) {
    say_n(p.fd, out + i, 1);
    if (next(&s.h)) break;
  }
  is(s.h.d->handshaking, 1, "all but the last byte");
  check_memory(&s, 150000, "costs no more than a handshake");
  pass(&s.h, 1100 * MS);
  ok(!next(&s.h), "whose time is up");
  is(s.h.d->connections, 1, "is cut");
  peer_free(&p);
  scene_close(&s);
}

static void says_bytes(scene *s, const char *text, size_t n, int plain,
                       const char *what)
{
  int fd = client_open(&s->h);
  uint64_t failed = s->h.d->handshakes_failed;
  say_n(fd, text, n);
  green_conn *c = next(&s->h);
  ok(plain ? c && c->status == 400 : !c, what);
  is(s->h.d->handshakes_failed, failed + !plain, "counted");
  if (c) green_conn_finish(c);
  turns(s->h.hub, 1);
  is(hear(fd), '.', "he hears the end");
  ok(heard_len < 300, "and not much more");
  close(fd);
  turns(s->h.hub, 2);
}

#define SAYS(s, text, plain, what) \
  says_bytes(s, text, sizeof(text) - 1, plain, what)

static void test_strange_hellos(void)
{
  scene s = scene_open();
  SAYS(&s, "\x16\x03\x01\x00\x04\x01\xff\xff\xff", 0, "16 MB are to come");
  SAYS(&s, "\x16\x03\x01\xff\xff\x01\x00\xff\xff", 0, "a record of 64 KB");
  SAYS(&s,
       "\x16\x03\x00\x00\x2f\x01\x00\x00\x2b\x03\x00"
       "01234567890123456789012345678901\x00\x00\x04\x00\x2f\x00\xff"
       "\x01\x00",
       0, "SSL 3");
  SAYS(&s,
       "\x80\x1f\x01\x00\x02\x00\x06\x00\x00\x00\x10\x01\x00\x80\x02\x00"
       "\x80"
       "0123456789012345",
       0, "SSL 2");
  SAYS(&s,
       "\x80\x22\x01\x03\x03\x00\x09\x00\x00\x00\x10\x00\x00\x2f\x00\x00"
       "\x35\x00\x00\xff"
       "0123456789012345",
       0, "a hello of SSL 2 for TLS");
  SAYS(&s, "\x18\x03\x01\x00\x03\x01\x40\x00", 0, "a heartbeat");
  SAYS(&s, "\x17\x03\x03\x00\x05hello", 0, "data");
  SAYS(&s, "\x15\x03\x01\x00\x02\x02\x28", 0, "an alert");
  SAYS(&s, "\x14\x03\x01\x00\x01\x01", 0, "a change of ciphers");
  char many[200];
  for (int i = 0; i < 200; i++) many[i] = "\x16\x03\x01\x00\x00"[i % 5];
  says_bytes(&s, many, sizeof(many), 0, "empty records");
  SAYS(&s, "GET / HTTP/1.1\r\n\r\n", 1, "HTTP");
  SAYS(&s, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1, "HTTP/2");
  SAYS(&s, "CONNECT a:1 HTTP/1.1\r\n\r\n", 1, "for a proxy");
  SAYS(&s, "\x00\x01\x02\x03\x04\x05\x06", 1, "something else");
  check_memory(&s, 100000, "nothing of them is kept");
  scene_close(&s);
}

/* -- Behind one ------------------------------------------------------------ */

static size_t make_update(void *arg, uint8_t *out)
{
  peer *p = arg;
  const char *raw;
  static int (*update)(SSL * ssl, int type);
  if (!update)
    *(void **)&update =
        dlsym(dlopen("libssl.so.3", RTLD_NOW), "SSL_key_update");
  update(p->tls->ssl, SSL_KEY_UPDATE_REQUESTED);
  green__tls_enter(p->tls);
  lib.SSL_do_handshake(p->tls->ssl);
  green__tls_leave(p->tls);
  size_t n = green_tls_output(p->tls, &raw);
  memcpy(out, raw, n);
  green_tls_sent(p->tls, n);
  return n;
}

static void test_new_keys_for_ever(void)
{
  scene s = scene_open();
  peer p = peer_new(client_open(&s.h), GREEN_TLS_1_3);
  shake(&s.h, &p);
  s.before = in_use();
  int n = pour(&s, p.fd, make_update, &p, 3000);
  ok(n > 10 && n < 100, "new keys without data");
  is(s.h.d->requests, 1, "are no requests");
  check_memory(&s, 100000, "they are not kept");
  peer_free(&p);
  scene_close(&s);
}

typedef struct forgery {
  forge f;
  int version; /* 0: 1.3 */
  int type;
  size_t len, padding;
  const char *text;
} forgery;

static size_t make_forgery(void *arg, uint8_t *out)
{
  forgery *f = arg;
  return forge_record(&f->f, f->type, f->text, f->len, f->padding, out);
}

static int pour_forged(scene *s, forgery f, int most)
{
  int version = f.version ? f.version : GREEN_TLS_1_3;
  peer p = forge_peer(&f.f, client_open(&s->h), version);
  if (shake(&s->h, &p) < 0) abort();
  forge_start(&f.f, &p);
  s->before = in_use();
  int n = pour(s, p.fd, make_forgery, &f, most);
  check_memory(s, 200000, "in little memory");
  peer_free(&p);
  turns(s->h.hub, 2);
  next(&s->h);
  return n;
}

static void test_forged(void)
{
  scene s = scene_open();
  is(pour_forged(&s, (forgery){.type = 23, .text = GET, .len = 27}, 20), 20,
     "what is forged is good");
  is(s.h.d->requests, 21, "and is read");
  int n = pour_forged(&s, (forgery){.type = 23}, 3000);
  ok(n < 100, "no empty records for ever");
  n = pour_forged(&s, (forgery){.type = 23, .padding = 16000}, 3000);
  ok(n < 100, "nor with padding");
  is(pour_forged(&s, (forgery){.type = 24, .text = "\1\x40\0", .len = 3}, 100),
     1, "no heartbeats");
  is(pour_forged(&s, (forgery){.type = 22, .text = "\1\xff\xff\xff", .len = 4},
                 100),
     1, "no hello any more");
  is(pour_forged(
         &s, (forgery){.type = 22, .text = "\x18\xff\xff\xff", .len = 4}, 100),
     1, "no message of 16 MB");
  n = pour_forged(&s, (forgery){.type = 21, .text = "\1\x5a", .len = 2}, 100);
  ok(n < 10, "no warnings for ever");
  is(pour_forged(&s, (forgery){.type = 20, .text = "\1", .len = 1}, 100), 1,
     "no change of ciphers");
  is(pour_forged(&s, (forgery){.type = 99, .text = "x", .len = 1}, 100), 1,
     "nothing unheard of");
  is(pour_forged(&s, (forgery){.type = 0}, 100), 1, "nor of no type");
  scene_close(&s);
}

/* A hello, as far as anybody looks at it. */
#define HELLO \
  "\1\0\0\x26\3\3" \
  "01234567890123456789012345678901" \
  "\0\0"

static void test_forged_12(void)
{
  scene s = scene_open();
  is(pour_forged(
         &s,
         (forgery){
             .version = GREEN_TLS_1_2, .type = 23, .text = GET, .len = 27},
         20),
     20, "what is forged is good");
  is(s.h.d->requests, 21, "and is read");
  int n =
      pour_forged(&s, (forgery){.version = GREEN_TLS_1_2, .type = 23}, 3000);
  ok(n < 100, "no empty records for ever");
  n = pour_forged(&s,
                  (forgery){.version = GREEN_TLS_1_2,
                            .type = 22,
                            .text = HELLO,
                            .len = sizeof(HELLO) - 1},
                  3000);
  ok(n > 1 && n < 100, "nobody shakes hands again and again");
  is(s.h.d->handshakes, 4, "not once");
  n = pour_forged(
      &s,
      (forgery){
          .version = GREEN_TLS_1_2, .type = 22, .text = "\0\0\0", .len = 4},
      3000);
  ok(n < 100, "nor asks for that");
  is(pour_forged(
         &s,
         (forgery){
             .version = GREEN_TLS_1_2, .type = 24, .text = "\1\x40", .len = 3},
         100),
     1, "no heartbeats");
  is(pour_forged(
         &s,
         (forgery){
             .version = GREEN_TLS_1_2, .type = 20, .text = "\1", .len = 1},
         100),
     1, "no change of ciphers");
  scene_close(&s);
}

/* A head in pieces of one byte is a head. */
static void test_one_byte_a_record(void)
{
  scene s = scene_open();
  peer p = peer_ready(&s.h);
  green_conn *c = NULL;
  for (const char *k = GET; *k && !c; k++) {
    peer_say_n(&p, k, 1);
    c = next(&s.h);
  }
  ok(c, "a request");
  if (c) serve(c);
  is(listens(&p), '-', "answered");
  ok(heard("hello"), "as others");
  uint64_t refused = s.h.d->refused;
  c = NULL;
  for (int i = 0; i < 70000 && !c; i++) {
    peer_say_n(&p, "x", 1);
    c = next(&s.h);
  }
  ok(c && c->found == GREEN_HTTPD_REFUSED, "one that never ends");
  is(s.h.d->refused, refused + 1, "is refused like others");
  if (c) green_conn_finish(c);
  peer_free(&p);
  scene_close(&s);
}

/* What a handler writes for one who never reads waits with the handler. */
static void test_who_never_reads(void)
{
  static char piece[50000];
  scene s = scene_open();
  peer p = peer_ready(&s.h);
  green_conn *c = asks(&s.h, &p, GET);
  green_sock *sock = green_conn_sock(c);
  limit_send(green_sock_fileno(sock), 8192);
  s.before = in_use();
  green_conn_begin(c, 200);
  green_conn_stream(c);
  int n = 0;
  while (n++ < 1000 && green_conn_piece(c, piece, sizeof(piece)) >= 0)
    if (green_conn_flush(c) == GREEN_EAGAIN) break;
  ok(n < 20, "he is waited for");
  ok(green_filter_unsent(sock) <= 65536, "little is encrypted for him");
  check_memory(&s, 300000, "little is kept");
  green_conn_close(c);
  peer_free(&p);
  scene_close(&s);
}

/* He asks and asks, and takes no answer. */
static void test_who_asks_without_end(void)
{
  scene s = scene_open();
  peer p = peer_ready(&s.h);
  green_conn *c = asks(&s.h, &p, GET);
  limit_send(green_sock_fileno(green_conn_sock(c)), 8192);
  s.before = in_use();
  int n = 0, r = 0;
  for (; n < 20000 && r != GREEN_EAGAIN; n++) {
    r = c ? serve(c) : 0;
    if (r == 1) continue;
    if (r == 0) {
      peer_say(&p, GET GET GET GET);
      c = next(&s.h);
    }
  }
  is(r, GREEN_EAGAIN, "is waited for");
  check_memory(&s, 300000, "little is kept");
  green_conn_close(c);
  peer_free(&p);
  scene_close(&s);
}

int main(void)
{
  t_start();
  test_silent_crowd();
  test_hello_that_stops();
  test_strange_hellos();
  test_new_keys_for_ever();
  test_forged();
  test_forged_12();
  test_one_byte_a_record();
  test_who_never_reads();
  test_who_asks_without_end();
  return t_done();
}
