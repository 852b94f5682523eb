/*
** tls_peer_test.c: the openssl command at the other end of a socket.
*/

#include "io/tls_kit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>

static green_tls_ctx *client, *server;

/* -- A socket, and the codec on it ---------------------------------------- */

static int listen_here(int *port)
{
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t n = sizeof(a);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&a, n) || listen(fd, 5)) abort();
  getsockname(fd, (struct sockaddr *)&a, &n);
  *port = ntohs(a.sin_port);
  return fd;
}

static int connect_to(int port)
{
  struct sockaddr_in a = {.sin_family = AF_INET};
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  a.sin_port = htons((uint16_t)port);
  for (int i = 0; i < 3000; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (!connect(fd, (struct sockaddr *)&a, sizeof(a))) return fd;
    close(fd);
    usleep(10000); /* The command takes its time until it listens. */
  }
  abort();
}

static void send_output(green_tls *t, int fd)
{
  const char *p;
  size_t n;
  while ((n = green_tls_output(t, &p)) > 0) {
    ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
    if (k < 0 && errno == EINTR) continue;
    green_tls_sent(t, k < 0 ? n : (size_t)k);
  }
}

/* Wait for what comes next. */
static void take_input(green_tls *t, int fd)
{
  static char scratch[GREEN_TLS_INPUT];
  struct pollfd p = {fd, POLLIN, 0};
  if (poll(&p, 1, 30000) != 1) abort();
  ssize_t n = recv(fd, scratch, sizeof(scratch), 0);
  if (n <= 0)
    green_tls_feed_end(t);
  else if (green_tls_feed(t, scratch, (size_t)n) != n)
    abort();
}

static int shake_on(green_tls *t, int fd)
{
  int r;
  for (;;) {
    r = green_tls_handshake(t);
    send_output(t, fd);
    if (r != GREEN_EAGAIN) return r;
    take_input(t, fd);
  }
}

static int read_on(green_tls *t, int fd, char *p, size_t n)
{
  int r;
  for (;;) {
    r = green_tls_read(t, p, n);
    send_output(t, fd);
    if (r != GREEN_EAGAIN) return r;
    take_input(t, fd);
  }
}

/* Up to the end of a line, without it. */
static const char *read_line(green_tls *t, int fd)
{
  static char line[200];
  size_t n = 0;
  while (n < sizeof(line) - 1 && read_on(t, fd, line + n, 1) == 1)
    if (line[n++] == '\n') break;
  line[n ? n - 1 : 0] = '\0';
  return line;
}

/* -- The command ---------------------------------------------------------- */

typedef struct command {
  pid_t pid;
  int in; /* We write there. */
} command;

