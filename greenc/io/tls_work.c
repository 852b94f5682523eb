/*
** tls_work.c: a step of a handshake in another thread.
**
** What it touches is the connection's own: OpenSSL's object, the input, and a
** buffer of output that is not the one of all. The context is shared, and has
** locks where it changes.
*/

#include "io/tls_priv.h"

void green__tls_work_begin(green_tls *t)
{
  green_assert(t->wants && t->lent_len == 0, "it waits for that");
  green__tls_part(t);
  t->wants = false;
  t->strict = false;
  t->worked = GREEN_EAGAIN;
  t->pooled = true;
}

void green__tls_work_undo(green_tls *t)
{
  t->pooled = false;
  t->wants = true;
}

/* OpenSSL's errors are the thread's: what they mean is said here. What it came
** to the next green_tls_handshake finds out. */
void green__tls_work(green_tls *t)
{
  if (t->error) return;
  lib.ERR_clear_error();
  int r = lib.SSL_do_handshake(t->ssl);
  t->worked = r == 1 ? 0 : green__tls_outcome(t, r);
}

void green__tls_work_end(green_tls *t)
{
  t->pooled = false;
  t->ready = true;
  t->starved = t->worked == GREEN_EAGAIN;
  if (t->worked == 0 && !t->error) green__tls_shaken(t);
}

/* It stays where it is, as the parent's does. */
void green__tls_work_lost(green_tls *t)
{
  t->ssl = NULL;
  t->error = NULL;
  green_buf_init(&t->in, GREEN_TLS_INPUT);
  green_buf_init(&t->out, 0);
  green__tls_fail(t, GREEN_ECONNABORTED, "the handshake was another process's");
}

int green_tls_work(green_tls *t)
{
  if (!green_tls_wants_pool(t)) return GREEN_EINVAL;
  green__tls_work_begin(t);
  green__tls_work(t);
  green__tls_work_end(t);
  return 0;
}
