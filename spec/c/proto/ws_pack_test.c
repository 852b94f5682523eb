/*
** ws_pack_test.c: permessage-deflate's messages: the RFC's own, both ways in
** any pieces, broken ones, limits, and without memory.
*/

#include "proto/ws_pack_cut.h"
#include "base/mem.h"
#include "t.h"

enum { MAX = 1 << 20 };

static cut_message got;

#define IN(bytes) (bytes), sizeof(bytes) - 1

/* The verdict on a message that is the first, the same in all cuts. */
static int verdict(const char *in, size_t n)
{
  return cut_pack(NULL, 0, in, n, n, MAX, &got);
}

static int says(const char *want)
{
  return cut_message_is(&got, want, strlen(want));
}

static const char hello[] = "\xf2\x48\xcd\xc9\xc9\x07\0";

/*
** Packing
*/

static green_deflate packer;
static green_buf packed;

static int packs(const char *message, const char *want, size_t n)
{
  cut_clear(&packed);
  if (green_ws_pack(&packer, message, strlen(message), true, &packed)) return 0;
  return green_buf_len(&packed) == n &&
         !memcmp(green_buf_data(&packed), want, n);
}

static void test_pack(void)
{
  green_deflate_init(&packer, GREEN_Z_RAW, 6, 15);
  ok(packs("Hello", IN(hello)), "Hello takes 7 bytes");
  ok(packs("Hello", IN("\xf2\x00\x11\0\0")), "and 5 the second time");
  ok(packs("", "\0", 1), "an empty message takes one");
  ok(packs("", "\0", 1), "another does, too");
  green_deflate_reset(&packer);
  ok(packs("Hello", IN(hello)), "without context takeover it is 7 again");
  green_deflate_reset(&packer);
  ok(packs("", "\0", 1), "an empty one at first");
  green_deflate_deinit(&packer);
}

static void test_pack_appends(void)
{
  green_deflate_init(&packer, GREEN_Z_RAW, 6, 15);
  cut_clear(&packed);
  green_buf_append(&packed, "head", 4);
  is(green_ws_pack(&packer, "Hel", 3, false, &packed), 0, "a piece");
  is(green_ws_pack(&packer, "lo", 2, false, &packed), 0, "another");
  is(green_ws_pack(&packer, "", 0, true, &packed), 0, "and the end");
  const char *p = green_buf_data(&packed);
  ok(green_buf_len(&packed) == 11 && !memcmp(p, "head", 4) &&
         !memcmp(p + 4, hello, 7),
     "make one message, behind what was there");
  is(green_ws_pack(&packer, "", 0, false, &packed), 0, "an empty one");
  is(green_ws_pack(&packer, "", 0, true, &packed), 0, "of pieces");
  ok(green_buf_len(&packed) == 12 && !p[11], "takes one byte");
  green_deflate_deinit(&packer);
}

/*
** Unpacking
*/

/* RFC 7692, 7.2.3. */
static void test_samples(void)
{
  is(verdict(IN(hello)), 0, "one block");
  ok(says("Hello"), "says Hello");
  is(cut_pack(IN(hello), IN("\xf2\0\x11\0\0"), 5, MAX, &got), 0,
     "one that refers to the message before");
  ok(says("Hello"), "says Hello");
  is(verdict(IN("\0\5\0\xfa\xffHello\0")), 0, "a stored block");
  ok(says("Hello"), "says Hello");
  is(verdict(IN("\xf3\x48\xcd\xc9\xc9\x07\0\0")), 0, "one with BFINAL");
  ok(says("Hello"), "says Hello");
  is(verdict(IN("\xf2\x48\x05\0\0\0\xff\xff\xca\xc9\xc9\x07\0")), 0,
     "two blocks");
  ok(says("Hello"), "say Hello");
  is(verdict("\0", 1), 0, "an empty message");
  ok(says(""), "says nothing");
}

/* BFINAL ends a stream, not the message, nor the messages. */
static void test_final(void)
{
  static const char twice[] = "\xf3\x48\xcd\xc9\xc9\x07\0"
                              "\xf2\x48\xcd\xc9\xc9\x07\0";
  is(verdict(IN(twice)), 0, "a block behind the final one");
  ok(says("HelloHello"), "belongs to the message");
  is(verdict("\1", 1), 0, "BFINAL in the empty block at the end");
  is(cut_pack("\1", 1, IN(hello), 7, MAX, &got), 0, "a message behind it");
  ok(says("Hello"), "is read");
  is(cut_pack(IN("\xf3\x48\xcd\xc9\xc9\x07\0\0"), IN(hello), 7, MAX, &got), 0,
     "and one behind a final block");
  ok(says("Hello"), "too");
  is(cut_pack(IN("\xf3\x48\xcd\xc9\xc9\x07\0\0"), IN("\xf2\0\x11\0\0"), 5, MAX,
              &got),
     GREEN_EPROTO, "which may not refer to what was before");
}

