/*
** tls_offer.c: which versions, ciphers and protocols two ends have, as text.
**
** Of a client's hello a server keeps what it needs to say why nothing is in
** common; OpenSSL has forgotten the hello by then.
*/

#include "io/tls_priv.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum {
  OFFER_MOST = 256, /* Bytes of ciphers that are kept: 128 of them. */
  OFFER_NAMED = 6   /* As many are named. */
};

/* Of versions, besides a bit for each: older than TLS 1.0; only the newest was
** said. */
enum { OLD = 0x80, UP_TO = 0x40 };

struct green__tls_offer {
  uint16_t len;
  uint8_t ciphers[];
};

/* -- A client's hello ----------------------------------------------------- */

/* GREASE (RFC 8701), and what stands among ciphers and is none. */
static bool is_cipher(unsigned n)
{
  return (n & 0x0f0f) != 0x0a0a && n != 0x00ff && n != 0x5600;
}

static uint8_t version_bit(unsigned version)
{
  if (version < GREEN_TLS_1_0) return OLD;
  return version <= GREEN_TLS_1_3 ? (uint8_t)(1u << (version - GREEN_TLS_1_0))
                                  : 0;
}

/* Those of the extension; without one all up to the hello's own. */
static uint8_t versions_of(SSL *ssl)
{
  const unsigned char *p;
  size_t n;
  uint8_t all = 0;
  if (lib.SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p,
                                    &n)) {
    for (size_t i = 1; i + 1 < n; i += 2)
      all |= version_bit((unsigned)(p[i] << 8 | p[i + 1]));
    return all;
  }
  unsigned most = lib.SSL_client_hello_get0_legacy_version(ssl);
  if (most > GREEN_TLS_1_2) most = GREEN_TLS_1_2;
  if (most < GREEN_TLS_1_0) return OLD;
  return (uint8_t)(UP_TO | version_bit(most) | (version_bit(most) - 1u));
}

void green__tls_offer_version(green_tls *t, int version)
{
  t->theirs = version_bit((unsigned)version);
}

void green__tls_offer_keep(green_tls *t, SSL *ssl)
{
  const unsigned char *p;
  t->theirs = versions_of(ssl);
  if (t->offer || lib.SSL_client_hello_isv2(ssl)) return;
  size_t n = lib.SSL_client_hello_get0_ciphers(ssl, &p);
  if (n > OFFER_MOST) n = OFFER_MOST;
  t->offer = green__alloc(sizeof(*t->offer) + n);
  if (!t->offer) return; /* A sentence is shorter then. */
  t->offer->len = (uint16_t)n;
  if (n > 0) memcpy(t->offer->ciphers, p, n);
}

void green__tls_offer_forget(green_tls *t)
{
  green__free(t->offer);
  t->offer = NULL;
}

bool green__tls_offer_fits(const green_tls *t, const green_tls_ctx *c)
{
  for (unsigned v = GREEN_TLS_1_0; v <= GREEN_TLS_1_3; v++)
    if ((t->theirs & version_bit(v)) && (int)v >= c->min &&
        (!c->max || (int)v <= c->max))
      return true;
  return false;
}

/* -- Versions ------------------------------------------------------------- */

const char *green__tls_version_name(int version)
{
  static const char *const names[] = {"TLS 1.0", "TLS 1.1", "TLS 1.2",
                                      "TLS 1.3"};
  if (version < GREEN_TLS_1_0) return "SSL 3.0 or older";
  return version <= GREEN_TLS_1_3 ? names[version - GREEN_TLS_1_0] : "TLS ?";
}

void green__tls_range_text(const green_tls_ctx *c, green__tls_text *out)
{
  int min = c->min ? c->min : GREEN_TLS_1_0;
  int max = c->max ? c->max : GREEN_TLS_1_3;
  snprintf(out->text, sizeof(out->text), "%s%s%s", green__tls_version_name(min),
           min < max ? " to " : "",
           min < max ? green__tls_version_name(max) : "");
}

