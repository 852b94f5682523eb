/*
** sock_opt_test.c: socket options by name.
*/

#include "io/sock_kit.h"

#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

static green_sock *opened(int family, int type)
{
  green_sock *s = green_sock_new(hub);
  green_sock_open(s, family, type);
  return s;
}

static void test_every_name_is_found(void)
{
  int n = 0, good = 0, distinct = 1;
  const char *name;
  for (; (name = green_sock_optname(n)) != NULL; n++) {
    int kind = green_sock_optkind(name);
    good += kind >= GREEN_OPT_INT && kind <= GREEN_OPT_IFACE;
    for (int i = 0; i < n; i++)
      if (strcmp(green_sock_optname(i), name) == 0) distinct = 0;
  }
  ok(n > 90, "a hundred options or so");
  is(good, n, "each with a kind");
  ok(distinct, "no name twice");
  ok(!green_sock_optname(-1) && !green_sock_optname(n + 5), "no others");
}

static void test_unknown_names(void)
{
  double v;
  char text[8];
  green_sock *s = opened(GREEN_INET, GREEN_STREAM);
  is(green_sock_optkind("SO_REUSEADR"), GREEN_ENOPROTOOPT, "its kind");
  is(green_sock_setnum(s, "", 1), GREEN_ENOPROTOOPT, "to set");
  is(green_sock_setstr(s, "x", "y", 1), GREEN_ENOPROTOOPT, "to set as text");
  is(green_sock_getnum(s, "so_type", &v), GREEN_ENOPROTOOPT, "to get");
  is(green_sock_getstr(s, "x", text, 8), GREEN_ENOPROTOOPT, "to get as text");
  green_sock_free(s);
}

/* Nothing but these can be said of an option that we know. */
static int is_plain_answer(int err)
{
  return err >= 0 || err == GREEN_ENOPROTOOPT || err == GREEN_EOPNOTSUPP ||
         err == GREEN_ENOTCONN || err == GREEN_EPERM;
}

static int count_odd_answers(green_sock *s)
{
  const char *name;
  int odd = 0;
  for (int i = 0; (name = green_sock_optname(i)) != NULL; i++) {
    double v;
    char text[256];
    int kind = green_sock_optkind(name), err = 0;
    if (kind < GREEN_OPT_STRING) err = green_sock_getnum(s, name, &v);
    if (kind == GREEN_OPT_STRING || kind == GREEN_OPT_IFACE)
      err = green_sock_getstr(s, name, text, sizeof(text));
    if (is_plain_answer(err)) continue;
    printf("# %s: %d\n", name, err);
    odd++;
  }
  return odd;
}

static void test_all_can_be_asked_for(void)
{
  green_sock *a, *b;
  green_sock *udp = opened(GREEN_INET, GREEN_DGRAM);
  tcp_pair(&a, &b);
  is(count_odd_answers(a), 0, "of a TCP socket");
  is(count_odd_answers(udp), 0, "of a UDP socket");
  free_both(a, b);
  unix_pair(&a, &b, GREEN_STREAM);
  is(count_odd_answers(a), 0, "of a UNIX socket");
  free_both(a, b);
  green_sock_free(udp);
}

static double getnum(green_sock *s, const char *name)
{
  double v = -99;
  int err = green_sock_getnum(s, name, &v);
  return err < 0 ? err : v;
}

static void test_numbers(void)
{
  green_sock *s = opened(GREEN_INET, GREEN_STREAM);
  is(green_sock_setnum(s, "TCP_KEEPIDLE", 77), 0, "an int is set");
  is(getnum(s, "TCP_KEEPIDLE"), 77, "and got");
  is(green_sock_setnum(s, "SO_KEEPALIVE", 1), 0, "a bool is set");
  is(getnum(s, "SO_KEEPALIVE"), 1, "and got");
  is(green_sock_setnum(s, "SO_KEEPALIVE", 2), GREEN_EINVAL, "2 is no bool");
  is(green_sock_setnum(s, "TCP_KEEPIDLE", 1.5), GREEN_EINVAL, "1.5 is no int");
  is(green_sock_setnum(s, "TCP_KEEPIDLE", NAN), GREEN_EINVAL, "nor is NaN");
  is(green_sock_setnum(s, "TCP_KEEPIDLE", 1e10), GREEN_EINVAL, "nor 1e10");
  is(green_sock_setstr(s, "SO_KEEPALIVE", "1", 1), GREEN_EINVAL, "nor text");
  is(getnum(s, "SO_TYPE"), GREEN_STREAM, "one that cannot be set");
  is(green_sock_setnum(s, "SO_TYPE", 1), GREEN_ENOPROTOOPT, "says so");
  is(getnum(s, "SO_PROTOCOL"), IPPROTO_TCP, "the protocol");
  is(getnum(s, "TCP_CONGESTION"), GREEN_EINVAL, "text is no number");
  green_sock_free(s);
}

