/*
** tls_io.c: where OpenSSL reads from and writes to.
**
** What is written lies in the one buffer of all connections until it is sent;
** when another's turn comes what is left moves to a buffer of its own. While
** that one has bytes, all that is written goes there, behind them.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <string.h>

/* -- Output --------------------------------------------------------------- */

/* Does t write into the buffer of all? Not in a thread of the pool. */
static bool uses_shared(const green_tls *t)
{
  return !t->pooled && green_buf_len(&t->out) == 0;
}

static void io_empty(green_tls_io *io)
{
  io->owner = NULL;
  io->head = io->tail = 0;
}

/* Somebody else writes now. */
static void io_evict(green_tls_io *io)
{
  green_tls *t = io->owner;
  size_t n = io->tail - io->head;
  if (n > 0 && green_buf_append(&t->out, io->out + io->head, n) < 0)
    green__tls_fail(t, GREEN_ENOMEM, "out of memory");
  io_empty(io);
}

void green__tls_part(green_tls *t)
{
  if (t->io->owner == t) io_evict(t->io);
}

static size_t shared_room(const green_tls *t)
{
  const green_tls_io *io = t->io;
  return GREEN_TLS_OUTPUT - (io->owner == t ? io->tail - io->head : 0);
}

static size_t kept_room(const green_tls *t)
{
  size_t n = green_buf_len(&t->out);
  return n < GREEN_TLS_KEPT ? GREEN_TLS_KEPT - n : 0;
}

size_t green__tls_room(const green_tls *t)
{
  return uses_shared(t) ? shared_room(t) : kept_room(t);
}

static int put_shared(green_tls *t, const char *p, size_t n)
{
  green_tls_io *io = t->io;
  if (!io->out) io->out = green__alloc(GREEN_TLS_OUTPUT);
  if (!io->out) return GREEN_ENOMEM;
  if (io->head > 0 && io->tail + n > GREEN_TLS_OUTPUT) {
    memmove(io->out, io->out + io->head, io->tail - io->head);
    io->tail -= io->head;
    io->head = 0;
  }
  memcpy(io->out + io->tail, p, n);
  io->tail += (uint32_t)n;
  io->owner = t;
  return 0;
}

void green__tls_drop_output(green_tls *t)
{
  green_buf_reset(&t->out);
  if (!t->pooled && t->io && t->io->owner == t) io_empty(t->io);
}

size_t green_tls_output(const green_tls *t, const char **p)
{
  const green_tls_io *io = t->io;
  *p = NULL;
  if (t->away) return 0;
  if (!uses_shared(t)) {
    *p = green_buf_data(&t->out);
    return green_buf_len(&t->out);
  }
  bool ours = io->owner == t;
  if (ours) *p = io->out + io->head;
  return ours ? io->tail - io->head : 0;
}

void green_tls_sent(green_tls *t, size_t n)
{
  green_tls_io *io = t->io;
  if (t->away) return;
  if (!uses_shared(t)) {
    green_buf_consume(&t->out, n);
    if (green_buf_len(&t->out) == 0) green_buf_reset(&t->out);
    return;
  }
  if (io->owner != t) return;
  io->head += (uint32_t)(n < io->tail - io->head ? n : io->tail - io->head);
  if (io->head == io->tail) io_empty(io);
}

/* -- Input ---------------------------------------------------------------- */

char *green_tls_scratch(green_tls *t)
{
  green_tls_io *io = t->io;
  if (!io->raw) io->raw = green__alloc(GREEN_TLS_INPUT);
  return io->raw;
}

/* -- OpenSSL's side ------------------------------------------------------- */

static green_tls *bio_current(BIO *bio)
{
  green_tls **current = lib.BIO_get_data(bio);
  return *current;
}

/* Output that would grow for ever because the peer makes us answer and does not
** read: then it is strict. */
static int bio_full(green_tls *t, BIO *bio)
{
  if (t->strict)
    t->flooded = true;
  else
    lib.BIO_set_flags(bio, BIO_FLAGS_WRITE | BIO_FLAGS_SHOULD_RETRY);
  return -1;
}

