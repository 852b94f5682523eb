/*
** order_test.c: which address comes first, by sources that the test decides.
*/

/* wrap: socket connect getsockname close */

#include "io/order.h"
#include "t.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* -- A network of our own ------------------------------------------------- */

/* "to from", to a destination as it is printed; others are not reached. */
static const char *const (*routes)[2];
static char asked_for[GREEN_ADDR_TEXT];
static int asks;
static int no_descriptors;

int __wrap_socket(int f, int t, int p);
int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n);
int __wrap_getsockname(int fd, struct sockaddr *a, socklen_t *n);
int __wrap_close(int fd);

int __wrap_socket(int f, int t, int p)
{
  (void)f, (void)t, (void)p;
  asks++;
  errno = EMFILE;
  return no_descriptors ? -1 : 99;
}

static const char *source_of(const char *to)
{
  for (int i = 0; routes && routes[i][0]; i++)
    if (!strcmp(routes[i][0], to)) return routes[i][1];
  return NULL;
}

int __wrap_connect(int fd, const struct sockaddr *a, socklen_t n)
{
  green_addr to;
  (void)fd;
  green_addr_set(&to, a, n);
  green_addr_host(&to, asked_for, sizeof(asked_for));
  if (source_of(asked_for)) return 0;
  errno = ENETUNREACH;
  return -1;
}

int __wrap_getsockname(int fd, struct sockaddr *a, socklen_t *n)
{
  green_addr from;
  const char *source = source_of(asked_for);
  (void)fd;
  green_addr_ip(&from, source, strlen(source), 1);
  memcpy(a, green_addr_get(&from), from.len);
  *n = from.len;
  return 0;
}

int __wrap_close(int fd)
{
  (void)fd;
  return 0;
}

/* -- Orders --------------------------------------------------------------- */

/* The hosts in order, with a blank between them. */
static const char *sorted(const char *const (*r)[2], const char *const *hosts)
{
  static char text[2000];
  green_order order = {0};
  green_addr list[16];
  int n = 0;
  for (; hosts[n]; n++) green_addr_ip(&list[n], hosts[n], strlen(hosts[n]), 80);
  routes = r;
  green_order_sort(&order, list, n, 1);
  text[0] = '\0';
  for (int i = 0; i < n; i++) {
    char host[GREEN_ADDR_TEXT];
    green_addr_host(&list[i], host, sizeof(host));
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
             i ? " " : "", host);
  }
  return text;
}

#define ROUTES(...) ((const char *const[][2]){__VA_ARGS__, {NULL, NULL}})
#define HOSTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The examples of RFC 6724, 10.2, and what its rules say. */
static void test_rules(void)
{
  is_str(sorted(ROUTES({"2001:db8:1::1", "2001:db8:2::2"},
                       {"198.51.100.121", "198.51.100.117"}),
                HOSTS("198.51.100.121", "2001:db8:1::1")),
         "2001:db8:1::1 198.51.100.121", "IPv6 has precedence");
  is_str(sorted(ROUTES({"198.51.100.121", "198.51.100.117"}),
                HOSTS("2001:db8:1::1", "198.51.100.121")),
         "198.51.100.121 2001:db8:1::1", "but not where it leads nowhere");
  is_str(sorted(ROUTES({"2001:db8:1::1", "fe80::1"},
                       {"198.51.100.121", "198.51.100.117"}),
                HOSTS("2001:db8:1::1", "198.51.100.121")),
         "198.51.100.121 2001:db8:1::1", "nor from a link-local address");
  is_str(sorted(ROUTES({"2002:c633:6401::1", "2002:c633:6401::2"},
                       {"2001:db8:1::1", "2002:c633:6401::2"}),
                HOSTS("2001:db8:1::1", "2002:c633:6401::1")),
         "2002:c633:6401::1 2001:db8:1::1", "labels that fit");
  is_str(sorted(ROUTES({"2002:c633:6401::1", "2002:c633:6401::2"},
                       {"2001:db8:1::1", "2001:db8:1::2"}),
                HOSTS("2002:c633:6401::1", "2001:db8:1::1")),
         "2001:db8:1::1 2002:c633:6401::1", "then precedence");
  is_str(
      sorted(ROUTES({"2001:db8:1::1", "2001:db8:1::2"}, {"fe80::5", "fe80::2"}),
             HOSTS("2001:db8:1::1", "fe80::5")),
      "fe80::5 2001:db8:1::1", "then the smaller scope");
  is_str(sorted(ROUTES({"2001:db8:1::1", "2001:db8:1::2"},
                       {"2001:db8:3ffe::1", "2001:db8:3f44::2"}),
                HOSTS("2001:db8:3ffe::1", "2001:db8:1::1")),
         "2001:db8:1::1 2001:db8:3ffe::1", "then the longest prefix");
  is_str(sorted(ROUTES({"fd11::5", "fd11::1"}, {"192.0.2.9", "192.0.2.1"}),
                HOSTS("fd11::5", "192.0.2.9")),
         "192.0.2.9 fd11::5", "unique local addresses come late");
  is_str(sorted(ROUTES({"127.0.0.1", "127.0.0.1"}, {"::1", "::1"}),
                HOSTS("127.0.0.1", "::1")),
         "::1 127.0.0.1", "the loopbacks");
}

