/*
** green.h: all of the C core, for programs that use it without Lua.
*/
#ifndef GREEN_GREEN_H
#define GREEN_GREEN_H

#include "base/addr.h"
#include "base/ascii.h"
#include "base/base64.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/env.h"
#include "base/err.h"
#include "base/handle.h"
#include "base/heap.h"
#include "base/hex.h"
#include "base/list.h"
#include "base/random.h"
#include "base/tally.h"

#include "proto/brotli.h"
#include "proto/chunked.h"
#include "proto/coding.h"
#include "proto/dns_answer.h"
#include "proto/dns_host.h"
#include "proto/dns_message.h"
#include "proto/dns_name.h"
#include "proto/hosts.h"
#include "proto/http_body.h"
#include "proto/http_field.h"
#include "proto/http_request.h"
#include "proto/http_response.h"
#include "proto/http_write.h"
#include "proto/idna.h"
#include "proto/inflate.h"
#include "proto/nsswitch.h"
#include "proto/resolv.h"
#include "proto/url.h"

#include "hub/fd.h"
#include "hub/hub.h"
#include "hub/idle.h"
#include "hub/later.h"
#include "hub/scope.h"

#include "io/file.h"
#include "io/filter.h"
#include "io/lookup.h"
#include "io/signal.h"
#include "io/sock.h"
#include "io/stdfd.h"
#include "io/tls.h"
#include "io/tls_ctx.h"
#include "io/tls_lib.h"
#include "io/tls_pool.h"
#include "io/tls_sock.h"
#include "io/tpool.h"

#include "httpd/conn.h"
#include "httpd/httpd.h"
#include "httpd/log.h"

#endif