static const struct {
  const char *what;
  const char *in;
  size_t n;
} bads[] = {
    {"no byte at all", IN("")},
    {"a block of type 3", IN("\x07")},
    {"a reference to nothing", IN("\xf2\0\x11\0\0")},
    {"the tail not taken off", IN("\xf2\x48\xcd\xc9\xc9\x07\0\0\0\xff\xff")},
    {"a final block and nothing behind", IN("\xf3\x48\xcd\xc9\xc9\x07\0")},
    {"wrong lengths of a stored block", IN("\0\5\0\xfb\xffHello\0")},
    {"zlib's header", IN("\x78\x9c\xf2\x48\xcd\xc9\xc9\x07\0")},
    {"a text that was not packed", IN("Hello")},
};

static void test_bad(void)
{
  for (size_t i = 0; i < sizeof(bads) / sizeof(bads[0]); i++)
    is(verdict(bads[i].in, bads[i].n), GREEN_EPROTO, bads[i].what);
  int good = 1;
  for (size_t n = 0; n < 7; n++)
    if (verdict(hello, n) != GREEN_EPROTO) good = 0;
  ok(good, "a message that was cut, anywhere");
}

static void test_closed(void)
{
  green_inflate z = {0};
  green_deflate d = {0};
  is(green_ws_unpack(&z, hello, 7, true, &got.out, MAX), GREEN_ECLOSED,
     "no stream");
  is(green_ws_pack(&d, "a", 1, true, &packed), GREEN_ECLOSED, "nor here");
}

/*
** Limits
*/

/* Pack n bytes of c. */
static void pack_run(char c, size_t n)
{
  static char piece[1000];
  memset(piece, c, sizeof(piece));
  green_deflate_init(&packer, GREEN_Z_RAW, 9, 15);
  cut_clear(&packed);
  for (; n > sizeof(piece); n -= sizeof(piece))
    green_ws_pack(&packer, piece, sizeof(piece), false, &packed);
  green_ws_pack(&packer, piece, n, true, &packed);
  green_deflate_deinit(&packer);
}

static int run_verdict(size_t max)
{
  return cut_pack(NULL, 0, green_buf_data(&packed), green_buf_len(&packed), 3,
                  max, &got);
}

static void test_max(void)
{
  pack_run('a', 5000);
  is(run_verdict(5000), 0, "as long as allowed");
  is(run_verdict(4999), GREEN_ETOOBIG, "not a byte longer");
  is(run_verdict(0), GREEN_ETOOBIG, "nor one at all");
  pack_run('a', 0);
  is(run_verdict(0), 0, "0: empty ones only");
}

/* A thousand times the size, and a limit. */
static void test_bomb(void)
{
  pack_run(0, 10 << 20);
  ok(green_buf_len(&packed) < 20000, "10 MiB in 20 KB");
  green_inflate z;
  green_buf out = {0};
  green_inflate_init(&z, GREEN_Z_MESSAGES, 0);
  is(green_ws_unpack(&z, green_buf_data(&packed), green_buf_len(&packed), true,
                     &out, 100000),
     GREEN_ETOOBIG, "are refused");
  ok(out.cap <= 200000, "before they take memory");
  green_buf_reset(&out);
  green_inflate_deinit(&z);
}

/* The bytes that are there count, and stay. */
static void test_appends(void)
{
  green_inflate z;
  green_buf out = {0};
  green_inflate_init(&z, GREEN_Z_MESSAGES, 0);
  green_buf_append(&out, "abc", 3);
  is(green_ws_unpack(&z, hello, 7, true, &out, 8), 0, "behind other bytes");
  ok(green_buf_len(&out) == 8 && !memcmp(green_buf_data(&out), "abcHello", 8),
     "which stay");
  is(green_ws_unpack(&z, hello, 7, true, &out, 12), GREEN_ETOOBIG,
     "and count for the limit");
  green_buf_reset(&out);
  green_inflate_deinit(&z);
  green_inflate_init(&z, GREEN_Z_MESSAGES, 0);
  green_buf_init(&out, 4);
  is(green_ws_unpack(&z, hello, 7, true, &out, 8), GREEN_ETOOBIG,
     "the buffer's own holds, too");
  green_buf_reset(&out);
  green_inflate_deinit(&z);
}

/*
** Both ways
*/

enum { ROUND = 30000 };

static unsigned seed;

