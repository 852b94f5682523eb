/*
** repl.c: the line editor of `greenlua -i`: libedit, by its readline interface,
** a key at a time.
*/

#include "cmd/repl.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

typedef void edit_line_fn(char *line);

/* What is used of libedit. */
static struct {
  void *library;
  void (*install)(const char *prompt, edit_line_fn *fn);
  void (*read_char)(void);
  void (*remove)(void);
  int (*initialize)(void);
  int (*insert_text)(const char *text);
  int (*add_defun)(const char *name, int (*fn)(int, int), int key);
  int (*add_history)(const char *line);
  int (*update_display)(void);
  int *point; /* Bytes before the cursor. */
  char **buffer;
  int *catch_signals;
} edit;

/* The one line. */
static struct {
  char *line; /* The complete one, or NULL. */
  int is_open;
  int at_end; /* Ctrl-D */
  int is_tab; /* Tab was typed. */
  int prompt_len;
  struct termios modes;             /* Before we came. */
  volatile sig_atomic_t is_editing; /* The terminal has the editor's modes. */
} repl;

/* -- libedit -------------------------------------------------------------- */

static int edit_find(const char *name, void *where)
{
  void *address = dlsym(edit.library, name);
  memcpy(where, &address, sizeof(address));
  return address ? 0 : GREEN_ENOSYS;
}

static int edit_find_all(void)
{
  int err = edit_find("rl_callback_handler_install", &edit.install);
  err |= edit_find("rl_callback_read_char", &edit.read_char);
  err |= edit_find("rl_callback_handler_remove", &edit.remove);
  err |= edit_find("rl_initialize", &edit.initialize);
  err |= edit_find("rl_insert_text", &edit.insert_text);
  err |= edit_find("rl_add_defun", &edit.add_defun);
  err |= edit_find("add_history", &edit.add_history);
  err |= edit_find("rl_forced_update_display", &edit.update_display);
  err |= edit_find("rl_point", &edit.point);
  err |= edit_find("rl_line_buffer", &edit.buffer);
  err |= edit_find("rl_catch_signals", &edit.catch_signals);
  return err ? GREEN_ENOSYS : 0;
}

static int edit_load(void)
{
  if (edit.library) return 0;
  edit.library = dlopen("libedit.so.2", RTLD_NOW | RTLD_LOCAL);
  if (!edit.library) return GREEN_ENOSYS;
  if (edit_find_all() == 0) return 0;
  dlclose(edit.library);
  edit.library = NULL;
  return GREEN_ENOSYS;
}

static int edit_on_tab(int count, int key)
{
  (void)count, (void)key;
  repl.is_tab = 1;
  return 0;
}

static void edit_start(void)
{
  setlocale(LC_CTYPE, ""); /* Else it takes UTF-8 apart. */
  *edit.catch_signals = 0;
  edit.initialize();
  edit.add_defun("greenlua-complete", edit_on_tab, '\t');
}

/* Called by libedit when a line is complete, or at the end of input. */
static void edit_on_line(char *line)
{
  repl.line = line;
  repl.at_end = !line;
}

/* -- The terminal --------------------------------------------------------- */

int green_repl_open(void)
{
  if (repl.is_open) return GREEN_EBUSY;
  if (!isatty(0) || !isatty(1) || tcgetattr(0, &repl.modes) < 0)
    return GREEN_ENODEV;
  int err = edit_load();
  if (err < 0) return err;
  edit_start();
  repl.is_open = 1;
  return 0;
}

static void repl_leave(void)
{
  if (!repl.is_editing) return;
  edit.remove();
  repl.is_editing = 0;
}

void green_repl_close(void)
{
  if (!repl.is_open) return;
  repl_leave();
  free(repl.line);
  repl.line = NULL;
  repl.is_open = 0;
}

void green__repl_restore(void)
{
  if (repl.is_editing) tcsetattr(0, TCSANOW, &repl.modes);
}

static void repl_write(const char *text)
{
  size_t n = strlen(text);
  fflush(stdout);
  while (n > 0) {
    ssize_t r = write(1, text, n);
    int err = errno;
    if (r < 0 && err != EINTR) return;
    if (r < 0) continue;
    text += r;
    n -= (size_t)r;
  }
}

/* -- A line --------------------------------------------------------------- */

void green_repl_begin(const char *prompt)
{
  free(repl.line);
  repl.line = NULL;
  repl.at_end = 0;
  repl.prompt_len = (int)strlen(prompt);
  repl.is_editing = 1;
  edit.install(prompt, edit_on_line);
}

