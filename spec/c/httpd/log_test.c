/* httpd_log: templates, escapes, limits, memory that fails. */

#include "child.h"
#include "httpd/log.h"
#include "httpd/httpd_priv.h"
#include "base/mem.h"
#include "t.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static green_hub *hub;

/* A connection with a request in hand, as a worker has it. */
typedef struct fake {
  httpd_conn c;
  httpd_request req;
} fake;

static void fake_peer(fake *f, const char *text)
{
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};
  inet_pton(AF_INET, text, &in.sin_addr);
  memcpy(f->c.peer, &in, sizeof(in));
  f->c.peer_len = sizeof(in);
}

static void fake_request(fake *f, const char *text)
{
  memset(f, 0, sizeof(*f));
  fake_peer(f, "192.0.2.10");
  f->c.req = &f->req;
  f->req.in = (char *)(uintptr_t)text;
  f->req.end = (uint32_t)strlen(text);
  green_http_request_init(&f->req.head);
  f->c.pub.text = text;
  if (green_http_request_parse(&f->req.head, text, strlen(text), 0) > 0) {
    f->c.pub.head = &f->req.head;
  } else {
    f->c.pub.reason = "no good";
  }
  f->c.pub.status = 200;
  f->c.pub.sent = 12;
  f->req.started = green_hub_now(hub);
}

static green_log *log_of(const int *fields)
{
  green_log *l = green_log_new(hub);
  for (; l && *fields; fields++) {
    green_log_field(l, *fields, "", 0, 6);
    if (fields[1]) green_log_field(l, GREEN_LOG_TEXT, "|", 1, 0);
  }
  return l;
}

/* What waits, as a string; it is dropped. */
static const char *take(green_log *l)
{
  static char text[70000];
  const char *p;
  uint32_t n = green_log_peek(l, &p);
  if (n >= sizeof(text)) n = sizeof(text) - 1;
  if (n) memcpy(text, p, n);
  text[n] = 0;
  green_log_drop(l, n);
  return text;
}

static void test_fills_fields(void)
{
  static const int fields[] = {
      GREEN_LOG_CLIENT_IP, GREEN_LOG_CLIENT_PORT,  GREEN_LOG_REQUEST_LINE,
      GREEN_LOG_METHOD,    GREEN_LOG_PATH,         GREEN_LOG_QUERY,
      GREEN_LOG_PROTOCOL,  GREEN_LOG_STATUS,       GREEN_LOG_BODY_LENGTH,
      GREEN_LOG_REASON,    GREEN_LOG_WALL_SECONDS, 0};
  fake f;
  green_log *l = log_of(fields);
  fake_request(&f, "PUT /p?q=1 HTTP/1.0\r\n\r\n");
  green_hub_advance(hub, GREEN_SECOND * 3 / 2);
  ok(green_log_put(l, &f.c.pub) > 0, "a line waits");
  is_str(take(l),
         "192.0.2.10|4711|PUT /p?q=1 HTTP/1.0|PUT|/p|q=1|HTTP/1.0|"
         "200|12|-|1.500000\n",
         "all fields");
  is(l->waiting, 0, "nothing waits");
  is(l->lines, 1, "one line");
  green_log_free(l);
}

static void test_keeps_what_was_parsed(void)
{
  static const int fields[] = {GREEN_LOG_CLIENT_IP,    GREEN_LOG_METHOD,
                               GREEN_LOG_PATH,         GREEN_LOG_QUERY,
                               GREEN_LOG_PROTOCOL,     GREEN_LOG_REASON,
                               GREEN_LOG_WALL_SECONDS, 0};
  static const struct {
    const char *text, *line;
  } t[] = {
      {"PUT /p?q HTTP/1.0\r\nX-Forwarded-For: f\r\nbad\r\n\r\n",
       "f,192.0.2.10|PUT|/p|q|HTTP/1.0|no good|2.000000\n"},
      {"PUT /p?q HTTP/2.0\r\n\r\n", "192.0.2.10|PUT|/p|q|-|no good|2.000000\n"},
      {"PUT /p\\ HTTP/1.0\r\n\r\n", "192.0.2.10|PUT|-|-|-|no good|2.000000\n"},
      {"PUT /p", "192.0.2.10|PUT|-|-|-|no good|2.000000\n"},
      {"(", "192.0.2.10|-|-|-|-|no good|2.000000\n"},
  };
  fake f;
  green_log *l = log_of(fields);
  l->forwarded = true;
  for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
    fake_request(&f, t[i].text);
    green_hub_advance(hub, 2 * GREEN_SECOND);
    green_log_put(l, &f.c.pub);
    is_str(take(l), t[i].line, "of a refused request");
  }
  green_log_free(l);
}

