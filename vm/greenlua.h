/*
** greenlua.h: run Lua green threads inside a C program.
**
** A runtime is a LuaJIT state with a hub of its own, bound to the OS thread
** that made it. Any number may live in one process; they share nothing but the
** disposition of signals.
**
** Results are 0 or a negative code (greenc/base/err.h); greenlua_error has the
** text.
*/
#ifndef GREENLUA_H
#define GREENLUA_H

#define GREENLUA_API __attribute__((visibility("default")))
#define GREENLUA_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;
typedef struct greenlua greenlua;

/* Zero it, then set what you need. */
typedef struct greenlua_options {
  const char *hub; /* Backend: "epoll", "poll", "select"; NULL: GREENLUA_HUB,
                      or the best. */
  void *ev_loop;   /* A struct ev_loop * of the host's to live in, or NULL. */
} greenlua_options;

/* A new runtime; options may be NULL. NULL: it failed, greenlua_new_error says
** why. Free with greenlua_free. */
GREENLUA_API greenlua *greenlua_new(const greenlua_options *options);

/* Why the last greenlua_new of this OS thread failed: a negative code. */
GREENLUA_API int greenlua_new_error(void);

/* Run the open cleanups of green.finally and the functions of green.at_exit, if
** there are any (green.ending), abandon every thread, run finalizers, close.
** What it runs may wait for up to ten seconds in all; not inside a run of the
** host's loop. */
GREENLUA_API void greenlua_free(greenlua *g);

/* Run a chunk as the main green thread, in its own run of the loop, until it
** ends: the other threads run meanwhile, and stay parked afterwards. 0; 1 when
** it raised: greenlua_error then has the message with its traceback. */
GREENLUA_API int greenlua_dostring(greenlua *g, const char *code,
                                   const char *name);
GREENLUA_API int greenlua_dofile(greenlua *g, const char *path);

/* Begin a chunk as a green thread of its own and return at once: for a host
** that turns the loop (greenlua_turn, or its own ev_loop). Its errors are
** reported as any green thread's. 0; 1 when it does not compile:
** greenlua_error. */
GREENLUA_API int greenlua_start(greenlua *g, const char *code,
                                const char *name);

/* Any thread, and signal handlers. Kill the main green thread of the present
** run at its next wait, as Ctrl-C does; nothing happens without a run. */
GREENLUA_API void greenlua_interrupt(greenlua *g);

/* The text of the last failure of a run, until the next one; never NULL. */
GREENLUA_API const char *greenlua_error(const greenlua *g);

/* Call the function below n arguments on L's stack as the main green thread;
** results or the error value replace them, as with lua_pcall. L is
** greenlua_state(g). 0, 1 (it raised), or negative: the loop cannot run. */
GREENLUA_API int greenlua_call(greenlua *g, int n);

/* The state, to register functions in. */
GREENLUA_API struct lua_State *greenlua_state(greenlua *g);

/* For a host with a loop of its own: one turn. block: wait until something
** happens. 1: there is more to wait for, 0: nothing can happen, negative:
** GREEN_EBUSY inside a run. */
GREENLUA_API int greenlua_turn(greenlua *g, int block);

#ifdef __cplusplus
}
#endif

#endif
