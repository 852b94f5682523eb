/*
** answer.c: what a worker answers with, made into the bytes of an HTTP/1.x
** answer.
**
** The worker says status, headers and body; what tells the client where the
** body ends, and whether the connection goes on, is written here.
*/

#include "httpd/httpd_priv.h"
#include "proto/http_write.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* This much of a file goes out before others have their turn. */
#define FILE_CHUNK (256 << 10)

/* -- Heads ---------------------------------------------------------------- */

/* What follows a 2xx to CONNECT is a tunnel's: no length, no body, and no other
** request, as whoever means to be the tunnel takes the connection over. */
static int is_tunnel(const httpd_conn *c)
{
  const green_http_request *head = c->pub.head;
  return head && head->method == GREEN_M_CONNECT && c->pub.status / 100 == 2;
}

static int answer_start(httpd_conn *c, int status, int written)
{
  httpd_request *r = c->req;
  if (written < 0) return written;
  if (c->d->pub.http10) out_end(r)[sizeof("HTTP/1.") - 1] = '0';
  r->out_len += (uint32_t)written;
  c->pub.state = GREEN_ANSWER_HEAD;
  c->pub.status = status;
  c->pub.no_body = status == 204 || status == 205 || status == 304 ||
                   (c->pub.head && c->pub.head->method == GREEN_M_HEAD);
  if (is_tunnel(c)) c->pub.no_body = c->pub.close = true;
  /* A client that waits for 100 may or may not send its body now. */
  if (c->pub.head && c->pub.head->expect_continue && !c->continued &&
      !c->body_done)
    c->pub.close = true;
  return 0;
}

static int answer_prepare(httpd_conn *c, size_t line)
{
  httpd_request *r = c->req;
  if (c->pub.state != GREEN_ANSWER_NONE) return GREEN_EINVAL;
  int err = out_reserve(r, line + 64);
  if (err == 0) r->answer = r->out_len;
  return err;
}

int green_conn_begin(green_conn *pub, int code)
{
  httpd_conn *c = conn_with_request(pub);
  if (code < 200) return GREEN_EINVAL;
  int err = answer_prepare(c, 64);
  if (err < 0) return err;
  return answer_start(
      c, code,
      green_http_write_status(out_end(c->req), out_room(c->req), code));
}

int green_conn_begin_line(green_conn *pub, const char *line, size_t n)
{
  httpd_conn *c = conn_with_request(pub);
  if (n < 3 || line[0] < '2') return GREEN_EINVAL;
  int err = answer_prepare(c, n);
  if (err < 0) return err;
  int status = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  return answer_start(
      c, status,
      green_http_write_status_line(out_end(c->req), out_room(c->req), line, n));
}

static int is_name(const char *name, size_t n, const char *want)
{
  return strncasecmp(name, want, n) == 0;
}

/* A handler's Content-Length: digits only. */
static int header_length(httpd_request *r, const char *p, size_t n)
{
  int64_t length = 0;
  if (n == 0 || n > 18 || r->out_length >= 0) return GREEN_EINVAL;
  for (size_t i = 0; i < n; i++) {
    if (p[i] < '0' || p[i] > '9') return GREEN_EINVAL;
    length = length * 10 + (p[i] - '0');
  }
  r->out_length = length;
  return 0;
}

/* "close" and "upgrade" are a handler's to say, the rest is ours. */
static int header_connection(httpd_conn *c, const char *p, size_t n)
{
  const char *end = p + n;
  if (!green_http_write_is_value(p, n)) return GREEN_EINVAL;
  for (; p < end; p++) {
    const char *word = p;
    while (p < end && !strchr(", \t", *p)) p++;
    n = (size_t)(p - word);
    if (n == 5 && is_name(word, n, "close"))
      c->pub.close = true;
    else if (n == 7 && is_name(word, n, "upgrade"))
      c->req->flags |= HTTPD_A_UPGRADE;
  }
  return 0;
}

/* Headers with a meaning for the framing. 1: an ordinary one. */
static int header_special(httpd_conn *c, const char *name, size_t n,
                          const char *value, size_t vn)
{
  if (n == 14 && is_name(name, n, "content-length"))
    return header_length(c->req, value, vn);
  if (n == 10 && is_name(name, n, "connection"))
    return header_connection(c, value, vn);
  if ((n == 17 && is_name(name, n, "transfer-encoding")) ||
      (n == 10 && is_name(name, n, "keep-alive")))
    return GREEN_EINVAL;
  if (n == 4 && is_name(name, n, "date")) c->req->flags |= HTTPD_A_DATE;
  return 1;
}

