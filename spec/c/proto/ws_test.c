/*
** ws_test.c: the reader of websocket frames: what it takes, what it refuses,
** and its limits.
*/

#include "proto/ws_cut.h"
#include "t.h"

enum { MOST = 1 << 18 };

static char text[4 * MOST + 1];
static cut_frames got = {.log = text};
static green_ws_reader server, client;

static void start(void)
{
  green_ws_init(&server);
  green_ws_init(&client);
  client.masked = false;
}

/* Frames, put together byte by byte. */
static char in[MOST];
static size_t in_len;

static void add_bytes(const void *p, size_t n)
{
  memcpy(in + in_len, p, n);
  in_len += n;
}

/* A frame whose length is said as short as can be, unmasked. */
static void add(int first, const char *payload, size_t n)
{
  char head[14];
  int len = green_ws_head(head, first & 15, first & 0x80, first & 0x40, n, 0);
  head[0] = (char)first;
  add_bytes(head, (size_t)len);
  add_bytes(payload, n);
}

static void add_masked(int first, const char *payload, size_t n)
{
  static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  char head[14];
  int len = green_ws_head(head, first & 15, first & 0x80, first & 0x40, n, key);
  head[0] = (char)first;
  add_bytes(head, (size_t)len);
  for (size_t i = 0; i < n; i++) in[in_len + i] = payload[i] ^ key[i & 3];
  in_len += n;
}

/* The verdict on in, the same in every cut. */
static int verdict(green_ws_reader r, const char *what)
{
  if (cut_ws(r, in, in_len, in_len < 300 ? in_len : 300, &got)) return got.rc;
  printf("# the cuts of \"%s\" do not agree\n", what);
  return 1 << 30;
}

static int log_is(const char *want)
{
  int same = got.len == strlen(want) && !memcmp(got.log, want, got.len);
  if (!same) printf("# got \"%.*s\"\n", (int)got.len, got.log);
  return same;
}

/* The frames in s, each as "TYPE payload" behind the other: the type is the
** first byte in hex. Both sides take them, and say the same. */
static int verdict_of(const char *s, const char *what)
{
  int rc[2];
  for (int masked = 0; masked < 2; masked++) {
    in_len = 0;
    for (const char *p = s; *p;) {
      char *end;
      int first = (int)strtol(p, &end, 16);
      size_t n = strcspn(++end, " ");
      (masked ? add_masked : add)(first, end, n);
      p = end[n] ? end + n + 1 : end + n;
    }
    rc[masked] = verdict(masked ? server : client, what);
  }
  if (rc[0] == rc[1]) return rc[0];
  printf("# \"%s\": one with masks, another without\n", what);
  return 1 << 30;
}

/*
** Taken
*/

static const struct {
  const char *what;
  const char *in;
  const char *want;
} goods[] = {
    {"a text", "81:Hello", "T[Hello]"},
    {"an empty one", "81:", "T[]"},
    {"bytes", "82:abc", "B[abc]"},
    {"two messages", "81:abc 82:def", "T[abc]B[def]"},
    {"a fragmented text", "01:Hel 80:lo", "T[Hello]"},
    {"fragmented bytes", "02:a 00:b 00:c 80:d", "B[abcd]"},
    {"empty fragments", "01: 00: 00:x 80:", "T[x]"},
    {"all of them empty", "01: 80:", "T[]"},
    {"a ping", "89:Hello", "9(Hello)"},
    {"an empty pong", "8a:", "a()"},
    {"controls between fragments", "01:a 89:x 00:b 8a: 80:c", "T[a9(x)ba()c]"},
    {"and before the second one of two", "01: 89:x 80:", "T[9(x)]"},
    {"a close", "88:\003\350bye", "8(\003\350bye)"},
    {"an empty close", "88:", "8()"},
    {"nothing behind a close", "88: 81:x 83:", "8()"},
    {"a close inside a message", "01:a 88: 80:b", "T[a8()"},
};

