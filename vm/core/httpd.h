/*
** httpd.h: what httpd.c, answer.c, env.c and exchange.c share: the connection
** that a request came by, and what that says. Private to vm/core; greenc has an
** httpd/httpd.h.
*/
#ifndef GREEN_VM_HTTPD_H
#define GREEN_VM_HTTPD_H

#include "httpd/httpd.h"

#include <lua.h>

/* The connection of the handle at index i. Raises when its request is over. */
green_conn *vm_conn_check(lua_State *L, int i);

/* Push memory for n bytes. A finalizer may run, and end the request of *c:
** raises; or move its head: what was taken of it before is good no more. */
char *vm_conn_room(lua_State *L, green_conn **c, size_t n);

/* Push PATH_INFO. */
void vm_push_path(lua_State *L, green_conn *c);

/* Of a key that has no value; of one whose value stands nowhere as it is. */
enum { VM_TEXT_NONE = -1, VM_TEXT_MADE = -2 };

/* What the request says of a key of CGI. Its length, *p: where it stands; or
** VM_TEXT_*. */
int vm_request_text(const green_conn *c, const char *key, size_t n,
                    const char **p);

/* The next run of bytes of the body, max at most; as green_conn_body. c NULL:
** GREEN_ECLOSED. */
int vm_body_run(green_conn *c, double max, const char **p);

#endif
