/*
** sock_opt.c: socket options by name: one table, one conversion a kind.
*/

#include "io/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

/* -- The table ------------------------------------------------------------ */

typedef struct opt {
  const char *name;
  int level;
  int option;
  int kind;
} opt;

#define SO(name, kind) \
  { \
#name, SOL_SOCKET, name, GREEN_OPT_##kind \
  }
#define TCP(name, kind) \
  { \
#name, IPPROTO_TCP, name, GREEN_OPT_##kind \
  }
#define UDP(name, kind) \
  { \
#name, IPPROTO_UDP, name, GREEN_OPT_##kind \
  }
#define IP(name, kind) \
  { \
#name, IPPROTO_IP, name, GREEN_OPT_##kind \
  }
#define IPV6(name, kind) \
  { \
#name, IPPROTO_IPV6, name, GREEN_OPT_##kind \
  }

/* Filters, keys and structures are for green_sock_setraw. */
static const opt opt_table[] = {
    SO(SO_ACCEPTCONN, BOOL),
    SO(SO_BINDTODEVICE, STRING),
#ifdef SO_BINDTOIFINDEX
    SO(SO_BINDTOIFINDEX, INT),
#endif
    SO(SO_BROADCAST, BOOL),
    SO(SO_BUSY_POLL, INT),
    SO(SO_DEBUG, BOOL),
    SO(SO_DOMAIN, INT),
    SO(SO_DONTROUTE, BOOL),
    SO(SO_ERROR, INT),
    SO(SO_INCOMING_CPU, INT),
    SO(SO_KEEPALIVE, BOOL),
    SO(SO_LINGER, LINGER),
    SO(SO_MARK, INT),
    SO(SO_MAX_PACING_RATE, INT),
    SO(SO_NO_CHECK, BOOL),
    SO(SO_OOBINLINE, BOOL),
    SO(SO_PASSCRED, BOOL),
    SO(SO_PASSSEC, BOOL),
    SO(SO_PEEK_OFF, INT),
    SO(SO_PEERSEC, STRING),
#ifdef SO_PREFER_BUSY_POLL
    SO(SO_PREFER_BUSY_POLL, BOOL),
#endif
    SO(SO_PRIORITY, INT),
    SO(SO_PROTOCOL, INT),
    SO(SO_RCVBUF, INT),
    SO(SO_RCVBUFFORCE, INT),
    SO(SO_RCVLOWAT, INT),
    SO(SO_RCVTIMEO, TIME),
    SO(SO_REUSEADDR, BOOL),
    SO(SO_REUSEPORT, BOOL),
    SO(SO_RXQ_OVFL, BOOL),
    SO(SO_SNDBUF, INT),
    SO(SO_SNDBUFFORCE, INT),
    SO(SO_SNDLOWAT, INT),
    SO(SO_SNDTIMEO, TIME),
    SO(SO_TIMESTAMP, BOOL),
    SO(SO_TIMESTAMPNS, BOOL),
    SO(SO_TYPE, INT),
#ifdef SO_ZEROCOPY
    SO(SO_ZEROCOPY, BOOL),
#endif
    TCP(TCP_CONGESTION, STRING),
    TCP(TCP_CORK, BOOL),
    TCP(TCP_DEFER_ACCEPT, INT),
    TCP(TCP_FASTOPEN, INT),
    TCP(TCP_FASTOPEN_CONNECT, BOOL),
    TCP(TCP_FASTOPEN_NO_COOKIE, BOOL),
    TCP(TCP_INQ, BOOL),
    TCP(TCP_KEEPCNT, INT),
    TCP(TCP_KEEPIDLE, INT),
    TCP(TCP_KEEPINTVL, INT),
    TCP(TCP_LINGER2, INT),
    TCP(TCP_MAXSEG, INT),
    TCP(TCP_NODELAY, BOOL),
    TCP(TCP_NOTSENT_LOWAT, INT),
    TCP(TCP_QUICKACK, BOOL),
    TCP(TCP_SAVE_SYN, INT),
    TCP(TCP_SYNCNT, INT),
    TCP(TCP_THIN_LINEAR_TIMEOUTS, BOOL),
    TCP(TCP_TIMESTAMP, INT),
    TCP(TCP_TX_DELAY, INT),
    TCP(TCP_ULP, STRING),
    TCP(TCP_USER_TIMEOUT, INT),
    TCP(TCP_WINDOW_CLAMP, INT),
    UDP(UDP_CORK, BOOL),
#ifdef UDP_GRO
    UDP(UDP_GRO, BOOL),
    UDP(UDP_SEGMENT, INT),
#endif
    IP(IP_ADD_MEMBERSHIP, MREQ),
    IP(IP_BIND_ADDRESS_NO_PORT, BOOL),
    IP(IP_DROP_MEMBERSHIP, MREQ),
    IP(IP_FREEBIND, BOOL),
    IP(IP_HDRINCL, BOOL),
    IP(IP_MINTTL, INT),
    IP(IP_MTU, INT),
    IP(IP_MTU_DISCOVER, INT),
    IP(IP_MULTICAST_ALL, BOOL),
    IP(IP_MULTICAST_IF, IFACE),
    IP(IP_MULTICAST_LOOP, BOOL),
    IP(IP_MULTICAST_TTL, INT),
    IP(IP_NODEFRAG, BOOL),
    IP(IP_PKTINFO, BOOL),
    IP(IP_RECVERR, BOOL),
    IP(IP_RECVOPTS, BOOL),
    IP(IP_RECVORIGDSTADDR, BOOL),
    IP(IP_RECVTOS, BOOL),
    IP(IP_RECVTTL, BOOL),
    IP(IP_TOS, INT),
    IP(IP_TRANSPARENT, BOOL),
    IP(IP_TTL, INT),
    IP(IP_UNICAST_IF, IFACE),
    IPV6(IPV6_ADDR_PREFERENCES, INT),
    IPV6(IPV6_AUTOFLOWLABEL, BOOL),
    IPV6(IPV6_DONTFRAG, BOOL),
    IPV6(IPV6_FREEBIND, BOOL),
    IPV6(IPV6_JOIN_GROUP, MREQ),
    IPV6(IPV6_LEAVE_GROUP, MREQ),
    IPV6(IPV6_MINHOPCOUNT, INT),
    IPV6(IPV6_MTU, INT),
    IPV6(IPV6_MTU_DISCOVER, INT),
    IPV6(IPV6_MULTICAST_ALL, BOOL),
    IPV6(IPV6_MULTICAST_HOPS, INT),
    IPV6(IPV6_MULTICAST_IF, IFACE),
    IPV6(IPV6_MULTICAST_LOOP, BOOL),
    IPV6(IPV6_RECVERR, BOOL),
    IPV6(IPV6_RECVHOPLIMIT, BOOL),
    IPV6(IPV6_RECVORIGDSTADDR, BOOL),
    IPV6(IPV6_RECVPKTINFO, BOOL),
    IPV6(IPV6_RECVTCLASS, BOOL),
    IPV6(IPV6_TCLASS, INT),
    IPV6(IPV6_TRANSPARENT, BOOL),
    IPV6(IPV6_UNICAST_HOPS, INT),
    IPV6(IPV6_UNICAST_IF, IFACE),
    IPV6(IPV6_V6ONLY, BOOL),
};

