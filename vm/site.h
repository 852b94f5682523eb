/*
** site.h: places in scripts: where a thread was spawned, and who called the
** library. Private to vm.
*/
#ifndef GREEN_SITE_H
#define GREEN_SITE_H

#include "thread.h"

/* The library is what lies in the same folder as this chunk. */
void vm_set_library(vm *v, const char *source);

/* Is a chunk of that name the library's? */
int vm_is_library(const vm *v, const char *source);

/* The index of the site of the function at a level of L's stack; 0: it has
** none. May raise for want of memory. */
int vm_site(vm *v, lua_State *L, int level);

/* Push "file:line" of the spawn, or "?". */
void vm_push_site(lua_State *L, const vm_thread *t);

/* The text at the top of L, which is popped, is the name of t for vm_text_of;
** after some thousands of them it has none there. May raise for want of
** memory. */
void vm_label(vm *v, lua_State *L, vm_thread *t);

/* The text of a site or a label; NULL: there is none. Any thread, as long as
** the state is open. */
const char *vm_text_of(const vm *v, int site);

/* With the state. */
void vm_texts_free(vm *v);

/* Push "file:line: " of the first function of the stack that is not of the
** library; where there is none, of the running thread's spawn, or "". */
void vm_push_place(lua_State *L, const vm *v);

#endif
