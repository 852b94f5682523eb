/*
** floor_stream.c: one long answer, to whoever asks.
**
**   floor_stream PORT BYTES
**
** One connection at a time, closed behind the answer. No two pieces of it are
** the same: a client that keeps equal strings once would compare instead of
** copying.
*/

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 256 << 10, NOISE = 1 << 20, STEP = 7919 };

static char noise[NOISE + PIECE];

static int listen_on(int port)
{
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_port = htons((uint16_t)port)};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0) {
    perror("floor_stream");
    exit(1);
  }
  return fd;
}

static void serve(int fd, long long bytes)
{
  char head[4096];
  size_t at = 0;
  if (read(fd, head, sizeof head) <= 0) return; /* A whole head, here. */
  int n = snprintf(head, sizeof head,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                   "Connection: close\r\nContent-Length: %lld\r\n\r\n",
                   bytes);
  if (write(fd, head, (size_t)n) != n) return;
  while (bytes > 0) {
    size_t part = bytes < PIECE ? (size_t)bytes : (size_t)PIECE;
    ssize_t sent = write(fd, noise + at, part);
    if (sent <= 0) return;
    at = (at + STEP) % NOISE;
    bytes -= sent;
  }
}

int main(int argc, char **argv)
{
  if (argc != 3) {
    fputs("usage: floor_stream PORT BYTES\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)(rand() >> 8);
  int listener = listen_on(atoi(argv[1]));
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return 1;
    serve(fd, atoll(argv[2]));
    close(fd);
  }
}
