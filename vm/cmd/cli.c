/*
** cli.c: options of the command, and the exit status.
**
** All that the command line asks for is run by one function of green.cmd.cli,
** in the main green thread.
*/

#include "cmd/cli.h"
#include "cmd/sigint.h"
#include "cmd/usr2.h"
#include "greenlua_priv.h"
#include "stall.h"
#include "trace.h"
#include "text.h"

#include "base/env.h"
#include "io/signal.h"
#include "io/tpool.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATUS_OK = 0, STATUS_ERROR = 1, STATUS_USAGE = 2, STATUS_SIGNAL = 128 };

/* What was found before the script. */
typedef struct cli {
  int argc;
  char **argv;
  int script;   /* Index of its name; argc: there is none. */
  int steps;    /* -e, -l, -j and -O */
  int bytecode; /* Index of -b; argc: there is none. */
  int interactive;
  int version;
  int help;
  int no_env;
  int is_module;           /* The script is the name of a module: -m. */
  const char *debugger;    /* "": at standard input and output; NULL: none. */
  const char *backdoor;    /* "": where it is by default; NULL: none. */
  int64_t watchdog;        /* Nanoseconds; 0: none; -1: not said. */
  const char *profiles[3]; /* Files, as profile_options; NULL: none. */
  char wrong[160];         /* With the words of an option; or "". */
} cli;

/* And the kinds of green.profile that they ask for. */
static const char *const profile_options[] = {
    "--profile=", "--profile-wait=", "--profile-alloc="};
static const char *const profile_kinds[] = {"cpu", "wait", "alloc"};

static const char usage[] =
    "usage: greenlua [options] [script [args]]\n"
    "  -e stat  run the statement\n"
    "  -l mod   require the module\n"
    "  -m mod   run the main of green.mod, or of mod, with what follows\n"
    "  -b ...   save or list bytecode (greenlua -b shows how)\n"
    "  -j cmd   control the JIT compiler: on, off, flush, v, dump, ...\n"
    "  -O[opt]  control its optimizations\n"
    "  -i       read lines after the script, or without one\n"
    "  -v       print the version; also --version\n"
    "  -E       ignore LUA_* and GREENLUA_* in the environment\n"
    "  --debug[=port|path]  wait for an editor's debugger (DAP)\n"
    "  --backdoor[=path]  a prompt in the program, for greenlua attach\n"
    "  --watchdog[=s]  report what keeps the loop for more than s seconds "
    "(1);\n"
    "           0: do not\n"
    "  --profile=out.svg  where CPU time goes, a flame graph; written at the "
    "end\n"
    "  --profile-wait=out.svg, --profile-alloc=out.svg  where threads wait, "
    "and\n"
    "           where memory is made; or .folded, .pb\n"
    "  -h       print this; also --help\n"
    "  --       end of the options\n"
    "  -        the script is standard input\n"
    "       greenlua attach PID  a prompt in a program that runs\n"
    "       greenlua top PID     how it does, and its green threads, again and "
    "again\n"
    "       greenlua dump PID    what each of its green threads waits for\n";

/* -- Options -------------------------------------------------------------- */

static int cli_is_step(const char *word)
{
  return word[1] && strchr("eljO", word[1]) != NULL;
}

/* The text of a step: behind the letter, or the next word, which -O does not
** take. NULL: none. */
static const char *cli_operand(const cli *c, int *i)
{
  const char *word = c->argv[*i];
  if (word[2] || word[1] == 'O') return word + 2;
  return *i + 1 < c->argc ? c->argv[++*i] : NULL;
}

/* 0, or -1: it is none of these. */
static int cli_profile(cli *c, const char *word)
{
  for (int i = 0; i < 3; i++) {
    size_t n = strlen(profile_options[i]);
    if (strncmp(word, profile_options[i], n) != 0 || !word[n]) continue;
    c->profiles[i] = word + n;
    return 0;
  }
  return -1;
}

static int cli_watchdog(cli *c, const char *text)
{
  c->watchdog = vm_stall_limit("--watchdog=", text, c->wrong, sizeof(c->wrong));
  return c->watchdog < 0 ? -1 : 0;
}

