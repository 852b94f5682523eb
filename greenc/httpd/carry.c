/*
** carry.c: the body of an answer that comes on another socket: what was read
** of it together with its head, and what is to come.
*/

#include "httpd/httpd_priv.h"

/* Less is quicker read and written than spliced: that takes three calls. */
#define CARRY_SPLICE 16384

/* So much is read at a time, and waits for no more. */
#define CARRY_READ 32768

/* After so much others have their turn. */
#define CARRY_TURN 262144

/* The next data in from's buffer. 1: some was written; else as of gather, or of
** piece. */
static int carry_held(green_conn *pub, green_sock *from, green_http_body *b)
{
  char *p = green_buf_data(&from->in);
  int r = green_http_body_gather(b, p, green_buf_len(&from->in));
  int err = 0;
  if (r == 1) err = green_conn_piece(pub, p + b->data_off, b->data_len);
  green_buf_consume(&from->in, b->used);
  return err < 0 ? err : r;
}

/* From the socket into the client's buffer. One byte more is asked for than
** there should be: so a read tells whether there is more. */
static int carry_read(httpd_conn *c, green_sock *from, int64_t left)
{
  httpd_request *r = c->req;
  int64_t n = left < CARRY_READ ? left + 1 : CARRY_READ;
  if (out_reserve(r, (size_t)n) < 0) return GREEN_ENOMEM;
  int got = green_sock_recv(from, out_end(r), (size_t)n);
  if (got <= 0) return got;
  int own = got > left ? (int)left : got;
  r->out_len += (uint32_t)own;
  c->pub.sent += own;
  return got;
}

/* Can bytes go on without being looked at? */
static int carry_is_plain(const green_conn *pub, const green_sock *from,
                          const green_http_body *b)
{
  const httpd_request *r = ((const httpd_conn *)pub)->req;
  if (b->framing != GREEN_BODY_LENGTH || green_buf_len(&from->in)) return 0;
  if (pub->state != GREEN_ANSWER_BODY || pub->chunked || pub->no_body) return 0;
  return r->out_length < 0 || b->left <= r->out_length - pub->sent;
}

/* The next of a body with a length. The count, one more than is left if there
** is something behind it; 0: the end; or an error. */
static int carry_past(green_conn *pub, green_sock *from, green_http_body *b)
{
  int n = GREEN_EOPNOTSUPP;
  green_sock_fill_anew(from);
  if (b->left >= CARRY_SPLICE) n = green_conn_relay(pub, from, b->left);
  if (n == GREEN_EOPNOTSUPP || n == GREEN_EINVAL)
    n = carry_read(httpd_conn_of(pub), from, b->left);
  if (n > 0) {
    int own = n > b->left ? (int)b->left : n;
    b->left -= own;
    b->total += own;
    b->done = b->left == 0;
    return n > own ? 2 : 1;
  }
  return n;
}

/* The end of from. 2: the body's, too; or an error. */
static int carry_end(green_http_body *b)
{
  int err = green_http_body_eof(b);
  return err < 0 ? err : 2;
}

/* A step. 1 or more: go on, or that was the end; 0: the end of from; or an
** error. */
static int carry_some(green_conn *pub, green_sock *from, green_http_body *b)
{
  int r = carry_held(pub, from, b);
  if (r != GREEN_EAGAIN) return r < 0 ? r : 1;
  if (carry_is_plain(pub, from, b)) return carry_past(pub, from, b);
  r = green_sock_fill(from, 0);
  return r > 0 ? 1 : r;
}

int green_conn_carry(green_conn *pub, green_sock *from, green_http_body *b)
{
  httpd_conn *c = conn_with_request(pub);
  int64_t stop = b->total + CARRY_TURN;
  int r = 1;
  while (!b->done) {
    r = carry_some(pub, from, b);
    if (r == 0) return carry_end(b);
    if (r < 0) return r;
    if (b->done) break;
    if (b->total >= stop || green__conn_unsent(c) >= CARRY_READ) return 0;
  }
  return r;
}
