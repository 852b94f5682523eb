/*
** tls_priv.h: what the files of TLS know of OpenSSL and of each other. The only
** file that includes OpenSSL's headers.
**
** OpenSSL's functions are called as lib.SSL_new(...): through pointers, because
** the library is opened at run time. Its macros that call functions (sk_*,
** SSL_set_mode, ...) would call the linked ones and must not be used.
**
** From the bottom: lib; error, alert, text, policy, offer; file; key, slow,
** trust, ticket, hello, verify, pin, session; ctx; reload; io; failure; tls;
** info, work, move; pool.
*/
#ifndef GREEN_TLS_PRIV_H
#define GREEN_TLS_PRIV_H

#include "base/buf.h"
#include "io/tls.h"
#include "io/tls_ctx.h"
#include "io/tls_lib.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

/* -- lib ------------------------------------------------------------------ */

/* clang-format off */
#define GREEN__TLS_FUNCTIONS(X) \
  /* Errors and memory */ \
  X(OPENSSL_init_crypto) X(OPENSSL_init_ssl) X(OPENSSL_cleanse) \
  X(CRYPTO_free) X(CRYPTO_memdup) X(ERR_clear_error) X(ERR_peek_error) \
  X(ERR_reason_error_string) X(RAND_bytes) \
  /* BIO */ \
  X(BIO_meth_new) X(BIO_meth_free) X(BIO_meth_set_read) \
  X(BIO_meth_set_write) X(BIO_meth_set_ctrl) X(BIO_get_new_index) \
  X(BIO_new) X(BIO_free) X(BIO_up_ref) X(BIO_set_data) X(BIO_get_data) \
  X(BIO_set_init) X(BIO_set_flags) X(BIO_clear_flags) X(BIO_new_mem_buf) \
  X(BIO_s_mem) X(BIO_ctrl) \
  /* Certificates, keys, names */ \
  X(PEM_read_bio_X509) X(PEM_read_bio_X509_AUX) X(PEM_read_bio_X509_CRL) \
  X(PEM_read_bio_PrivateKey) X(d2i_PKCS12_bio) X(PKCS12_parse) \
  X(PKCS12_free) X(X509_free) X(X509_CRL_free) X(X509_check_private_key) \
  X(X509_digest) X(X509_CRL_digest) X(X509_get_subject_name) \
  X(X509_get_issuer_name) X(X509_NAME_print_ex) X(X509_get0_notBefore) \
  X(X509_get0_notAfter) X(ASN1_TIME_to_tm) X(X509_get0_serialNumber) \
  X(ASN1_STRING_get0_data) X(ASN1_STRING_length) X(X509_get_ext_d2i) \
  X(GENERAL_NAMES_free) X(GENERAL_NAME_get0_value) X(OPENSSL_sk_num) \
  X(OPENSSL_sk_value) X(OPENSSL_sk_pop_free) X(i2d_X509) \
  X(X509_get_signature_info) X(X509_cmp) X(EVP_PKEY_free) \
  X(X509_get_X509_PUBKEY) X(i2d_X509_PUBKEY) \
  X(OBJ_nid2sn) X(EVP_get_digestbyname) X(EVP_MD_CTX_new) \
  X(EVP_MD_CTX_free) X(EVP_DigestSignInit) X(EVP_DigestSign) \
  /* Trust */ \
  X(X509_STORE_new) X(X509_STORE_free) \
  X(X509_STORE_add_cert) X(X509_STORE_add_crl) X(X509_STORE_add_lookup) \
  X(X509_STORE_load_file) X(X509_LOOKUP_hash_dir) X(X509_LOOKUP_ctrl) \
  X(X509_LOOKUP_meth_new) X(X509_LOOKUP_meth_free) \
  X(X509_LOOKUP_meth_set_get_by_subject) X(X509_LOOKUP_set_method_data) \
  X(X509_LOOKUP_get_method_data) X(X509_LOOKUP_get_store) \
  X(X509_STORE_lock) X(X509_STORE_unlock) X(X509_STORE_get0_objects) \
  X(X509_OBJECT_retrieve_by_subject) X(X509_OBJECT_get0_X509) \
  X(X509_OBJECT_set1_X509) X(X509_NAME_hash_ex) X(X509_NAME_free) \
  X(d2i_X509_NAME) X(d2i_X509) X(X509_get_default_cert_dir) \
  X(X509_get_default_cert_file) \
  X(X509_VERIFY_PARAM_set_flags) X(X509_VERIFY_PARAM_set_hostflags) \
  X(X509_VERIFY_PARAM_set1_host) X(X509_VERIFY_PARAM_set1_ip) \
  X(X509_VERIFY_PARAM_set_depth) X(X509_VERIFY_PARAM_set1) \
  X(X509_VERIFY_PARAM_clear_flags) \
  X(X509_STORE_CTX_get_ex_data) X(X509_STORE_CTX_get_error) \
  X(X509_STORE_CTX_get_error_depth) X(X509_STORE_CTX_get_current_cert) \
  X(X509_verify_cert_error_string) X(SSL_get_ex_data_X509_STORE_CTX_idx) \
  X(X509_STORE_CTX_get0_cert) \
  /* Answers about revocation (OCSP) */ \
  X(d2i_OCSP_RESPONSE) X(OCSP_RESPONSE_free) X(OCSP_response_status) \
  X(OCSP_response_status_str) X(OCSP_response_get1_basic) \
  X(OCSP_BASICRESP_free) X(OCSP_resp_count) X(OCSP_resp_get0) \
  X(OCSP_SINGLERESP_get0_id) X(OCSP_id_get0_info) \
  X(OCSP_single_get0_status) X(ASN1_INTEGER_cmp) \
  /* Ciphers and digests */ \
  X(EVP_EncodeBlock) X(EVP_DecodeBlock) X(EVP_sha256) X(EVP_Digest) \
  X(EVP_aes_256_cbc) X(EVP_EncryptInit_ex) \
  X(EVP_DecryptInit_ex) X(EVP_MAC_init) \
  /* SSL_CTX */ \
  X(TLS_server_method) X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) \
  X(SSL_CTX_ctrl) X(SSL_CTX_set_options) X(SSL_CTX_set_ex_data) \
  X(SSL_CTX_set_cipher_list) X(SSL_CTX_set_ciphersuites) \
  X(SSL_CTX_use_certificate) X(SSL_CTX_use_PrivateKey) \
  X(SSL_CTX_set1_cert_store) X(SSL_CTX_get0_param) \
  X(SSL_CTX_set_verify) X(SSL_CTX_set_alpn_protos) \
  X(SSL_CTX_set_alpn_select_cb) X(SSL_CTX_set_client_hello_cb) \
  X(SSL_CTX_set_keylog_callback) X(SSL_CTX_set_tlsext_ticket_key_evp_cb) \
  X(SSL_CTX_sess_set_new_cb) X(SSL_CTX_set_num_tickets) \
  X(SSL_CTX_add_client_CA) X(SSL_CTX_get_ex_data) \
  X(SSL_CTX_get0_privatekey) \
  X(SSL_CTX_get0_certificate) X(SSL_CTX_callback_ctrl) \
  /* SSL */ \
  X(SSL_new) X(SSL_free) X(SSL_ctrl) X(SSL_set_bio) X(SSL_set0_rbio) \
  X(SSL_set0_wbio) X(SSL_set_accept_state) X(SSL_set_connect_state) \
  X(SSL_do_handshake) X(SSL_read_ex) X(SSL_write_ex) X(SSL_shutdown) \
  X(SSL_get_shutdown) X(SSL_set_shutdown) X(SSL_get_error) \
  X(SSL_pending) X(SSL_get_session) \
  X(SSL_set_ex_data) X(SSL_get_ex_data) X(SSL_set_msg_callback) \
  X(SSL_set_SSL_CTX) X(SSL_get_SSL_CTX) X(SSL_set_verify) \
  X(SSL_get0_param) X(SSL_set_num_tickets) X(SSL_set_options) \
  X(SSL_clear_options) \
  X(SSL_session_reused) \
  X(SSL_set_session) X(SSL_SESSION_up_ref) X(SSL_SESSION_free) \
  X(SSL_SESSION_is_resumable) X(SSL_SESSION_get_ticket_lifetime_hint) \
  X(SSL_SESSION_get_timeout) \
  X(SSL_set_session_id_context) X(SSL_version) X(SSL_get_version) \
  X(SSL_get_current_cipher) X(SSL_CIPHER_get_name) \
  X(SSL_get0_alpn_selected) X(SSL_get0_peer_certificate) \
  X(SSL_get_peer_cert_chain) X(SSL_get_certificate) \
  X(SSL_key_update) X(SSL_export_keying_material) \
  X(SSL_client_hello_get0_ext) \
  /* What failures tell */ \
  X(SSL_client_hello_get0_ciphers) X(SSL_client_hello_isv2) \
  X(SSL_client_hello_get0_legacy_version) X(SSL_CIPHER_find) \
  X(SSL_get_cipher_list) X(X509_up_ref) X(X509_STORE_CTX_get0_untrusted) \
  X(X509_STORE_CTX_set_error) X(X509_verify_cert) \
  X(SSL_CTX_set_cert_verify_callback)