/* One option that is a whole word. 0, or -1: no such option, or c->wrong says
** what is wrong with it. */
static int cli_flag(cli *c, const char *word)
{
  if (!strcmp(word, "-i"))
    c->interactive = 1;
  else if (!strcmp(word, "-v") || !strcmp(word, "--version"))
    c->version = 1;
  else if (!strcmp(word, "-h") || !strcmp(word, "--help"))
    c->help = 1;
  else if (!strcmp(word, "-E"))
    c->no_env = 1;
  else if (!strcmp(word, "--debug"))
    c->debugger = "";
  else if (!strncmp(word, "--debug=", 8))
    c->debugger = word + 8;
  else if (!strcmp(word, "--backdoor"))
    c->backdoor = "";
  else if (!strncmp(word, "--backdoor=", 11))
    c->backdoor = word + 11;
  else if (!strcmp(word, "--watchdog"))
    c->watchdog = 1000000000;
  else if (!strncmp(word, "--watchdog=", 11))
    return cli_watchdog(c, word + 11);
  else
    return cli_profile(c, word);
  return 0;
}

/* Returns NULL, or the option that makes no sense. */
static const char *cli_parse(cli *c, int argc, char **argv)
{
  int i = 1;
  *c = (cli){.argc = argc, .argv = argv, .bytecode = argc, .watchdog = -1};
  for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
    const char *word = argv[i];
    if (!strcmp(word, "--")) {
      i++;
      break;
    }
    if (word[1] == 'b') { /* All that follows is its. */
      c->bytecode = i;
      i = argc;
      break;
    }
    if (!strcmp(word, "-m")) { /* Its name stands where a script's does. */
      if (++i == argc) return word;
      c->is_module = 1;
      break;
    }
    if (cli_is_step(word)) {
      if (!cli_operand(c, &i)) return word;
      c->steps++;
    } else if (cli_flag(c, word) < 0) {
      return word;
    }
  }
  c->script = i < argc ? i : argc;
  return NULL;
}

/* -- Options that do not exist -------------------------------------------- */

#define WORD_MOST 16

/* Letters to be put in, taken out or changed between a, up to a '=', and the
** first n of b. */
static size_t word_edits(const char *a, const char *b, size_t n)
{
  size_t row[WORD_MOST + 1];
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 1; a[i - 1] && a[i - 1] != '='; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= n; j++) {
      size_t change = diagonal + (a[i - 1] != b[j - 1]);
      size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
      diagonal = row[j];
      row[j] = change < least ? change : least;
    }
  }
  return row[n];
}

/* The option that may have been meant; NULL: none is near. */
static const char *cli_nearest(const char *word)
{
  static const char *const words[] = {"--backdoor",
                                      "--debug",
                                      "--help",
                                      "--profile=FILE",
                                      "--version",
                                      "--watchdog",
                                      "--profile-alloc=FILE",
                                      "--profile-wait=FILE"};
  const char *best = NULL;
  size_t n = strcspn(word, "="), least = n < 8 ? n / 2 : 4;
  if (n < 4 || n > WORD_MOST) return NULL;
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    size_t edits = word_edits(words[i], word, n);
    if (edits >= least) continue;
    least = edits;
    best = words[i];
  }
  return best;
}

static void cli_tell_wrong(const char *word)
{
  const char *what = cli_is_step(word) ? "there is nothing behind" : "wrong";
  const char *near = cli_nearest(word);
  fprintf(stderr, "greenlua: %s option '%s'", what, word);
  if (near) fprintf(stderr, "; did you mean '%s'?", near);
  fprintf(stderr, "\n%s", usage);
}

/* "-" is standard input, but behind "--" it is a file. */
static int cli_script_is_stdin(const cli *c)
{
  return !c->is_module && !strcmp(c->argv[c->script], "-") &&
         strcmp(c->argv[c->script - 1], "--") != 0;
}

/* -- Signals, from Lua ----------------------------------------------------- */

static const char cli_listener_key; /* Of the registry. */

/* listen(thread): Ctrl-C ends its wait with EINTR; nil: it kills main again.
** The next one is the first again. */
static int cli_listen(lua_State *L)
{
  lua_settop(L, 1);
  lua_pushlightuserdata(L, (void *)&cli_listener_key);
  lua_pushvalue(L, 1);
  lua_rawset(L, LUA_REGISTRYINDEX); /* Anchor it. */
  green__sigint_listen(lua_touserdata(L, 1));
  return 0;
}

