/*
** tls_sock_test.c: TLS as a socket's filter: the calls of sock.h mean plain
** bytes, and the rules of waiting stay.
*/

/* wrap: green__recv green__send */

#include "io/sock_kit.h"
#include "io/tls_peer_kit.h"
#include "io/tls_sock.h"

ssize_t __real_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags);
ssize_t __real_green__send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags);

static int watched_fd = -1, n_recv, n_send;

ssize_t __wrap_green__recv(int fd, void *p, size_t n, int flags)
{
  n_recv += fd == watched_fd;
  return __real_green__recv(fd, p, n, flags);
}

ssize_t __wrap_green__send(int fd, const void *p, size_t n, int flags)
{
  n_send += fd == watched_fd;
  return __real_green__send(fd, p, n, flags);
}

/* A socket with TLS, and who is at its other end. */
typedef struct line {
  green_sock *s;
  peer p;
  green_tls_io *io;
} line;

static char text[1 << 20];

static line line_open(int version)
{
  int fds[2];
  green_tls_ctx *c = peer_server_ctx();
  line l = {.s = green_sock_new(hub), .io = green_tls_io_new()};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  if (green_sock_adopt(l.s, fds[0]) < 0) abort();
  if (green_tls_sock_start(l.s, l.io, c) < 0) abort();
  green_tls_ctx_free(c);
  l.p = peer_new(fds[1], version);
  watched_fd = fds[0];
  return l;
}

static void line_close(line *l)
{
  green_sock_free(l->s);
  green_tls_io_free(l->io);
  peer_free(&l->p);
}

/* What the poll does for who waits: it may be read again. */
static void arrives(line *l)
{
  l->s->f.drained = 0;
}

static int line_shake(line *l)
{
  int ours = GREEN_EAGAIN, theirs = GREEN_EAGAIN;
  for (int i = 0; i < 10 && (ours || theirs); i++) {
    theirs = peer_shake(&l->p);
    arrives(l);
    ours = green_filter_handshake(l->s);
  }
  return ours ? ours : theirs;
}

static line line_ready(int version)
{
  line l = line_open(version);
  if (line_shake(&l) < 0) abort();
  int end; /* Tickets. */
  peer_hear(&l.p, text, sizeof(text), &end);
  arrives(&l);
  return l;
}

static void says(line *l, const char *what)
{
  peer_say(&l->p, what);
  arrives(l);
}

/* -- Handshake ------------------------------------------------------------ */

static void test_handshake(void)
{
  int versions[] = {GREEN_TLS_1_2, GREEN_TLS_1_3};
  for (int i = 0; i < 2; i++) {
    line l = line_open(versions[i]);
    is(green_filter_handshake(l.s), GREEN_EAGAIN, "nothing has come");
    is(green_filter_handshake(l.s), GREEN_EAGAIN, "nor now");
    ok(!green_filter_pending(l.s), "nothing is pending");
    is(line_shake(&l), 0, "the handshake is done");
    ok(green_tls_is_done(green_tls_sock_codec(l.s)), "the codec says so too");
    is(green_filter_handshake(l.s), 0, "it stays done");
    line_close(&l);
  }
}

static void test_without(void)
{
  green_sock *a, *b;
  unix_pair(&a, &b, GREEN_STREAM);
  is(green_filter_handshake(a), 0, "without a filter there is none to do");
  is(green_filter_flush(a), 0, "nor anything to send");
  ok(!green_filter_pending(a) && !green_filter_unsent(a), "or to read");
  ok(!green_tls_sock_codec(a) && !green_tls_sock_take(a), "no codec");
  free_both(a, b);
}

static void test_plain_peer(void)
{
  line l = line_open(0);
  if (write(l.p.fd, "GET / HTTP/1.1\r\n\r\n", 18) != 18) abort();
  is(green_filter_handshake(l.s), GREEN_ETLSPLAIN, "no TLS is told");
  ok(!green_filter_unsent(l.s), "it gets no alert");
  green_filter_drop(l.s);
  is(green_sock_send(l.s, "no", 2), 2, "without the filter it is plain");
  is(read(l.p.fd, text, 10), 2, "he can read it");
  line_close(&l);
}

