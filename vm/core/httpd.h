/*
** httpd.h: what httpd.c and answer.c share: the connection that a request came
** by. Private to vm/core; greenc has an httpd/httpd.h.
*/
#ifndef GREEN_VM_HTTPD_H
#define GREEN_VM_HTTPD_H

#include "httpd/httpd.h"

#include <lua.h>

/* The connection of the handle at index i. Raises when its request is over. */
green_conn *vm_conn_check(lua_State *L, int i);

#endif
