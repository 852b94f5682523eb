/*
** zmq_loan.h: memory that libzmq sends from where it lies, instead of a copy.
**
** What is lent must stay as it is until it has come back: libzmq's threads read
** it, and other runtimes' sockets may have it in their lines. It comes back on
** any thread, and whoever has lent it looks for that now and then.
**
** libzmq may keep a message for as long as the process runs: so an owner may
** end before all has come back. Its memory is then given to the loans, which
** free it, each block when nobody reads it any more.
*/
#ifndef GREEN_ZMQ_LOAN_H
#define GREEN_ZMQ_LOAN_H

#include "base/err.h"

#include <stddef.h>

/* All that one owner has lent; and one of them, which is spare, out or back. */
typedef struct green_zmq_loans green_zmq_loans;
typedef struct green_zmq_loan green_zmq_loan;

/* Where the memory of an owner goes that has gone: called on any thread, one
** call at a time. */
typedef struct green_zmq_heap {
  /* As Lua's allocators; NULL: nothing is freed. */
  void *(*alloc)(void *ud, void *p, size_t osize, size_t nsize);
  void *ud;
  /* All has come back, and was freed. Or NULL. */
  void (*over)(struct green_zmq_heap *h);
} green_zmq_heap;

/* NULL: out of memory, or this libzmq writes to what it sends (WebSockets). It
** is loaded. **Free with** green_zmq_loans_end. */
GREEN_API green_zmq_loans *green_zmq_loans_new(void);

/* Have n loans that are spare: 0, GREEN_ENOMEM. The i-th of them, from 0: its
** number, from 1; few, and used again. */
GREEN_API int green_zmq_loans_spare(green_zmq_loans *l, int n);
GREEN_API int green_zmq_loans_number(const green_zmq_loans *l, int i);

/* Lend by the first spare one; it is for green_zmq_sendv_lent. */
GREEN_API green_zmq_loan *green_zmq_loans_give(green_zmq_loans *l,
                                               const char *p);

/* The number of one that has come back, which is spare now; 0: none has. */
GREEN_API int green_zmq_loans_back(green_zmq_loans *l);

/* Are some out? 1 also for those that are back and were not asked for. */
GREEN_API int green_zmq_loans_out(const green_zmq_loans *l);

/* In a child of the process that has lent them nobody reads them: l is gone,
** and that is 1. */
GREEN_API int green_zmq_loans_forked(green_zmq_loans *l);

/* The owner's end: nothing is lent any more. 0: none is out, l is gone. 1: then
** green_zmq_loans_keep is to be asked for each block that the owner frees, and
** in the end comes green_zmq_loans_settle. */
GREEN_API int green_zmq_loans_end(green_zmq_loans *l);

/* The owner frees a block. 0: it may. Else it is the loans' now: where in it
** bytes begin that are out. */
GREEN_API size_t green_zmq_loans_keep(green_zmq_loans *l, void *block,
                                      size_t n);

/* The owner has gone. l goes with the last that is out. */
GREEN_API void green_zmq_loans_settle(green_zmq_loans *l, green_zmq_heap heap);

/* libzmq does not need it any more; or it was not sent. Any thread. */
GREEN_API void green_zmq_loan_return(void *data, void *loan);

#endif