static void test_alert(void)
{
  line l = line_open(0);
  if (write(l.p.fd, "\x16\x03\x01\x00\x04zzzz", 9) != 9) abort();
  ok(green_filter_handshake(l.s) < 0, "what is no hello fails");
  ok(read(l.p.fd, text, 10) == 7 && text[0] == 21, "the peer has an alert");
  is(green_sock_recv(l.s, text, 10), green_filter_handshake(l.s),
     "the failure stays");
  line_close(&l);
}

/* Bytes that the socket had read before TLS began. */
static void test_started_late(void)
{
  int fds[2];
  green_tls_ctx *c = peer_server_ctx();
  line l = {.s = green_sock_new(hub), .io = green_tls_io_new()};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds)) abort();
  green_sock_adopt(l.s, fds[0]);
  l.p = peer_new(fds[1], 0);
  peer_shake(&l.p);
  ok(green_sock_fill(l.s, 4096) > 0, "the hello is in the buffer");
  is(green_tls_sock_start(l.s, l.io, c), 0, "TLS begins with it");
  ok(green_filter_pending(l.s), "that is pending");
  green_tls_ctx_free(c);
  is(line_shake(&l), 0, "and the handshake is done");
  line_close(&l);
}

/* -- Reading -------------------------------------------------------------- */

static void test_recv(void)
{
  line l = line_ready(0);
  is(green_sock_recv(l.s, text, 10), GREEN_EAGAIN, "nothing has come");
  n_recv = 0;
  is(green_sock_recv(l.s, text, 10), GREEN_EAGAIN, "it is not asked again");
  is(n_recv, 0, "not by a system call");
  says(&l, "hello");
  says(&l, "world");
  says(&l, "!");
  n_recv = 0;
  is(green_sock_recv(l.s, text, 100), 11, "three records by one call");
  is(n_recv, 1, "and by one system call");
  ok(!memcmp(text, "helloworld!", 11), "in order");
  is(green_sock_recv(l.s, text, 100), GREEN_EAGAIN, "that was all");
  is(n_recv, 1, "which was known");
  line_close(&l);
}

/* As they go over the network. */
static size_t records_of(peer *p, const char *what, size_t n, char *out)
{
  const char *some;
  size_t len = 0;
  while (n > 0) {
    int taken = green_tls_write(p->tls, what, n);
    if (taken <= 0) abort();
    size_t k = green_tls_output(p->tls, &some);
    memcpy(out + len, some, k);
    green_tls_sent(p->tls, k);
    len += k, what += taken, n -= (size_t)taken;
  }
  return len;
}

/* A part of a record is kept while a read brings as much as it may. */
static void test_recv_behind_a_part(void)
{
  enum { SIZE = 150000, PART = 16000, MOST = 65536 };
  static char sent[SIZE], got[SIZE + MOST], wire[2 * SIZE];
  line l = line_ready(GREEN_TLS_1_3);
  size_t len = 0;
  for (int i = 0; i < SIZE; i++) sent[i] = (char)(i * 7 + i / 251);
  size_t n = records_of(&l.p, sent, SIZE, wire);
  if (send(l.p.fd, wire, PART, 0) != PART) abort();
  arrives(&l);
  is(green_sock_recv(l.s, got, MOST), GREEN_EAGAIN, "a part is nothing yet");
  if (send(l.p.fd, wire + PART, n - PART, 0) != (ssize_t)n - PART) abort();
  for (int r = 1; r > 0 && len<SIZE; len += r> 0 ? (size_t)r : 0) {
    arrives(&l);
    r = green_sock_recv(l.s, got + len, MOST);
  }
  is(len, SIZE, "all comes behind it");
  ok(!memcmp(sent, got, SIZE), "as it was");
  line_close(&l);
}

static void test_pending(void)
{
  line l = line_ready(0);
  says(&l, "hello");
  is(green_sock_recv(l.s, text, 2), 2, "a part");
  ok(l.s->f.drained, "the descriptor has nothing more");
  ok(green_filter_pending(l.s), "the rest is pending");
  n_recv = 0;
  is(green_sock_recv(l.s, text, 100), 3, "and is given");
  is(n_recv, 0, "without a system call");
  ok(!green_filter_pending(l.s), "nothing is pending any more");
  line_close(&l);
}

