/*
** http_request_priv.h: what the files of http_request share.
**
** http_request.c cuts the head into lines and fields, http_request_mean.c says
** what they mean, http_request_get.c looks things up afterwards.
*/
#ifndef GREEN_PROTO_HTTP_REQUEST_PRIV_H
#define GREEN_PROTO_HTTP_REQUEST_PRIV_H

#include "proto/http_field_priv.h"
#include "proto/http_request.h"

enum {
  GREEN__REQUEST_LINE,   /* The request line is next. */
  GREEN__REQUEST_FIELDS, /* A field or the blank line is next. */
  GREEN__REQUEST_DONE,
};

/* Note the answer to a bad request. The first one stands. */
void green__http_request_fail(green_http_request *r, int status,
                              const char *reason);

/* Take buf[off .. off + len) apart as host[:port] into the authority fields.
** false: it is no such thing, nothing was changed. */
bool green__http_request_authority(green_http_request *r, const char *buf,
                                   size_t off, size_t len);

/* All fields are there: what do they mean? false: refused. */
bool green__http_request_mean(green_http_request *r, const char *buf);

#endif
