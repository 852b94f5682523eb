/*
** jobwatch.h: jobs of native threads that go on for longer than they should.
** Private to vm.
**
** A job may block, that is what native threads are for: nobody watches unless
** the script has asked. Then the hub looks now and then, at an eighth of the
** limit, and has a function of the library's called where a job of this runtime
** is over it; what is told of it, and how often, is that one's affair.
*/
#ifndef GREEN_JOBWATCH_H
#define GREEN_JOBWATCH_H

#include "runtime.h"

/* The function at the top of L, which is popped, is called in a green thread of
** its own at each look that finds a job at work for longer than limit (ns).
** What was before is no more. Raises when out of memory, with nothing changed.
*/
void vm_jobwatch_start(vm *v, lua_State *L, int64_t limit);

/* No more. Idempotent. */
void vm_jobwatch_stop(vm *v);

/* With the state. */
void vm_jobwatch_close(vm *v);

#endif
