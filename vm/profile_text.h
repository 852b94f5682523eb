/*
** profile_text.h: a stack as the text that is counted: a line for each frame,
** the innermost first, and the thread last. Private to vm, for profile.c.
**
** Nothing is allocated in the state.
*/
#ifndef GREEN_PROFILE_TEXT_H
#define GREEN_PROFILE_TEXT_H

#include "thread.h"

typedef struct vm_profile_text {
  size_t len;
  char text[8192];
} vm_profile_text;

/* What stands innermost, which is no function; nothing else is in it yet. */
void vm_profile_put(vm_profile_text *t, const char *line);

/* Where Lua stands in L, of the running thread, and what has resumed that.
** is_c: a function of C has just returned there. */
void vm_profile_put_running(vm_profile_text *t, vm *v, lua_State *L, int is_c);

/* Where Lua stands in L, of a native thread's job, and in base, which has
** resumed it. The outermost function of base is C's that calls the job's. */
void vm_profile_put_job(vm_profile_text *t, lua_State *L, lua_State *base);

/* Where a thread waits, and for what. */
void vm_profile_put_waiting(vm_profile_text *t, const vm_thread *thread);

#endif
