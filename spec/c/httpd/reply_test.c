/*
** reply_test.c: an answer that was given before is copied, and is what three
** calls would have written; and what must not be taken for it.
*/

#include "httpd/httpd_kit.h"
#include "httpd/httpd_priv.h"

#define HEAD_ "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OLD "GET / HTTP/1.0\r\n\r\n"
#define OLD_KEPT "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"

static house h;
static char first[1 << 16]; /* What another way has said. */

/* How an answer is given: by its three calls, or by one. */
enum way { CALLS, REPLY };

static int give(green_conn *c, enum way way, int status, const green_header *f,
                const char *body)
{
  size_t n = strlen(body);
  if (way == REPLY) return green_conn_reply(c, status, f, body, n);
  int err = green_conn_begin(c, status);
  if (err == 0 && f->name)
    err = green_conn_header(c, f->name, f->name_len, f->value, f->value_len,
                            f->capitalize);
  return err < 0 ? err : green_conn_whole(c, body, n);
}

/* Dates differ where a second ends in between. */
static void hide_date(void)
{
  char *p = strstr(heard_text, "Date: ");
  if (p) memset(p + 6, '#', strcspn(p + 6, "\r"));
}

/* One answer to a client of its own; heard_text is what that hears. */
static int say_it(const char *request, enum way way, int status,
                  const green_header *f, const char *body)
{
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, request);
  int err = give(c, way, status, f, body);
  if (err < 0) green_conn_rollback(c);
  if (err < 0) answer(c, 500, "");
  green_conn_finish(c);
  turns(h.hub, 1);
  hear(fd);
  hide_date();
  close(fd);
  turns(h.hub, 2);
  green_httpd_next(h.d);
  return err;
}

static void forget(void)
{
  httpd *d = httpd_of(h.d);
  memset(d->replies, 0, sizeof(d->replies));
}

/* What is kept is of that second from here on, and marked where a client sees
** it. How many are kept. */
static int mark(time_t second)
{
  int n = 0;
  httpd *d = httpd_of(h.d);
  for (int i = 0; i < HTTPD_REPLIES; i++) {
    httpd_reply *k = &d->replies[i];
    if (!k->status) continue;
    k->second = second;
    memcpy(k->text, "htt", 3);
    n++;
  }
  return n;
}

static green_header field(const char *name, const char *value)
{
  green_header f = {.name = name, .value = value, .capitalize = true};
  f.name_len = name ? strlen(name) : 0;
  f.value_len = value ? strlen(value) : 0;
  return f;
}

/* By three calls, then by one, twice. Is it always the same? *kept: was it
** kept? */
static int is_same(const char *request, int status, green_header f,
                   const char *body, int *kept)
{
  forget();
  int err = say_it(request, CALLS, status, &f, body), same = 1;
  memcpy(first, heard_text, sizeof(first));
  for (int i = 0; i < 2; i++) {
    same = same && say_it(request, REPLY, status, &f, body) == err;
    same = same && !strcmp(first, heard_text);
  }
  *kept = mark(0);
  return same;
}