#define N_OPTS ((int)(sizeof(opt_table) / sizeof(opt_table[0])))

static const opt *opt_find(const char *name)
{
  for (int i = 0; i < N_OPTS; i++)
    if (strcmp(opt_table[i].name, name) == 0) return &opt_table[i];
  return NULL;
}

/* A value in the system's shape, and its size. */
typedef struct optval {
  union {
    int number;
    struct linger linger;
    struct timeval time;
    struct ip_mreqn mreq;
    struct ipv6_mreq mreq6;
    struct in_addr addr;
  } u;
  socklen_t len;
} optval;

/* -- Numbers -------------------------------------------------------------- */

/* For values that fit; there is no libm here. */
static int64_t round_up(double value)
{
  int64_t whole = (int64_t)value;
  return whole + ((double)whole < value);
}

/* A whole number that fits an int, signed or not. */
static int number_put(optval *v, double value, double least, double most)
{
  if (!(value >= least && value <= most)) return GREEN_EINVAL;
  if (value != (double)(int64_t)value) return GREEN_EINVAL;
  v->u.number = (int)(uint32_t)(int64_t)value;
  v->len = sizeof(v->u.number);
  return 0;
}

static int linger_put(optval *v, double seconds)
{
  if (!(seconds <= INT32_MAX)) return GREEN_EINVAL;
  v->u.linger.l_onoff = seconds >= 0;
  v->u.linger.l_linger = seconds >= 0 ? (int)round_up(seconds) : 0;
  v->len = sizeof(v->u.linger);
  return 0;
}

static int time_put(optval *v, double seconds)
{
  if (!(seconds >= 0 && seconds <= INT32_MAX)) return GREEN_EINVAL;
  int64_t us = round_up(seconds * 1e6);
  v->u.time.tv_sec = us / 1000000;
  v->u.time.tv_usec = us % 1000000;
  v->len = sizeof(v->u.time);
  return 0;
}

