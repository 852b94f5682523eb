/*
** httpd.h: what http.c and http_answer.c share. Private.
*/
#ifndef GREEN_VM_HTTP_H
#define GREEN_VM_HTTP_H

#include "bridge.h"

#include "httpd/httpd.h"

/* The connection of the handle at index i. Raises when its request is over. */
green_conn *vm_http_conn(lua_State *L, int i);

#endif