static void test_peek_and_fill(void)
{
  line l = line_ready(0);
  is(green_sock_peek(l.s, text, 3), GREEN_EAGAIN, "nothing to peek at");
  is(green_buf_room(green_sock_input(l.s)), 0, "that holds no memory");
  says(&l, "hello");
  is(green_sock_peek(l.s, text, 3), 3, "plain bytes");
  ok(!memcmp(text, "hel", 3), "the first ones");
  is(green_sock_recv(l.s, text, 10), 5, "they stay to be read");
  says(&l, "again");
  is(green_sock_fill(l.s, 10), 5, "fill gives plain bytes, too");
  says(&l, "more");
  is(green_sock_fill(l.s, 10), 4, "behind each other");
  is(green_buf_len(green_sock_input(l.s)), 9, "in the buffer");
  is(green_sock_fill(l.s, 10), GREEN_EAGAIN, "and no more");
  line_close(&l);
}

static void test_fill_pending(void)
{
  line l = line_ready(0);
  says(&l, "hello");
  is(green_sock_recv(l.s, text, 1), 1, "a part is read");
  is(green_sock_fill(l.s, 10), 4,
     "the rest fills though the socket is drained");
  line_close(&l);
}

/* A record of 16 KB that comes byte by byte costs no more than its bytes. */
static void test_split(void)
{
  line l = line_ready(0);
  static char big[20000], raw[30000];
  memset(big, 'x', sizeof(big));
  green_tls_write(l.p.tls, big, sizeof(big));
  const char *out;
  size_t n = green_tls_output(l.p.tls, &out), got = 0;
  memcpy(raw, out, n);
  for (size_t i = 0; i < n; i += i < 100 ? 1 : 997) {
    size_t k = i < 100 ? 1 : n - i < 997 ? n - i : 997;
    if (write(l.p.fd, raw + i, k) != (ssize_t)k) abort();
    arrives(&l);
    int r = green_sock_recv(l.s, text + got, sizeof(text) - got);
    if (r > 0) got += (size_t)r;
  }
  is(got, sizeof(big), "all of it, whatever its pieces");
  line_close(&l);
}

static void test_end(void)
{
  line l = line_ready(0);
  says(&l, "bye");
  green_tls_close(l.p.tls);
  peer_flush(&l.p);
  is(green_sock_recv(l.s, text, 10), 3, "what was said before the end");
  ok(green_filter_pending(l.s), "the end is pending");
  is(green_sock_recv(l.s, text, 10), 0, "the end");
  is(green_sock_recv(l.s, text, 10), 0, "it stays");
  is(green_sock_send(l.s, "x", 1), 1, "the other direction is open");
  line_close(&l);
  l = line_ready(0);
  shutdown(l.p.fd, SHUT_WR);
  arrives(&l);
  is(green_sock_recv(l.s, text, 10), GREEN_ETLSTRUNCATED,
     "an end that TLS does not know of is none");
  line_close(&l);
}

/* -- Writing -------------------------------------------------------------- */

static void test_send(void)
{
  line l = line_ready(0);
  int end;
  n_send = 0;
  is(green_sock_send(l.s, "hello", 5), 5, "taken");
  is(n_send, 1, "and sent at once");
  green_iov v[3] = {{"one", 3}, {"", 0}, {"two", 3}};
  is(green_sock_sendv(l.s, v, 3), 6, "pieces");
  is(n_send, 2, "by one system call");
  ok(!green_filter_unsent(l.s), "nothing is kept back");
  peer_hear(&l.p, text, sizeof(text), &end);
  is_str(text, "helloonetwo", "the peer has it all");
  memset(text, 'y', 100000);
  n_send = 0;
  is(green_sock_send(l.s, text, 100000), 100000, "many records");
  is(n_send, 3, "three by each system call");
  line_close(&l);
}

