/*
** relay.c: bodies of answers that come from another socket, and go on without
** being seen here.
**
** They pass through a pipe of the server's, which is empty whenever nobody is
** in here: what a client does not take at once is read from it into the
** client's buffer.
*/

#include "httpd/httpd_priv.h"

#include <unistd.h>

/* What waits before the body. Has all of it left? */
static int relay_head(httpd_conn *c)
{
  httpd_request *r = c->req;
  uint32_t n = r->out_len - r->out_sent;
  if (!n) return 1;
  int sent = green_sock_send_more(&c->sock, r->out + r->out_sent, n);
  if (sent <= 0) return 0;
  r->out_sent += (uint32_t)sent;
  if (r->out_sent > r->answer) c->left = 1;
  if ((uint32_t)sent < n) return 0;
  r->out_sent = r->out_len = r->answer = 0;
  return 1;
}

/* n bytes of the pipe, as far as the client takes them. How many are left. */
static int relay_send(httpd_conn *c, int n)
{
  while (n > 0) {
    int sent = green_sock_splice_out(&c->sock, c->d->pipe[0], (size_t)n);
    if (sent <= 0) break;
    c->left = 1;
    n -= sent;
  }
  return n;
}

static int relay_keep(httpd_conn *c, int n)
{
  httpd_request *r = c->req;
  if (out_reserve(r, (size_t)n) < 0) return GREEN_ENOMEM;
  while (n > 0) {
    ssize_t got = read(c->d->pipe[0], out_end(r), (size_t)n);
    if (got <= 0) return GREEN_EIO;
    r->out_len += (uint32_t)got;
    n -= (int)got;
  }
  return 0;
}

int green_conn_relay(green_conn *pub, green_sock *from, int64_t n)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_request *r = c->req;
  if (pub->state != GREEN_ANSWER_BODY) return GREEN_ECLOSED;
  if (pub->chunked || pub->no_body || c->sock.filter) return GREEN_EOPNOTSUPP;
  if (n <= 0 || (r->out_length >= 0 && n > r->out_length - pub->sent))
    return GREEN_EINVAL;
  if (green__pipe_open(c->d) < 0) return GREEN_EOPNOTSUPP;
  if (n > HTTPD_PIPE) n = HTTPD_PIPE;
  int got = green_sock_splice_in(from, c->d->pipe[1], (size_t)n);
  if (got <= 0) return got;
  pub->sent += got;
  int left = relay_head(c) ? relay_send(c, got) : got;
  if (left == 0) return got;
  int err = relay_keep(c, left);
  if (err == 0) return got;
  green__pipe_drop(c->d); /* What is in it is of no use. */
  pub->sent -= left;
  pub->close = true;
  return err;
}
