/*
** answer_test.c: framing of answers, sending them, taking them back.
*/

#include "httpd/httpd_kit.h"

#include <stdint.h>

#define HEAD_ "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OLD "GET / HTTP/1.0\r\n\r\n"
#define OLD_KEPT "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"

/* Answer one request in one of the ways below and listen. */
enum way { WHOLE, WHOLE_EMPTY, PIECES, NO_PIECES, LENGTH_PIECES };

static int set_length(green_conn *c, const char *n)
{
  return green_conn_header(c, "Content-Length", 14, n, strlen(n), false);
}

static void respond(green_conn *c, int status, enum way way)
{
  green_conn_begin(c, status);
  if (way == WHOLE || way == WHOLE_EMPTY) {
    green_conn_whole(c, "hello", way == WHOLE ? 5 : 0);
    return;
  }
  if (way == LENGTH_PIECES) set_length(c, "4");
  green_conn_stream(c);
  if (way != NO_PIECES) {
    green_conn_piece(c, "ab", 2);
    green_conn_piece(c, "", 0);
    green_conn_piece(c, "cd", 2);
  }
  green_conn_end(c);
}

static int exchange(house *h, const char *request, int status, enum way way)
{
  int fd = client_open(h);
  green_conn *c = next_after(h, fd, request);
  respond(c, status, way);
  green_conn_finish(c);
  turns(h->hub, 1);
  int end = hear(fd);
  close(fd);
  turns(h->hub, 2);
  green_httpd_next(h->d);
  return end;
}

static int body_is(const char *text)
{
  const char *p = strstr(heard_text, "\r\n\r\n");
  return p && !strcmp(p + 4, text);
}

static void test_framing(void)
{
  static const struct {
    const char *request;
    int status;
    enum way way;
    int end;
    const char *has, *lacks, *body, *what;
  } rows[] = {
      {GET, 200, WHOLE, '-', "Content-Length: 5\r\n", "Transfer", "hello",
       "a whole body has its length"},
      {GET, 200, WHOLE_EMPTY, '-', "Content-Length: 0\r\n", "Transfer", "",
       "an empty one, too"},
      {GET, 200, PIECES, '-', "Transfer-Encoding: chunked\r\n", "Length",
       "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n", "pieces are chunks, empty ones none"},
      {GET, 200, NO_PIECES, '-', "chunked", "Length", "0\r\n\r\n",
       "no pieces: one end"},
      {GET, 200, LENGTH_PIECES, '-', "Content-Length: 4\r\n", "chunked", "abcd",
       "pieces of a known length"},
      {OLD, 200, PIECES, '.', "200 OK", "chunked", "abcd",
       "HTTP/1.0 gets no chunks"},
      {OLD_KEPT, 200, PIECES, '.', "Connection: close\r\n", "chunked", "abcd",
       "not even if it is to be kept"},
      {OLD, 200, WHOLE, '.', "Connection: close\r\n", "alive", "hello",
       "HTTP/1.0 is closed"},
      {OLD_KEPT, 200, WHOLE, '-',
       "Connection: keep-alive\r\nKeep-Alive: "
       "timeout=75\r\n",
       "close", "hello", "unless it asks not to be"},
      {OLD_KEPT, 200, LENGTH_PIECES, '-', "Connection: keep-alive", "close",
       "abcd", "and the length is known"},
      {GET_CLOSE, 200, WHOLE, '.', "Connection: close\r\n", "alive", "hello",
       "close is a client's right"},
      {HEAD_, 200, WHOLE, '-', "Content-Length: 5\r\n", "chunked", "",
       "HEAD: the length, no body"},
      {HEAD_, 200, PIECES, '-', "chunked", "Length", "",
       "HEAD: the coding, no chunks"},
      {HEAD_, 200, LENGTH_PIECES, '-', "Content-Length: 4", "chunked", "",
       "HEAD: the length that GET would have"},
      {GET, 204, WHOLE, '-', "204 No Content", "Length", "",
       "204 has no length and no body"},
      {GET, 204, PIECES, '-', "204 No Content", "chunked", "", "nor chunks"},
      {GET, 205, WHOLE, '-', "Content-Length: 0\r\n", "chunked", "",
       "205 has an empty body"},
      {GET, 205, PIECES, '-', "Content-Length: 0\r\n", "chunked", "",
       "in pieces, too"},
      {GET, 304, WHOLE, '-', "304 Not Modified", "Length", "",
       "304 has no body"},
      {GET, 304, PIECES, '-', "304 Not Modified", "chunked", "", "nor chunks"},
  };
  house h = house_open();
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    int end = exchange(&h, rows[i].request, rows[i].status, rows[i].way);
    int good = end == rows[i].end && heard(rows[i].has) &&
               !heard(rows[i].lacks) && body_is(rows[i].body);
    if (!ok(good, rows[i].what)) printf("# %c %s\n", end, heard_text);
  }
  h.d->http10 = true;
  exchange(&h, GET, 200, PIECES);
  ok(!heard("chunked") && heard("Connection: close"), "http10: no chunks");
  house_close(&h);
}