static unsigned rnd(void)
{
  seed = seed * 1103515245 + 12345;
  return seed >> 16 & 0x7fff;
}

/* Messages of all sizes: text that repeats itself, or noise. */
static size_t make_message(char *p)
{
  static const size_t sizes[] = {0, 1, 10, 100, 1000, 4096, 9000, ROUND};
  size_t n = sizes[rnd() % 8];
  bool noise = rnd() & 1;
  for (size_t i = 0; i < n; i++)
    p[i] = noise ? (char)rnd() : "some text that comes again "[i % 27];
  return n;
}

static int pack_pieces(const char *p, size_t n)
{
  cut_clear(&packed);
  while (n && rnd() & 1) {
    size_t part = rnd() % n;
    if (green_ws_pack(&packer, p, part, false, &packed)) return 0;
    p += part;
    n -= part;
  }
  return !green_ws_pack(&packer, p, n, true, &packed);
}

static int unpack_pieces(green_inflate *z, green_buf *out)
{
  const char *p = green_buf_data(&packed);
  size_t n = green_buf_len(&packed);
  cut_clear(out);
  while (n && rnd() & 1) {
    size_t part = rnd() % n;
    if (green_ws_unpack(z, p, part, false, out, ROUND)) return 0;
    p += part;
    n -= part;
  }
  return !green_ws_unpack(z, p, n, true, out, ROUND);
}

static int round_trip(green_inflate *z, green_buf *out, bool takeover)
{
  static char message[ROUND];
  size_t n = make_message(message);
  if (!pack_pieces(message, n) || !unpack_pieces(z, out)) return 0;
  if (!takeover) green_deflate_reset(&packer);
  if (!takeover) green_inflate_reset(z);
  return green_buf_len(out) == n &&
         (!n || !memcmp(green_buf_data(out), message, n));
}

static void test_rounds(bool takeover, const char *what)
{
  int good = 1;
  for (int bits = 9; bits <= 15; bits++) {
    green_inflate z;
    green_buf out = {0};
    green_inflate_init(&z, GREEN_Z_MESSAGES, bits);
    green_deflate_init(&packer, GREEN_Z_RAW, (int)rnd() % 10, bits);
    for (int i = 0; i < 60 && good; i++) good = round_trip(&z, &out, takeover);
    green_buf_reset(&out);
    green_inflate_deinit(&z);
    green_deflate_deinit(&packer);
  }
  ok(good, what);
}

/* Output that ends where the room does. */
static void test_exact(void)
{
  int good = 1;
  for (size_t cap = 1; cap < 200; cap++) {
    static char message[100];
    for (size_t i = 0; i < sizeof(message); i++) message[i] = (char)rnd();
    green_deflate_init(&packer, GREEN_Z_RAW, 6, 15);
    green_buf_reset(&packed);
    green_buf_reserve(&packed, cap);
    good = good && pack_pieces(message, sizeof(message)) && !run_verdict(MAX) &&
           cut_message_is(&got, message, sizeof(message));
    green_deflate_deinit(&packer);
  }
  ok(good, "whatever room there is");
}

/*
** Without memory
*/

static void test_no_memory(void)
{
  static char message[ROUND];
  int packs = 0, unpacks = 0;
  for (size_t i = 0; i < ROUND; i++) message[i] = (char)rnd();
  for (int n = 1; n < 12; n++) {
    green_deflate_init(&packer, GREEN_Z_RAW, 6, 15);
    green_buf_reset(&packed);
    green__alloc_fail_from(n);
    int rc = green_ws_pack(&packer, message, ROUND, true, &packed);
    green__alloc_fail_from(0);
    packs += rc == GREEN_ENOMEM;
    green_deflate_deinit(&packer);
    if (rc) continue;
    green_inflate z;
    green_inflate_init(&z, GREEN_Z_MESSAGES, 0);
    green_buf_reset(&got.out);
    green__alloc_fail_from(n - packs);
    rc = green_ws_unpack(&z, green_buf_data(&packed), green_buf_len(&packed),
                         true, &got.out, MAX);
    green__alloc_fail_from(0);
    unpacks += rc == GREEN_ENOMEM;
    green_inflate_deinit(&z);
  }
  ok(packs > 0 && packs < 11, "packing says so");
  ok(unpacks > 0, "unpacking, too");
}

int main(void)
{
  t_start();
  test_pack();
  test_pack_appends();
  test_samples();
  test_final();
  test_bad();
  test_closed();
  test_max();
  test_bomb();
  test_appends();
  test_rounds(true, "messages with context takeover, by each window");
  test_rounds(false, "and without");
  test_exact();
  test_no_memory();
  green_buf_reset(&packed);
  green_buf_reset(&got.out);
  return t_done();
}
