/*
** finalizer.h: finalizers written in Lua, where LuaJIT would not come back from
** them, or would raise what they fail with. Private to vm.
**
** LuaJIT of 2022 and 2023 raises it in whatever made the collector run; and
** where that is the way out of compiled code, there is no frame that could
** catch it, and the process ends. So finalizers are called by a function that
** catches it (green.patch.finalizers).
**
** Compiled code that begins at a loop over pairs is left, where a key or a
** value is of another type than those it was compiled for, at the instruction
** that takes the next key; and that instruction is what enters it. What ends
** this is that a way out which is taken often is compiled in its turn. In a
** finalizer nothing is compiled: luajit2 of 2023 (Debian's) goes round there
** for ever, and no hook or signal gets it out. (libluajit-5.1 has no such loops
** here: pairs.h.)
**
** LuaJIT tells a handler of each way out, and code that is thrown away there is
** not entered again. So while a finalizer runs there is such a handler, and
** after 10,000 times by the same way out (1 ms) all compiled code goes. LuaJIT
** refuses that in finalizers: a call there from compiled code would come back
** to what is gone. The handler is called outside of compiled code, so for that
** call it takes the mark away by which LuaJIT knows that it is in a finalizer.
**
** The mark's place is found by what setting a hook changes: where that is not
** one byte and no other, or pointers have 32 bits, nothing is mended.
*/
#ifndef GREEN_FINALIZER_H
#define GREEN_FINALIZER_H

#include <lua.h>

/* Have finalizers that scripts set from here on do neither, if this LuaJIT is
** one of those. May raise. */
void vm_finalizers_mend(lua_State *L);

/* Is a function of that source one of those that stand in the program's modules
** since then? They are there in states without a runtime, too. */
int vm_finalizers_has(const char *source);

#endif