static void test_good(void)
{
  for (size_t i = 0; i < sizeof(goods) / sizeof(goods[0]); i++)
    ok(verdict_of(goods[i].in, goods[i].what) == GREEN_EAGAIN &&
           log_is(goods[i].want),
       goods[i].what);
}

/* RFC 6455, 5.7. */
static void test_rfc_samples(void)
{
  static const char masked[] = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
                               "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
  in_len = 0;
  add_bytes(masked, sizeof(masked) - 1);
  is(verdict(server, "masked"), GREEN_EAGAIN, "the samples with a mask");
  ok(log_is("T[Hello]a(Hello)"), "say Hello");
  static const char plain[] = "\x81\5Hello\1\3Hel\x80\2lo\x89\5Hello";
  in_len = 0;
  add_bytes(plain, sizeof(plain) - 1);
  is(verdict(client, "plain"), GREEN_EAGAIN, "those without");
  ok(log_is("T[Hello]T[Hello]9(Hello)"), "too");
}

/* Each length around which the form changes. */
static void test_lengths(void)
{
  static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 65537};
  static char payload[65537];
  int good = 1;
  for (size_t i = 0; i < sizeof(payload); i++) payload[i] = (char)(i * 7);
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
    for (int masked = 0; masked < 2; masked++) {
      in_len = 0;
      (masked ? add_masked : add)(0x82, payload, sizes[i]);
      int rc = verdict(masked ? server : client, "a length");
      if (rc != GREEN_EAGAIN || got.len != sizes[i] + 3 ||
          memcmp(got.log + 2, payload, sizes[i]) != 0)
        good = 0;
    }
  ok(good, "lengths in each of their three forms");
}

static void test_compressed(void)
{
  server.deflate = client.deflate = true;
  is(verdict_of("c1:abc 81:def", "first"), GREEN_EAGAIN, "a compressed text");
  ok(log_is("T[zabc]T[def]"), "and one that is not");
  is(verdict_of("42:a 00:b 89: 80:c", "fragments"), GREEN_EAGAIN, "fragmented");
  ok(log_is("B[zab9()c]"), "only the first frame says so");
  is(verdict_of("c0:b", "none"), GREEN_EPROTO, "a continuation of none");
  is(verdict_of("41:a c0:b", "cont"), GREEN_EPROTO, "not on a continuation");
  is(verdict_of("c9:", "ping"), GREEN_EPROTO, "nor on a control frame");
  is(verdict_of("a1:", "rsv2"), GREEN_EPROTO, "nor another bit");
  is(verdict_of("f1:", "all"), GREEN_EPROTO, "nor with another");
  start();
}

static void test_ranges(void)
{
  green_ws_reader r = client;
  char bytes[] = "\x82\6abcdef\x81\0";
  is(green_ws_next(&r, bytes, 5), GREEN_WS_DATA, "as much as is there");
  ok(r.data_off == 2 && r.data_len == 3 && r.used == 5, "at its place");
  ok(r.first && !r.last && r.opcode == GREEN_WS_BINARY, "the first of it");
  ok(!green_ws_is_idle(&r), "something is begun");
  is(green_ws_next(&r, bytes + 5, 0), GREEN_EAGAIN, "no more than that");
  ok(r.used == 0 && !r.first && !r.last, "is nothing");
  is(green_ws_next(&r, bytes + 5, 5), GREEN_WS_DATA, "the rest");
  ok(r.data_off == 0 && r.data_len == 3 && r.used == 3, "and no more");
  ok(!r.first && r.last, "ends it");
  ok(green_ws_is_idle(&r), "nothing is begun");
  is(green_ws_next(&r, bytes + 8, 1), GREEN_EAGAIN, "half of a header");
  ok(r.used == 1 && !green_ws_is_idle(&r), "is kept");
  is(green_ws_next(&r, bytes + 9, 1), GREEN_WS_DATA, "the other half");
  ok(r.first && r.last && r.data_len == 0 && r.used == 1, "of an empty text");
}