/* Where the line of such a header is kept; NULL: it is not kept. */
static httpd_line *line_slot(httpd *d, const char *name, size_t n,
                             const char *value, size_t vn)
{
  if (n == 0 || vn == 0 || n > sizeof(d->lines[0].name)) return NULL;
  if (vn > sizeof(d->lines[0].text) - sizeof(d->lines[0].name) - 4) return NULL;
  unsigned hash = (unsigned)(n + 7 * vn) + 3 * (unsigned char)name[0] +
                  (unsigned char)name[n - 1] + (unsigned char)value[vn - 1];
  return &d->lines[hash % HTTPD_LINES];
}

static int line_is(const httpd_line *l, const char *name, size_t n,
                   const char *value, size_t vn, bool capitalize)
{
  return l->name_len == n && l->value_len == vn &&
         l->capitalize == capitalize && text_is(l->name, name, n) &&
         text_is(l->text + n + 2, value, vn);
}

static void line_keep(httpd_line *l, const char *name, size_t n,
                      const char *text, size_t vn, bool capitalize)
{
  l->name_len = (uint8_t)n;
  l->value_len = (uint8_t)vn;
  l->capitalize = capitalize;
  memcpy(l->name, name, n);
  memcpy(l->text, text, n + vn + 4);
}

/* Handlers say the same things again and again: what was checked and written
** once is copied. */
int green_conn_header(green_conn *pub, const char *name, size_t name_len,
                      const char *value, size_t value_len, bool capitalize)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_request *r = c->req;
  if (pub->state != GREEN_ANSWER_HEAD) return GREEN_EINVAL;
  int special = header_special(c, name, name_len, value, value_len);
  if (special <= 0) return special;
  if (out_reserve(r, name_len + value_len + 4) < 0) return GREEN_ENOMEM;
  httpd_line *l = line_slot(c->d, name, name_len, value, value_len);
  if (l && line_is(l, name, name_len, value, value_len, capitalize)) {
    out_put(r, l->text, name_len + value_len + 4);
    return 0;
  }
  char *at = out_end(r);
  int n = green_http_write_header(at, out_room(r), name, name_len, value,
                                  value_len);
  if (n < 0) return n;
  if (capitalize) green_http_write_capitalize(at, name_len);
  if (l) line_keep(l, name, name_len, at, value_len, capitalize);
  r->out_len += (uint32_t)n;
  return 0;
}

/* The line is made once a second. */
static void date_make(httpd *d, time_t now)
{
  char *p = memcpy(d->date, "Date: ", 6);
  int n = green_http_write_date(p + 6, sizeof(d->date) - 8, now);
  if (n > 0) memcpy(p + 6 + n, "\r\n", 2);
  d->date_len = n > 0 ? (uint32_t)n + 8 : 0;
  d->date_second = now;
  d->end_len = 0;
}

static void head_put_date(httpd *d, httpd_request *r)
{
  time_t now = time(NULL);
  if (now != d->date_second) date_make(d, now);
  out_put(r, d->date, d->date_len);
}

static uint32_t length_write(char *p, size_t room, int64_t length)
{
  memcpy(p, "Content-Length: ", 16);
  int n = 16 + green_http_write_decimal(p + 16, room - 18, length);
  memcpy(p + n, "\r\n", 2);
  return (uint32_t)n + 2;
}

static void head_put_length(httpd_request *r, int64_t length)
{
  r->out_len += length_write(out_end(r), out_room(r), length);
}

/* Both, as they were put together for the answer before if that was as long and
** of the same second. All of the memo is copied, of which the end is nothing: a
** size that is known is quicker. */
static void head_put_both(httpd *d, httpd_request *r, int64_t length)
{
  time_t now = time(NULL);
  if (now != d->date_second) date_make(d, now);
  if (green_unlikely(d->end_len == 0 || d->end_length != length)) {
    uint32_t n = length_write(d->end, sizeof(d->end), length);
    memcpy(d->end + n, d->date, d->date_len);
    d->end_len = n + d->date_len;
    d->end_length = length;
  }
  memcpy(out_end(r), d->end, sizeof(d->end));
  r->out_len += d->end_len;
}

/* How long we wait for the next request, for who asked for keep-alive. */
static void head_put_keep_alive(httpd_conn *c)
{
  httpd_request *r = c->req;
  int64_t seconds = c->d->pub.keepalive_timeout / GREEN_SECOND;
  out_put(r, TEXT("Connection: keep-alive\r\n"));
  if (seconds > 86400) return;
  out_put(r, TEXT("Keep-Alive: timeout="));
  r->out_len +=
      (uint32_t)green_http_write_decimal(out_end(r), out_room(r), seconds);
  out_put(r, TEXT("\r\n"));
}

