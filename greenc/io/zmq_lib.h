/*
** zmq_lib.h: libzmq, opened when ZeroMQ is first used. The only file that
** declares its functions. Private to greenc.
**
** Nothing is linked, and zmq.h is not needed: a program that uses no ZeroMQ
** does not map libzmq, and runs where there is none. The library is never
** unmapped: its own threads outlive the Lua states that have used it.
*/
#ifndef GREEN_ZMQ_LIB_H
#define GREEN_ZMQ_LIB_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* A zmq_msg_t. */
typedef struct green__zmq_msg {
  _Alignas(void *) unsigned char bytes[64];
} green__zmq_msg;

typedef void green__zmq_free_fn(void *data, void *hint);

/* clang-format off */
/* Result, name without zmq_, parameters: as libzmq 4.2 declares them. */
#define GREEN__ZMQ_FUNCTIONS(X) \
  X(void, version, (int *major, int *minor, int *patch)) \
  X(int, errno, (void)) \
  X(const char *, strerror, (int number)) \
  X(int, has, (const char *capability)) \
  X(void *, ctx_new, (void)) \
  X(int, ctx_term, (void *ctx)) \
  X(int, ctx_shutdown, (void *ctx)) \
  X(int, ctx_set, (void *ctx, int option, int value)) \
  X(int, ctx_get, (void *ctx, int option)) \
  X(void *, socket, (void *ctx, int type)) \
  X(int, close, (void *s)) \
  X(int, bind, (void *s, const char *endpoint)) \
  X(int, connect, (void *s, const char *endpoint)) \
  X(int, unbind, (void *s, const char *endpoint)) \
  X(int, disconnect, (void *s, const char *endpoint)) \
  X(int, setsockopt, (void *s, int option, const void *value, size_t n)) \
  X(int, getsockopt, (void *s, int option, void *value, size_t *n)) \
  X(int, send, (void *s, const void *data, size_t n, int flags)) \
  X(int, recv, (void *s, void *data, size_t n, int flags)) \
  X(int, msg_init, (green__zmq_msg *m)) \
  X(int, msg_init_size, (green__zmq_msg *m, size_t n)) \
  X(int, msg_init_data, (green__zmq_msg *m, void *data, size_t n, \
                         green__zmq_free_fn *free, void *hint)) \
  X(int, msg_send, (green__zmq_msg *m, void *s, int flags)) \
  X(int, msg_recv, (green__zmq_msg *m, void *s, int flags)) \
  X(int, msg_close, (green__zmq_msg *m)) \
  X(int, msg_move, (green__zmq_msg *to, green__zmq_msg *from)) \
  X(int, msg_copy, (green__zmq_msg *to, green__zmq_msg *from)) \
  X(void *, msg_data, (green__zmq_msg *m)) \
  X(size_t, msg_size, (const green__zmq_msg *m)) \
  X(int, msg_more, (const green__zmq_msg *m)) \
  X(int, msg_get, (const green__zmq_msg *m, int property)) \
  X(int, msg_set, (green__zmq_msg *m, int property, int value)) \
  X(const char *, msg_gets, (const green__zmq_msg *m, const char *property)) \
  X(int, socket_monitor, (void *s, const char *endpoint, int events)) \
  X(int, curve_keypair, (char *public_key, char *secret_key)) \
  X(int, curve_public, (char *public_key, const char *secret_key)) \
  X(char *, z85_encode, (char *text, const uint8_t *data, size_t n)) \
  X(uint8_t *, z85_decode, (uint8_t *data, const char *text))

/* Those that only a libzmq with drafts has. */
#define GREEN__ZMQ_DRAFTS(X) \
  X(void *, poller_new, (void)) \
  X(int, poller_destroy, (void **poller)) \
  X(int, poller_add, (void *poller, void *s, void *user, short events)) \
  X(int, poller_wait, (void *poller, void *event, long timeout)) \
  X(int, poller_fd, (void *poller, int *fd)) \
  X(int, msg_set_routing_id, (green__zmq_msg *m, uint32_t id)) \
  X(uint32_t, msg_routing_id, (green__zmq_msg *m)) \
  X(int, msg_set_group, (green__zmq_msg *m, const char *group)) \
  X(const char *, msg_group, (green__zmq_msg *m)) \
  X(int, join, (void *s, const char *group)) \
  X(int, leave, (void *s, const char *group)) \
  X(uint32_t, connect_peer, (void *s, const char *endpoint))
/* clang-format on */

typedef struct green__zmq_table {
#define X(type, name, parameters) type(*f_##name) parameters;
  GREEN__ZMQ_FUNCTIONS(X)
#undef X
} green__zmq_table;

typedef struct green__zmq_draft_table {
#define X(type, name, parameters) type(*f_##name) parameters;
  GREEN__ZMQ_DRAFTS(X)
#undef X
  int is_there; /* All of them are, and libzmq says that it has drafts. */
} green__zmq_draft_table;

/* Filled by green__zmq_load, never changed again. */
extern green__zmq_table green__zmq_lib;
extern green__zmq_draft_table green__zmq_drafts;

/* zmq.h's numbers. */
enum {
  GREEN__ZMQ_DONTWAIT = 1,
  GREEN__ZMQ_SNDMORE = 2,
  GREEN__ZMQ_POLLIN = 1,
  GREEN__ZMQ_POLLOUT = 2,
  GREEN__ZMQ_FD = 14,
  GREEN__ZMQ_EVENTS = 15,
  GREEN__ZMQ_LINGER = 17,
  GREEN__ZMQ_BACKLOG = 19,
  GREEN__ZMQ_LAST_ENDPOINT = 32,
  GREEN__ZMQ_USE_FD = 89
};

/* Open libzmq.so.5, once for the process; GREENLUA_LIBZMQ names another file.
** 0, or GREEN_ENOLIBRARY: it is absent or older than 4.2, and will be. Any
** thread. */
int green__zmq_load(void);

/* Why the last load failed, a sentence without a full stop. */
const char *green__zmq_why(void);

/* What libzmq's last call in this thread has failed with: a negative GREEN_E*
** or errno. Never 0. */
int green__zmq_error(void);

#endif
