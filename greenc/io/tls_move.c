/*
** tls_move.c: a connection goes to another thread.
**
** What is its own goes along: OpenSSL's object, with a record that it is in the
** middle of; the input; the output, out of the buffer of all. It leaves the io,
** which is of the thread that it was made in. Contexts and sessions are of no
** thread: they are counted, and have locks where they change.
*/

#include "io/tls_priv.h"

/* Nothing is read or written on the way. */
static void leave_io(green_tls *t)
{
  green_tls_io *io = t->io;
  lib.SSL_set0_rbio(t->ssl, NULL);
  lib.SSL_set0_wbio(t->ssl, NULL);
  t->io = NULL;
  green_tls_io_free(io);
}

int green_tls_depart(green_tls *t)
{
  green_assert(t->io && t->lent_len == 0, "it is here, and nothing is lent");
  if (t->away || !t->done) return GREEN_EAGAIN;
  const green_tls_error *before = t->error;
  green__tls_part(t);
  if (t->error != before) return t->error->code;
  leave_io(t);
  return 0;
}

void green_tls_arrive(green_tls *t, green_tls_io *io)
{
  green_assert(!t->io && io, "it is on its way");
  t->io = io;
  __atomic_add_fetch(&io->refs, 1, __ATOMIC_RELAXED);
  green__tls_share_bio(t);
}
