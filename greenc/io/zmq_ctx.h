/*
** zmq_ctx.h: ZeroMQ contexts: the threads that do the I/O of sockets.
**
** One is the process's, shared by all its runtimes; others may be made. A
** context is counted: each of its sockets holds it. When the last holder has
** gone it is ended by a thread of its own, which waits for messages that are
** still to be sent; who wants to, waits for that with green_zmq_ctx_end_wait.
**
** A child of a fork has none of its parent's: it never touches them, and makes
** a new one when it first wants it.
*/
#ifndef GREEN_ZMQ_CTX_H
#define GREEN_ZMQ_CTX_H

#include "base/err.h"
#include <stdint.h>

/* ffi */
typedef struct green_zmq_context green_zmq_context;

/* Is there a libzmq that can be used? 0; GREEN_ENOLIBRARY: green_zmq_ctx_why
** has a sentence. Any thread. */
GREEN_API int green_zmq_ctx_load(void);
GREEN_API const char *green_zmq_ctx_why(void);

/* The version of libzmq, which is loaded: major, minor, patch. Any thread. */
GREEN_API void green_zmq_ctx_version(int32_t numbers[3]);

/* Can libzmq do "curve", "ipc", ...? It is loaded. Any thread. */
GREEN_API int green_zmq_ctx_has(const char *capability);

/* Set a number of it, or ask for one (option as zmq.h has it). 0 or the number;
** GREEN_EINVAL; GREEN_ECLOSED: it is ended, or the parent's. */
GREEN_API int green_zmq_ctx_set(green_zmq_context *c, int option, int value);
GREEN_API int green_zmq_ctx_get(green_zmq_context *c, int option);

/* Let all its sockets give GREEN_ETERM, those of other runtimes, too, and no
** new one be made. Idempotent. */
GREEN_API void green_zmq_ctx_shutdown(green_zmq_context *c);
/* A number that no other context of the process has, or has had. */
GREEN_API uint32_t green_zmq_ctx_id(const green_zmq_context *c);

/* Is the context with that number being ended, and waits for messages to be
** sent? 0: how many are. Any thread. */
GREEN_API int green_zmq_ctx_ending(uint32_t id);

/* Block until there is none, or the deadline has passed: GREEN_ETIMEDOUT. Any
** thread. */
GREEN_API int green_zmq_ctx_end_wait(int64_t deadline);
/* end ffi */

/* The process's, or (is_own) a new one. **Free with** green_zmq_ctx_unref.
** NULL: out of memory, descriptors or threads. Any thread; a hub has been made,
** and libzmq loaded. */
GREEN_API green_zmq_context *green_zmq_ctx_new(int is_own);

/* One more holder; one less. Any thread. */
GREEN_API green_zmq_context *green_zmq_ctx_ref(green_zmq_context *c);
GREEN_API void green_zmq_ctx_unref(green_zmq_context *c);

#endif
