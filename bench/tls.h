/*
** tls.h: TLS over a descriptor, for the load and for the floor, as cheap as
** OpenSSL makes it: one buffer for what arrives and one for what leaves, of all
** connections, and one BIO between them and OpenSSL. With the option direct
** OpenSSL reads and writes the descriptor itself (SSL_set_fd).
**
** The peer's certificate is not looked at.
*/
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
  TLS_RAW = 64 << 10,  /* What one read of the descriptor may bring. */
  TLS_OUT = 256 << 10, /* What one write may carry. */
  TLS_PLAIN = TLS_RAW + (16 << 10), /* What a read may become: the beginning
                                    ** of a record was there before. */
  TLS_AGAIN = -1,
  TLS_FAILED = -2
};

typedef struct tls {
  SSL *ssl;
  int fd;
  bool direct;
  bool done;    /* The handshake. */
  bool drained; /* The last read took all that there was. */
  char *rest;   /* What the socket did not take, or NULL. */
  size_t rest_len, rest_sent;
} tls;

/* AES-128-GCM and X25519, with one ticket a handshake. NULL, with a line on
** stderr. */
SSL_CTX *tls_server(const char *cert, const char *key);

/* Version TLS1_2_VERSION or TLS1_3_VERSION, and no other. A session is kept in
** *(SSL_SESSION **)SSL_get_ex_data(ssl, 0). */
SSL_CTX *tls_client(int version);

/* Zeroed or ended before. The descriptor does not block. */
void tls_start(tls *t, SSL_CTX *ctx, int fd, bool direct);

/* Say the end if there is a handshake behind, and free. The descriptor stays
** open. */
void tls_end(tls *t, bool say);

/* A client's first flight. 0, TLS_AGAIN or TLS_FAILED. */
int tls_hello(tls *t);

/* Read the descriptor once and take all that has come; n is at least TLS_PLAIN.
** How many plain bytes; 0 at the end; TLS_AGAIN: none, perhaps because the
** handshake goes on; TLS_FAILED. */
ssize_t tls_take(tls *t, char *p, size_t n);

/* Send as many plain bytes as the socket takes: fewer than n when it is full.
** The rest of their records is kept for tls_flush. TLS_FAILED. */
ssize_t tls_put(tls *t, const char *p, size_t n);

/* Send what was kept. 0, TLS_AGAIN or TLS_FAILED. */
int tls_flush(tls *t);

#endif
