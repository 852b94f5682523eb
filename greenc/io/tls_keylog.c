/*
** tls_keylog.c: the secrets of connections, for who must look into them.
*/

#include "io/tls_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One write a line: several processes may share a file. */
static void keylog_cb(const SSL *ssl, const char *line)
{
  char text[512];
  const green_tls_ctx *c = lib.SSL_CTX_get_ex_data(lib.SSL_get_SSL_CTX(ssl), 0);
  size_t n = strlen(line);
  if (n > sizeof(text) - 1) return;
  memcpy(text, line, n);
  text[n] = '\n';
  while (write(c->keylog, text, n + 1) < 0 && errno == EINTR) continue;
  lib.OPENSSL_cleanse(text, sizeof(text));
}

void green__tls_keylog_close(green_tls_ctx *c)
{
  if (c->own_keylog) close(c->keylog);
  c->own_keylog = false;
  c->keylog = -1;
}

int green_tls_ctx_set_keylog(green_tls_ctx *c, int fd)
{
  green_assert(!c->sealed, "a context does not change any more");
  green__tls_keylog_close(c);
  c->keylog = fd;
  return 0;
}

int green_tls_ctx_open_keylog(green_tls_ctx *c, const char *path)
{
  green_assert(!c->sealed, "a context does not change any more");
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  int err = fd < 0 ? -errno : 0;
  if (err < 0)
    return green__tls_say(&c->error, err, "keylog file %s: %s", path,
                          green_err_text(err));
  green__tls_keylog_close(c);
  c->keylog = fd;
  c->own_keylog = true;
  return 0;
}

void green__tls_keylog_setup(green_tls_ctx *c)
{
  if (c->keylog >= 0) lib.SSL_CTX_set_keylog_callback(c->ssl, keylog_cb);
}
