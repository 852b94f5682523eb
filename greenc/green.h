/*
** green.h: all of the C core, for programs that use it without Lua.
*/
#ifndef GREEN_GREEN_H
#define GREEN_GREEN_H

#include "addr.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "fd.h"
#include "heap.h"
#include "httpd.h"
#include "hub.h"
#include "idle.h"
#include "list.h"
#include "proto/chunked.h"
#include "proto/http1.h"
#include "proto/httpout.h"
#include "scope.h"
#include "signal.h"
#include "sock.h"
#include "stdfd.h"
#include "tpool.h"

#endif