static int bio_write(BIO *bio, const char *p, int n)
{
  green_tls *t = bio_current(bio);
  lib.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  size_t room = green__tls_room(t), len = (size_t)n;
  if (room == 0) return bio_full(t, bio);
  if (len > room) len = room;
  int err = uses_shared(t) ? put_shared(t, p, len)
                           : green_buf_append(&t->out, p, len);
  if (err == 0) return (int)len;
  green__tls_fail(t, GREEN_ENOMEM, "out of memory");
  return -1;
}

static size_t take_kept(green_tls *t, char *p, size_t n)
{
  size_t len = green_buf_len(&t->in);
  if (n > len) n = len;
  if (n == 0) return 0;
  memcpy(p, green_buf_data(&t->in), n);
  green_buf_consume(&t->in, n);
  if (n == len) green_buf_reset(&t->in);
  return n;
}

static size_t take_lent(green_tls *t, char *p, size_t n)
{
  if (n > t->lent_len) n = t->lent_len;
  if (n == 0) return 0;
  memcpy(p, t->lent, n);
  t->lent += n;
  t->lent_len -= n;
  return n;
}

static int bio_read(BIO *bio, char *p, int n)
{
  green_tls *t = bio_current(bio);
  lib.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
  size_t got = take_kept(t, p, (size_t)n);
  got += take_lent(t, p + got, (size_t)n - got);
  t->part += (uint32_t)got;
  if (got > 0) return (int)got;
  lib.BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
  return -1;
}

static long bio_ctrl(BIO *bio, int what, long n, void *p)
{
  (void)bio, (void)n, (void)p;
  return what == BIO_CTRL_FLUSH || what == BIO_CTRL_PUSH ||
         what == BIO_CTRL_POP || what == BIO_CTRL_DUP;
}

BIO *green__tls_io_bio(green_tls_io *io, green_tls **current)
{
  BIO *bio = lib.BIO_new(io->method);
  if (!bio) return NULL;
  lib.BIO_set_data(bio, current);
  lib.BIO_set_init(bio, 1);
  return bio;
}

/* -- Life ----------------------------------------------------------------- */

static bool io_open(green_tls_io *io)
{
  int type = lib.BIO_get_new_index() | BIO_TYPE_SOURCE_SINK;
  io->method = lib.BIO_meth_new(type, "greenlua");
  if (!io->method) return false;
  lib.BIO_meth_set_read(io->method, bio_read);
  lib.BIO_meth_set_write(io->method, bio_write);
  lib.BIO_meth_set_ctrl(io->method, bio_ctrl);
  io->bio = green__tls_io_bio(io, &io->current);
  return io->bio != NULL;
}

green_tls_io *green_tls_io_new(void)
{
  green_assert(green_tls_load(NULL) == 0, "green_tls_load was well");
  green_tls_io *io = green__zalloc(sizeof(*io));
  if (!io) return NULL;
  io->refs = 1;
  io->key_records = GREEN__TLS_KEY_RECORDS;
  if (io_open(io)) return io;
  green_tls_io_free(io);
  return NULL;
}

void green_tls_io_free(green_tls_io *io)
{
  if (!io || __atomic_sub_fetch(&io->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
  lib.BIO_free(io->bio);
  lib.BIO_meth_free(io->method);
  green__free(io->out);
  green__free(io->raw);
  green__free(io);
}

/* -- Around a call -------------------------------------------------------- */

/* OpenSSL's errors are a queue of the thread: what others left there is not
** ours. */
void green__tls_enter(green_tls *t)
{
  green_tls_io *io = t->io;
  if (io->owner && io->owner != t) io_evict(io);
  io->current = t;
  t->strict = t->done;
  lib.ERR_clear_error();
}

void green__tls_leave(green_tls *t)
{
  t->io->current = NULL;
}