static void test_slow_reader(void)
{
  line l = line_ready(0);
  static char big[900000];
  size_t sent = 0, heard = 0;
  int r, end;
  for (size_t i = 0; i < sizeof(big); i++) big[i] = (char)('a' + i % 26);
  while ((r = green_sock_send(l.s, big + sent, sizeof(big) - sent)) > 0)
    sent += (size_t)r;
  is(r, GREEN_EAGAIN, "it is to wait for writing");
  ok(sent < sizeof(big), "not all was taken");
  ok(green_filter_unsent(l.s), "some of it is kept");
  is(green_filter_flush(l.s), GREEN_EAGAIN, "and cannot leave");
  is(green_sock_recv(l.s, text, 10), GREEN_EAGAIN, "reading waits for reading");
  for (int i = 0; i < 1000 && heard < sizeof(big); i++) {
    heard += peer_hear(&l.p, text + heard, sizeof(text) - heard, &end);
    if (sent < sizeof(big)) {
      r = green_sock_send(l.s, big + sent, sizeof(big) - sent);
      if (r > 0) sent += (size_t)r;
    } else {
      green_filter_flush(l.s);
    }
  }
  is(heard, sizeof(big), "all of it arrives");
  ok(!memcmp(text, big, sizeof(big)), "in order");
  is(green_filter_flush(l.s), 0, "nothing is left");
  line_close(&l);
}

/* However much is given, and in what pieces. */
static void test_held_is_little(void)
{
  static char big[300000], small[3000];
  line l = line_ready(0);
  green_iov many[100];
  for (int i = 0; i < 100; i++)
    many[i] = (green_iov){small, (size_t)(i % 3 ? 1 : 3000)};
  size_t most = 0;
  int r = 1, end;
  for (int i = 0; i < 300; i++) {
    r = i % 2 ? green_sock_send(l.s, big, sizeof(big))
              : green_sock_sendv(l.s, many, 50);
    size_t held = green_filter_unsent(l.s);
    if (held > most) most = held;
    if (i > 100 && i % 7 == 0) peer_hear(&l.p, text, 5000, &end);
  }
  is(r, GREEN_EAGAIN, "he reads too slowly");
  ok(most > 1000 && most <= 65536, "what he has not read is not kept for him");
  line_close(&l);
}

static void test_gone(void)
{
  line l = line_ready(0);
  close(l.p.fd);
  l.p.fd = -1;
  is(green_sock_send(l.s, "x", 1), GREEN_EPIPE, "nobody reads any more");
  ok(green_sock_recv(l.s, text, 10) < 0, "nor writes");
  line_close(&l);
}

/* -- Ends ------------------------------------------------------------------ */

static void test_shutdown(void)
{
  line l = line_ready(0);
  int end;
  is(green_sock_shutdown(l.s, GREEN_WRITE), 0, "we write no more");
  peer_hear(&l.p, text, sizeof(text), &end);
  is(end, 0, "the peer hears it from TLS");
  is(recv(l.p.fd, text, 10, 0), 0, "and from the system");
  says(&l, "still");
  is(green_sock_recv(l.s, text, 10), 5, "it may go on");
  ok(green_sock_send(l.s, "x", 1) < 0, "we may not");
  line_close(&l);
}

static void test_shutdown_waits(void)
{
  line l = line_ready(0);
  int r, end = 0;
  memset(text, 'z', sizeof(text));
  while ((r = green_sock_send(l.s, text, sizeof(text))) > 0) continue;
  is(green_sock_shutdown(l.s, GREEN_WRITE), GREEN_EAGAIN,
     "what is kept must leave first");
  for (int i = 0; i < 1000 && (r = green_sock_shutdown(l.s, GREEN_WRITE)); i++)
    peer_hear(&l.p, text, sizeof(text), &end);
  is(r, 0, "then it is said");
  peer_hear(&l.p, text, sizeof(text), &end);
  is(end, 0, "behind all bytes");
  line_close(&l);
}