static int optval_put_number(optval *v, int kind, double value)
{
  switch (kind) {
  case GREEN_OPT_INT:
    return number_put(v, value, INT32_MIN, UINT32_MAX);
  case GREEN_OPT_BOOL:
    return number_put(v, value, 0, 1);
  case GREEN_OPT_LINGER:
    return linger_put(v, value);
  case GREEN_OPT_TIME:
    return time_put(v, value);
  default:
    return GREEN_EINVAL;
  }
}

static double optval_number(const optval *v, int kind)
{
  switch (kind) {
  case GREEN_OPT_LINGER:
    return v->u.linger.l_onoff ? v->u.linger.l_linger : -1;
  case GREEN_OPT_TIME:
    return (double)v->u.time.tv_sec + (double)v->u.time.tv_usec * 1e-6;
  case GREEN_OPT_BOOL:
    return v->u.number != 0;
  default:
    return v->u.number;
  }
}

/* -- Interfaces and groups ------------------------------------------------ */

/* The bytes of an IPv4 or IPv6 address; 0 or an error. */
static int ip_put(void *to, const char *text, size_t n, int family)
{
  green_addr a;
  int err = green_addr_ip(&a, text, n, 0);
  if (err < 0) return err == GREEN_EAI_NONAME ? GREEN_EINVAL : err;
  if (green_addr_family(&a) != family) return GREEN_EINVAL;
  const char *bytes;
  uint32_t size = green_addr_bytes(&a, &bytes);
  memcpy(to, bytes, size);
  return 0;
}

/* An interface's number out of its number or name; 0 stands for any. */
static int iface_index(const char *text, size_t n, int *index)
{
  char name[IF_NAMESIZE];
  int64_t number = 0;
  size_t digits = 0;
  if (n == 0 || n >= sizeof(name) || memchr(text, '\0', n)) return GREEN_EINVAL;
  memcpy(name, text, n);
  name[n] = '\0';
  while (name[digits] >= '0' && name[digits] <= '9' && digits < 9)
    number = 10 * number + (name[digits++] - '0');
  *index = digits == n ? (int)number : (int)if_nametoindex(name);
  return digits == n || *index ? 0 : GREEN_ENODEV;
}

/* For IPv4 an interface may also be named by an address of its. */
static int iface_put4(struct ip_mreqn *m, const char *text, size_t n)
{
  if (memchr(text, '.', n) && ip_put(&m->imr_address, text, n, AF_INET) == 0)
    return 0;
  return iface_index(text, n, &m->imr_ifindex);
}

static int mreq_put(optval *v, const char *group, size_t n, const char *iface,
                    size_t m)
{
  v->len = sizeof(v->u.mreq);
  int err = ip_put(&v->u.mreq.imr_multiaddr, group, n, AF_INET);
  return err < 0 || !iface ? err : iface_put4(&v->u.mreq, iface, m);
}

static int mreq6_put(optval *v, const char *group, size_t n, const char *iface,
                     size_t m)
{
  int index = 0;
  v->len = sizeof(v->u.mreq6);
  int err = ip_put(&v->u.mreq6.ipv6mr_multiaddr, group, n, AF_INET6);
  if (err == 0 && iface) err = iface_index(iface, m, &index);
  v->u.mreq6.ipv6mr_interface = (unsigned)index;
  return err;
}

static int group_put(optval *v, const opt *o, const char *text, size_t n)
{
  const char *percent = memchr(text, '%', n);
  size_t group = percent ? (size_t)(percent - text) : n;
  const char *iface = percent ? percent + 1 : NULL;
  size_t left = percent ? n - group - 1 : 0;
  if (o->level == IPPROTO_IPV6) return mreq6_put(v, text, group, iface, left);
  return mreq_put(v, text, group, iface, left);
}

/* IP_UNICAST_IF and its IPv6 twin want the number in network order. */
static int is_unicast_if(const opt *o)
{
  return o->option ==
         (o->level == IPPROTO_IP ? IP_UNICAST_IF : IPV6_UNICAST_IF);
}

static int iface_put(optval *v, const opt *o, const char *text, size_t n)
{
  int index;
  if (o->level == IPPROTO_IP && !is_unicast_if(o)) {
    v->len = sizeof(v->u.mreq);
    return iface_put4(&v->u.mreq, text, n);
  }
  int err = iface_index(text, n, &index);
  if (err < 0) return err;
  v->u.number = is_unicast_if(o) ? (int)htonl((uint32_t)index) : index;
  v->len = sizeof(v->u.number);
  return 0;
}

