/*
** child_priv.h: what happens between clone and exec. Private to io/child*.
*/
#ifndef GREEN_CHILD_PRIV_H
#define GREEN_CHILD_PRIV_H

#include "io/child.h"

/* The number of a process that executes what is planned, and a pidfd of it; or
** a negative error, *step the name of what failed, and no process. The plan is
** sound. This thread stands still until the program has been loaded. */
int green__child_start(const green_child_plan *plan, int *pidfd,
                       const char **step);

#endif