static void test_status(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  int bad[] = {0, 99, 100, 101, 199, 1000, -5};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    is(green_conn_begin(c, bad[i]), GREEN_EINVAL, "no final status");
  is(green_conn_begin_line(c, "101 Hi", 6), GREEN_EINVAL, "nor that");
  is(green_conn_begin_line(c, "20", 2), GREEN_EINVAL, "nor that");
  is(green_conn_begin_line(c, "200 a\r\nb", 8), GREEN_EINVAL, "nor that");
  is(green_conn_header(c, "X", 1, "y", 1, false), GREEN_EINVAL, "no head");
  is(green_conn_whole(c, "", 0), GREEN_EINVAL, "no answer");
  is(green_conn_stream(c), GREEN_EINVAL, "at all");
  is(green_conn_begin_line(c, "299 Fine So Far", 15), 0, "a line");
  is(green_conn_begin(c, 200), GREEN_EINVAL, "one answer a request");
  is(c->status, 299, "its number");
  green_conn_whole(c, "", 0);
  green_conn_finish(c);
  hear(fd);
  ok(heard("HTTP/1.1 299 Fine So Far\r\n"), "sent as it was given");
  close(fd);
  house_close(&h);
}

static int header(green_conn *c, const char *name, const char *value)
{
  return green_conn_header(c, name, strlen(name), value, strlen(value), true);
}

static void test_headers(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  h.d->date = true;
  green_conn_begin(c, 200);
  is(header(c, "x-split", "a\r\nX: b"), GREEN_EINVAL, "no CR, LF in values");
  is(header(c, "x-split", "a\nb"), GREEN_EINVAL, "nor LF alone");
  is(header(c, "x\r\ny", "a"), GREEN_EINVAL, "nor in names");
  is(header(c, "x y", "a"), GREEN_EINVAL, "names are tokens");
  is(header(c, "", "a"), GREEN_EINVAL, "not empty ones");
  is(header(c, "Connection", "close\r\nX: y"), GREEN_EINVAL, "ours neither");
  is(header(c, "Content-Length", "5\r\n"), GREEN_EINVAL, "nor that");
  is(header(c, "Content-Length", "-5"), GREEN_EINVAL, "digits only");
  is(header(c, "Content-Length", ""), GREEN_EINVAL, "at least one");
  is(header(c, "Content-Length", "99999999999999999999"), GREEN_EINVAL, "few");
  is(header(c, "Transfer-Encoding", "chunked"), GREEN_EINVAL,
     "framing is ours");
  is(header(c, "Keep-Alive", "timeout=5"), GREEN_EINVAL, "that, too");
  is(header(c, "content-length", "2"), 0, "a length");
  is(header(c, "Content-Length", "2"), GREEN_EINVAL, "not twice");
  is(header(c, "x-tab", "a\tb \xa0"), 0, "tabs and high bytes may stand");
  is(header(c, "date", "today"), 0, "a date of the handler's");
  is(header(c, "connection", "close"), 0, "close");
  is(green_conn_whole(c, "abc", 3), GREEN_EINVAL, "another length");
  is(green_conn_whole(c, "ab", 2), 0, "that length");
  is(header(c, "x-late", "a"), GREEN_EINVAL, "the head is closed");
  green_conn_finish(c);
  is(hear(fd), '.', "closed");
  is(heard_count("Content-Length"), 1, "one length");
  is(heard_count("Date: "), 1, "one date");
  is(heard_count("Connection: close"), 1, "one close");
  ok(heard("X-Tab: a\tb \xa0\r\n"), "as it came, but for the name");
  close(fd);
  house_close(&h);
}