/* clang-format on */

typedef struct green__tls_table {
#define X(name) __typeof__(name) *(name);
  GREEN__TLS_FUNCTIONS(X)
#undef X
} green__tls_table;

/* Filled by green_tls_load, never changed again. */
extern green__tls_table green__tls_lib;
#define lib green__tls_lib

/* -- say ------------------------------------------------------------------ */

/* Put a sentence into e, which may be NULL, unless it has one already: the
** first failure is the cause. Returns code. */
int green__tls_say(green_tls_error *e, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int green__tls_vsay(green_tls_error *e, int code, const char *format,
                    va_list args);

/* OpenSSL's words for its first error of this call: "no shared cipher". */
const char *green__tls_reason(void);

/* Its number, or 0. */
int green__tls_reason_number(void);

/* -- text ----------------------------------------------------------------- */

enum { GREEN__TLS_NAME = 256, GREEN__TLS_TIME = 24 };

/* "CN=a.example,O=Example" (RFC 4514), cut where it is too long. */
void green__tls_name_text(const X509_NAME *name, char text[GREEN__TLS_NAME]);

/* "2026-01-31T12:00:00Z". */
void green__tls_time_text(const ASN1_TIME *t, char text[GREEN__TLS_TIME]);
void green__tls_now_text(char text[GREEN__TLS_TIME]);

/* Unix seconds; 0: it says nothing. */
int64_t green__tls_seconds(const ASN1_TIME *t);

/* Append each alternative name with separator between: "a.example", with kinds
** "DNS:a.example". How many there are, or GREEN_ENOMEM. */
int green__tls_alt_names(const X509 *cert, bool kinds, const char *separator,
                         green_buf *out);

/* -- offer ---------------------------------------------------------------- */

/* Of a list: its first words, and how many more there are. */
typedef struct green__tls_text {
  char text[280];
} green__tls_text;

typedef struct green__tls_offer green__tls_offer;

/* Keep of a client's hello, in its callback, what texts need, until forget. */
void green__tls_offer_keep(green_tls *t, SSL *ssl);
void green__tls_offer_forget(green_tls *t);

/* A server has chosen that one. */
void green__tls_offer_version(green_tls *t, int version);

/* Has the client a version that c takes? */
bool green__tls_offer_fits(const green_tls *t, const green_tls_ctx *c);

/* "TLS 1.2"; "TLS 1.2 to TLS 1.3", c's; "TLS 1.0, TLS 1.1", the client's. */
const char *green__tls_version_name(int version);
void green__tls_range_text(const green_tls_ctx *c, green__tls_text *out);
void green__tls_versions_text(const green_tls *t, green__tls_text *out);

/* Ciphers: the client's, and what c allows. */
void green__tls_offer_text(const green_tls *t, green__tls_text *out);
void green__tls_ciphers_text(const green_tls *t, const green_tls_ctx *c,
                             green__tls_text *out);

/* Protocols, each with its length before it: "h2, http/1.1". */
void green__tls_alpn_text(const uint8_t *p, size_t n, green__tls_text *out);

/* -- policy, ctx ---------------------------------------------------------- */

_Static_assert(GREEN_TLS_SESSION_KEY == 32, "a digest");

enum { GREEN__TLS_DIGEST = 32, GREEN__TLS_KEYS = 8, GREEN__TLS_ALPN = 255 };

typedef struct green__tls_ticket {
  uint8_t name[16];
  uint8_t aes[32];
  uint8_t mac[32];
} green__tls_ticket;

_Static_assert(sizeof(green__tls_ticket) == GREEN_TLS_TICKET_KEY, "packed");

/* The keys of a context's tickets: the newest, which encrypts, and older
** ones. */
typedef struct green__tls_ring {
  bool own; /* They were given, and do not turn. */
  uint8_t n;
  uint16_t turns; /* Since the seed came from the far one. */
  int64_t since;  /* When the newest became that. */
  uint8_t seed[GREEN__TLS_DIGEST];
  uint8_t far[GREEN__TLS_DIGEST];
  green__tls_ticket key[GREEN__TLS_KEYS];
} green__tls_ring;

/* A server's name and whose certificate it gets. */
typedef struct green__tls_host {
  green_tls_ctx *ctx; /* Holds a reference. */
  uint8_t len;
  char name[]; /* Lower case; ".example.com": one label before it. */
} green__tls_host;

/* A file as it was when it was read. */
typedef struct green__tls_file {
  struct green__tls_file *next;
  struct stat seen; /* All zero: it was not there. */
  char path[];
} green__tls_file;

/* What an authority says of a certificate of ours, to be shown with it. */
typedef struct green__tls_staple {
  struct green__tls_staple *next;
  X509 *cert;
  int64_t until; /* Unix seconds. */
  green_buf der;
} green__tls_staple;

struct green_tls_ctx {
  SSL_CTX *ssl;
  int refs;             /* Atomic. */
  green_tls_ctx *fresh; /* What new connections get; NULL: c. By its lock. */
  green__tls_file *files;
  bool server;
  bool sealed;
  bool system;        /* The system's authorities count, too. */
  bool asks;          /* Handshakes wait for green_tls_choose, */
  bool chooses;       /* which may depend on the name. */
  uint8_t pool;       /* GREEN_TLS_POOL_* */
  bool slow;          /* What signs does it in the pool. */
  uint8_t verify;     /* GREEN_TLS_VERIFY_* */
  uint8_t verify_set; /* Not by default. */
  uint8_t n_keys;     /* Certificates. */
  uint8_t alpn_len;
  int depth;
  unsigned long flags; /* Of the verification. */
  int min, max;        /* Versions; 0: any. */
  int tickets;
  int keylog;      /* A descriptor or -1. */
  bool own_keylog; /* It is closed with the context. */
  green__tls_staple *staples;
  green_buf pins;     /* Digests of keys, one behind the other. */
  int64_t expires;    /* Unix seconds of the first of our certificates; 0. */
  char *expires_text; /* Which that is. */
  X509_STORE *store;  /* Own authorities and revocations; NULL: none. */
  struct system_cas *system_cas; /* Of tls_system.c, held; NULL: not. */
  uint32_t system_since;         /* The process's generation. */
  char *groups;
  uint32_t n_hosts;
  green__tls_host **hosts; /* By their order from the seal on. */
  pthread_mutex_t lock;    /* Of the ticket keys, and of fresh. */
  int64_t ticket_life;     /* Seconds until a new key; 0: none by itself. */
  green__tls_ring ring;
  uint8_t alpn[GREEN__TLS_ALPN];     /* Each with its length before. */
  uint8_t trust[GREEN__TLS_DIGEST];  /* Of the authorities. */
  uint8_t own[GREEN__TLS_DIGEST];    /* Of the certificates. */
  uint8_t policy[GREEN__TLS_DIGEST]; /* Of what a session is good for. */
  green_tls_error error;
};

/* digest = SHA-256(digest, ptr[0..n)). 0 or GREEN_ENOMEM. */
int green__tls_mix(uint8_t digest[GREEN__TLS_DIGEST], const void *ptr,
                   size_t n);

/* Whose sessions are good for a connection of this context with that name. */
int green__tls_policy(const green_tls_ctx *c, const char *name,
                      uint8_t digest[GREEN__TLS_DIGEST]);

static inline green_tls_ctx *green__tls_ctx_hold(green_tls_ctx *c)
{
  __atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
  return c;
}

/* What a connection gets that begins now: c, or what has replaced it. **Free
** with** green_tls_ctx_free. Any thread. */
static inline green_tls_ctx *green__tls_ctx_newest(green_tls_ctx *c)
{
  pthread_mutex_lock(&c->lock);
  green_tls_ctx *newest = green__tls_ctx_hold(c->fresh ? c->fresh : c);
  pthread_mutex_unlock(&c->lock);
  return newest;
}

/* Would a connection that begins now be asked for a certificate? Any thread. */
static inline bool green__tls_ctx_verifies(green_tls_ctx *c)
{
  pthread_mutex_lock(&c->lock);
  bool verifies = (c->fresh ? c->fresh : c)->verify != GREEN_TLS_VERIFY_NONE;
  pthread_mutex_unlock(&c->lock);
  return verifies;
}

static inline int green__tls_pin_count(const green_tls_ctx *c)
{
  return (int)(green_buf_len(&c->pins) / GREEN__TLS_DIGEST);
}

/* As SSL_set_verify takes it. */
int green__tls_verify_mode(const green_tls_ctx *c);

/* The context is made of that file, or folder, which is open there: another
** one from here on is a change. Before it is read. 0 or GREEN_ENOMEM. */
int green__tls_note_file(green_tls_ctx *c, const char *path, int fd);

/* Read a whole file, of at most a megabyte: out->data with a NUL behind, and
** note it for green_tls_ctx_changed. 0, or c->error is said; c NULL: neither.
** **Free with** green__tls_forget_file. */
int green__tls_read_file(green_tls_ctx *c, const char *what, const char *path,
                         green_buf *out);

/* Secrets do not stay in memory that was given back. */
void green__tls_forget_file(green_buf *b);

void green__tls_free_files(green_tls_ctx *c);

/* Is one another than it was when it was read, or at the last call? */
bool green__tls_files_changed(green_tls_ctx *c);

/* Callbacks of OpenSSL, and who sets them up. */
int green__tls_verify_cb(int ok, X509_STORE_CTX *x);
int green__tls_chain_cb(X509_STORE_CTX *x, void *arg);
int green__tls_hello_cb(SSL *ssl, int *alert, void *arg);
int green__tls_alpn_cb(SSL *ssl, const unsigned char **out, unsigned char *len,
                       const unsigned char *in, unsigned int n, void *arg);
int green__tls_session_cb(SSL *ssl, SSL_SESSION *session);

/* Does a signature of one of its keys take long? Measures. */
bool green__tls_keys_are_slow(const green_tls_ctx *c);

/* Is the key of the certificate that x is about among the pins of t's context?
** 1: it is, or there are none; 0: t has failed. */
int green__tls_check_pin(green_tls *t, X509_STORE_CTX *x);
int green__tls_sort_hosts(green_tls_ctx *c);
void green__tls_staple_setup(green_tls_ctx *c);
void green__tls_free_staples(green_tls_ctx *c);
void green__tls_keylog_setup(green_tls_ctx *c);
void green__tls_keylog_close(green_tls_ctx *c);
void green__tls_ticket_setup(green_tls_ctx *c);
/* New keys, as many as are due at now, CLOCK_BOOTTIME's seconds, where each
** lives that long; with the context's lock held. A thousand turns that were
** missed cost as much as a million. */
void green__tls_ring_turn(green__tls_ring *r, int64_t life, int64_t now);
/* The system's authorities into c->store, or without one into c->ssl. 0, or
** c->error is said. **Free with** green__tls_system_leave, when nothing of c
** uses them any more. */
int green__tls_system_setup(green_tls_ctx *c);
void green__tls_system_leave(green_tls_ctx *c);

/* The authorities into c->ssl. 0, or c->error is said. */
int green__tls_trust_setup(green_tls_ctx *c);

/* -- tls ------------------------------------------------------------------ */

enum {
  GREEN__TLS_RECORD = 16384, /* Plain bytes of one at most. */
  GREEN__TLS_SLACK = 1024,   /* What a record adds, and a message besides. */
  GREEN__TLS_KEY_RECORDS = 1 << 24, /* Written with one key: AES-GCM is good for
                                       somewhat more (RFC 8446, 5.5). */
  GREEN__TLS_SNI = 255
};

struct green_tls_io {
  int refs; /* Atomic: the last connection may end in the pool. */
  BIO_METHOD *method;
  BIO *bio;           /* Of all whose handshake is over. */
  green_tls *current; /* Whose call is under way. */
  green_tls *owner;   /* Whose bytes lie in out. */
  uint32_t head, tail;
  char *out;            /* GREEN_TLS_OUTPUT bytes; NULL: not used yet. */
  uint32_t key_records; /* GREEN__TLS_KEY_RECORDS; tests have fewer. */
  char *raw; /* GREEN_TLS_INPUT bytes, for whoever receives; NULL, likewise. */
};

/* What a client said, kept while its handshake waits for green_tls_choose. */
typedef struct green__tls_heard {
  uint16_t alpn_len;
  uint8_t alpn[];
} green__tls_heard;

/* What has a connection while the pool is at it. */
typedef struct green__tls_away {
  void (*leave)(struct green__tls_away *a); /* It was to be freed. */
} green__tls_away;

struct green_tls {
  SSL *ssl;
  green_tls *self;       /* What its own BIO has for current. */
  green_tls_io *io;      /* NULL: it is on its way to another thread. */
  green_tls_ctx *ctx;    /* It began with. */
  green_tls_ctx *chosen; /* By name or green_tls_choose; NULL: ctx. */
  green_buf in;          /* Fed, and not taken yet. */
  const char *lent;      /* Behind these. */
  size_t lent_len;
  green_buf out; /* Bytes that were in io->out when another's turn came. */
  const green_tls_error *error; /* The first failure; NULL: none. */
  char *name;                   /* That a client asks for. */
  green__tls_heard *heard;
  SSL_SESSION *session;  /* A client's newest. */
  green__tls_away *away; /* NULL: it is here. */
  uint64_t plain;        /* Bytes read. */
  int worked;            /* What the pool's step came to. */
  uint32_t messages;     /* Without data, since the handshake. */
  uint32_t ones;         /* Records of one byte in a row. */
  uint32_t keyed;        /* Written with the present key. */
  uint32_t part; /* Bytes that OpenSSL has taken, less its records' lengths: 0
                    between two of them. */
  green__tls_offer *offer; /* A client's, during the handshake. */
  X509 *bad_cert;          /* The certificate of the failure; NULL: none. */
  int16_t bad_cert_at;     /* 0: the peer's own, 1: its issuer, ... */
  int16_t alert;           /* That ended it, the peer's; -1: none. */
  uint8_t theirs;          /* Versions: a client's, or the server's choice. */
  uint8_t first[5];        /* Of the peer's first record. */
  char *alpn;              /* What green_tls_choose said; NULL: nothing. */
  uint8_t alpn_len;
  uint8_t refusal; /* By the caller, with that alert; 0: none. */
  bool server : 1;
  bool done : 1;    /* The handshake. */
  bool ended : 1;   /* The input. */
  bool closed : 1;  /* By us. */
  bool any : 1;     /* A client that does not look at names. */
  bool named : 1;   /* set_host was well. */
  bool chose : 1;   /* green_tls_choose was called. */
  bool flooded : 1; /* Output that nobody takes. */
  bool strict : 1;  /* Output beyond the limit ends the connection. */
  bool met : 1;     /* Something came from the peer that is TLS. */
  bool asked : 1;   /* The server wants a certificate of ours. */
  bool slow : 1;    /* What signs does it in the pool. */
  bool wants : 1;   /* The handshake waits for the pool. */
  bool pooled : 1;  /* A thread of the pool may be at it. */
  bool ready : 1;   /* The handshake can go on, though nothing is fed. */
  bool starved : 1; /* It cannot, unless something is. */
};

/* Latch a failure. Returns its code, or that of the one before. */
int green__tls_fail(green_tls *t, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Free it, which nobody has any more. Any thread. */
void green__tls_destroy(green_tls *t);

/* The context that counts. */
static inline green_tls_ctx *green__tls_ctx_of(const green_tls *t)
{
  return t->chosen ? t->chosen : t->ctx;
}

/* Free the failure, for the end. */
void green__tls_forgive(green_tls *t);

/* Around each call of OpenSSL that may read or write. */
void green__tls_enter(green_tls *t);
void green__tls_leave(green_tls *t);

/* The handshake is done: what follows is for connections in use. */
void green__tls_shaken(green_tls *t);

/* From here on OpenSSL reads and writes by the BIO of all of t's io. It needs
** no BIO of its own: OpenSSL puts a buffer before that while hands are shaken,
** which would get in another's way. */
void green__tls_share_bio(green_tls *t);

/* A BIO that belongs to one connection, for its handshake. NULL: no memory. */
BIO *green__tls_io_bio(green_tls_io *io, green_tls **current);

/* How many more bytes may be written before the output is full. */
size_t green__tls_room(const green_tls *t);

/* What is to be sent lies in a buffer of its own from here on. */
void green__tls_part(green_tls *t);

/* Forget what was not sent. */
void green__tls_drop_output(green_tls *t);

/* -- failure -------------------------------------------------------------- */

/* What a call of OpenSSL that returned r and failed means; a failure is
** latched. */
int green__tls_outcome(green_tls *t, int r);

/* The peer floods. Its code, latched. */
int green__tls_fail_flood(green_tls *t);

/* -- work ----------------------------------------------------------------- */

/* A handshake that waits for it goes on in another thread: begin before, end
** after it, both here. In between nothing else may be done to t but what asks
** whether it is away. */
void green__tls_work_begin(green_tls *t);
void green__tls_work_undo(green_tls *t); /* Instead of work: as before begin. */
void green__tls_work(green_tls *t);      /* Any thread. */
void green__tls_work_end(green_tls *t);

/* Instead of end: another process's thread was at it when this one was forked
** off, and nothing of what it touched is whole. */
void green__tls_work_lost(green_tls *t);

#endif