static void test_close(void)
{
  line l = line_ready(0);
  int end;
  green_sock_close(l.s);
  ok(!l.s->filter, "the filter has gone");
  is(green_sock_recv(l.s, text, 10), GREEN_ECLOSED, "closed");
  is(green_sock_send(l.s, text, 10), GREEN_ECLOSED, "both ways");
  is(green_filter_handshake(l.s), 0, "there is nothing to shake");
  peer_hear(&l.p, text, sizeof(text), &end);
  is(end, GREEN_ETLSTRUNCATED, "close alone says nothing by TLS");
  line_close(&l);
}

static void test_move(void)
{
  line l = line_ready(0);
  green_sock *to = green_sock_new(hub), *other = green_sock_new(hub);
  int end;
  says(&l, "hello");
  is(green_sock_fill(l.s, 3), 5, "some is buffered");
  green_buf_consume(green_sock_input(l.s), 2);
  is(green_sock_move(l.s, to), 0, "moved");
  is(green_sock_fileno(l.s), GREEN_ECLOSED, "from is closed");
  is(green_sock_recv(to, text, 10), 3, "what was buffered came along");
  is(green_sock_send(to, "x", 1), 1, "and the filter");
  peer_hear(&l.p, text, sizeof(text), &end);
  is_str(text, "x", "which writes TLS");
  is(green_sock_move(l.s, other), GREEN_ECLOSED, "there is nothing to move");
  is(green_sock_move(to, to), GREEN_EINVAL, "nor to an open socket");
  is(green_sock_move(to, other), 0, "on");
  green_sock_free(to);
  green_sock_free(l.s);
  l.s = other;
  line_close(&l);
}

static void test_move_plain(void)
{
  green_sock *a, *b, *to = green_sock_new(hub);
  waiter w;
  unix_pair(&a, &b, GREEN_STREAM);
  green_sock_input(to)->max = 100;
  waiter_start(&w, a, GREEN_READ, 5);
  green_hub_turn(hub, 0);
  is(green_sock_move(a, to), 0, "a plain one moves as well");
  green_hub_turn(hub, 0);
  is(w.done ? w.status : 1, GREEN_ECLOSED, "who waited is woken");
  is(green_sock_send(b, "hello", 5), 5, "the other end has not noticed");
  is(recv_wait(to, text, 10), 5, "it goes on");
  is(green_sock_input(to)->max, 100, "limits stay where they were set");
  is(green_sock_family(to), GREEN_UNIX, "its family is known");
  free_both(a, b);
  green_sock_free(to);
}

static void test_take(void)
{
  line l = line_ready(0);
  says(&l, "hello");
  is(green_sock_recv(l.s, text, 1), 1, "a byte is read");
  green_tls *t = green_tls_sock_take(l.s);
  ok(t && !l.s->filter, "the codec is ours, the socket plain");
  is(green_tls_read(t, text, 10), 4, "the rest comes from the codec");
  green_tls_free(t);
  line_close(&l);
}

static void test_refused(void)
{
  line l = line_ready(0);
  green_sock *copy = green_sock_new(hub);
  green_addr from;
  uint32_t whole;
  is(green_sock_dup(l.s, copy), GREEN_EOPNOTSUPP, "there is one filter");
  is(green_sock_recvfrom(l.s, text, 10, &from, &whole), GREEN_EOPNOTSUPP,
     "no datagrams");
  int fd = dup(green_sock_detach(l.s));
  ok(fd >= 0 && !l.s->filter, "detached, the number is a plain one");
  close(watched_fd);
  close(fd);
  green_sock_free(copy);
  line_close(&l);
}

int main(void)
{
  t_start();
  int before = open_fds();
  green_hub_new(&hub, NULL);
  test_handshake();
  test_without();
  test_plain_peer();
  test_alert();
  test_started_late();
  test_recv();
  test_recv_behind_a_part();
  test_pending();
  test_peek_and_fill();
  test_fill_pending();
  test_split();
  test_end();
  test_send();
  test_slow_reader();
  test_held_is_little();
  test_gone();
  test_shutdown();
  test_shutdown_waits();
  test_close();
  test_move();
  test_move_plain();
  test_take();
  test_refused();
  green_hub_stats st;
  green_hub_stats_get(hub, &st);
  is(st.fds, 0, "no descriptor is registered");
  green_hub_free(hub);
  is(open_fds(), before, "no descriptor is left open");
  return t_done();
}
