/*
** futex.h: a thread sleeps on a word of memory, and another wakes it. Private
** to greenc.
**
** The word says what there is to know, and is changed before the call that
** wakes; that call may come late, when the sleeper has gone on or another
** sleeps there: who wakes up looks at the word. It is of this process: a child
** of a fork has words of its own.
*/
#ifndef GREEN_FUTEX_H
#define GREEN_FUTEX_H

#include <stdint.h>

/* Any thread. Sleep while *word is value, ns nanoseconds at most; GREEN_NEVER:
** no limit. 1: so much time has passed; 0: look at the word, which may be as it
** was. */
int green__futex_wait(const uint32_t *word, uint32_t value, int64_t ns);

/* Any thread. Wake one that sleeps there, if there is one. The memory may be in
** other use by now. */
void green__futex_wake(const uint32_t *word);

#endif
