/*
** peer.c: the other side of interop_spec.lua, by libzmq itself. The same as
** peer.py:
**
**   peer TYPE bind|connect ENDPOINT ACT COUNT [OPTION=VALUE...]
**
**   ask    send each message, receive it back
**   send   send each
**   take   receive each
**   echo   receive COUNT messages and send them back
**   feed   receive one (a subscription), then send each
**
** COUNT times over. Prints where it is bound, "ready" when it has begun, and
** "ok" at the end; else says what was wrong, and status 1.
*/

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { PARTS = 100, MANY = 100, LARGE = 1 << 20, KINDS = 7 };

typedef struct part {
  char *data;
  size_t size;
} part;

typedef struct message {
  part parts[PARTS];
  int n;
} message;

static message messages[KINDS];

static void fail(const char *what)
{
  printf("%s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void need(int fine, const char *what)
{
  if (!fine) fail(what);
}

static void add(message *m, const void *data, size_t size)
{
  part *p = &m->parts[m->n++];
  p->data = malloc(size + 1);
  p->size = size;
  memcpy(p->data, data, size);
}

/* The same list as in peer.py and interop_spec.lua. */
static void make_messages(void)
{
  char bytes[256], *large = malloc(LARGE);
  memset(large, 'x', LARGE);
  for (int i = 0; i < 256; i++) bytes[i] = (char)i;
  add(&messages[0], "hello", 5);
  add(&messages[1], "", 0);
  add(&messages[2], "", 0);
  add(&messages[2], "", 0);
  add(&messages[3], "a", 1);
  add(&messages[3], "", 0);
  add(&messages[3], "b", 1);
  add(&messages[4], bytes, 256);
  add(&messages[5], large, LARGE);
  for (int i = 0; i < MANY; i++) add(&messages[6], "part", 4);
  free(large);
}

/* -- Messages ------------------------------------------------------------- */

static void send_message(void *s, const message *m)
{
  for (int i = 0; i < m->n; i++)
    need(zmq_send(s, m->parts[i].data, m->parts[i].size,
                  i + 1 < m->n ? ZMQ_SNDMORE : 0) >= 0,
         "send");
}

static void take_message(void *s, const message *m)
{
  for (int i = 0, more = 1; i < m->n; i++) {
    zmq_msg_t msg;
    zmq_msg_init(&msg);
    need(more && zmq_msg_recv(&msg, s, 0) >= 0, "a part is missing");
    need(zmq_msg_size(&msg) == m->parts[i].size, "a size");
    need(!memcmp(zmq_msg_data(&msg), m->parts[i].data, m->parts[i].size),
         "bytes");
    more = zmq_msg_more(&msg);
    need(more == (i + 1 < m->n), "parts");
    zmq_msg_close(&msg);
  }
}

/* Whole, before it goes back: a REP's turn comes behind the last part. */
static void pass_message(void *from, void *to)
{
  static zmq_msg_t all[PARTS + 2]; /* A ROUTER's begins with the peer's name. */
  int n = 0, more = 1;
  for (; more; n++) {
    zmq_msg_init(&all[n]);
    need(zmq_msg_recv(&all[n], from, 0) >= 0, "recv");
    more = zmq_msg_more(&all[n]);
  }
  for (int i = 0; i < n; i++)
    if (to)
      need(zmq_msg_send(&all[i], to, i + 1 < n ? ZMQ_SNDMORE : 0) >= 0,
           "send back");
    else
      zmq_msg_close(&all[i]);
}

static void act(void *s, const char *what)
{
  for (int i = 0; i < KINDS; i++) {
    int asks = !strcmp(what, "ask");
    if (asks || !strcmp(what, "send") || !strcmp(what, "feed"))
      send_message(s, &messages[i]);
    if (asks || !strcmp(what, "take")) take_message(s, &messages[i]);
  }
}

/* -- Who may come by PLAIN (RFC 27) --------------------------------------- */

/* version, id, domain, address, identity, mechanism, name, password */
enum { ZAP_PARTS = 8, ZAP_ID = 1, ZAP_NAME = 6, ZAP_TEXT = 256 };

static void answer_zap(void *s, const char text[][ZAP_TEXT])
{
  int fine =
      !strcmp(text[ZAP_NAME], "me") && !strcmp(text[ZAP_NAME + 1], "secret");
  const char *answer[] = {"1.0", text[ZAP_ID], fine ? "200" : "400",
                          "",    "me",         ""};
  for (int i = 0; i < 6; i++)
    zmq_send(s, answer[i], strlen(answer[i]), i < 5 ? ZMQ_SNDMORE : 0);
}

static void *run_zap(void *s)
{
  for (;;) {
    char text[ZAP_PARTS][ZAP_TEXT] = {{0}};
    for (int i = 0; i < ZAP_PARTS; i++) {
      int n = zmq_recv(s, text[i], ZAP_TEXT - 1, 0);
      if (n < 0) {
        zmq_close(s);
        return NULL;
      }
    }
    answer_zap(s, text);
  }
}

static void start_zap(void *context)
{
  pthread_t thread;
  void *s = zmq_socket(context, ZMQ_REP);
  need(zmq_bind(s, "inproc://zeromq.zap.01") == 0, "zap");
  pthread_create(&thread, NULL, run_zap, s);
  pthread_detach(thread);
}

/* -- Sockets -------------------------------------------------------------- */

static const struct {
  const char *name;
  int number, is_int;
} names[] = {
    {"REQ", ZMQ_REQ, 0},
    {"REP", ZMQ_REP, 0},
    {"DEALER", ZMQ_DEALER, 0},
    {"ROUTER", ZMQ_ROUTER, 0},
    {"PUSH", ZMQ_PUSH, 0},
    {"PULL", ZMQ_PULL, 0},
    {"PUB", ZMQ_PUB, 0},
    {"SUB", ZMQ_SUB, 0},
    {"XPUB", ZMQ_XPUB, 0},
    {"XSUB", ZMQ_XSUB, 0},
    {"PAIR", ZMQ_PAIR, 0},
    {"subscribe", ZMQ_SUBSCRIBE, 0},
    {"routing_id", ZMQ_ROUTING_ID, 0},
    {"plain_server", ZMQ_PLAIN_SERVER, 1},
    {"plain_username", ZMQ_PLAIN_USERNAME, 0},
    {"plain_password", ZMQ_PLAIN_PASSWORD, 0},
    {"curve_server", ZMQ_CURVE_SERVER, 1},
    {"curve_publickey", ZMQ_CURVE_PUBLICKEY, 0},
    {"curve_secretkey", ZMQ_CURVE_SECRETKEY, 0},
    {"curve_serverkey", ZMQ_CURVE_SERVERKEY, 0},
};

static int find(const char *name)
{
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (!strcmp(names[i].name, name)) return (int)i;
  printf("there is no %s\n", name);
  exit(2);
}

static void set_option(void *s, char *text)
{
  char *value = strchr(text, '=');
  if (!value) exit(2);
  *value++ = 0;
  int i = find(text), number = atoi(value);
  int r = names[i].is_int
              ? zmq_setsockopt(s, names[i].number, &number, sizeof number)
              : zmq_setsockopt(s, names[i].number, value, strlen(value));
  need(r == 0, text);
}

static void place(void *s, const char *how, const char *endpoint)
{
  char where[256];
  size_t n = sizeof where;
  if (!strcmp(how, "connect")) {
    need(zmq_connect(s, endpoint) == 0, "connect");
    return;
  }
  need(zmq_bind(s, endpoint) == 0, "bind");
  zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, where, &n);
  printf("%s\n", where);
}

int main(int argc, char **argv)
{
  if (argc < 6) return 2;
  int count = atoi(argv[5]);
  void *context = zmq_ctx_new();
  void *s = zmq_socket(context, names[find(argv[1])].number);
  make_messages();
  for (int i = 6; i < argc; i++) {
    if (!strcmp(argv[i], "plain_server=1")) start_zap(context);
    set_option(s, argv[i]);
  }
  place(s, argv[2], argv[3]);
  printf("ready\n");
  fflush(stdout);
  if (!strcmp(argv[4], "feed")) pass_message(s, NULL);
  for (int i = 0; i < count; i++)
    if (!strcmp(argv[4], "echo"))
      pass_message(s, s);
    else
      act(s, argv[4]);
  zmq_close(s);
  zmq_ctx_term(context);
  printf("ok\n");
  return 0;
}
