/*
** ws_mask.c: the mask of a frame, on 64 and 16 bytes at a time where scan.h has
** vectors, else on four.
**
** The key is a word whose bytes lie as they do in the frame: it is never asked
** for its value. All that is written is put together, which says in passing
** whether it is ASCII.
*/

#include "proto/scan.h"
#include "proto/ws.h"

enum { VEC = 16, FOUR = 4 * VEC };

/* The bytes from the i-th on, which is a multiple of four. */
static inline bool mask_scalar(char *to, const char *from, size_t i, size_t n,
                               uint32_t key)
{
  uint32_t seen = 0;
  for (; n - i >= 4; i += 4) {
    uint32_t word;
    memcpy(&word, from + i, 4);
    word ^= key;
    seen |= word;
    memcpy(to + i, &word, 4);
  }
  char bytes[4];
  memcpy(bytes, &key, 4);
  for (; i < n; i++) {
    to[i] = (char)(from[i] ^ bytes[i & 3]);
    seen |= (unsigned char)to[i];
  }
  return !(seen & 0x80808080);
}

#if GREEN__SCAN_WIDE

static inline green__vec mask_vec(char *to, const char *from, green__vec key)
{
  green__vec x = green__vec_xor(green__vec_load(from), key);
  green__vec_store(to, x);
  return x;
}

static inline bool mask_wide(char *to, const char *from, size_t n, uint32_t key)
{
  green__vec k = green__vec_words(key), seen = green__vec_words(0);
  size_t i = 0;
  for (; n - i >= FOUR; i += FOUR) {
    green__vec a = mask_vec(to + i, from + i, k);
    green__vec b = mask_vec(to + i + VEC, from + i + VEC, k);
    green__vec c = mask_vec(to + i + 2 * VEC, from + i + 2 * VEC, k);
    green__vec d = mask_vec(to + i + 3 * VEC, from + i + 3 * VEC, k);
    a = green__vec_or(a, b);
    seen = green__vec_or(seen, green__vec_or(a, green__vec_or(c, d)));
  }
  for (; n - i >= VEC; i += VEC)
    seen = green__vec_or(seen, mask_vec(to + i, from + i, k));
  bool is_ascii = !green__vec_mask(green__vec_ge(seen, (char)0x80));
  return mask_scalar(to, from, i, n, key) && is_ascii;
}

#define MASK mask_wide
#else
#define MASK(to, from, n, key) mask_scalar(to, from, 0, n, key)
#endif

/* The key, turned so that its first byte is that of the offset. */
static uint32_t mask_key(const uint8_t key[4], size_t offset)
{
  uint8_t turned[4];
  uint32_t word;
  for (size_t i = 0; i < 4; i++) turned[i] = key[(offset + i) & 3];
  memcpy(&word, offset & 3 ? turned : key, 4);
  return word;
}

bool green_ws_mask(char *to, const char *from, size_t n, const uint8_t key[4],
                   size_t offset)
{
  return MASK(to, from, n, mask_key(key, offset));
}