/* The opcode of the message is told again behind a control frame. */
static void test_opcode(void)
{
  green_ws_reader r = client;
  char bytes[] = "\2\1a\x89\0\x80\1b";
  green_ws_next(&r, bytes, 3);
  is(green_ws_next(&r, bytes + 3, 2), GREEN_WS_CONTROL, "a ping");
  is(r.opcode, GREEN_WS_PING, "says so");
  is(green_ws_next(&r, bytes + 5, 3), GREEN_WS_DATA, "data behind it");
  is(r.opcode, GREEN_WS_BINARY, "are of the message");
}

/*
** Refused
*/

static const struct {
  const char *what;
  const char *in;
} bads[] = {
    {"opcode 3", "83:"},
    {"opcode 4", "84:"},
    {"opcode 5", "85:"},
    {"opcode 6", "86:"},
    {"opcode 7", "87:"},
    {"opcode 11", "8b:"},
    {"opcode 12", "8c:"},
    {"opcode 13", "8d:"},
    {"opcode 14", "8e:"},
    {"opcode 15", "8f:"},
    {"RSV1 that was not agreed on", "c1:a"},
    {"RSV2", "a1:a"},
    {"RSV3", "91:a"},
    {"a reserved bit on a ping", "99:"},
    {"a reserved bit on a close", "c8:"},
    {"a ping in pieces", "09:a 80:b"},
    {"a close in pieces", "08:a 80:b"},
    {"a continuation of nothing", "80:a"},
    {"one that goes on", "00:a"},
    {"one behind a whole message", "81:a 80:b"},
    {"one behind a control frame", "89: 80:b"},
    {"a text inside a text", "01:a 81:b"},
    {"bytes inside a text", "01:a 02:b"},
    {"a text inside a text, behind a ping", "01:a 89: 81:b"},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
    ok(verdict_of(bads[i].in, bads[i].what) == GREEN_EPROTO &&
           got.code == 1002 && got.reason,
       bads[i].what);
}

#define IN(bytes) (bytes), sizeof(bytes) - 1

static const struct {
  const char *what;
  const char *in;
  size_t n;
  bool masked;
} bad_heads[] = {
    {"no mask, of a client", IN("\x81\1a"), true},
    {"no mask on an empty frame", IN("\x89\0"), true},
    {"a mask, of a server", IN("\x81\x81\0\0\0\0a"), false},
    {"a mask on an empty frame", IN("\x81\x80\0\0\0\0"), false},
    {"a ping of 126 bytes", IN("\x89\x7e\0\x7e"), false},
    {"a masked ping of 126 bytes", IN("\x89\xfe\0\x7e"), true},
    {"a ping with a long length", IN("\x89\x7f\0\0\0\0\0\0\0\1"), false},
    {"0 in two bytes", IN("\x81\x7e\0\0"), false},
    {"125 in two bytes", IN("\x81\x7e\0\x7d"), false},
    {"126 in eight", IN("\x81\x7f\0\0\0\0\0\0\0\x7e"), false},
    {"65535 in eight", IN("\x81\x7f\0\0\0\0\0\0\xff\xff"), false},
    {"2^63", IN("\x82\x7f\x80\0\0\0\0\0\0\0"), false},
    {"2^64 - 1", IN("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"), true},
};

static void test_bad_heads(void)
{
  for (size_t i = 0; i < sizeof(bad_heads) / sizeof(bad_heads[0]); i++) {
    in_len = 0;
    add_bytes(bad_heads[i].in, bad_heads[i].n);
    int rc = verdict(bad_heads[i].masked ? server : client, bad_heads[i].what);
    ok(rc == GREEN_EPROTO && got.code == 1002 && got.reason && !got.len,
       bad_heads[i].what);
  }
}

/* The first byte is judged before there is a second. */
static void test_early(void)
{
  green_ws_reader r = server;
  char byte = (char)0x83;
  is(green_ws_next(&r, &byte, 1), GREEN_EPROTO, "a reserved opcode, at once");
  is_str(r.reason, "reserved opcode", "with a reason");
  is(green_ws_next(&r, in, 5), GREEN_EPROTO, "for good");
  is(r.used, 0, "nothing more is used");
  ok(!green_ws_is_idle(&r), "it is not idle");
}

