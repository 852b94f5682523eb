/*
** pairs.h: next and pairs on a LuaJIT that compiles loops over them wrongly.
** Private to vm.
**
** That of Debian's libluajit-5.1 (2.1.0-beta3, 2022-03-20) does so in two ways.
** Compiled code that comes to a loop over pairs, which is compiled itself, goes
** on behind the loop as if the table were empty where the stack must grow just
** there: a green thread's stack begins small, so that is every day's case. And
** it swaps half of two registers where it should swap them whole, now and then
** (LuaJIT's issue 829). Only its own `next` is compiled, so there these two are
** others, which are called: a loop of three fields takes 100 ns instead of 20.
** They look each key up: one that is gone since, in a table that has grown in
** the middle of the loop, is an error, as Lua's manual has it, where LuaJIT's
** own loops, which count, go on somehow.
** luajit2 of 2023 and LuaJIT since August 2023 have both mended.
*/
#ifndef GREEN_PAIRS_H
#define GREEN_PAIRS_H

#include <lua.h>

/* Put them into _G if this LuaJIT needs them. What a host's scripts have kept
** of before stays what it was. */
void vm_pairs_mend(lua_State *L);

#endif
