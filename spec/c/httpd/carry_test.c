/*
** carry_test.c: the rest of a body that comes on another socket, in every
** framing, in pieces of any size, to clients of any patience.
*/

#include "httpd/httpd_kit.h"
#include "base/mem.h"

#include <signal.h>

/* wrap: pipe2 splice */

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
ssize_t __real_splice(int in, off_t *a, int out, off_t *b, size_t n,
                      unsigned flags);
ssize_t __wrap_splice(int in, off_t *a, int out, off_t *b, size_t n,
                      unsigned flags);

/* Pipes cannot be made; splices fail so, or move no more than that. */
static int no_pipe, splice_error, splice_most, splices;

int __wrap_pipe2(int fds[2], int flags)
{
  if (!no_pipe) return __real_pipe2(fds, flags);
  errno = EMFILE;
  return -1;
}

ssize_t __wrap_splice(int in, off_t *a, int out, off_t *b, size_t n,
                      unsigned flags)
{
  splices++;
  errno = splice_error;
  if (splice_error) return -1;
  if (splice_most && n > (size_t)splice_most) n = (size_t)splice_most;
  return __real_splice(in, a, out, b, n, flags);
}

#define SIZE 300000

static char text[SIZE];
static unsigned seed = 1;

static unsigned chance(unsigned n)
{
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % n;
}

static void text_make(void)
{
  for (int i = 0; i < SIZE; i++) text[i] = (char)('a' + chance(26));
}

/* A body on its way: the other server's end, what it has to say, and what the
** client has of it. */
typedef struct trip {
  house h;
  green_sock *from;
  green_http_body body;
  green_conn *c;
  int origin, client;
  int framing;
  size_t size, wire_len, said, had;
  char *wire, *got;
} trip;

static size_t put_chunks(char *out, size_t size)
{
  size_t at = 0, n = 0;
  while (at < size) {
    size_t piece = 1 + chance(chance(2) ? 30 : 70000);
    if (piece > size - at) piece = size - at;
    n += (size_t)sprintf(out + n, "%zx\r\n", piece);
    memcpy(out + n, text + at, piece);
    n += piece;
    at += piece;
    memcpy(out + n, "\r\n", 2);
    n += 2;
  }
  return n + (size_t)sprintf(out + n, "0\r\nX-End: 1\r\n\r\n");
}

static void wire_make(trip *t)
{
  t->wire = malloc(9 * t->size + 100);
  t->got = malloc(9 * t->size + 1000);
  if (!t->wire || !t->got) abort();
  t->wire_len = t->size;
  if (t->framing == GREEN_BODY_CHUNKED)
    t->wire_len = put_chunks(t->wire, t->size);
  else
    memcpy(t->wire, text, t->size);
}

static void sock_pair(green_hub *hub, green_sock **s, int *other)
{
  int fds[2];
  *s = green_sock_new(hub);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  if (green_sock_adopt(*s, fds[0]) < 0) abort();
  *other = fds[1];
}

