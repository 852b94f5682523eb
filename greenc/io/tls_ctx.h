/*
** tls_ctx.h: what TLS connections have in common: certificates, authorities,
** versions, names, ticket keys.
**
** A context is made, told everything, sealed, and then used by any number of
** connections; nothing but its ticket keys changes any more. To reload, make
** another and let it stand in the first one's place: green_tls_ctx_replace.
**
** Functions return 0 or a negative GREEN_E*; then green_tls_ctx_error has a
** sentence. Files are read at once, and may wait for the disk. Strings end with
** a NUL and are copied.
**
** The defaults are Mozilla's intermediate profile: TLS 1.2 and 1.3, ciphers
** with forward secrecy, no renegotiation, no compression, no early data.
*/
#ifndef GREEN_TLS_CTX_H
#define GREEN_TLS_CTX_H

#include "base/buf.h"
#include "io/tls_lib.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ffi needs: buf tls_lib */
/* ffi */
typedef struct green_tls_ctx green_tls_ctx;

/* -- Life ----------------------------------------------------------------- */

/* With one reference. NULL: out of memory. green_tls_load must have been well.
** **Free with** green_tls_ctx_free. */
GREEN_API green_tls_ctx *green_tls_ctx_new(bool server);

/* One more reference: c. Any thread. */
GREEN_API green_tls_ctx *green_tls_ctx_ref(green_tls_ctx *c);

/* Give up a reference; NULL is fine. Connections hold references. Any
** thread. */
GREEN_API void green_tls_ctx_free(green_tls_ctx *c);

/* All is said: look whether it fits together. Before the first connection, and
** once. GREEN_EINVAL, GREEN_ENOMEM, ... */
GREEN_API int green_tls_ctx_seal(green_tls_ctx *c);

/* Let connections that begin from here on have fresh where they are given c, or
** reach it by name or choice; those there are go on as they are. Both are
** sealed; nothing has replaced fresh, and c takes a reference to it. It gets
** the ticket keys in use, unless it was given its own: who has a session comes
** back with it where the policy is the same still. Once more replaces fresh.
** GREEN_EINVAL: one is a server's and one a client's, or fresh is c or has it
** among its names. Any thread. */
GREEN_API int green_tls_ctx_replace(green_tls_ctx *c, green_tls_ctx *fresh);

/* Is one of the files that it was made of, or what replaced it, another than
** when it was read, or than at the last call? Looks at each of them. A folder
** of authorities is another where one was added or taken away. */
GREEN_API bool green_tls_ctx_changed(green_tls_ctx *c);

/* Is it a server's, and sealed? */
GREEN_API bool green_tls_ctx_can_serve(const green_tls_ctx *c);

/* The first failure. It lives as long as c. */
GREEN_API const green_tls_error *green_tls_ctx_error(const green_tls_ctx *c);

/* -- Own certificates ----------------------------------------------------- */

/* Each call adds a certificate with its key; one of each kind (ECDSA, RSA,
** Ed25519) is used. A file of certificates begins with our own, then those that
** issued it. key NULL: it stands in the same file. password NULL: the key is
** not encrypted; nobody is ever asked at a terminal. What files lack:
** GREEN_ENOENT, GREEN_EACCES, ..., GREEN_ECERTINVALID, GREEN_EKEYINVALID (wrong
** password, key of another certificate, ...). */
GREEN_API int green_tls_key_files(green_tls_ctx *c, const char *cert,
                                  const char *key, const char *password);
GREEN_API int green_tls_key_pem(green_tls_ctx *c, const char *cert,
                                const char *key, const char *password);
GREEN_API int green_tls_key_pkcs12(green_tls_ctx *c, const char *path,
                                   const char *password);

/* What its authority says of the certificate that was added last (OCSP), in
** DER: clients that ask get it with the certificate, until it is out of date.
** GREEN_ECERTINVALID: it is no such answer, or about another certificate; and
** what files lack. */
GREEN_API int green_tls_key_ocsp(green_tls_ctx *c, const char *path);

/* Does it take a password to read that key, a path or PEM text? false, too, if
** it cannot be read. */
GREEN_API bool green_tls_key_locked(const char *key, bool is_path);

/* When the first of the certificates expires, in Unix seconds; 0: there is
** none. Of what replaced c, if something has. Append to which (it may be NULL)
** the words for it, "certificate \"CN=a.example\" (file a.pem)". Or
** GREEN_ENOMEM. */
GREEN_API int64_t green_tls_ctx_expires(green_tls_ctx *c, green_buf *which);

/* -- Whom to believe ------------------------------------------------------ */

enum {
  GREEN_TLS_VERIFY_NONE = 0,
  GREEN_TLS_VERIFY_ASK,   /* Servers: no certificate is fine, a bad one not. */
  GREEN_TLS_VERIFY_DEMAND /* The peer must show one, and it must be good. */
};

/* Clients demand by default, servers do not ask. */
GREEN_API int green_tls_ctx_set_verify(green_tls_ctx *c, int verify);

/* What a peer may show: so many bytes of certificates, and that many more of
** them than the depth. */
enum { GREEN_TLS_CHAIN_BYTES = 102400, GREEN_TLS_CHAIN_MORE = 10 };

/* How many certificates at most between the peer's and the authority's: 10. */
GREEN_API int green_tls_ctx_set_depth(green_tls_ctx *c, int depth);

/* Believe chains that end at any certificate that was given as an authority,
** though another issued it. */
GREEN_API int green_tls_ctx_set_partial_chain(green_tls_ctx *c, bool on);