/* on_usr2(fn): fn() whenever SIGUSR2 comes that nobody else handles. */
static int cli_on_usr2(lua_State *L)
{
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  green__usr2_start(green__sigint_program(), L);
  return 0;
}

/* -- Standard output without a reader ------------------------------------- */

static int stdout_is_broken(void)
{
  struct pollfd p = {.fd = 1, .events = POLLOUT};
  struct stat st;
  if (fstat(1, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
    return 0;
  return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

/* yes = reader_gone(known): does a print end the program? Where its reader has
** gone (known, or what C's stdio and the system say), as SIGPIPE would, which
** nobody has asked to handle or ignore. */
static int cli_reader_gone(lua_State *L)
{
  int gone = lua_toboolean(L, 1) || (ferror(stdout) && stdout_is_broken());
  lua_pushboolean(L, gone && green_signal_is_absorbed(SIGPIPE));
  return 1;
}

/* -- Running -------------------------------------------------------------- */

static void cli_set_arg(lua_State *L, const cli *c)
{
  lua_createtable(L, c->argc - c->script, c->script + 1);
  for (int i = 0; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, i - c->script);
  }
  lua_setglobal(L, "arg");
}

/* The steps as { letter, text }, in order. */
static void cli_push_steps(lua_State *L, const cli *c)
{
  lua_createtable(L, c->steps, 4);
  for (int i = 1, n = 0; n < c->steps; i++) {
    char letter[] = {c->argv[i][1], '\0'};
    if (!cli_is_step(c->argv[i])) continue;
    lua_createtable(L, 2, 0);
    lua_pushstring(L, letter);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, cli_operand(c, &i));
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, ++n);
  }
}

static void cli_push_version(lua_State *L)
{
  int major, minor;
  green_hub_library(&major, &minor);
  lua_getglobal(L, "jit");
  lua_getfield(L, -1, "version");
  lua_pushfstring(L, "greenlua %s (%s, libev %d.%d, hub %s)", GREENLUA_VERSION,
                  lua_tostring(L, -1), major, minor,
                  green_hub_backend(vm_get(L)->hub));
  lua_replace(L, -3);
  lua_pop(L, 1);
}

/* plan.bytecode: the words of -b. */
static void cli_set_bytecode(lua_State *L, const cli *c)
{
  const char *first = c->argv[c->bytecode];
  int n = 0;
  lua_newtable(L);
  if (first[2]) {
    lua_pushfstring(L, "-%s", first + 2);
    lua_rawseti(L, -2, ++n);
  }
  for (int i = c->bytecode + 1; i < c->argc; i++) {
    lua_pushstring(L, c->argv[i]);
    lua_rawseti(L, -2, ++n);
  }
  lua_setfield(L, -2, "bytecode");
}

/* plan.backdoor: the option, or GREENLUA_BACKDOOR: 1, or a path. */
static void cli_set_backdoor(lua_State *L, const cli *c)
{
  const char *path = c->backdoor;
  if (!path && !c->no_env) path = green_env("GREENLUA_BACKDOOR");
  if (!path || (!*path && !c->backdoor) || !strcmp(path, "0")) return;
  lua_pushstring(L, strcmp(path, "1") ? path : "");
  lua_setfield(L, -2, "backdoor");
}

/* plan.profiles: kind -> file; nil: none was asked for. */
static void cli_set_profiles(lua_State *L, const cli *c)
{
  for (int i = 0; i < 3; i++) {
    if (!c->profiles[i]) continue;
    lua_getfield(L, -1, "profiles");
    if (lua_isnil(L, -1)) {
      lua_pop(L, 1);
      lua_createtable(L, 0, 3);
      lua_pushvalue(L, -1);
      lua_setfield(L, -3, "profiles");
    }
    lua_pushstring(L, c->profiles[i]);
    lua_setfield(L, -2, profile_kinds[i]);
    lua_pop(L, 1);
  }
}

/* plan.init, plan.no_env, plan.keylog, plan.leaks */
static void cli_set_environment(lua_State *L, const cli *c)
{
  lua_pushboolean(L, c->no_env);
  lua_setfield(L, -2, "no_env");
  if (c->no_env) return;
  lua_pushstring(L, getenv("LUA_INIT"));
  lua_setfield(L, -2, "init");
  lua_pushstring(L, green_env("SSLKEYLOGFILE"));
  lua_setfield(L, -2, "keylog");
  const char *leaks = green_env("GREENLUA_LEAKS");
  lua_pushboolean(L, leaks && *leaks && strcmp(leaks, "0") != 0);
  lua_setfield(L, -2, "leaks");
}