/* minor: of the client's HTTP/1. */
static trip trip_open(int framing, size_t size, int minor)
{
  char length[30];
  trip t = {.h = house_open(), .framing = framing, .size = size};
  sock_pair(t.h.hub, &t.from, &t.origin);
  t.client = client_open(&t.h);
  t.c = next_after(&t.h, t.client,
                   minor ? GET : "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  green_conn_begin(t.c, 200);
  int n = sprintf(length, "%zu", size);
  if (framing == GREEN_BODY_LENGTH)
    green_conn_header(t.c, TEXT("Content-Length"), length, (size_t)n, false);
  green_conn_stream(t.c);
  green_http_body_init(&t.body, framing, (int64_t)size);
  wire_make(&t);
  return t;
}

static void trip_close(trip *t)
{
  if (t->c) green_conn_close(t->c);
  free(t->wire);
  free(t->got);
  green_sock_free(t->from);
  if (t->origin >= 0) close(t->origin);
  if (t->client >= 0) close(t->client);
  house_close(&t->h);
}

/* The other server goes on, by n bytes at most. */
static void origin_say(trip *t, size_t n)
{
  if (n > t->wire_len - t->said) n = t->wire_len - t->said;
  ssize_t sent = n ? send(t->origin, t->wire + t->said, n, MSG_DONTWAIT) : 0;
  if (sent > 0) t->said += (size_t)sent;
  t->from->f.drained = 0; /* As the poll does for who waits. */
  if (t->said < t->wire_len || t->framing != GREEN_BODY_CLOSE) return;
  if (t->origin >= 0) close(t->origin);
  t->origin = -1;
}

static void client_hear(trip *t, size_t n)
{
  ssize_t got = recv(t->client, t->got + t->had, n, MSG_DONTWAIT);
  if (got > 0) t->had += (size_t)got;
}

/* What the client has behind the head is the text. */
static int is_whole(trip *t)
{
  green_http_body b;
  size_t have = 0;
  t->got[t->had] = '\0';
  char *p = strstr(t->got, "\r\n\r\n");
  if (!p) return 0;
  size_t left = t->had - (size_t)((p += 4) - t->got);
  green_http_body_init(&b,
                       t->c->chunked ? GREEN_BODY_CHUNKED : GREEN_BODY_LENGTH,
                       (int64_t)t->size);
  while (!b.done) {
    int r = green_http_body_next(&b, p, left);
    if (r == 1 && have + b.data_len <= t->size &&
        !memcmp(p + b.data_off, text + have, b.data_len))
      have += b.data_len;
    else if (r != 0)
      return 0;
    p += b.used;
    left -= b.used;
  }
  return have == t->size && left == 0;
}

/* Carry all of it, both sides doing a little at a time. What carry said. */
static int trip_run(trip *t, unsigned slow)
{
  int r = 0;
  for (int i = 0; i < 1000000 && r <= 0; i++) {
    if (chance(slow)) origin_say(t, 1 + chance(chance(2) ? 100 : 200000));
    r = green_conn_carry(t->c, t->from, &t->body);
    if (r < 0 && r != GREEN_EAGAIN) return r;
    if (chance(slow)) client_hear(t, 1 + chance(chance(2) ? 100 : 200000));
    green_conn_flush(t->c);
  }
  is(green_conn_end(t->c), 0, "it is complete");
  for (int i = 0; i < 100000 && green_conn_flush(t->c) == GREEN_EAGAIN; i++)
    client_hear(t, 100000);
  client_hear(t, 400000);
  return r;
}

static void one_trip(int framing, size_t size, int minor)
{
  trip t = trip_open(framing, size, minor);
  if (chance(2)) limit_send(green_sock_fileno(green_conn_sock(t.c)), 5000);
  if (chance(2)) { /* Some came with its head. */
    origin_say(&t, 1 + chance(40000));
    green_sock_fill(t.from, 1 + chance(40000));
  }
  int r = trip_run(&t, 2 + chance(3));
  is(r, framing == GREEN_BODY_CLOSE && size > 0 ? 2 : 1, "all has come");
  ok(is_whole(&t), "as it was");
  is(t.body.total, (long long)size, "and was counted");
  trip_close(&t);
}

static void test_storm(void)
{
  static const int framings[] = {GREEN_BODY_LENGTH, GREEN_BODY_CHUNKED,
                                 GREEN_BODY_CLOSE};
  for (int i = 0; i < 120; i++) {
    size_t size = 1 + chance(chance(2) ? 40000 : SIZE - 1);
    no_pipe = chance(4) == 0;
    splice_error = chance(4) ? 0 : EINVAL;
    splice_most = chance(2) ? 1 + (int)chance(30000) : 0;
    one_trip(framings[i % 3], size, chance(5) > 0);
  }
  no_pipe = splice_error = splice_most = 0;
}

/* As much as is there goes in one call, by the pipe where that pays. */
static void test_ways(void)
{
  for (int i = 0; i < 2; i++) {
    size_t size = i ? 16383 : 16384;
    trip t = trip_open(GREEN_BODY_LENGTH, size, 1);
    origin_say(&t, size);
    splices = 0;
    is(green_conn_carry(t.c, t.from, &t.body), 1, "all in one call");
    is(splices, i ? 0 : 2, "a long one by the pipe");
    is(green_conn_carry(t.c, t.from, &t.body), 1, "again: nothing is done");
    green_conn_end(t.c);
    green_conn_flush(t.c);
    client_hear(&t, 100000);
    ok(is_whole(&t), "it is there");
    trip_close(&t);
  }
}

static void test_what_stands_behind(void)
{
  trip t = trip_open(GREEN_BODY_LENGTH, 100, 1);
  say_n(t.origin, text, 100);
  say(t.origin, "more");
  is(green_conn_carry(t.c, t.from, &t.body), 2, "it is told");
  is(t.c->sent, 100, "and not sent");
  green_conn_end(t.c);
  green_conn_flush(t.c);
  client_hear(&t, 1000);
  ok(is_whole(&t), "nor is it in the way");
  trip_close(&t);
}

static void test_ends_too_early(void)
{
  static const int framings[] = {GREEN_BODY_LENGTH, GREEN_BODY_CHUNKED};
  for (int i = 0; i < 2; i++) {
    trip t = trip_open(framings[i], 100000, 1);
    for (int k = 0; k < 3; k++) {
      origin_say(&t, 10000);
      is(green_conn_carry(t.c, t.from, &t.body), GREEN_EAGAIN, "not all yet");
    }
    close(t.origin);
    t.origin = -1;
    t.from->f.drained = 0;
    is(green_conn_carry(t.c, t.from, &t.body), GREEN_EEOF, "never all");
    trip_close(&t);
  }
}

static void test_bad_chunks(void)
{
  trip t = trip_open(GREEN_BODY_CHUNKED, 10, 1);
  say(t.origin, "3\r\nabc\r\nno");
  is(green_conn_carry(t.c, t.from, &t.body), GREEN_EPROTO, "no chunk");
  is(t.c->sent, 3, "what was before it is sent");
  trip_close(&t);
}

/* Nobody is kept from his turn by a server that never stops, nor does what a
** client does not take fill the memory. */
static void test_takes_turns(void)
{
  for (int i = 0; i < 2; i++) {
    trip t = trip_open(GREEN_BODY_CLOSE, SIZE, 0);
    int64_t most = 0;
    int r = GREEN_EAGAIN;
    while (r <= 0 && t.body.total < SIZE - 1000) {
      int64_t before = t.body.total;
      origin_say(&t, 100000);
      r = green_conn_carry(t.c, t.from, &t.body);
      if (t.body.total - before > most) most = t.body.total - before;
      if (i == 0) client_hear(&t, 400000);
      if (green_conn_flush(t.c) == GREEN_EAGAIN) break;
    }
    ok(most <= 400000, "not all at once");
    ok(green__conn_unsent((httpd_conn *)t.c) < 200000, "nor too much kept");
    trip_close(&t);
  }
}

/* A client of HEAD gets none of it. */
static void test_no_body(void)
{
  trip t = trip_open(GREEN_BODY_LENGTH, 20000, 1);
  t.c->no_body = true;
  origin_say(&t, 20000);
  is(green_conn_carry(t.c, t.from, &t.body), 1, "it is read");
  is(green_conn_end(t.c), 0, "and that is all");
  green_conn_flush(t.c);
  client_hear(&t, 100000);
  ok(t.had > 0 && t.had < 1000, "but the head");
  trip_close(&t);
}

/* What is longer than Content-Length says goes nowhere. */
static void test_too_long(void)
{
  trip t = trip_open(GREEN_BODY_LENGTH, 20000, 1);
  green_http_body_init(&t.body, GREEN_BODY_LENGTH, 20001);
  say_n(t.origin, text, 20001);
  is(green_conn_carry(t.c, t.from, &t.body), GREEN_EINVAL, "a byte too many");
  is(t.c->close, 1, "the connection is over");
  trip_close(&t);
}

static void test_client_has_gone(void)
{
  trip t = trip_open(GREEN_BODY_LENGTH, 100000, 1);
  int r = GREEN_EAGAIN;
  close(t.client);
  t.client = -1;
  for (int i = 0; i < 100 && (r == GREEN_EAGAIN || r == 0); i++) {
    origin_say(&t, 10000);
    r = green_conn_carry(t.c, t.from, &t.body);
    if (green_conn_flush(t.c) < 0) break;
  }
  ok(r != GREEN_ENOMEM, "a flush tells, at the latest");
  ok(green_conn_flush(t.c) < 0, "and goes on telling");
  trip_close(&t);
}

/* The n-th allocation fails: an error, and nothing wrong is sent before it. */
static void test_no_memory(void)
{
  for (int n = 1; n < 12; n++) {
    trip t =
        trip_open(n % 2 ? GREEN_BODY_LENGTH : GREEN_BODY_CHUNKED, 60000, 1);
    limit_send(green_sock_fileno(green_conn_sock(t.c)), 5000);
    int r = 0;
    green__alloc_fail_from(n);
    for (int i = 0; i < 1000 && (r == 0 || r == GREEN_EAGAIN); i++) {
      origin_say(&t, 7000);
      r = green_conn_carry(t.c, t.from, &t.body);
    }
    green__alloc_fail_from(0);
    ok(r == GREEN_ENOMEM || r > 0, "told");
    trip_close(&t);
  }
}

int main(void)
{
  t_start();
  signal(SIGPIPE, SIG_IGN);
  text_make();
  test_ways();
  test_storm();
  test_what_stands_behind();
  test_ends_too_early();
  test_bad_chunks();
  test_takes_turns();
  test_no_body();
  test_too_long();
  test_client_has_gone();
  test_no_memory();
  return t_done();
}