static void test_lengths_are_kept(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  green_conn_begin(c, 200);
  set_length(c, "3");
  green_conn_stream(c);
  ok(green_conn_piece(c, "ab", 2) > 0, "a piece");
  is(green_conn_piece(c, "cd", 2), GREEN_EINVAL, "one too many");
  is(green_conn_end(c), GREEN_EINVAL, "one too few");
  is(c->sent, 2, "counted");
  green_conn_finish(c);
  is(hear(fd), '.', "the client can tell: it ends early");
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd, HEAD_);
  green_conn_begin(c, 200);
  set_length(c, "3");
  is(green_conn_whole(c, "abcd", 4), GREEN_EINVAL, "HEAD, too");
  is(green_conn_whole(c, "", 0), 0, "but HEAD may leave the body out");
  green_conn_finish(c);
  hear(fd);
  ok(heard("Content-Length: 3\r\n"), "and tell its length");
  close(fd);
  house_close(&h);
}

/* -- Taking back ------------------------------------------------------------
 */

static void test_rollback(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET GET);
  serve(c);
  is(green_conn_rollback(c), 0, "nothing to take back");
  answer(c, 200, "wrong");
  is(green_conn_rollback(c), 0, "all of it is taken back");
  answer(c, 500, "sorry");
  is(green_conn_finish(c), 1, "the answer before it stays");
  answer(c, 200, "wrong");
  turns(h.hub, 1);
  is(green_conn_rollback(c), GREEN_EBUSY, "too late: it has left");
  green_conn_finish(c);
  hear(fd);
  is(heard_count("HTTP/1.1"), 3, "three answers");
  is(heard_count("wrong"), 1, "one of them wrong");
  ok(heard("hello") && heard("sorry"), "the others right");
  close(fd);
  house_close(&h);
}

/* The end of a turn, in the middle of a head: only what is whole may leave. */
static void test_a_head_leaves_whole(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET);
  serve(c);
  green_conn_begin(c, 200);
  header(c, "X-Half", "1");
  turns(h.hub, 1);
  hear(fd);
  is(heard_count("HTTP/1.1"), 1, "the answer before it has left");
  ok(heard("hello") && !heard("X-Half"), "alone");
  is(green_conn_rollback(c), 0, "the head can be taken back");
  green_conn_begin(c, 500);
  header(c, "X-Whole", "1");
  green_conn_flush(c);
  hear(fd);
  is(heard_len, 0, "a flush does not send it either");
  green_conn_whole(c, "", 0);
  green_conn_finish(c);
  hear(fd);
  ok(!strncmp(heard_text, "HTTP/1.1 500", 12) && heard("X-Whole: 1\r\n"),
     "but when it is whole");
  close(fd);
  house_close(&h);
}

static void test_no_rollback_between_pieces(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  green_conn_begin(c, 200);
  green_conn_stream(c);
  green_conn_piece(c, "one", 3);
  is(green_conn_flush(c), 0, "a piece has left");
  is(green_conn_rollback(c), GREEN_EBUSY, "no way back");
  green_conn_piece(c, "two", 3);
  is(green_conn_rollback(c), GREEN_EBUSY, "nor with another one written");
  c->close = true;
  green_conn_finish(c);
  is(hear(fd), '.', "cut off");
  ok(!heard("0\r\n\r\n"), "without the last chunk: the client can tell");
  close(fd);
  fd = client_open(&h);
  c = next_after(&h, fd, GET);
  green_conn_begin(c, 200);
  green_conn_stream(c);
  is(green_conn_end(c), 0, "an end");
  is(green_conn_piece(c, "x", 1), GREEN_ECLOSED, "nothing comes behind it");
  is(green_conn_end(c), GREEN_ECLOSED, "nor another end");
  green_conn_close(c);
  close(fd);
  house_close(&h);
}