/* Behind what is queued there. */
static void cli_complain(lua_State *L, const char *text)
{
  char *line;
  if (asprintf(&line, "greenlua: %s\n", text) < 0) return;
  vm_complain(L, line);
  free(line);
}

static const char cli_cancel_key; /* cli_is_cancel, in the registry. */

/* Is the value an error of somebody's that was killed? */
static int cli_is_cancel(lua_State *L)
{
  int yes = 0;
  if (lua_istable(L, 1)) {
    lua_pushliteral(L, "code");
    lua_rawget(L, 1);
    yes = lua_isstring(L, -1) && !strcmp(lua_tostring(L, -1), "ECANCELED");
  }
  lua_pushboolean(L, yes);
  return 1;
}

/* Was the error at the top of L raised because of Ctrl-C? */
static int cli_was_interrupted(lua_State *L)
{
  if (!green__sigint_number()) return 0;
  if (green__sigint_spun()[0]) return 1;
  lua_pushlightuserdata(L, (void *)&cli_cancel_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_pushvalue(L, -2);
  int yes = lua_pcall(L, 1, 1, 0) == 0 && lua_toboolean(L, -1);
  lua_pop(L, 1);
  return yes;
}

/* And say where it was that it did not wait. */
static int cli_tell_interrupt(lua_State *L)
{
  char text[160];
  const char *spun = green__sigint_spun();
  if (!cli_was_interrupted(L)) return 0;
  snprintf(text, sizeof(text), "interrupted at %s", spun);
  if (spun[0]) cli_complain(L, text);
  return 1;
}

/* status = interrupted(err): the exit status of a child whose function Ctrl-C
** has ended with that error; nil: it did not. */
static int cli_interrupted(lua_State *L)
{
  lua_settop(L, 1);
  if (!cli_tell_interrupt(L)) return 0;
  lua_pushinteger(L, STATUS_SIGNAL + green__sigint_number());
  return 1;
}

/* What the library does only in a program of the command's; some of it is in
** the plan, too. */
static void cli_set_core(lua_State *L)
{
  vm_push_key(L, VM_KEY_CORE);
  lua_pushcfunction(L, cli_interrupted);
  lua_setfield(L, -2, "interrupted");
  lua_pushcfunction(L, cli_reader_gone);
  lua_pushvalue(L, -1);
  lua_setfield(L, -4, "reader_gone");
  lua_setfield(L, -2, "reader_gone");
  lua_pop(L, 1);
  lua_pushcfunction(L, cli_on_usr2);
  lua_setfield(L, -2, "on_usr2");
}

/* run, plan = prepare(cli). Called protected. */
static int cli_prepare(lua_State *L)
{
  const cli *c = lua_touserdata(L, 1);
  int has_script = c->script < c->argc;
  int has_bytecode = c->bytecode < c->argc;
  int has_work = has_script || c->steps || c->version || has_bytecode;
  int repl = c->interactive || (!has_work && isatty(0));
  cli_set_arg(L, c);
  lua_pushlightuserdata(L, (void *)&cli_cancel_key);
  lua_pushcfunction(L, cli_is_cancel);
  lua_rawset(L, LUA_REGISTRYINDEX); /* For the end, when nothing can fail. */
  lua_getglobal(L, "require");
  lua_pushliteral(L, "green.cmd.cli");
  lua_call(L, 1, 1);
  cli_push_steps(L, c);
  cli_set_environment(L, c);
  cli_set_backdoor(L, c);
  cli_set_profiles(L, c);
  if (c->debugger) {
    lua_pushstring(L, c->debugger);
    lua_setfield(L, -2, "debugger");
  }
  if (has_bytecode) cli_set_bytecode(L, c);
  if (has_script && !cli_script_is_stdin(c)) {
    lua_pushstring(L, c->argv[c->script]);
    lua_setfield(L, -2, c->is_module ? "module" : "script");
  } else if (has_script || (!has_work && !repl)) {
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, "stdin");
  }
  if (repl) {
    lua_pushcfunction(L, cli_listen);
    lua_setfield(L, -2, "repl");
  }
  cli_set_core(L);
  if (c->version || (repl && !has_work)) {
    cli_push_version(L);
    lua_setfield(L, -2, "version");
  }
  return 2;
}