static void test_linger(void)
{
  green_sock *s = opened(GREEN_INET, GREEN_STREAM);
  is(getnum(s, "SO_LINGER"), -1, "off");
  is(green_sock_setnum(s, "SO_LINGER", 0), 0, "0 resets at close");
  is(getnum(s, "SO_LINGER"), 0, "it is on");
  is(green_sock_setnum(s, "SO_LINGER", 2.1), 0, "fractions");
  is(getnum(s, "SO_LINGER"), 3, "are rounded up");
  is(green_sock_setnum(s, "SO_LINGER", -1), 0, "negative");
  is(getnum(s, "SO_LINGER"), -1, "is off again");
  is(green_sock_setnum(s, "SO_LINGER", NAN), GREEN_EINVAL, "not NaN");
  is(green_sock_setnum(s, "SO_LINGER", INFINITY), GREEN_EINVAL, "not for ever");
  green_sock_free(s);
}

static void test_times(void)
{
  green_sock *s = opened(GREEN_INET, GREEN_STREAM);
  is(getnum(s, "SO_RCVTIMEO"), 0, "none");
  is(green_sock_setnum(s, "SO_RCVTIMEO", 1.5), 0, "with a fraction");
  ok(fabs(getnum(s, "SO_RCVTIMEO") - 1.5) < 0.011, "comes back");
  is(green_sock_setnum(s, "SO_RCVTIMEO", -1), GREEN_EINVAL, "negative");
  is(green_sock_setnum(s, "SO_RCVTIMEO", 1e12), GREEN_EINVAL, "too long");
  green_sock_free(s);
}

static void test_text(void)
{
  char text[16];
  green_sock *s = opened(GREEN_INET, GREEN_STREAM);
  int n = green_sock_getstr(s, "TCP_CONGESTION", text, sizeof(text));
  ok(n > 0 && n < 16, "a name comes without its NULs");
  is(green_sock_setstr(s, "TCP_CONGESTION", text, (size_t)n), 0, "goes in");
  is(green_sock_setstr(s, "TCP_CONGESTION", "nonesuch", 8), GREEN_ENOENT,
     "one that there is not");
  is(green_sock_setnum(s, "TCP_CONGESTION", 1), GREEN_EINVAL, "no number");
  is(green_sock_getstr(s, "SO_TYPE", text, 16), GREEN_EINVAL, "no text");
  green_sock_free(s);
}

static void test_multicast(void)
{
  char text[32];
  green_sock *s = opened(GREEN_INET, GREEN_DGRAM);
  const char *join = "IP_ADD_MEMBERSHIP", *leave = "IP_DROP_MEMBERSHIP";
  is(green_sock_setstr(s, join, "239.1.2.3%lo", 12), 0, "joined by name");
  is(green_sock_setstr(s, join, "239.1.2.3%lo", 12), GREEN_EADDRINUSE, "once");
  is(green_sock_setstr(s, leave, "239.1.2.3%1", 11), 0, "left by number");
  is(green_sock_setstr(s, join, "239.1.2.3%127.0.0.1", 19), 0, "by address");
  is(green_sock_setstr(s, join, "239.1.2.3%nope", 14), GREEN_ENODEV, "unknown");
  is(green_sock_setstr(s, join, "239.1.2.3%", 10), GREEN_EINVAL, "empty");
  is(green_sock_setstr(s, join, "ff02::1", 7), GREEN_EINVAL, "IPv6");
  is(green_sock_setstr(s, join, "group", 5), GREEN_EINVAL, "a name");
  is(green_sock_getstr(s, join, text, 32), GREEN_EINVAL, "cannot be asked for");
  is(green_sock_setstr(s, "IP_MULTICAST_IF", "127.0.0.1", 9), 0, "interface");
  is(green_sock_getstr(s, "IP_MULTICAST_IF", text, 32), 9, "and back");
  ok(memcmp(text, "127.0.0.1", 9) == 0, "as an address");
  is(green_sock_getstr(s, "IP_MULTICAST_IF", text, 8), GREEN_EOVERFLOW, "room");
  is(green_sock_setstr(s, "IP_UNICAST_IF", "1", 1), 0, "by number");
  is(green_sock_getstr(s, "IP_UNICAST_IF", text, 32), 1, "and back");
  ok(text[0] == '1', "as a number");
  green_sock_free(s);
}

