/*
** httpd.h: what the doors of green.wsgi, httpd.c and answer.c, share. Private to
** vm; greenc has an httpd/httpd.h.
*/
#ifndef GREEN_VM_HTTPD_H
#define GREEN_VM_HTTPD_H

#include "bridge.h"

#include "httpd/httpd.h"

/* The connection of the handle at index i. Raises when its request is over. */
green_conn *vm_conn_check(lua_State *L, int i);

#endif
