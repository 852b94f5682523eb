/*
** zmq_key.c: keys of CURVE.
*/

#include "io/zmq_key.h"

#include "base/z85.h"
#include "io/zmq_lib.h"

#include <string.h>

#define lib green__zmq_lib

int green_zmq_key_make(green_zmq_keys *keys)
{
  if (lib.f_curve_keypair(keys->key, keys->secret) < 0) {
    green_zmq_key_wipe(keys);
    return GREEN_EOPNOTSUPP;
  }
  return 0;
}

/* Is it 40 letters of Z85? What old libzmqs read in its place is anything. */
static int key_is_text(const char *text)
{
  uint8_t bytes[32];
  size_t at;
  int64_t n = strnlen(text, GREEN_ZMQ_KEY) == 40
                  ? green_z85_decode(text, 40, bytes, &at)
                  : 0;
  explicit_bzero(bytes, sizeof(bytes));
  return n == 32;
}

int green_zmq_key_derive(green_zmq_keys *keys)
{
  if (!key_is_text(keys->secret)) return GREEN_EINVAL;
  if (lib.f_curve_public(keys->key, keys->secret) < 0) return GREEN_EOPNOTSUPP;
  return 0;
}

void green_zmq_key_wipe(green_zmq_keys *keys)
{
  explicit_bzero(keys, sizeof(*keys));
}