static void test_escapes_what_clients_send(void)
{
  static const int fields[] = {GREEN_LOG_REQUEST_LINE, 0};
  fake f;
  green_log *l = log_of(fields);
  fake_request(&f, "GET \"\\\x01\xff oops\r\nX: y\r\n");
  green_log_put(l, &f.c.pub);
  is_str(take(l), "GET \\x22\\x5c\\x01\\xff oops\n", "escaped");
  l->json = true;
  green_log_put(l, &f.c.pub);
  is_str(take(l), "\"GET \\\"\\\\\\u0001\\u00ff oops\"\n", "in JSON");
  green_log_free(l);
}

/* A JSON line of one string. */
static void json_line(char *out, const char *text)
{
  *out++ = '"';
  for (; *text; text++) {
    unsigned char b = (unsigned char)*text;
    if (b == '"' || b == '\\')
      out += sprintf(out, "\\%c", b);
    else
      out += sprintf(out, b < 0x20 || b >= 0x7f ? "\\u%04x" : "%c", b);
  }
  memcpy(out, "\"\n", 3);
}

static void test_escapes_any_byte_anywhere(void)
{
  static const int fields[] = {GREEN_LOG_REQUEST_LINE, 0};
  fake f;
  char line[] = "no request, but twenty-nine b", want[200];
  green_log *l = log_of(fields);
  l->json = true;
  for (int b = 1; b < 256; b++) {
    char *at = line + b % (int)(sizeof(line) - 2), was = *at;
    if (b == '\n') continue;
    *at = (char)b;
    fake_request(&f, line);
    green_log_put(l, &f.c.pub);
    json_line(want, line);
    is_str(take(l), want, "a byte");
    *at = was;
  }
  green_log_free(l);
}

static void test_shows_what_is_missing(void)
{
  static const int fields[] = {GREEN_LOG_METHOD, GREEN_LOG_STATUS,
                               GREEN_LOG_PROTOCOL, 0};
  fake f;
  green_log *l = log_of(fields);
  fake_request(&f, "");
  f.c.pub.status = 0;
  green_log_put(l, &f.c.pub);
  is_str(take(l), "-|-|-\n", "dashes");
  l->json = true;
  green_log_put(l, &f.c.pub);
  is_str(take(l), "null|null|null\n", "nulls");
  green_log_free(l);
}

static void test_puts_forwarded_addresses_first(void)
{
  static const int fields[] = {GREEN_LOG_CLIENT_IP, 0};
  fake f;
  green_log *l = log_of(fields);
  l->forwarded = true;
  fake_request(&f, "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: a\r\n"
                   "x-forwarded-for: b\r\n\r\n");
  green_log_put(l, &f.c.pub);
  is_str(take(l), "a,b,192.0.2.10\n", "all that were named");
  green_log_free(l);
}

static void test_drops_lines_beyond_its_limit(void)
{
  green_log *l = green_log_new(hub);
  l->limit = 10;
  is(green_log_line(l, "1234", 4), 5, "one line");
  is(green_log_line(l, "1234", 4), 10, "two lines");
  is(green_log_line(l, "1", 1), 10, "a third does not fit");
  is(l->dropped, 1, "it is counted");
  is(l->lines, 3, "as are all");
  green_log_drop(l, 5);
  is_str(take(l), "1234\n", "the second line is left");
  green_log_free(l);
}

