/*
** httpd.h: what httpd.c and answer.c share: the connection that a request came by.
** Private to vm/core.
*/
#ifndef GREEN_VM_HTTP_H
#define GREEN_VM_HTTP_H

#include "httpd/httpd.h"

#include <lua.h>

/* The connection of the handle at index i. Raises when its request is over. */
green_conn *vm_http_conn(lua_State *L, int i);

#endif
