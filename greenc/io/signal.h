/*
** signal.h: POSIX signals as events of a hub.
**
** Any number of watches on any number of hubs may watch the same signal; each
** gets every one. The first watch on a signal replaces its disposition, the
** last one to stop puts the old one back, unless somebody else has replaced
** ours meanwhile. The table behind this is process-wide, as dispositions are.
*/
#ifndef GREEN_SIGNAL_H
#define GREEN_SIGNAL_H

#include "hub/hub.h"

/* ffi */
typedef struct green_hub green_hub;
typedef struct green_waitq green_waitq;
typedef struct green_signal green_signal;

/* How much memory a watch takes, for green_signal_init. */
GREEN_API size_t green_signal_size(void);

/* Stop it, for good. Tasks that wait are woken with GREEN_ECLOSED. Idempotent.
** The hub must not have ended before. */
GREEN_API void green_signal_deinit(green_signal *w);

/* Begin to catch. hold: while it is started, a hub with nothing else to wait
** for waits on (green_hub_hold). Starting again only changes hold. 0,
** GREEN_ECLOSED after deinit, or what sigaction(2) said. A signal that the
** process blocks stays blocked. */
GREEN_API int green_signal_start(green_signal *w, int hold);

/* Catch no more; what is pending stays. Idempotent. */
GREEN_API void green_signal_stop(green_signal *w);

/* How many were caught since the last take. 0: none, park. */
GREEN_API int green_signal_take(green_signal *w);

/* "TERM" or "SIGTERM" to its number, or GREEN_EINVAL; back: "SIGTERM", or NULL.
** Any thread. */
GREEN_API int green_signal_number(const char *name);
GREEN_API const char *green_signal_name(int signo);

/* To park on when take gave 0; all are woken, with status 0, when signals have
** come. */
GREEN_API green_waitq *green_signal_waiters(green_signal *w);
/* end ffi */

/* Make a stopped watch for a signal by its number, in zeroed memory that stays
** the caller's until green_signal_deinit. 0; GREEN_EINVAL: no such signal, or
** one that cannot be caught and returned from (KILL, STOP, SEGV, BUS, FPE,
** ILL). */
GREEN_API int green_signal_init(green_signal *w, green_hub *hub, int signo);

/* The same in memory of its own. 0, GREEN_EINVAL or GREEN_ENOMEM. **Free with**
** green_signal_free, for which NULL is fine. */
GREEN_API int green_signal_new(green_signal **w, green_hub *hub, int signo);
GREEN_API void green_signal_free(green_signal *w);

/* To the watches of this hub alone: the signal has come, once. Returns how many
** of them are started. */
GREEN_API int green_signal_raise(green_hub *hub, int signo);

/* Let a signal whose action is the default do nothing from now on. It gets a
** handler: one that is ignored is ignored by all programs that this one starts,
** too, while a handler ends with exec. A signal that is handled or ignored
** stays so. Never undone. */
GREEN_API void green_signal_absorb(int signo);

/* Does it do nothing because of that, at this moment? Does a watch catch it?
** Any thread. */
GREEN_API int green_signal_is_absorbed(int signo);
GREEN_API int green_signal_is_watched(int signo);

#endif