static void test_survives_failing_memory(void)
{
  static const int fields[] = {GREEN_LOG_REQUEST_LINE, GREEN_LOG_CLIENT_IP, 0};
  fake f;
  fake_request(&f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  for (int n = 1; n < 12; n++) {
    green__alloc_fail_from(n);
    green_log *l = log_of(fields);
    if (l) green_log_put(l, &f.c.pub);
    green__alloc_fail_from(0);
    if (l) green_log_put(l, &f.c.pub);
    green_log_free(l);
  }
  ok(1, "nothing is lost or used twice");
}

/* A line that does not fit has many parts, and no room for any of them. */
static void test_survives_it_in_a_long_line(void)
{
  static const int fields[] = {GREEN_LOG_CLIENT_IP, 0};
  static char head[8000] = "GET / HTTP/1.1\r\nHost: a\r\n", fill[4000];
  fake f;
  for (int i = 0; i < 98; i++) strcat(head, "X-Forwarded-For: a\r\n");
  strcat(head, "\r\n");
  memset(fill, 'x', sizeof(fill));
  for (size_t n = 0; n < 100; n++) {
    green_log *l = log_of(fields);
    l->forwarded = true;
    fake_request(&f, head);
    green_log_line(l, fill, sizeof(fill) - n);
    green__alloc_fail_from(1);
    green_log_put(l, &f.c.pub);
    green__alloc_fail_from(0);
    if (!l->dropped) ok(0, "it did fit");
    green_log_free(l);
  }
  ok(1, "it is lost as a whole");
}

/* -- The end, and children ------------------------------------------------ */

static void test_deinit(void)
{
  static const int fields[] = {GREEN_LOG_METHOD, 0};
  fake f;
  const char *p;
  green_log *l = calloc(1, green_log_size());
  green_log_init(l, hub);
  fake_request(&f, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  green_log_field(l, fields[0], "", 0, 0);
  green_log_put(l, &f.c.pub);
  is_str(take(l), "GET\n", "a log in memory of one's own");
  green_log_put(l, &f.c.pub);
  green_log_deinit(l);
  green_log_deinit(l);
  is(l->waiting, 0, "its end forgets the lines");
  is(green_log_put(l, &f.c.pub), 0, "a late one");
  is(green_log_line(l, "x", 1), 0, "of any kind");
  is(l->lines, 4, "is counted");
  is(l->dropped, 2, "as dropped");
  is(green_log_peek(l, &p), 0, "nothing waits");
  green_log_drop(l, 9);
  is(l->waiting, 0, "nor is there anything to drop");
  is(green_log_field(l, GREEN_LOG_TEXT, "x", 1, 0), GREEN_ECLOSED,
     "nothing is kept for its template, which nobody would free");
  free(l);
}

static void log_in_a_child(void *arg)
{
  green_log *l = arg;
  green_hub_check_fork(hub);
  must(green_log_line(l, "child", 5) == 6);
  must(l->waiting == 6);
  must(!strcmp(take(l), "child\n"));
  green_log_line(l, "more", 4);
  must(!strcmp(take(l), "more\n"));
}

static void look_in_a_child(void *arg)
{
  const char *p;
  green_log *l = arg;
  green_hub_turn(hub, 0);
  must(l->waiting == 0);
  must(green_log_peek(l, &p) == 0);
  green_log_drop(l, 3);
  must(l->waiting == 0);
}

static void test_in_a_child(void)
{
  green_log *l = green_log_new(hub);
  green_log_line(l, "parent", 6);
  is(in_child(log_in_a_child, l), 0, "a child's log begins empty");
  is(in_child(look_in_a_child, l), 0, "to who looks, too");
  is_str(take(l), "parent\n", "the parent's lines are the parent's");
  green_log_free(l);
}

int main(void)
{
  t_start();
  ok(green_hub_new(&hub, NULL) == 0, "a hub");
  green_hub_set_virtual(hub, 1);
  test_fills_fields();
  test_keeps_what_was_parsed();
  test_escapes_what_clients_send();
  test_escapes_any_byte_anywhere();
  test_shows_what_is_missing();
  test_puts_forwarded_addresses_first();
  test_drops_lines_beyond_its_limit();
  test_survives_failing_memory();
  test_survives_it_in_a_long_line();
  test_deinit();
  test_in_a_child();
  green_hub_free(hub);
  return t_done();
}