/* What IP_MULTICAST_IF answers is an address, all others' a number. */
static int iface_text(const optval *v, const opt *o, char *text, size_t size)
{
  char out[INET_ADDRSTRLEN];
  uint32_t index = (uint32_t)v->u.number;
  if (is_unicast_if(o)) index = ntohl(index);
  if (o->level == IPPROTO_IP && !is_unicast_if(o))
    inet_ntop(AF_INET, &v->u.addr, out, sizeof(out));
  else
    snprintf(out, sizeof(out), "%u", index);
  size_t n = strlen(out);
  if (n > size) return GREEN_EOVERFLOW;
  memcpy(text, out, n);
  return (int)n;
}

/* -- Public API ----------------------------------------------------------- */

int green_sock_optkind(const char *name)
{
  const opt *o = opt_find(name);
  return o ? o->kind : GREEN_ENOPROTOOPT;
}

const char *green_sock_optname(int i)
{
  return i >= 0 && i < N_OPTS ? opt_table[i].name : NULL;
}

static int opt_set(green_sock *s, const opt *o, const void *ptr, size_t n)
{
  int err = green_sock_setraw(s, o->level, o->option, ptr, n);
  if (err == 0 && o->level == SOL_SOCKET && o->option == SO_REUSEADDR)
    s->reuse_set = 1;
  return err;
}

int green_sock_setnum(green_sock *s, const char *name, double value)
{
  optval v = {0};
  const opt *o = opt_find(name);
  if (!o) return GREEN_ENOPROTOOPT;
  int err = optval_put_number(&v, o->kind, value);
  return err < 0 ? err : opt_set(s, o, &v.u, v.len);
}

int green_sock_setstr(green_sock *s, const char *name, const char *text,
                      size_t n)
{
  optval v = {0};
  int err = GREEN_EINVAL;
  const opt *o = opt_find(name);
  if (!o) return GREEN_ENOPROTOOPT;
  if (o->kind == GREEN_OPT_STRING) return opt_set(s, o, text, n);
  if (o->kind == GREEN_OPT_MREQ) err = group_put(&v, o, text, n);
  if (o->kind == GREEN_OPT_IFACE) err = iface_put(&v, o, text, n);
  return err < 0 ? err : opt_set(s, o, &v.u, v.len);
}

int green_sock_getnum(green_sock *s, const char *name, double *value)
{
  optval v = {0};
  const opt *o = opt_find(name);
  if (!o) return GREEN_ENOPROTOOPT;
  if (o->kind >= GREEN_OPT_STRING) return GREEN_EINVAL;
  size_t size = sizeof(v.u.number);
  if (o->kind == GREEN_OPT_LINGER) size = sizeof(v.u.linger);
  if (o->kind == GREEN_OPT_TIME) size = sizeof(v.u.time);
  int n = green_sock_getraw(s, o->level, o->option, &v.u, size);
  if (n < 0) return n;
  *value = optval_number(&v, o->kind);
  return 0;
}

int green_sock_getstr(green_sock *s, const char *name, char *text, size_t size)
{
  optval v = {0};
  const opt *o = opt_find(name);
  if (!o) return GREEN_ENOPROTOOPT;
  if (o->kind == GREEN_OPT_IFACE) {
    int n = green_sock_getraw(s, o->level, o->option, &v.u, sizeof(v.u.number));
    return n < 0 ? n : iface_text(&v, o, text, size);
  }
  if (o->kind != GREEN_OPT_STRING) return GREEN_EINVAL;
  int n = green_sock_getraw(s, o->level, o->option, text, size);
  return n < 0 ? n : (int)strnlen(text, (size_t)n);
}

int green_sock_setraw(green_sock *s, int level, int option, const void *ptr,
                      size_t n)
{
  if (s->f.fd < 0) return GREEN_ECLOSED;
  if (n > INT32_MAX) return GREEN_EINVAL;
  int r = setsockopt(s->f.fd, level, option, ptr, (socklen_t)n);
  return r < 0 ? -errno : 0;
}

int green_sock_getraw(green_sock *s, int level, int option, void *ptr,
                      size_t size)
{
  socklen_t len = size < INT32_MAX ? (socklen_t)size : INT32_MAX;
  if (s->f.fd < 0) return GREEN_ECLOSED;
  int r = getsockopt(s->f.fd, level, option, ptr, &len);
  return r < 0 ? -errno : (int)len;
}