static void test_same(void)
{
  char *name = repeated("n", 32), *value = repeated("v", 96);
  char *long_name = repeated("n", 33), *long_value = repeated("v", 97);
  char *body = repeated("b", OUT_COPY_MAX), *more = repeated("b", 20000);
  const struct {
    const char *request;
    int status;
    const char *name, *value, *body;
    int kept;
    const char *what;
  } rows[] = {
      {GET, 200, "content-type", "text/plain", "hello", 1, "a plain answer"},
      {GET, 404, "X", "", "", 1, "one with nothing in it"},
      {GET, 200, name, value, body, 1, "the longest that is kept"},
      {GET, 200, long_name, "v", "", 0, "a longer name"},
      {GET, 200, "n", long_value, "", 0, "a longer value"},
      {GET, 200, "n", "v", more, 0, "a longer body"},
      {GET, 200, NULL, NULL, "hello", 0, "no header"},
      {GET, 200, "", "v", "", 0, "a header without a name"},
      {GET, 200, "n", "a\nb", "", 0, "a bad value"},
      {GET, 200, "a b", "c", "", 0, "a bad name"},
      {GET, 100, "n", "v", "", 0, "no such status"},
      {GET, 0, "n", "v", "", 0, "none at all"},
      {GET, 204, "n", "v", "", 0, "204"},
      {GET, 205, "n", "v", "", 0, "205"},
      {GET, 304, "n", "v", "", 0, "304"},
      {GET, 200, "Date", "today", "", 0, "a date"},
      {GET, 200, "Connection", "close", "", 0, "a close"},
      {GET, 200, "Connection", "upgrade", "", 0, "an upgrade"},
      {GET, 200, "Content-Length", "2", "ab", 0, "a length"},
      {GET, 200, "Content-Length", "3", "ab", 0, "a wrong length"},
      {GET, 200, "Keep-Alive", "1", "", 0, "what is not the handler's"},
      {HEAD_, 200, "n", "v", "b", 0, "HEAD"},
      {GET_CLOSE, 200, "n", "v", "b", 0, "a client that wants the close"},
      {OLD, 200, "n", "v", "b", 0, "an old one"},
      {OLD_KEPT, 200, "n", "v", "b", 0, "an old one that stays"},
      {POST, 200, "n", "v", "b", 0, "a body that was not read"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    int kept;
    green_header f = field(rows[i].name, rows[i].value);
    ok(is_same(rows[i].request, rows[i].status, f, rows[i].body, &kept),
       rows[i].what);
    is(kept, rows[i].kept, "kept, or not");
  }
  free(name);
  free(value);
  free(long_name);
  free(long_value);
  free(body);
  free(more);
}

/* Is that said by a copy, when n-a: v1 with ab has been said before, and the
** second is the same, or later by so many? -1: it is no copy, but not what
** three calls write. */
static int copies(const char *request, int status, green_header f,
                  const char *body, int later)
{
  int kept, copied;
  time_t now;
  if (!is_same(GET, 200, field("n-a", "v1"), "ab", &kept) || !kept) abort();
  say_it(request, CALLS, status, &f, body);
  memcpy(first, heard_text, sizeof(first));
  do {
    now = time(NULL);
    mark(now - later);
    say_it(request, REPLY, status, &f, body);
    copied = !strncmp(heard_text, "htt", 3);
  } while (time(NULL) != now);
  return copied || !strcmp(first, heard_text) ? copied : -1;
}

static void test_copies(void)
{
  green_header f = field("n-a", "v1");
  is(copies(GET, 200, f, "ab", 0), 1, "the same is copied");
  is(copies(GET, 200, f, "cd", 0), 1, "with another body of its length, too");
  is(copies(GET, 200, f, "ab", 1), 0, "not in another second");
  is(copies(GET, 208, f, "ab", 0), 0, "nor another status of the same hash");
  is(copies(GET, 200, f, "0123456789", 0), 0, "nor another length");
  is(copies(GET, 200, field("N-a", "v1"), "ab", 0), 0, "another name");
  is(copies(GET, 200, field("n-b", "v1"), "ab", 0), 0, "another end of it");
  is(copies(GET, 200, field("n-a", "v2"), "ab", 0), 0, "another value");
  is(copies(GET, 200, field("n-a", "v\n"), "ab", 0), 0, "or a bad one");
  f.capitalize = false;
  is(copies(GET, 200, f, "ab", 0), 0, "or another look of names");
}

/* That it was said to one client does not make it what another is to hear. */
static void test_clients(void)
{
  green_header f = field("n-a", "v1");
  is(copies(HEAD_, 200, f, "ab", 0), 0, "HEAD");
  is(copies(GET_CLOSE, 200, f, "ab", 0), 0, "a client that wants the close");
  is(copies(OLD, 200, f, "ab", 0), 0, "an old one");
  is(copies(OLD_KEPT, 200, f, "ab", 0), 0, "an old one that stays");
  is(copies(POST, 200, f, "ab", 0), 0, "a body that was not read");
}

/* Of the same hash, and in the same place: of the longer one, which was there
** before, something stands behind the shorter one. */
static void test_longer_before(void)
{
  const green_header rows[][2] = {
      {field("n-a12345678", "v1"), field("n-a", "v1")},
      {field("n-a", "v112345678"), field("n-a", "v1")}};
  for (size_t i = 0; i < 2; i++) {
    time_t now;
    do {
      now = time(NULL);
      forget();
      for (int k = 0; k < 2; k++) say_it(GET, REPLY, 200, &rows[i][0], "ab");
      memcpy(first, heard_text, sizeof(first));
      for (int k = 0; k < 2; k++) say_it(GET, REPLY, 200, &rows[i][1], "ab");
      is(mark(now), 1, "one place");
      say_it(GET, REPLY, 200, &rows[i][0], "ab");
    } while (time(NULL) != now);
    is_str(heard_text, first, "the longer one again");
  }
}

/* What the server is told counts at once. */
static void test_options(void)
{
  green_header f = field("n-a", "v1");
  const struct {
    bool date, http10, closing;
    uint32_t max_requests;
    const char *what;
  } rows[] = {{false, false, false, 0, "no date"},
              {true, true, false, 0, "HTTP/1.0"},
              {true, false, true, 0, "the server closes"},
              {true, false, false, 1, "one request only"},
              {true, false, false, 2, "or some"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    time_t now;
    do {
      now = time(NULL);
      for (int k = 0; k < 2; k++) say_it(GET, REPLY, 200, &f, "ab");
      mark(now);
      h.d->date = rows[i].date;
      h.d->http10 = rows[i].http10;
      h.d->closing = rows[i].closing;
      h.d->max_requests = rows[i].max_requests;
      say_it(GET, CALLS, 200, &f, "ab");
      memcpy(first, heard_text, sizeof(first));
      say_it(GET, REPLY, 200, &f, "ab");
      h.d->date = true;
      h.d->http10 = h.d->closing = false;
      h.d->max_requests = 0;
    } while (time(NULL) != now);
    is_str(heard_text, first, rows[i].what);
  }
}

/* Where an answer stands between others, it can be taken back. */
static void test_rollback(void)
{
  green_header f = field("n-a", "v1");
  forget();
  int fd = client_open(&h);
  green_conn *c = next_after(&h, fd, GET GET);
  for (int i = 0; i < 2; i++) {
    is(give(c, REPLY, 200, &f, "ab"), 0, "an answer");
    is(give(c, REPLY, 200, &f, "ab"), GREEN_EINVAL, "there is one");
    is(green_conn_rollback(c), 0, "none of it has left");
    is(give(c, REPLY, 200, &f, i ? "ef" : "cd"), 0, "another");
    is(green_conn_finish(c), !i, "the next, or no more");
  }
  turns(h.hub, 1);
  hear(fd);
  is(heard_count("HTTP/1.1 200 OK\r\n"), 2, "two answers");
  is(heard_count("\r\n\r\nab"), 0, "not what was taken back");
  ok(heard("\r\n\r\ncdHTTP") && heard("\r\n\r\nef"), "in their order");
  close(fd);
}

int main(void)
{
  t_start();
  h = house_open();
  h.d->date = true;
  test_same();
  test_copies();
  test_clients();
  test_longer_before();
  test_options();
  test_rollback();
  house_close(&h);
  return t_done();
}