static void test_multicast6(void)
{
  green_sock *s = green_sock_new(hub);
  char text[32];
  if (green_sock_open(s, GREEN_INET6, GREEN_DGRAM) < 0) {
    t_skip("IPv6 multicast", "no IPv6");
    green_sock_free(s);
    return;
  }
  const char *join = "IPV6_JOIN_GROUP";
  is(green_sock_setstr(s, join, "ff02::123%1", 11), 0, "joined by number");
  is(green_sock_setstr(s, "IPV6_LEAVE_GROUP", "ff02::123%lo", 12), 0, "left");
  is(green_sock_setstr(s, join, "239.1.2.3", 9), GREEN_EINVAL, "IPv4");
  is(green_sock_setstr(s, join, "ff02::1%x\0y", 11), GREEN_EINVAL, "a NUL");
  is(green_sock_setstr(s, "IPV6_MULTICAST_IF", "lo", 2), 0, "interface");
  is(green_sock_getstr(s, "IPV6_MULTICAST_IF", text, 32), 1, "and back");
  ok(text[0] == '1', "as a number");
  green_sock_free(s);
}

static void test_raw(void)
{
  int on = 1, got = 0;
  struct tcp_info info;
  green_sock *s = opened(GREEN_INET, GREEN_STREAM);
  is(green_sock_setraw(s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0, "set");
  is(green_sock_getraw(s, SOL_SOCKET, SO_KEEPALIVE, &got, sizeof(got)), 4,
     "the length");
  is(got, 1, "and the value");
  ok(green_sock_getraw(s, IPPROTO_TCP, TCP_INFO, &info, sizeof(info)) > 0,
     "structures");
  is(green_sock_setraw(s, 12345, 1, &on, sizeof(on)), GREEN_ENOPROTOOPT,
     "what the system does not know");
  green_sock_free(s);
}

/* What a user says of SO_REUSEADDR before bind stands. */
static void test_reuse_address(void)
{
  green_addr any = address("127.0.0.1:0");
  green_sock *a = opened(GREEN_INET, GREEN_STREAM);
  green_sock *b = opened(GREEN_INET, GREEN_STREAM);
  green_sock *u = opened(GREEN_INET, GREEN_DGRAM);
  is(getnum(a, "SO_REUSEADDR"), 0, "not before bind");
  green_sock_bind(a, &any);
  is(getnum(a, "SO_REUSEADDR"), 1, "bind sets it for TCP");
  is(getnum(a, "SO_REUSEPORT"), 0, "but never SO_REUSEPORT");
  green_sock_setnum(b, "SO_REUSEADDR", 0);
  green_sock_bind(b, &any);
  is(getnum(b, "SO_REUSEADDR"), 0, "unless it was switched off");
  green_sock_bind(u, &any);
  is(getnum(u, "SO_REUSEADDR"), 0, "and not for UDP");
  free_both(a, b);
  green_sock_free(u);
}

static void test_no_delay(void)
{
  green_sock *a, *b;
  tcp_pair(&a, &b);
  is(getnum(a, "TCP_NODELAY"), 1, "on what connects");
  is(getnum(b, "TCP_NODELAY"), 1, "on what is accepted");
  green_sock_setnum(a, "TCP_NODELAY", 0);
  is(getnum(a, "TCP_NODELAY"), 0, "until it is switched off");
  int fd = green_sock_detach(a);
  is(green_sock_adopt(a, fd), 0, "taken over");
  is(getnum(a, "TCP_NODELAY"), 1, "on again");
  free_both(a, b);
}

static void test_closed(void)
{
  double v;
  char text[8];
  green_sock *s = green_sock_new(hub);
  is(green_sock_setnum(s, "SO_KEEPALIVE", 1), GREEN_ECLOSED, "setnum");
  is(green_sock_getnum(s, "SO_KEEPALIVE", &v), GREEN_ECLOSED, "getnum");
  is(green_sock_setstr(s, "TCP_ULP", "x", 1), GREEN_ECLOSED, "setstr");
  is(green_sock_getstr(s, "TCP_ULP", text, 8), GREEN_ECLOSED, "getstr");
  is(green_sock_setraw(s, 1, 1, text, 4), GREEN_ECLOSED, "setraw");
  is(green_sock_getraw(s, 1, 1, text, 4), GREEN_ECLOSED, "getraw");
  green_sock_free(s);
}

int main(void)
{
  t_start();
  green_hub_new(&hub, NULL);
  test_every_name_is_found();
  test_unknown_names();
  test_all_can_be_asked_for();
  test_numbers();
  test_linger();
  test_times();
  test_text();
  test_multicast();
  test_multicast6();
  test_raw();
  test_reuse_address();
  test_no_delay();
  test_closed();
  green_hub_free(hub);
  return t_done();
}
