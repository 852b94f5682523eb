/*
** usr2.h: SIGUSR2 in a program of the command's: a list of its green threads on
** standard error. Private to vm/cmd.
*/
#ifndef GREEN_USR2_H
#define GREEN_USR2_H

#include "greenlua_priv.h"

/* Run the function at the top of L, which is popped, in a green thread of its
** own whenever SIGUSR2 comes; it may wait. Only where the signal would end the
** process: one that is handled or ignored stays so. A script that handles it
** later has it for itself, until it gives it back. Once a process. May raise
** for want of memory. */
void green__usr2_start(greenlua *g, lua_State *L);

/* The signal does again what it did, unless somebody else handles it by now.
** Before g is freed. Idempotent. */
void green__usr2_stop(void);

#endif