static int repl_has_key(void)
{
  struct pollfd p = {.fd = 0, .events = POLLIN};
  return poll(&p, 1, 0) > 0;
}

int green_repl_feed(void)
{
  repl.is_tab = 0;
  while (!repl.line && !repl.at_end && !repl.is_tab && repl_has_key())
    edit.read_char();
  if (repl.is_tab) return 2;
  if (!repl.line && !repl.at_end) return 0;
  repl_leave();
  if (repl.at_end) repl_write("\n");
  return repl.at_end ? GREEN_EEOF : 1;
}

const char *green_repl_line(void)
{
  return repl.line ? repl.line : "";
}

const char *green_repl_typed(void)
{
  static char text[1024];
  const char *line = *edit.buffer ? *edit.buffer : "";
  size_t n = *edit.buffer ? (size_t)*edit.point : 0;
  size_t most = sizeof(text) - 1, skip = n > most ? n - most : 0;
  memcpy(text, line + skip, n - skip);
  text[n - skip] = '\0';
  return text;
}

void green_repl_insert(const char *text)
{
  edit.insert_text(text);
  edit.update_display();
}

void green_repl_abandon(void)
{
  repl_leave();
  repl_write("\n");
}

/* -- Making way for other output ------------------------------------------ */

/* Columns of the first n bytes of UTF-8, wide characters not minded. */
static int repl_columns(const char *text, int n)
{
  int columns = 0;
  for (int i = 0; i < n && text[i]; i++)
    columns += ((unsigned char)text[i] & 0xc0) != 0x80;
  return columns;
}

static int repl_is_dumb(void)
{
  const char *term = getenv("TERM");
  return !term || !*term || !strcmp(term, "dumb");
}

void green_repl_hide(void)
{
  struct winsize size = {0};
  char text[32];
  if (!repl.is_editing) return;
  if (repl_is_dumb()) {
    repl_write("\n");
    return;
  }
  int width =
      ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
  int before = *edit.buffer ? repl_columns(*edit.buffer, *edit.point) : 0;
  int up = (repl.prompt_len + before) / width;
  if (up > 0) {
    snprintf(text, sizeof(text), "\033[%dA", up);
    repl_write(text);
  }
  repl_write("\r\033[J");
}

void green_repl_show(void)
{
  if (repl.is_editing) edit.update_display();
}

/* -- History -------------------------------------------------------------- */

static int history_append(const char *path, const char *line)
{
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600);
  if (fd < 0) return -errno;
  int r = dprintf(fd, "%s\n", line);
  return close(fd) == 0 && r > 0 ? 0 : GREEN_EIO;
}

int green_repl_remember(const char *line, const char *path)
{
  if (edit.library) edit.add_history(line);
  return path && *path ? history_append(path, line) : 0;
}

/* Add the lines behind the first skip (negative: none). How many there are. */
static int history_read(FILE *f, int skip)
{
  char *line = NULL;
  size_t cap = 0;
  ssize_t len;
  int n = 0;
  while ((len = getline(&line, &cap, f)) >= 0) {
    if (len > 0 && line[len - 1] == '\n') line[len - 1] = '\0';
    if (skip >= 0 && n >= skip) edit.add_history(line);
    n++;
  }
  free(line);
  return n;
}

/* Copy the lines behind the first skip over the file. */
static int history_trim(FILE *f, const char *path, int skip)
{
  char *line = NULL, temporary[4096];
  size_t cap = 0;
  int n = snprintf(temporary, sizeof(temporary), "%s.new", path);
  if (n < 0 || (size_t)n >= sizeof(temporary)) return GREEN_ENAMETOOLONG;
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  FILE *to = fd < 0 ? NULL : fdopen(fd, "w");
  if (!to) return fd < 0 ? -errno : GREEN_ENOMEM;
  rewind(f);
  for (int i = 0; getline(&line, &cap, f) >= 0; i++)
    if (i >= skip) fputs(line, to);
  free(line);
  if (fclose(to) == 0 && rename(temporary, path) == 0) return 0;
  unlink(temporary);
  return GREEN_EIO;
}

int green_repl_history(const char *path, int most)
{
  int err = 0;
  if (!path || !*path || !edit.library) return 0;
  FILE *f = fopen(path, "re");
  if (!f) return errno == ENOENT ? 0 : -errno;
  int n = history_read(f, -1);
  rewind(f);
  history_read(f, n > most ? n - most : 0);
  if (n > 2 * most) err = history_trim(f, path, n - most);
  fclose(f);
  return err;
}