/* A body that nobody will read to its end cannot be followed by a request; nor
** one whose end cannot be found. */
static int body_is_the_last(const httpd_conn *c)
{
  if (c->body_done) return 0;
  if (c->req->body.left > c->d->pub.max_drain && !c->pub.body_read) return 1;
  return c->body_failed || green__body_is_bad(c);
}

static void head_put_connection(httpd_conn *c)
{
  httpd_request *r = c->req;
  const green_httpd *d = &c->d->pub;
  if (d->closing || body_is_the_last(c) ||
      (d->max_requests && c->pub.served + 1 >= d->max_requests))
    c->pub.close = true;
  if (r->flags & HTTPD_A_UPGRADE && !c->pub.close)
    out_put(r, TEXT("Connection: upgrade\r\n"));
  else if (r->flags & HTTPD_A_UPGRADE)
    out_put(r, TEXT("Connection: upgrade, close\r\n"));
  else if (c->pub.close)
    out_put(r, TEXT("Connection: close\r\n"));
  else if (c->pub.head && c->pub.head->conn_keep_alive)
    head_put_keep_alive(c);
}

/* The end of the head: what the handler did not say, and the blank line.
** length < 0: there is none to tell. */
static int head_end(httpd_conn *c, int64_t length)
{
  httpd_request *r = c->req;
  if (out_reserve(r, 256) < 0) return GREEN_ENOMEM;
  if (c->pub.chunked) out_put(r, TEXT("Transfer-Encoding: chunked\r\n"));
  int has_date = c->d->pub.date && !(r->flags & HTTPD_A_DATE);
  if (length >= 0 && has_date)
    head_put_both(c->d, r, length);
  else if (length >= 0)
    head_put_length(r, length);
  else if (has_date)
    head_put_date(c->d, r);
  head_put_connection(c);
  out_put(r, TEXT("\r\n"));
  c->pub.state = GREEN_ANSWER_BODY;
  return 0;
}

/* -- Bodies --------------------------------------------------------------- */

static int out_body(httpd_conn *c, const char *p, size_t n)
{
  if (n > OUT_COPY_MAX) return green__out_send_past(c, p, n);
  return out_append(c->req, p, n);
}

int green_conn_whole(green_conn *pub, const char *body, size_t n)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_request *r = c->req;
  if (pub->state != GREEN_ANSWER_HEAD) return GREEN_EINVAL;
  int64_t length = (int64_t)n;
  if (pub->status == 204 || is_tunnel(c))
    length = -1;
  else if (pub->status == 205)
    length = 0;
  else if (pub->status == 304)
    length = r->out_length;
  else if (n == 0 && pub->no_body && r->out_length >= 0)
    length = r->out_length; /* HEAD tells what GET would. */
  else if (r->out_length >= 0 && r->out_length != length)
    return GREEN_EINVAL;
  int err = head_end(c, length);
  if (err < 0) return err;
  pub->state = GREEN_ANSWER_DONE;
  if (pub->no_body) return 0;
  pub->sent = (int64_t)n;
  return out_body(c, body, n);
}

int green_conn_stream(green_conn *pub)
{
  httpd_conn *c = conn_with_request(pub);
  int64_t length = c->req->out_length;
  if (pub->state != GREEN_ANSWER_HEAD) return GREEN_EINVAL;
  if (pub->status == 204 || pub->status == 304 || is_tunnel(c))
    return head_end(c, -1);
  if (pub->status == 205) return head_end(c, 0);
  if (length < 0) {
    pub->chunked = pub->head->minor > 0 && !c->d->pub.http10;
    if (!pub->chunked) pub->close = true;
  }
  return head_end(c, length);
}

int64_t green_conn_room(const green_conn *pub)
{
  const httpd_request *r = conn_with_request((green_conn *)pub)->req;
  return r->out_length < 0 ? -1 : r->out_length - pub->sent;
}

int64_t green_conn_file(green_conn *pub, int64_t size)
{
  httpd_request *r = conn_with_request(pub)->req;
  if (pub->state != GREEN_ANSWER_HEAD) return GREEN_EINVAL;
  if (r->out_length > size) return GREEN_EINVAL;
  if (r->out_length < 0) r->out_length = size;
  int err = green_conn_stream(pub);
  if (err < 0) return err;
  return pub->no_body ? 0 : r->out_length;
}

/* A small file leaves together with its head. */
static int64_t file_copy(httpd_request *r, int fd, int64_t offset, int64_t n)
{
  if (out_reserve(r, (size_t)n) < 0) return GREEN_ENOMEM;
  ssize_t got = pread(fd, out_end(r), (size_t)n, offset);
  if (got < 0) return -errno;
  r->out_len += (uint32_t)got;
  return got;
}