/* The plan's function gives nil, or what it could not load. In a child of a
** fork another thread has ended, and what it gave is nobody's. */
static int cli_returned(lua_State *L, pid_t pid)
{
  if (lua_type(L, -1) != LUA_TSTRING || getpid() != pid) return STATUS_OK;
  cli_complain(L, lua_tostring(L, -1));
  return STATUS_ERROR;
}

static int cli_raised(greenlua *g)
{
  lua_State *L = greenlua_state(g);
  if (cli_tell_interrupt(L)) return STATUS_SIGNAL + green__sigint_number();
  if (!lua_isnil(L, -1)) cli_complain(L, greenlua_error(g));
  return STATUS_ERROR;
}

/* -- What the environment says -------------------------------------------- */

/* 0; or -1, and c->wrong says so: a number there makes no sense. */
static int cli_check_env(cli *c)
{
  size_t n = sizeof(c->wrong);
  if (c->watchdog < 0 && vm_stall_limit_of_env(c->wrong, n) < 0) return -1;
  return green_tpool_env_wrong(c->wrong, n) ? -1 : 0;
}

/* What the environment says has been done, unless it made no sense. */
static int cli_watch(lua_State *L)
{
  const cli *c = lua_touserdata(L, 1);
  vm_stall_options o = {.exact = 1, .logs = 1};
  if (!vm_get(L)->trace) vm_trace_start_env(vm_get(L), L, 1);
  o.limit = c->watchdog;
  if (o.limit >= 0) vm_stall_start(vm_get(L), L, &o);
  return 0;
}

static int cli_run(greenlua *g, const cli *c)
{
  lua_State *L = greenlua_state(g);
  if (lua_cpcall(L, cli_watch, (void *)c) != 0) {
    cli_complain(L, lua_tostring(L, -1));
    return STATUS_ERROR;
  }
  lua_pushcfunction(L, cli_prepare);
  lua_pushlightuserdata(L, (void *)c);
  if (lua_pcall(L, 1, 2, 0) != 0) {
    cli_complain(L, lua_isstring(L, -1) ? lua_tostring(L, -1) : "cannot start");
    return STATUS_ERROR;
  }
  pid_t pid = getpid();
  int r = greenlua_call(g, 1);
  vm_tell_rest(g->v);
  vm_trace_flush(g->v);
  if (r == 0) return cli_returned(L, pid);
  if (r > 0) return cli_raised(g);
  cli_complain(L, greenlua_error(g));
  return STATUS_ERROR;
}

static int cli_cannot_start(int err)
{
  const char *hub = green_env("GREENLUA_HUB");
  if (!hub)
    fprintf(stderr, "greenlua: cannot start: %s\n", green_err_text(err));
  else
    fprintf(stderr, "greenlua: GREENLUA_HUB=%s: %s\n", hub,
            err == GREEN_EINVAL   ? "no such hub"
            : err == GREEN_ENOSYS ? "this system does not have that hub"
                                  : green_err_text(err));
  return STATUS_ERROR;
}

/* A hub that got one of these numbers would be printed into. */
static void cli_open_standard(void)
{
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR);
}

int greenlua_cli(int argc, char **argv)
{
  cli c;
  const char *wrong = cli_parse(&c, argc, argv);
  cli_open_standard();
  if (c.wrong[0]) {
    fprintf(stderr, "greenlua: %s\n", c.wrong);
    return STATUS_USAGE;
  }
  if (wrong) {
    cli_tell_wrong(wrong);
    return STATUS_USAGE;
  }
  if (c.help) {
    fputs(usage, stdout);
    return STATUS_OK;
  }
  if (c.no_env) green_env_ignore();
  if (cli_check_env(&c) < 0) {
    fprintf(stderr, "greenlua: %s\n", c.wrong);
    return STATUS_ERROR;
  }
  greenlua *g = greenlua_new(NULL);
  if (!g) return cli_cannot_start(greenlua_new_error());
  green__sigint_start(g);
  if (c.profiles[0] || c.profiles[1] || c.profiles[2])
    green__sigint_take_term();
  int status = cli_run(g, &c);
  green__sigint_stop();
  green__usr2_stop();
  greenlua_free(g);
  return status;
}