/* Its words end with NULL; what it prints goes to a file. */
static command run(const char *const *words)
{
  int in[2];
  command c;
  fflush(stdout);
  if (pipe2(in, O_CLOEXEC)) abort();
  c.pid = fork();
  if (c.pid == 0) {
    int out = open(cert("out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(in[0], 0);
    dup2(out, 1);
    dup2(out, 2);
    execvp(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
  }
  close(in[0]);
  c.in = in[1];
  return c;
}

static void say(command *c, const char *text)
{
  if (write(c->in, text, strlen(text)) < 0) abort();
}

static const char *printed(void)
{
  static char text[40000];
  FILE *f = fopen(cert("out"), "r");
  text[f ? fread(text, 1, sizeof(text) - 1, f) : 0] = '\0';
  if (f) fclose(f);
  return text;
}

/* Its status, when its input has ended. */
static int end(command *c)
{
  int status = 0;
  close(c->in);
  waitpid(c->pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* -- openssl s_client ----------------------------------------------------- */

static void check_client(const char *version, const char *name)
{
  int port, l = listen_here(&port);
  char where[40];
  green_tls_info info;
  snprintf(where, sizeof(where), "127.0.0.1:%d", port);
  const char *words[] = {"openssl",
                         "s_client",
                         "-connect",
                         where,
                         "-CAfile",
                         cert("ca.pem"),
                         "-verify_return_error",
                         "-servername",
                         "a.test",
                         "-verify_hostname",
                         "a.test",
                         "-alpn",
                         "x,http/1.1",
                         version,
                         NULL};
  command c = run(words);
  int fd = accept(l, NULL, NULL);
  green_tls *t = green_tls_new(tls_io, server);
  is(shake_on(t, fd), 0, version);
  green_tls_get_info(t, &info);
  is_str(info.version, name, "its version");
  is_str(info.name, "a.test", "its name");
  ok(info.alpn_len == 8, "its protocol");
  say(&c, "hello\n");
  is_str(read_line(t, fd), "hello", "what it says");
  is(green_tls_write(t, "and you\n", 8), 8, "an answer");
  green_tls_close(t);
  send_output(t, fd);
  char got[8];
  is(read_on(t, fd, got, 8), 0, "it ends, too");
  close(fd);
  is(end(&c), 0, "well");
  ok(strstr(printed(), "and you") != NULL, "it got the answer");
  ok(strstr(printed(), "Verify return code: 0 (ok)") != NULL, "it believed");
  green_tls_free(t);
  close(l);
}

static void test_s_client(void)
{
  check_client("-tls1_2", "TLSv1.2");
  check_client("-tls1_3", "TLSv1.3");
}

/* "K" as a line makes it change keys, and ask us to. */
static void test_s_client_changes_keys(void)
{
  int port, l = listen_here(&port);
  char where[40];
  snprintf(where, sizeof(where), "127.0.0.1:%d", port);
  const char *words[] = {"openssl", "s_client",     "-connect", where,
                         "-CAfile", cert("ca.pem"), "-tls1_3",  NULL};
  command c = run(words);
  int fd = accept(l, NULL, NULL);
  green_tls *t = green_tls_new(tls_io, server);
  is(shake_on(t, fd), 0, "hands are shaken");
  say(&c, "one\n");
  is_str(read_line(t, fd), "one", "before");
  say(&c, "K\n");
  usleep(200000); /* The command looks at what it reads in one piece. */
  say(&c, "two\n");
  is_str(read_line(t, fd), "two", "after");
  is(green_tls_write(t, "three\n", 6), 6, "we, too");
  green_tls_close(t);
  send_output(t, fd);
  char got[8];
  is(read_on(t, fd, got, 8), 0, "it ends");
  close(fd);
  is(end(&c), 0, "well");
  ok(strstr(printed(), "three") != NULL, "it got it");
  green_tls_free(t);
  close(l);
}

static void check_resumption(const char *version)
{
  int port, l = listen_here(&port);
  char where[40];
  green_tls_info info;
  snprintf(where, sizeof(where), "127.0.0.1:%d", port);
  for (int again = 0; again <= 1; again++) {
    const char *words[] = {"openssl",       "s_client",
                           "-connect",      where,
                           "-CAfile",       cert("ca.pem"),
                           "-servername",   "a.test",
                           version,         again ? "-sess_in" : "-sess_out",
                           cert("session"), NULL};
    command c = run(words);
    int fd = accept(l, NULL, NULL);
    green_tls *t = green_tls_new(tls_io, server);
    is(shake_on(t, fd), 0, version);
    green_tls_get_info(t, &info);
    is(info.resumed, again, again ? "resumed" : "in full");
    say(&c, "x\n");
    is_str(read_line(t, fd), "x", "it speaks");
    green_tls_write(t, "y\n", 2);
    green_tls_close(t);
    send_output(t, fd);
    char got[8];
    read_on(t, fd, got, 8);
    close(fd);
    is(end(&c), 0, "well");
    green_tls_free(t);
  }
  close(l);
}

static void test_s_client_resumes(void)
{
  check_resumption("-tls1_2");
  check_resumption("-tls1_3");
}

/* -- openssl s_server ----------------------------------------------------- */

static int free_port(void)
{
  int port, l = listen_here(&port);
  close(l);
  return port;
}

static void check_server(const char *version, const char *name, bool demand)
{
  char where[20];
  green_tls_info info;
  int port = free_port();
  snprintf(where, sizeof(where), "%d", port);
  const char *words[] = {"openssl",
                         "s_server",
                         "-accept",
                         where,
                         "-naccept",
                         "1",
                         "-cert",
                         cert("a.pem"),
                         "-key",
                         cert("a.key"),
                         "-rev",
                         version,
                         "-CAfile",
                         cert("ca.pem"),
                         demand ? "-Verify" : "-verify_depth",
                         "3",
                         "-verify_return_error",
                         NULL};
  command c = run(words);
  int fd = connect_to(port);
  green_tls *t = green_tls_new(tls_io, client);
  green_tls_set_host(t, "a.test");
  is(shake_on(t, fd), 0, version);
  green_tls_get_info(t, &info);
  is_str(info.version, name, "its version");
  is(green_tls_write(t, "hello\n", 6), 6, "we speak");
  send_output(t, fd);
  is_str(read_line(t, fd), "olleh", "it turns that round");
  green_tls_write(t, "CLOSE\n", 6);
  send_output(t, fd);
  char got[8];
  is(read_on(t, fd, got, 8), 0, "it closes cleanly");
  close(fd);
  green_tls_free(t);
  is(end(&c), 0, "well");
}

static void test_s_server(void)
{
  check_server("-tls1_2", "TLSv1.2", false);
  check_server("-tls1_3", "TLSv1.3", false);
  check_server("-tls1_2", "TLSv1.2", true);
  check_server("-tls1_3", "TLSv1.3", true);
}

static void test_s_server_that_is_another(void)
{
  char where[20];
  int port = free_port();
  snprintf(where, sizeof(where), "%d", port);
  const char *words[] = {
      "openssl", "s_server", "-accept",         where,  "-naccept",
      "1",       "-cert",    cert("other.pem"), "-key", cert("other.key"),
      "-quiet",  NULL};
  command c = run(words);
  int fd = connect_to(port);
  green_tls *t = green_tls_new(tls_io, client);
  green_tls_set_host(t, "a.test");
  is(shake_on(t, fd), GREEN_ECERTUNKNOWN, "an unknown authority");
  close(fd);
  green_tls_free(t);
  end(&c);
  ok(strstr(printed(), "unknown ca") != NULL, "it heard our alert");
}

int main(void)
{
  tls_start();
  signal(SIGPIPE, SIG_IGN);
  server = server_begin("a");
  must_ctx(green_tls_ctx_add_alpn(server, "http/1.1"), server);
  sealed(server);
  client = client_begin();
  must_ctx(
      green_tls_key_files(client, cert("client.pem"), cert("client.key"), NULL),
      client);
  sealed(client);
  test_s_client();
  test_s_client_changes_keys();
  test_s_client_resumes();
  test_s_server();
  test_s_server_that_is_another();
  green_tls_ctx_free(client);
  green_tls_ctx_free(server);
  return tls_done();
}