/* What came before an error is handed out. */
static void test_before(void)
{
  is(verdict_of("81:ab 01:cd 83:", "before"), GREEN_EPROTO, "a wrong frame");
  ok(log_is("T[ab]T[cd"), "after what was right");
}

/*
** Limits
*/

static int over(const char *frames)
{
  return verdict_of(frames, frames) == GREEN_ETOOBIG && got.code == 1009;
}

static void test_frame_limit(void)
{
  server.max_frame = client.max_frame = 5;
  is(verdict_of("81:12345 82:12345", "at"), GREEN_EAGAIN, "as long as allowed");
  ok(over("81:123456"), "not a byte longer");
  is_str(got.reason, "frame too long", "with a reason");
  ok(log_is(""), "before any of it");
  is(verdict_of("89:123456", "ping"), GREEN_EAGAIN, "control frames may be");
  is(verdict_of("01:12345 80:12345", "sum"), GREEN_EAGAIN, "messages too");
  start();
}

static void test_message_limit(void)
{
  server.max_message = client.max_message = 5;
  is(verdict_of("01:12 00: 80:345 81:12345", "at"), GREEN_EAGAIN,
     "a message as long as allowed");
  ok(over("81:123456"), "not a byte longer in one");
  ok(over("01:123 80:456"), "or several frames");
  is_str(got.reason, "message too long", "with a reason");
  ok(over("01:123 89:x 00: 00:4 00:56 80:"), "as soon as the header says so");
  ok(log_is("T[1239(x)4"), "and not before");
  server.max_message = client.max_message = 0;
  is(verdict_of("81: 01: 80:", "none"), GREEN_EAGAIN, "0: empty ones only");
  ok(over("81:1"), "no byte");
  start();
}

static void test_fragment_limit(void)
{
  server.max_fragments = client.max_fragments = 3;
  is(verdict_of("01: 00: 89: 80: 01:a 00:b 80:c", "at"), GREEN_EAGAIN,
     "as many frames as allowed");
  ok(over("01: 00: 00: 80:"), "not one more");
  is_str(got.reason, "message in too many frames", "with a reason");
  server.max_fragments = client.max_fragments = 1;
  is(verdict_of("81:a 81:b", "one"), GREEN_EAGAIN, "1: whole ones");
  ok(over("01:a 80:b"), "only");
  start();
}

/* What could overflow a sum. */
static void test_huge(void)
{
  static const char most[] = "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff";
  in_len = 0;
  add_bytes(most, 10);
  is(verdict(client, "huge"), GREEN_ETOOBIG, "2^63 - 1");
  client.max_frame = client.max_message = UINT64_MAX;
  is(verdict(client, "huge"), GREEN_EAGAIN, "unless there is no limit");
  in_len = 0;
  add_bytes("\2\1a\x80", 4);
  add_bytes(most + 1, 9);
  client.max_message = INT64_MAX;
  is(verdict(client, "sum"), GREEN_ETOOBIG, "no sum runs over");
  client.max_message = 1;
  in_len = 0;
  add(0x01, "a", 1);
  add(0x80, "bc", 2);
  is(verdict(client, "left"), GREEN_ETOOBIG, "nor a difference below zero");
  start();
}

/* A limit that is made smaller while a message is open. */
static void test_less(void)
{
  green_ws_reader r = client;
  char bytes[] = "\2\3abc\x80\0";
  green_ws_next(&r, bytes, 5);
  r.max_message = 2;
  is(green_ws_next(&r, bytes + 5, 2), GREEN_ETOOBIG, "holds at once");
}

int main(void)
{
  t_start();
  start();
  test_good();
  test_rfc_samples();
  test_lengths();
  test_compressed();
  test_ranges();
  test_opcode();
  test_bad();
  test_bad_heads();
  test_early();
  test_before();
  test_frame_limit();
  test_message_limit();
  test_fragment_limit();
  test_huge();
  test_less();
  return t_done();
}
