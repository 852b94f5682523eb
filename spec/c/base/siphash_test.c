/*
** siphash_test.c: hashes beside those of other programs.
*/

#include "t.h"
#include "base/siphash.h"

static void test_known(void)
{
  /* Of the reference's vectors, and of CPython 3.11 with PYTHONHASHSEED=0. */
  static const uint64_t counted[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  static const uint64_t zeroes[2] = {0, 0};
  ok(green__siphash(counted, "", 0) == 0xabac0158050fc4dcu, "of nothing");
  ok(green__siphash(zeroes, "abc", 3) == 0xc03bc3a0042630f2u,
     "of less than a word");
  ok(green__siphash(zeroes, "abcdefgh", 8) == 0x3f7b849c0b8e35eau, "of a word");
  ok(green__siphash(zeroes, "0123456789abcdef0", 17) == 0xf738bb4f30801228u,
     "of more");
}

static void test_secret(void)
{
  static const uint64_t one[2] = {1, 2}, other[2] = {1, 3};
  ok(green__siphash(one, "a", 1) != green__siphash(other, "a", 1),
     "it depends on the secret");
}

int main(void)
{
  t_start();
  test_known();
  test_secret();
  return t_done();
}
