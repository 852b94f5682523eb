/*
** http_response_cut.h: a response head through both parsers and in every cut,
** as http_request_cut.h does it with requests. Fuzzers use it too.
*/
#ifndef GREEN_HTTP_RESPONSE_CUT_H
#define GREEN_HTTP_RESPONSE_CUT_H

#include "guard.h"
#include "proto/http_response.h"

__attribute__((unused)) static void twin_init(green_http_response *r);
static int twin_parse(green_http_response *r, const char *buf, size_t len,
                      size_t last);
#define green_http_response_init twin_init
#define green_http_response_parse twin_parse
#define GREEN_SCAN_SCALAR
#include "proto/http_response.c"
#undef green_http_response_init
#undef green_http_response_parse

typedef green_http_response cut_head;
#define cut_parse green_http_response_parse

/* Do two runs say the same? A refused response is its reason and no more. */
static int cut_same(int rc_a, const green_http_response *a, int rc_b,
                    const green_http_response *b)
{
  if (rc_a != rc_b) return 0;
  if (rc_a == GREEN_EAGAIN) return !a->error && !b->error;
  if (rc_a < 0)
    return a->error == rc_a && b->error == rc_a && a->reason && b->reason &&
           !strcmp(a->reason, b->reason);
  if (a->fields.n != b->fields.n) return 0;
  size_t from = offsetof(green_http_response, error);
  size_t len = offsetof(green_http_response, fields.list) +
               a->fields.n * sizeof(a->fields.list[0]) - from;
  return !memcmp((const char *)a + from, (const char *)b + from, len);
}

#include "proto/http_cut.h"

#endif