/* What is written at the wrong time is refused, and changes nothing. */
static void test_order(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  is(green_conn_piece(c, "x", 1), GREEN_ECLOSED, "a piece without a head");
  is(green_conn_end(c), GREEN_ECLOSED, "an end without a head");
  is(green_conn_whole(c, "x", 1), GREEN_EINVAL, "a body without a head");
  is((int)green_conn_file(c, 5), GREEN_EINVAL, "a file without a head");
  green_conn_begin(c, 200);
  is(green_conn_begin(c, 200), GREEN_EINVAL, "a second status");
  is(green_conn_piece(c, "x", 1), GREEN_ECLOSED, "a piece inside the head");
  green_conn_stream(c);
  is(green_conn_rollback(c), 0, "all is taken back");
  is(green_conn_piece(c, "x", 1), GREEN_ECLOSED, "pieces, too");
  is((int)green_conn_room(c), -1, "and what was said of the length");
  serve(c);
  hear(fd);
  ok(heard("Content-Length: 5\r\n"), "a file's length was not kept");
  close(fd);
  house_close(&h);
}

/* What the client has of it can be told from a whole one only by the close. */
static void test_half_an_answer(void)
{
  house h = house_open();
  for (int with_head = 0; with_head < 2; with_head++) {
    int fd = client_open(&h);
    green_conn *c = next_after(&h, fd, GET GET);
    green_conn_begin(c, 200);
    if (with_head) green_conn_stream(c);
    is(green_conn_finish(c), 0, "no request follows half an answer");
    is(hear(fd), '.', "the connection is closed");
    is(heard_count("HTTP/1.1"), with_head, "no head leaves without its end");
    close(fd);
  }
  green_httpd_close_idle(h.d, true);
  house_close(&h);
}

/* -- Slow readers ------------------------------------------------------------
 */

/* Read all until `want` bytes of 'x' have come; finish as often as it says that
** it cannot. Returns those bytes; *again counts. */
static size_t read_slowly(house *h, green_conn *c, int fd, size_t want,
                          int *result)
{
  size_t have = 0;
  for (int i = 0; i < 10000 && have < want; i++) {
    hear(fd);
    for (size_t k = 0; k < heard_len; k++) have += heard_text[k] == 'x';
    turns(h->hub, 1);
    if (*result == GREEN_EAGAIN) *result = green_conn_finish(c);
  }
  return have;
}

static void test_large_answer(void)
{
  house h = house_open();
  int fd = client_open(&h);
  size_t size = 4 << 20;
  char *big = malloc(size + 1);
  memset(big, 'x', size);
  big[size] = '\0';
  green_conn *c = next_after(&h, fd, GET GET);
  limit_send(httpd_conn_of(c)->sock.f.fd, 16384);
  is(serve(c), 1, "a small one before it");
  answer(c, 200, big);
  int result = green_conn_finish(c);
  is(result, GREEN_EAGAIN, "the client is slow");
  is(read_slowly(&h, c, fd, size, &result), size, "all comes, in order");
  is(result, 0, "and the connection is handed back once");
  is(h.d->connections, 1, "alive");
  is(serve(next_after(&h, fd, GET)), 0, "for the next request");
  free(big);
  close(fd);
  house_close(&h);
}

/* Beyond 64 KB the next request waits until the answers before it are sent. */
static void test_gathered_answers_have_a_bound(void)
{
  house h = house_open();
  int fd = client_open(&h), result = 1, served = 0;
  static char big[12001];
  memset(big, 'x', sizeof(big) - 1);
  char *many = repeated(GET, 100);
  green_conn *c = next_after(&h, fd, many);
  free(many);
  limit_send(httpd_conn_of(c)->sock.f.fd, 4096);
  for (; result == 1; served++) {
    answer(c, 200, big);
    result = green_conn_finish(c);
  }
  is(result, GREEN_EAGAIN, "the client does not read");
  ok(served < 15, "only so many answers are made");
  ok(httpd_conn_of(c)->req->out_cap <= 131072, "and kept");
  while (served < 100) {
    size_t have = read_slowly(&h, c, fd, 1, &result);
    if (!have) break;
    for (; result == 1 && served < 100; served++) {
      answer(c, 200, big);
      result = green_conn_finish(c);
    }
  }
  is(served, 100, "it goes on when the client reads");
  is(c->served, 100, "each was counted once");
  read_slowly(&h, c, fd, SIZE_MAX, &result);
  is(result, 0, "all is sent");
  close(fd);
  house_close(&h);
}

