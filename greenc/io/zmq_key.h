/*
** zmq_key.h: keys of CURVE, ZeroMQ's encryption: 32 bytes, 40 letters of Z85.
**
** libzmq is loaded (zmq_ctx.h). Any thread.
*/
#ifndef GREEN_ZMQ_KEY_H
#define GREEN_ZMQ_KEY_H

#include "base/err.h"

/* ffi */
enum { GREEN_ZMQ_KEY = 41 }; /* Letters, and a NUL. */

/* A key and its secret half, new. The caller wipes the latter after use. */
typedef struct green_zmq_keys {
  char key[41];
  char secret[41];
} green_zmq_keys;

/* Make a pair. 0, or GREEN_EOPNOTSUPP: this libzmq has no CURVE. */
GREEN_API int green_zmq_key_make(green_zmq_keys *keys);

/* Fill in the key of keys->secret. 0, GREEN_EOPNOTSUPP, or GREEN_EINVAL: that
** is no Z85. */
GREEN_API int green_zmq_key_derive(green_zmq_keys *keys);

/* Overwrite both. */
GREEN_API void green_zmq_key_wipe(green_zmq_keys *keys);
/* end ffi */

#endif
