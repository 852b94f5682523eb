/*
** buf_test.c: the byte buffer.
*/

#include "base/buf.h"
#include "base/mem.h"
#include "t.h"

static void fill(green_buf *b, const char *text)
{
  green_buf_append(b, text, strlen(text));
}

static int holds(const green_buf *b, const char *text)
{
  return green_buf_len(b) == strlen(text) &&
         memcmp(green_buf_data(b), text, strlen(text)) == 0;
}

static void test_empty(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  is(green_buf_len(&b), 0, "a new buffer is empty");
  is(green_buf_room(&b), 0, "and without room");
  ok(!b.data, "it holds no memory");
  green_buf_compact(&b);
  green_buf_consume(&b, 5);
  green_buf_reset(&b);
  ok(!b.data && green_buf_len(&b) == 0, "nothing makes it anything else");
  green_buf zero = {0};
  fill(&zero, "x");
  ok(holds(&zero, "x"), "a zeroed one works");
  green_buf_reset(&zero);
}

static void test_append_and_consume(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  fill(&b, "hello ");
  fill(&b, "world");
  ok(holds(&b, "hello world"), "appended at the tail");
  green_buf_consume(&b, 6);
  ok(holds(&b, "world"), "consumed at the head");
  is(green_buf_append(&b, NULL, 0), 0, "nothing can be appended");
  ok(holds(&b, "world"), "and changes nothing");
  green_buf_consume(&b, 5);
  is(green_buf_len(&b), 0, "consumed all");
  ok(b.head == 0 && b.tail == 0, "it begins at the front again");
  fill(&b, "more");
  green_buf_consume(&b, 100);
  is(green_buf_len(&b), 0, "consuming too much drops all");
  ok(b.data != NULL, "memory stays for what comes next");
  green_buf_reset(&b);
  ok(!b.data && b.cap == 0, "until a reset");
}

static void test_reserve_and_commit(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  is(green_buf_reserve(&b, 100), 0, "room is made");
  ok(green_buf_room(&b) >= 100, "as much as asked for");
  memset(green_buf_space(&b), 'x', 100);
  green_buf_commit(&b, 60);
  is(green_buf_len(&b), 60, "what was written counts");
  char *before = b.data;
  is(green_buf_reserve(&b, 40), 0, "room that is there");
  ok(b.data == before, "moves nothing");
  green_buf_reset(&b);
}

static void test_compact(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  fill(&b, "0123456789");
  green_buf_consume(&b, 7);
  green_buf_compact(&b);
  is(b.head, 0, "moved to the front");
  ok(holds(&b, "789"), "nothing lost");
  green_buf_reset(&b);
}

/* Consumed bytes are used again before more memory is asked for. */
static void test_reserve_uses_consumed_room(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  green_buf_reserve(&b, 1000);
  green_buf_commit(&b, 1000);
  memcpy(green_buf_data(&b) + 990, "0123456789", 10);
  green_buf_consume(&b, 990);
  uint32_t cap = b.cap;
  is(green_buf_reserve(&b, 900), 0, "900 more beside 10 of 1000");
  is(b.cap, cap, "fit into the same memory");
  ok(holds(&b, "0123456789"), "nothing lost");
  green_buf_reset(&b);
}

static void test_limit(void)
{
  green_buf b;
  green_buf_init(&b, 10);
  is(green_buf_append(&b, "12345678", 8), 0, "below the limit");
  is(green_buf_append(&b, "abc", 3), GREEN_ETOOBIG, "above it");
  ok(holds(&b, "12345678"), "nothing was appended");
  is(green_buf_append(&b, "ab", 2), 0, "just up to it");
  is(green_buf_reserve(&b, 1), GREEN_ETOOBIG, "full");
  green_buf_consume(&b, 4);
  is(green_buf_append(&b, "wxyz", 4), 0, "what was consumed does not count");
  ok(holds(&b, "5678abwxyz"), "in order");
  ok(b.cap <= 10, "the memory keeps to the limit");
  green_buf_reset(&b);
  is(green_buf_append(&b, "12345678901", 11), GREEN_ETOOBIG,
     "the limit stays over a reset");
  b.max = 0;
  is(green_buf_reserve(&b, GREEN_BUF_MAX + (size_t)1), GREEN_ETOOBIG,
     "no buffer is larger than an int");
  is(green_buf_reserve(&b, SIZE_MAX), GREEN_ETOOBIG, "nor wraps round");
  ok(!b.data, "refusals allocate nothing");
}

static void test_lowered_limit(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  fill(&b, "0123456789");
  b.max = 5;
  is(green_buf_reserve(&b, 1), GREEN_ETOOBIG, "a limit below what it holds");
  ok(holds(&b, "0123456789"), "takes nothing away");
  green_buf_reset(&b);
}