/* For a filter, or of a file that the system cannot send: through the
** buffer. */
static int64_t file_read(green_conn *pub, int fd, int64_t offset, int64_t n)
{
  int err = green_conn_flush(pub);
  if (err < 0) return err;
  if (n > HTTPD_GATHER) n = HTTPD_GATHER;
  return file_copy(httpd_conn_of(pub)->req, fd, offset, n);
}

static int64_t file_send(green_conn *pub, int fd, int64_t offset, int64_t n)
{
  httpd_conn *c = httpd_conn_of(pub);
  int err = green_conn_flush(pub);
  if (err < 0) return err;
  int64_t most = n < FILE_CHUNK ? n : FILE_CHUNK;
  int sent = green_sock_sendfile(&c->sock, fd, offset, most);
  if (sent == GREEN_EINVAL || sent == GREEN_EOPNOTSUPP)
    return file_read(pub, fd, offset, n);
  if (sent > 0) c->left = 1;
  return sent;
}

int64_t green_conn_sendfile(green_conn *pub, int fd, int64_t offset, int64_t n)
{
  httpd_conn *c = conn_with_request(pub);
  int64_t sent;
  if (pub->state != GREEN_ANSWER_BODY) return GREEN_ECLOSED;
  if (pub->no_body || n <= 0 || n > green_conn_room(pub)) return GREEN_EINVAL;
  if (n <= OUT_COPY_MAX)
    sent = file_copy(c->req, fd, offset, n);
  else if (c->sock.filter)
    sent = file_read(pub, fd, offset, n);
  else
    sent = file_send(pub, fd, offset, n);
  if (sent > 0) pub->sent += sent;
  return sent;
}

static int piece_put(httpd_conn *c, const char *p, size_t n)
{
  httpd_request *r = c->req;
  if (!c->pub.chunked) return out_body(c, p, n);
  if (out_reserve(r, n + 32) < 0) return GREEN_ENOMEM;
  r->out_len += (uint32_t)green_http_write_chunk(out_end(r), out_room(r), n);
  out_put(r, p, n);
  out_put(r, TEXT("\r\n"));
  return 0;
}

int green_conn_piece(green_conn *pub, const char *p, size_t n)
{
  httpd_conn *c = conn_with_request(pub);
  httpd_request *r = c->req;
  if (pub->state != GREEN_ANSWER_BODY) return GREEN_ECLOSED;
  if (n > 0 && !pub->no_body) {
    if (r->out_length >= 0 && pub->sent + (int64_t)n > r->out_length) {
      pub->close = true;
      return GREEN_EINVAL;
    }
    int err = piece_put(c, p, n);
    if (err < 0) return err;
    pub->sent += (int64_t)n;
  }
  return (int)green__conn_unsent(c);
}

int green_conn_end(green_conn *pub)
{
  httpd_conn *c = conn_with_request(pub);
  if (pub->state != GREEN_ANSWER_BODY) return GREEN_ECLOSED;
  pub->state = GREEN_ANSWER_DONE;
  if (pub->no_body) return 0;
  if (pub->chunked) return out_append(c->req, TEXT("0\r\n\r\n"));
  if (c->req->out_length < 0 || pub->sent == c->req->out_length) return 0;
  pub->close = true;
  return GREEN_EINVAL;
}

int green_conn_rollback(green_conn *pub)
{
  httpd_conn *c = conn_with_request(pub);
  if (pub->state == GREEN_ANSWER_NONE) return 0;
  if (c->left) return GREEN_EBUSY;
  c->req->out_len = c->req->answer;
  answer_reset(c);
  return 0;
}

void green_conn_cut(green_conn *pub, int why)
{
  httpd_conn *c = conn_in_hand(pub);
  pub->close = true;
  if (why < 0 && !pub->reason)
    pub->reason = why == GREEN_ETIMEDOUT ? "client did not read in time"
                                         : green_err_text(why);
  c->body_failed = 1;
  green__conn_unwatch(c);
  green_sock_close(&c->sock);
}

void green__answer_refuse(httpd_conn *c, int status, const char *text)
{
  green_conn *pub = &c->pub;
  if (!text) text = green_http_write_reason(status);
  answer_reset(c);
  pub->close = true;
  pub->status = status;
  if (green_conn_begin(pub, status) < 0) return;
  green_conn_header(pub, TEXT("Content-Type"), TEXT("text/plain"), false);
  /* The request, as far as it is known: HEAD gets no body. */
  const green_http_request *h = &c->req->head;
  pub->no_body = h->method_len > 0 && h->method == GREEN_M_HEAD;
  green_conn_whole(pub, text, strlen(text));
}