/* -- Lists ---------------------------------------------------------------- */

/* One more word of a list, ", " before it; beyond the named ones it counts. */
typedef struct words {
  green__tls_text *out;
  size_t len;
  int count;
} words;

static words words_begin(green__tls_text *out)
{
  *out->text = '\0';
  return (words){.out = out};
}

static void words_add(words *w, const char *word)
{
  char *p = w->out->text + w->len;
  size_t room = sizeof(w->out->text) - w->len;
  if (w->count++ >= OFFER_NAMED) return;
  int n = snprintf(p, room, "%s%s", w->len ? ", " : "", word);
  w->len += (size_t)n < room ? (size_t)n : room - 1;
}

static void words_end(words *w)
{
  size_t room = sizeof(w->out->text) - w->len;
  if (w->count == 0)
    snprintf(w->out->text, room, "none");
  else if (w->count > OFFER_NAMED)
    snprintf(w->out->text + w->len, room, " and %d more",
             w->count - OFFER_NAMED);
}

void green__tls_versions_text(const green_tls *t, green__tls_text *out)
{
  words w = words_begin(out);
  if (t->theirs & UP_TO) {
    int most = GREEN_TLS_1_2;
    while (!(t->theirs & version_bit((unsigned)most))) most--;
    snprintf(out->text, sizeof(out->text), "up to %s",
             green__tls_version_name(most));
    return;
  }
  for (int v = GREEN_TLS_1_0 - 1; v <= GREEN_TLS_1_3; v++)
    if (t->theirs & version_bit((unsigned)v))
      words_add(&w, green__tls_version_name(v));
  words_end(&w);
}

static void add_cipher(words *w, const green_tls *t, const uint8_t *p)
{
  char number[8];
  const SSL_CIPHER *cipher = lib.SSL_CIPHER_find(t->ssl, p);
  snprintf(number, sizeof(number), "0x%02X%02X", p[0], p[1]);
  words_add(w, cipher ? lib.SSL_CIPHER_get_name(cipher) : number);
}

void green__tls_offer_text(const green_tls *t, green__tls_text *out)
{
  words w = words_begin(out);
  for (int i = 0; t->offer && i + 1 < t->offer->len; i += 2) {
    const uint8_t *p = t->offer->ciphers + i;
    if (is_cipher((unsigned)(p[0] << 8 | p[1]))) add_cipher(&w, t, p);
  }
  words_end(&w);
}

/* What the versions leave out does not count. */
static bool is_usable(const green_tls *t, const green_tls_ctx *c,
                      const char *name)
{
  bool is_13 = !strncmp(name, "TLS_", 4);
  if (is_13 && t->server && !(t->theirs & version_bit(GREEN_TLS_1_3)))
    return false;
  if (is_13) return !c->max || c->max >= GREEN_TLS_1_3;
  return c->min < GREEN_TLS_1_3;
}

void green__tls_ciphers_text(const green_tls *t, const green_tls_ctx *c,
                             green__tls_text *out)
{
  words w = words_begin(out);
  const char *name;
  for (int i = 0; (name = lib.SSL_get_cipher_list(t->ssl, i)) != NULL; i++)
    if (is_usable(t, c, name)) words_add(&w, name);
  words_end(&w);
}

/* -- Protocols ------------------------------------------------------------ */

void green__tls_alpn_text(const uint8_t *p, size_t n, green__tls_text *out)
{
  words w = words_begin(out);
  for (size_t i = 0; i < n && i + 1 + p[i] <= n; i += 1u + p[i]) {
    char word[40];
    size_t len = p[i] < sizeof(word) ? p[i] : sizeof(word) - 1;
    for (size_t k = 0; k < len; k++) {
      uint8_t b = p[i + 1 + k];
      word[k] = (char)(b > ' ' && b < 0x7f ? b : '?');
    }
    word[len] = '\0';
    words_add(&w, word);
  }
  words_end(&w);
}
