/*
** ws_offer.c: the grammar of extensions, and permessage-deflate's parameters.
*/

#include "proto/ws_offer.h"
#include "proto/http_field_priv.h"
#include "proto/words.h"

/* -- Grammar -------------------------------------------------------------- */

/* One parameter. Of a value as much as a number of bits can have, and one more
** byte. */
typedef struct param {
  green__text name;
  bool has_value;
  uint8_t len;
  char value[3];
} param;

static void skip_blanks(green__text *t)
{
  while (t->p < t->end && green__text_blank(*t->p)) t->p++;
}

/* Take this byte, and blanks around it, away. */
static bool take_sign(green__text *t, char sign)
{
  skip_blanks(t);
  if (t->p == t->end || *t->p != sign) return false;
  t->p++;
  skip_blanks(t);
  return true;
}

static bool take_token(green__text *t, green__text *token)
{
  const char *e = green__scan_scalar(t->p, t->end, GREEN__TOKEN);
  *token = (green__text){t->p, e};
  t->p = e;
  return token->p < e;
}

static bool value_add(param *q, char c)
{
  if (q->len < sizeof(q->value)) q->value[q->len++] = c;
  return green__scan_is(c, GREEN__TOKEN);
}

/* Behind the first quote. What is quoted is a token, too. */
static bool take_quoted(green__text *t, param *q)
{
  for (; t->p < t->end && *t->p != '"'; t->p++) {
    if (*t->p == '\\' && ++t->p == t->end) return false;
    if (!value_add(q, *t->p)) return false;
  }
  if (t->p == t->end) return false;
  t->p++;
  return q->len > 0;
}

static bool take_value(green__text *t, param *q)
{
  if (t->p < t->end && *t->p == '"') {
    t->p++;
    return take_quoted(t, q);
  }
  green__text token;
  if (!take_token(t, &token)) return false;
  while (token.p < token.end) value_add(q, *token.p++);
  return true;
}

/* The name, and the value if there is one. */
static bool take_param(green__text *t, param *q)
{
  *q = (param){.has_value = false};
  if (!take_token(t, &q->name)) return false;
  q->has_value = take_sign(t, '=');
  return !q->has_value || take_value(t, q);
}

/* -- permessage-deflate --------------------------------------------------- */

static bool text_is(green__text t, const char *word)
{
  return green__http_is(t.p, green__text_len(t), word);
}

/* 8 to 15; 0: anything else. */
static uint8_t param_bits(const param *q)
{
  int v = 0;
  if (q->len > 2 || q->value[0] == '0') return 0;
  for (int i = 0; i < q->len; i++) {
    if (q->value[i] < '0' || q->value[i] > '9') return 0;
    v = 10 * v + (q->value[i] - '0');
  }
  return v >= 8 && v <= 15 ? (uint8_t)v : 0;
}

/* A flag stands alone, once. */
static bool set_flag(bool *flag, const param *q)
{
  if (*flag || q->has_value) return false;
  return *flag = true;
}

static bool set_bits(uint8_t *bits, const param *q)
{
  if (*bits) return false;
  *bits = param_bits(q);
  return *bits != 0;
}

/* Does the parameter make sense, behind those before it? */
static bool set_param(green_ws_offer *o, const param *q)
{
  if (text_is(q->name, "server_no_context_takeover"))
    return set_flag(&o->server_no_takeover, q);
  if (text_is(q->name, "client_no_context_takeover"))
    return set_flag(&o->client_no_takeover, q);
  if (text_is(q->name, "server_max_window_bits"))
    return set_bits(&o->server_bits, q);
  if (!text_is(q->name, "client_max_window_bits")) return false;
  if (o->client_bits || o->client_bits_free) return false;
  return q->has_value ? set_bits(&o->client_bits, q)
                      : set_flag(&o->client_bits_free, q);
}

/* Take an element of the list, and the comma behind it. 1: it is
** permessage-deflate, and valid; 0: it is something else; GREEN_EPROTO. */
static int take_element(green__text *t, green_ws_offer *o)
{
  green__text name;
  param q;
  *o = (green_ws_offer){.server_bits = 0};
  if (!take_token(t, &name)) return GREEN_EPROTO;
  bool valid = text_is(name, "permessage-deflate");
  while (take_sign(t, ';')) {
    if (!take_param(t, &q)) return GREEN_EPROTO;
    valid = valid && set_param(o, &q);
  }
  if (!take_sign(t, ',') && t->p < t->end) return GREEN_EPROTO;
  return valid;
}

/* To the next element; false: there is none. A list may have empty ones. */
static bool list_more(green__text *t)
{
  skip_blanks(t);
  while (take_sign(t, ',')) {
  }
  return t->p < t->end;
}

/* -- Public API ----------------------------------------------------------- */

static int check_all(green__text t)
{
  green_ws_offer o;
  while (list_more(&t))
    if (take_element(&t, &o) < 0) return GREEN_EPROTO;
  return 0;
}

int green_ws_offer_next(const char *p, size_t n, size_t *pos,
                        green_ws_offer *out)
{
  green__text t = {p + *pos, p + n};
  if (*pos == 0 && check_all(t) < 0) return GREEN_EPROTO;
  int rc = 0;
  while (rc == 0 && list_more(&t)) rc = take_element(&t, out);
  *pos = (size_t)(t.p - p);
  return rc;
}

int green_ws_offer_answer(const char *p, size_t n, green_ws_offer *out)
{
  green__text t = {p, p + n};
  if (!list_more(&t)) return 0;
  if (take_element(&t, out) != 1 || list_more(&t)) return GREEN_EPROTO;
  return out->client_bits_free ? GREEN_EPROTO : 1;
}

/* -- Writing -------------------------------------------------------------- */

static char *put(char *to, const char *s)
{
  size_t n = strlen(s);
  memcpy(to, s, n);
  return to + n;
}

static char *put_bits(char *to, const char *name, uint8_t bits)
{
  if (!bits) return to;
  to = put(to, name);
  if (bits > 9) *to++ = '1';
  *to++ = (char)('0' + bits % 10);
  return to;
}

int green_ws_offer_write(char *out, size_t cap, const green_ws_offer *o,
                         bool is_answer)
{
  char text[GREEN_WS_OFFER_MAX], *to = put(text, "permessage-deflate");
  if (o->server_no_takeover) to = put(to, "; server_no_context_takeover");
  if (o->client_no_takeover) to = put(to, "; client_no_context_takeover");
  to = put_bits(to, "; server_max_window_bits=", o->server_bits);
  if (o->client_bits)
    to = put_bits(to, "; client_max_window_bits=", o->client_bits);
  else if (o->client_bits_free && !is_answer)
    to = put(to, "; client_max_window_bits");
  size_t n = (size_t)(to - text);
  if (n > cap) return GREEN_EOVERFLOW;
  memcpy(out, text, n);
  return (int)n;
}
