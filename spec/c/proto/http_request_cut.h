/*
** http_request_cut.h: a request head through both parsers and in every cut.
**
** The parser is compiled a second time here, with the scalar scans and under
** other names, so that both forms are fed the same bytes. Fuzzers use it too.
*/
#ifndef GREEN_HTTP_REQUEST_CUT_H
#define GREEN_HTTP_REQUEST_CUT_H

#include "guard.h"
#include "proto/http_request.h"

__attribute__((unused)) static void twin_init(green_http_request *r);
static int twin_parse(green_http_request *r, const char *buf, size_t len,
                      size_t last);
#define green_http_request_init twin_init
#define green_http_request_parse twin_parse
#define GREEN_SCAN_SCALAR
#include "proto/http_request.c"
#undef green_http_request_init
#undef green_http_request_parse

typedef green_http_request cut_head;
#define cut_parse green_http_request_parse

/* Do two runs say the same? A refused request is its answer and no more. */
static int cut_same(int rc_a, const green_http_request *a, int rc_b,
                    const green_http_request *b)
{
  if (rc_a != rc_b) return 0;
  if (rc_a == GREEN_EAGAIN) return 1;
  if (rc_a < 0)
    return a->status == b->status && a->reason && b->reason &&
           !strcmp(a->reason, b->reason);
  green_http_request x = *a, y = *b;
  if (x.fields.n != y.fields.n) return 0;
  size_t from = offsetof(green_http_request, status);
  size_t len = offsetof(green_http_request, fields.list) +
               x.fields.n * sizeof(x.fields.list[0]) - from;
  return !memcmp((char *)&x + from, (char *)&y + from, len);
}

#include "proto/http_cut.h"

#endif