static void test_ties(void)
{
  is_str(
      sorted(ROUTES({"192.0.2.9", "192.0.2.1"}, {"198.51.100.1", "192.0.2.1"},
                    {"192.0.2.3", "192.0.2.1"}),
             HOSTS("198.51.100.1", "192.0.2.9", "192.0.2.3")),
      "198.51.100.1 192.0.2.9 192.0.2.3",
      "IPv4 stays as the server has put it");
  is_str(sorted(NULL, HOSTS("192.0.2.9", "192.0.2.8", "192.0.2.7")),
         "192.0.2.9 192.0.2.8 192.0.2.7", "also where none is reached");
}

static void test_what_is_known_of_networks(void)
{
  green_order order = {0};
  green_addr list[3];
  routes = ROUTES({"192.0.2.9", "192.0.2.1"}, {"192.0.3.9", "192.0.2.1"});
  green_addr_ip(&list[0], "192.0.2.9", 9, 80);
  asks = 0;
  green_order_sort(&order, list, 1, 1);
  is(asks, 0, "one address asks nobody");
  green_addr_ip(&list[1], "192.0.2.8", 9, 80);
  green_addr_ip(&list[2], "192.0.3.9", 9, 80);
  green_order_sort(&order, list, 3, 1);
  is(asks, 2, "a network is asked for once");
  green_order_sort(&order, list, 3, 9 * INT64_C(1000000000));
  is(asks, 2, "in ten seconds");
  green_order_sort(&order, list, 3, 11 * INT64_C(1000000000));
  is(asks, 4, "then again");
}

static void test_reach(void)
{
  green_order order = {0};
  routes = ROUTES({"198.51.100.1", "192.0.2.1"}, {"2001:db8::1", "::1"});
  ok(green_order_reaches(&order, GREEN_INET, 1), "by IPv4");
  ok(!green_order_reaches(&order, GREEN_INET6, 1), "the loopback is no reach");
  memset(&order, 0, sizeof(order));
  routes = NULL;
  ok(!green_order_reaches(&order, GREEN_INET, 1), "not without a route");
}

/* -- No descriptors ------------------------------------------------------- */

static void test_no_descriptors(void)
{
  static const char *const both[][2] = {{"198.51.100.1", "192.0.2.1"},
                                        {"198.51.100.7", "192.0.2.1"},
                                        {"2001:db8::7", "2001:db8::1"},
                                        {NULL, NULL}};
  green_order o = {0};
  green_addr list[2];
  routes = both;
  no_descriptors = 1;
  ok(green_order_reaches(&o, GREEN_INET, 1), "it is held to reach others");
  green_addr_ip(&list[0], "198.51.100.7", 12, 80);
  green_addr_ip(&list[1], "2001:db8::7", 11, 80);
  green_order_sort(&o, list, 2, 1);
  is(green_addr_family(&list[0]), GREEN_INET6, "by the rest of the rules");
  no_descriptors = 0;
  asks = 0;
  green_order_sort(&o, list, 2, 1);
  is(asks, 2, "then it is looked at anew");
  ok(green_order_reaches(&o, GREEN_INET6, 1), "and known");
  is(asks, 2, "again");
}

int main(void)
{
  t_start();
  test_rules();
  test_ties();
  test_what_is_known_of_networks();
  test_reach();
  test_no_descriptors();
  return t_done();
}