/* Authorities: a file of certificates, a folder with names by hash (openssl
** rehash) that is looked into when needed, or PEM text; several calls add up. A
** client without any believes the system's; system adds these to one's own.
** SSL_CERT_FILE and SSL_CERT_DIR replace the system's. */
GREEN_API int green_tls_trust_file(green_tls_ctx *c, const char *path);
GREEN_API int green_tls_trust_folder(green_tls_ctx *c, const char *path);
GREEN_API int green_tls_trust_pem(green_tls_ctx *c, const char *pem);
GREEN_API int green_tls_trust_system(green_tls_ctx *c);

/* Revocation lists, in PEM. From here on each authority of a chain must have
** one that is not out of date. */
GREEN_API int green_tls_trust_revoked(green_tls_ctx *c, const char *path);

/* The peer's certificate must have a key with one of the pins that were added,
** "sha256//" and base64 of the SHA-256 of its SubjectPublicKeyInfo, as curl has
** them: in addition to the verification, or, with GREEN_TLS_VERIFY_NONE, as all
** of it; a server then demands a certificate. Else GREEN_ECERTPIN.
** GREEN_EINVAL: that is no pin. */
GREEN_API int green_tls_ctx_add_pin(green_tls_ctx *c, const char *pin);

/* -- Versions, ciphers, protocols ----------------------------------------- */

enum {
  GREEN_TLS_1_0 = 0x301,
  GREEN_TLS_1_1 = 0x302,
  GREEN_TLS_1_2 = 0x303,
  GREEN_TLS_1_3 = 0x304
};

/* 0: no limit on that side; 1.0 and 1.1 need weaker ciphers, too. */
GREEN_API int green_tls_ctx_set_versions(green_tls_ctx *c, int min, int max);

/* In OpenSSL's notation, the preferred ones first: for TLS 1.2, for 1.3, and
** the groups of the key exchange. */
GREEN_API int green_tls_ctx_set_ciphers(green_tls_ctx *c, const char *list);
GREEN_API int green_tls_ctx_set_ciphersuites(green_tls_ctx *c,
                                             const char *list);
GREEN_API int green_tls_ctx_set_groups(green_tls_ctx *c, const char *list);

/* One more protocol ("h2"), behind those before it in preference. A server
** takes the first of its own that the client has, too; when there is none the
** handshake fails with an alert. */
GREEN_API int green_tls_ctx_add_alpn(green_tls_ctx *c, const char *name);

/* -- Servers -------------------------------------------------------------- */

/* A client that asks for that name ("a.example"; "*.example": one label) gets
** other: its certificates, verification, versions, protocols. Exact names come
** first, names of c itself or of nobody stay with c. other is a sealed server
** context, and not c. */
GREEN_API int green_tls_ctx_add_name(green_tls_ctx *c, const char *name,
                                     green_tls_ctx *other);

/* Let each handshake wait for green_tls_choose. */
GREEN_API int green_tls_ctx_set_asks(green_tls_ctx *c, bool on);

/* Whoever is asked may give each name a context of its own, of which nobody
** knows before (green_tls_serves). */
GREEN_API int green_tls_ctx_set_chooses(green_tls_ctx *c, bool on);

/* Which handshakes sign in a thread of the pool (tls_pool.h), for they would
** keep the loop from its other work: none, the default; those with a key whose
** one signature takes over half a millisecond, which is timed by the seal; or
** all. A name's context says it for itself. */
enum { GREEN_TLS_POOL_NEVER, GREEN_TLS_POOL_SLOW, GREEN_TLS_POOL_ALWAYS };
GREEN_API int green_tls_ctx_set_pool(green_tls_ctx *c, int which);

/* Session tickets a full handshake gives: 1; 0: sessions are not resumed. */
GREEN_API int green_tls_ctx_set_tickets(green_tls_ctx *c, int n);

enum { GREEN_TLS_TICKET_KEY = 80, GREEN_TLS_TICKET_KEYS = 8 };

/* A context begins with a random key, and has a new one after so many seconds:
** 43,200, 12 hours; 0: never. The one before decrypts for as long again, and
** who comes with it gets a ticket of the newest. Children of a fork have the
** same keys, also those that come after it. Before the seal. */
GREEN_API int green_tls_ctx_set_ticket_lifetime(green_tls_ctx *c,
                                                int64_t seconds);

/* A new random key encrypts from here on (of what has replaced c, if something
** has; so with the next two); the GREEN_TLS_TICKET_KEYS - 1 before
** it still decrypt. Any thread. */
GREEN_API int green_tls_ticket_rotate(green_tls_ctx *c);

/* The keys of another context. Any thread. */
GREEN_API int green_tls_ticket_copy(green_tls_ctx *c, green_tls_ctx *from);

/* n keys of GREEN_TLS_TICKET_KEY secret bytes each, the newest first (more than
** fit: the newest), out of memory or a file that has nothing else: for
** processes and machines that must have the same. They do not change by
** themselves. GREEN_EKEYINVALID: the file has another size. */
GREEN_API int green_tls_ticket_set(green_tls_ctx *c, const void *keys, int n);
GREEN_API int green_tls_ticket_file(green_tls_ctx *c, const char *path);

/* -- Both ----------------------------------------------------------------- */

/* Write each connection's secrets to that descriptor, which stays the caller's,
** in lines as Wireshark reads them (-1: no more); or to the end of a file,
** which is made for its owner alone. Before the seal. */
GREEN_API int green_tls_ctx_set_keylog(green_tls_ctx *c, int fd);
GREEN_API int green_tls_ctx_open_keylog(green_tls_ctx *c, const char *path);
/* end ffi */

#endif
