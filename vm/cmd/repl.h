/*
** repl.h: line editing and history, by libedit.
**
** libedit is opened when first needed; nothing links to it. It keeps one line
** for the whole process and calls back without telling whose it is, so what is
** here is the process's too: one editor, owned by the runtime that opened it.
**
** It works by keys: green_repl_feed takes what has been typed and returns, so
** that the loop runs while the user thinks.
*/
#ifndef GREEN_REPL_H
#define GREEN_REPL_H

#include "base/err.h"

/* ffi */
/* Load libedit and take the terminal of descriptors 0 and 1. 0; GREEN_ENODEV:
** they are not a terminal; GREEN_ENOSYS: no libedit; GREEN_EBUSY: another
** runtime has the editor. */
GREEN_API int green_repl_open(void);

/* Give the terminal back as it was. Idempotent. */
GREEN_API void green_repl_close(void);

/* Show the prompt and begin a line. */
GREEN_API void green_repl_begin(const char *prompt);

/* Take the keys that have been typed, waiting for none. 1: the line is
** complete, green_repl_line has it; 0: not yet; 2: not yet, and Tab asks what
** the word before the cursor may become; GREEN_EEOF: the end of input (Ctrl-D).
** Only 0 and 2 leave the terminal to the editor. */
GREEN_API int green_repl_feed(void);

/* What stands before the cursor, at most 1,023 bytes of it; until the next
** call. */
GREEN_API const char *green_repl_typed(void);

/* Put text in at the cursor. */
GREEN_API void green_repl_insert(const char *text);

/* The line without its end; until the next begin. */
GREEN_API const char *green_repl_line(void);

/* Forget the line that is being edited and leave it on the screen. */
GREEN_API void green_repl_abandon(void);

/* Take the line off the screen, for other output; put it back below that. */
GREEN_API void green_repl_hide(void);
GREEN_API void green_repl_show(void);

/* Read the lines of a history file; the oldest beyond the last most are taken
** out of the file. path NULL or "": none. 0 or an error of the file. */
GREEN_API int green_repl_history(const char *path, int most);

/* Add a line to the history and to the end of the file, which only its owner
** may read. 0 or an error of the file. */
GREEN_API int green_repl_remember(const char *line, const char *path);
/* end ffi */

/* Any thread, and signal handlers: the terminal's modes as they were. */
void green__repl_restore(void);

#endif
