/*
** sigint.h: Ctrl-C in a program of the command's. Private to vm/cmd.
**
** A signal has no other way to find its program: all here is of the process,
** and of the thread that started it.
*/
#ifndef GREEN_SIGINT_H
#define GREEN_SIGINT_H

#include "greenlua_priv.h"

/* Catch SIGINT for g, which is borrowed until the stop. What is ignored stays
** ignored: by nohup, or by a shell for what it runs in the background. No
** SA_RESTART: a read in C's stdio is to end. */
void green__sigint_start(greenlua *g);

/* SIGTERM ends the program as Ctrl-C does, where it would be without an end: a
** profile is to be written there. After the start. */
void green__sigint_take_term(void);

/* From here on both do what they did before, unless the script handles them:
** they end what the end of the program does. Before g is freed. */
void green__sigint_stop(void);

/* Ctrl-C ends the thread's wait with EINTR; NULL: it kills main again. The next
** one is the first again. The thread is borrowed, and must be anchored. */
void green__sigint_listen(vm_thread *t);

/* The program that was started; NULL: none runs. */
greenlua *green__sigint_program(void);

/* The number of the signal that came last, in this process and since the last
** listen; 0: none. */
int green__sigint_number(void);

/* "file:line" where main was that did not wait when it was broken into; "": it
** was not. Good for the process's life. */
const char *green__sigint_spun(void);

#endif
