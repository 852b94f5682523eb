/*
** floor_dns.c: the least that lookups can take: one socket of UDP, the same
** queries, nothing looked at but the id.
**
**   floor_dns PORT
**
** Prints a_ns (CPU time of a question for A), both_ns (of A and AAAA together),
** a_s and both_s (how long 10,000 names took).
*/

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NAMES = 10000, OUT = 256 };

static double seconds(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* As greenlua writes it: with EDNS. */
static size_t query(unsigned char *q, int id, int name, int type)
{
  static const unsigned char opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0};
  const unsigned char head[] = {(unsigned char)(id >> 8),
                                (unsigned char)id,
                                1,
                                0x20,
                                0,
                                1,
                                0,
                                0,
                                0,
                                0,
                                0,
                                1};
  char label[16];
  int n = snprintf(label, sizeof(label), "n%d", name);
  unsigned char *at = q;
  memcpy(at, head, sizeof(head));
  at += sizeof(head);
  *at++ = (unsigned char)n;
  memcpy(at, label, (size_t)n);
  at += n;
  memcpy(at, "\7example\4test", 14);
  at += 14;
  const unsigned char tail[] = {0, (unsigned char)type, 0, 1};
  memcpy(at, tail, 4);
  memcpy(at + 4, opt, sizeof(opt));
  return (size_t)(at + 4 + sizeof(opt) - q);
}

static void run(int fd, int families)
{
  static unsigned char waits[65536];
  unsigned char q[512], in[4096];
  int total = NAMES * families, sent = 0, got = 0;
  struct pollfd p = {.fd = fd, .events = POLLIN};
  while (got < total) {
    while (sent < total && sent - got < OUT) {
      size_t n = query(q, sent, sent / families, sent % families ? 28 : 1);
      waits[sent & 0xffff] = 1;
      if (send(fd, q, n, 0) < 0) exit(1);
      sent++;
    }
    if (poll(&p, 1, 5000) < 1) {
      fprintf(stderr, "floor_dns: answers were lost\n");
      exit(1);
    }
    while (recv(fd, in, sizeof(in), MSG_DONTWAIT) > 0) {
      got += waits[in[0] << 8 | in[1]];
      waits[in[0] << 8 | in[1]] = 0;
    }
  }
}

static void measure(int fd, int families, const char *name)
{
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
  double wall = seconds(CLOCK_MONOTONIC);
  run(fd, families);
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = seconds(CLOCK_MONOTONIC) - wall;
  printf("%s_ns=%.0f %s_s=%.4f ", name, cpu / NAMES * 1e9, name, wall);
}

int main(int argc, char **argv)
{
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = {.sin_family = AF_INET};
  if (argc != 2) return 2;
  a.sin_port = htons((unsigned short)atoi(argv[1]));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) return 1;
  run(fd, 1); /* The warm-up. */
  measure(fd, 1, "a");
  measure(fd, 2, "both");
  printf("\n");
  return 0;
}
