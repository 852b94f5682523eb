/*
** look.h: where the function of a native thread's job stands, asked from
** another thread. Private to vm.
**
** Its state is its own thread's: that is sent a signal, whose handler sets a
** hook, and the next step of Lua writes the traceback down. In interpreted code
** that is at once; out of a C function when it returns; compiled code looks at
** no hook, and answers when it is left.
*/
#ifndef GREEN_LOOK_H
#define GREEN_LOOK_H

#include <stddef.h>
#include <stdint.h>

/* Ask the thread with that number (io/roster.h), if it is at that job still,
** and calls a function of Lua's. sleeps: it is in a system call, which a signal
** might cut short: only one that waits in a loop of its own is asked. 1: it was
** asked; 0: it is not there, or cannot answer; GREEN_ENOMEM. Any thread. */
int vm_look_ask(uint64_t number, uint64_t jobs, int sleeps);

/* Its answer since it was asked: how much of it was copied, cut off to room and
** with a zero; 0: there is none yet. Any thread. */
size_t vm_look_answer(uint64_t number, uint64_t jobs, char *text, size_t room);

#endif
