/*
** http_hop_test.c: what a proxy hands on of a head.
*/

#include "proto/http_hop.h"
#include "proto/http_response.h"
#include "t.h"

/* The names of the fields that pass, each with a blank behind it. */
static const char *passes(const char *fields)
{
  static char in[1024], out[1024];
  static green_http_response r;
  snprintf(in, sizeof(in), "HTTP/1.1 200 OK\r\n%s\r\n", fields);
  green_http_response_init(&r);
  if (green_http_response_parse(&r, in, strlen(in), 0) <= 0) return "refused";
  out[0] = '\0';
  for (uint32_t i = 0; i < r.fields.n; i++) {
    const green_http_field *f = &r.fields.list[i];
    if (!green_http_hop_passes(&r.fields, in, i)) continue;
    strncat(out, in + f->name_off, f->name_len);
    strcat(out, " ");
  }
  return out;
}

static void test_own(void)
{
  is_str(passes("A: 1\r\nKeep-Alive: timeout=5\r\nTrailer: X\r\nB: 2\r\n"),
         "A B ", "what is a hop's own does not pass");
  is_str(passes("Transfer-Encoding: chunked\r\nA: 1\r\n"), "A ",
         "nor a coding");
  is_str(passes("upgrade: x\r\nte: trailers\r\nExpect: y\r\nA: 1\r\n"), "A ",
         "whatever the case");
  is_str(
      passes("Proxy-Authorization: x\r\nproxy-Connection: y\r\nProxy: z\r\n"),
      "Proxy ", "nor what begins with Proxy-");
}

static void test_named(void)
{
  is_str(passes("X-A: 1\r\nConnection: close, x-a\r\nX-AB: 2\r\n"), "X-AB ",
         "nor what Connection names");
  is_str(passes("X-A: 1\r\nConnection: x\r\nB: 2\r\nConnection: ,x-a ,b\r\n"),
         "", "in any of its fields");
  is_str(passes("Connection: Content-Length, Host, Date\r\nHost: a\r\n"
                "Content-Length: 1\r\nDate: b\r\n"),
         "Host Content-Length ", "but for what a message cannot do without");
}

int main(void)
{
  t_start();
  test_own();
  test_named();
  return t_done();
}