static void test_find(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  is(green_buf_find(&b, "x", 1, 0), GREEN_EAGAIN, "nothing in an empty buffer");
  is(green_buf_find(&b, "", 0, 0), 0, "but the empty string");
  fill(&b, "..GET / HTTP\r\n\r\nrest\n");
  green_buf_consume(&b, 2);
  is(green_buf_find(&b, "GET", 3, 0), 0, "at the head");
  is(green_buf_find(&b, "\r\n\r\n", 4, 0), 10, "further on");
  is(green_buf_find(&b, "\n", 1, 0), 11, "the first of several");
  is(green_buf_find(&b, "\n", 1, 12), 13, "the first behind an offset");
  is(green_buf_find(&b, "\n", 1, 18), 18, "at the offset itself");
  is(green_buf_find(&b, "..", 2, 0), GREEN_EAGAIN, "not what was consumed");
  is(green_buf_find(&b, "rest\n!", 6, 0), GREEN_EAGAIN, "not beyond the end");
  is(green_buf_find(&b, "\n", 1, 19), GREEN_EAGAIN, "from the end on");
  is(green_buf_find(&b, "\n", 1, 999), GREEN_EAGAIN, "or behind it");
  is(green_buf_find(&b, "", 0, 19), 19, "the empty string at the end");
  is(green_buf_find(&b, "x", SIZE_MAX, 3), GREEN_EAGAIN, "too long to be true");
  green_buf_reset(&b);
}

static void test_find_byte(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  is(green_buf_find_byte(&b, 'x', 0), GREEN_EAGAIN, "nothing when empty");
  green_buf_append(&b, "a\0b\xff", 4);
  is(green_buf_find_byte(&b, 0, 0), 1, "a NUL is a byte");
  is(green_buf_find_byte(&b, 0xff, 0), 3, "so is 255");
  is(green_buf_find_byte(&b, 'a', 1), GREEN_EAGAIN, "behind the offset only");
  is(green_buf_find_byte(&b, 'b', 4), GREEN_EAGAIN, "from the end");
  green_buf_reset(&b);
}

/* Random traffic beside a plain array. */
static void test_random(void)
{
  static char twin[1 << 16];
  size_t head = 0, tail = 0;
  int wrong = 0;
  unsigned seed = 7;
  green_buf b;
  green_buf_init(&b, 3000);
  for (int i = 0; i < 200000; i++) {
    char piece[256];
    size_t n = (size_t)(rand_r(&seed) % 256);
    for (size_t j = 0; j < n; j++) piece[j] = (char)rand_r(&seed);
    int err = green_buf_append(&b, piece, n);
    if ((err == 0) != (tail - head + n <= 3000)) wrong++;
    if (err == 0) memcpy(twin + tail, piece, n), tail += n;
    n = (size_t)(rand_r(&seed) % 250);
    green_buf_consume(&b, n);
    head += n < tail - head ? n : tail - head;
    if (green_buf_len(&b) != tail - head ||
        memcmp(green_buf_data(&b), twin + head, tail - head) != 0)
      wrong++;
    if (tail > sizeof(twin) - 4000) {
      memmove(twin, twin + head, tail - head);
      tail -= head;
      head = 0;
    }
  }
  is(wrong, 0, "200,000 random steps agree with a plain array");
  green_buf_reset(&b);
}

static void test_out_of_memory(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  green__alloc_fail_from(1);
  is(green_buf_append(&b, "x", 1), GREEN_ENOMEM, "the first append");
  green__alloc_fail_from(0);
  ok(!b.data && green_buf_len(&b) == 0, "leaves it empty");
  fill(&b, "kept");
  green__alloc_fail_from(1);
  is(green_buf_reserve(&b, 100000), GREEN_ENOMEM, "growing");
  green__alloc_fail_from(0);
  ok(holds(&b, "kept"), "leaves what it holds");
  is(green_buf_reserve(&b, 100000), 0, "later it works");
  ok(holds(&b, "kept"), "and still holds it");
  green_buf_reset(&b);
}

/* Byte by byte must not copy all of it each time. */
static void test_appends_are_linear(void)
{
  green_buf b;
  green_buf_init(&b, 0);
  green__alloc_fail_from(1000);
  for (int i = 0; i < 1 << 20; i++) green_buf_append(&b, "x", 1);
  ok(green__alloc_fail_from(0) < 40, "a million bytes in few allocations");
  is(green_buf_len(&b), 1 << 20, "all of them");
  green_buf_reset(&b);
}

int main(void)
{
  t_start();
  test_empty();
  test_append_and_consume();
  test_reserve_and_commit();
  test_compact();
  test_reserve_uses_consumed_room();
  test_limit();
  test_lowered_limit();
  test_find();
  test_find_byte();
  test_random();
  test_out_of_memory();
  test_appends_are_linear();
  return t_done();
}