static void test_closing_while_not_sent(void)
{
  house h = house_open();
  int fd = client_open(&h);
  static char big[200001];
  memset(big, 'x', sizeof(big) - 1);
  green_conn *c = next_after(&h, fd, GET);
  limit_send(httpd_conn_of(c)->sock.f.fd, 4096);
  answer(c, 200, big);
  int result = green_conn_finish(c);
  is(result, GREEN_EAGAIN, "not sent");
  h.d->closing = true;
  green_httpd_close_idle(h.d, true);
  is(read_slowly(&h, c, fd, 200000, &result), 200000, "all is sent still");
  is(result, 0, "and done");
  h.d->closing = false;
  int gone = client_open(&h);
  c = next_after(&h, gone, GET GET);
  limit_send(httpd_conn_of(c)->sock.f.fd, 4096);
  answer(c, 200, big);
  is(green_conn_finish(c), GREEN_EAGAIN, "another");
  close(gone);
  is(green_conn_finish(c), 0, "its client goes: closed");
  close(fd);
  turns(h.hub, 2);
  green_httpd_next(h.d);
  is(h.d->connections, 0, "all are gone");
  house_close(&h);
}

/* What one answer with these headers says after the status line, twice over: it
** is written, then copied. */
static int says(const char *name, const char *value, bool capitalize,
                const char *want)
{
  house h = house_open();
  int fd = client_open(&h), n = 0;
  for (int i = 0; i < 2; i++) {
    green_conn *c = next_after(&h, fd, GET);
    green_conn_begin(c, 200);
    if (green_conn_header(c, name, strlen(name), value, strlen(value),
                          capitalize) < 0)
      abort();
    green_conn_whole(c, "", 0);
    green_conn_finish(c);
    hear(fd);
    n += heard(want);
  }
  close(fd);
  house_close(&h);
  return n;
}

static void test_headers_again(void)
{
  char *name = repeated("n", 29), *value = repeated("v", 95);
  char *longer = repeated("v", 300), want[512];
  is(says("x-ab-c", "d", true, "\r\nX-Ab-C: d\r\n"), 2, "as it was written");
  is(says("x-ab-c", "d", false, "\r\nx-ab-c: d\r\n"), 2, "or as it was given");
  snprintf(want, sizeof(want), "\r\n%s: %s\r\n", name, value);
  is(says(name, value, false, want), 2, "the longest that is kept");
  snprintf(want, sizeof(want), "\r\n%s: %s\r\n", name, longer);
  is(says(name, longer, false, want), 2, "and one that is not");
  is(says("x", "", true, "\r\nX: \r\n"), 2, "an empty one");
  free(name);
  free(value);
  free(longer);
}

/* Each pair has the same hash. */
static void test_headers_alike(void)
{
  house h = house_open();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET);
  green_conn_begin(c, 200);
  is(header(c, "x-b", "1z2"), 0, "a header");
  is(header(c, "x-b", "3z2"), 0, "another value of its length");
  is(header(c, "x-b", "1\n2"), GREEN_EINVAL, "a bad one is found");
  is(header(c, "xab", "1z2"), 0, "another name of its length");
  is(header(c, "x b", "1z2"), GREEN_EINVAL, "a bad one is found");
  is(header(c, "X-b", "1z2"), 0, "and in capitals");
  is(green_conn_header(c, "x-b", 3, "1z2", 3, false), 0, "or as it is");
  green_conn_whole(c, "", 0);
  green_conn_finish(c);
  hear(fd);
  ok(heard("\r\nX-B: 1z2\r\nX-B: 3z2\r\nXab: 1z2\r\nX-B: 1z2\r\nx-b: 1z2\r\n"),
     "each leaves as itself");
  close(fd);
  house_close(&h);
}

int main(void)
{
  t_start();
  test_framing();
  test_headers_again();
  test_headers_alike();
  test_status();
  test_headers();
  test_lengths_are_kept();
  test_rollback();
  test_a_head_leaves_whole();
  test_no_rollback_between_pieces();
  test_order();
  test_half_an_answer();
  test_large_answer();
  test_gathered_answers_have_a_bound();
  test_closing_while_not_sent();
  return t_done();
}
