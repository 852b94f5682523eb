/*
** tls_lib.c: opening OpenSSL, and finding its functions.
*/

#include "io/tls_priv.h"

#include "base/env.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIB_FILE "libssl.so.3"

green__tls_table green__tls_lib;

/* 0: nobody has looked yet; 1: it is there; negative: it is not. */
static int lib_state;
static green_tls_error lib_error;
static pthread_mutex_t lib_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;

static const struct {
  const char *name;
  size_t at;
} lib_functions[] = {
#define X(name) {#name, offsetof(green__tls_table, name)},
    GREEN__TLS_FUNCTIONS(X)
#undef X
};

int green__tls_vsay(green_tls_error *e, int code, const char *format,
                    va_list args)
{
  if (!e || e->code) return code;
  e->code = code;
  vsnprintf(e->text, sizeof(e->text), format, args);
  return code;
}

int green__tls_say(green_tls_error *e, int code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  green__tls_vsay(e, code, format, args);
  va_end(args);
  return code;
}

int green__tls_reason_number(void)
{
  return ERR_GET_REASON(lib.ERR_peek_error());
}

const char *green__tls_reason(void)
{
  const char *text = lib.ERR_reason_error_string(lib.ERR_peek_error());
  return text ? text : "no reason given";
}

/* libcrypto comes along: names are looked for in what libssl needs, too. */
static int lib_find(void *handle, const char *path)
{
  size_t n = sizeof(lib_functions) / sizeof(lib_functions[0]);
  for (size_t i = 0; i < n; i++) {
    void *found = dlsym(handle, lib_functions[i].name);
    if (!found)
      return green__tls_say(&lib_error, GREEN_ETLSLIBRARY,
                            "%s is too old, or no libssl: it has no %s; TLS "
                            "needs OpenSSL 3, Debian's package libssl3",
                            path, lib_functions[i].name);
    memcpy((char *)&green__tls_lib + lib_functions[i].at, &found,
           sizeof(found));
  }
  return 0;
}

/* OpenSSL's own end must not run while a thread of ours is still in it: at exit
** it frees what that one uses. */
static int lib_begin(void)
{
  if (lib.OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL) &&
      lib.OPENSSL_init_ssl(0, NULL))
    return 0;
  return green__tls_say(&lib_error, GREEN_ETLSLIBRARY,
                        "OpenSSL did not start: %s", green__tls_reason());
}

static int lib_open(void)
{
  const char *path = green_env("GREENLUA_LIBSSL");
  if (!path) path = LIB_FILE;
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!handle)
    return green__tls_say(&lib_error, GREEN_ETLSLIBRARY,
                          "%s cannot be opened: TLS needs OpenSSL 3, Debian's "
                          "package libssl3 (%s)",
                          path, dlerror());
  int err = lib_find(handle, path);
  return err < 0 ? err : lib_begin();
}

/* A fork waits until nobody is opening it. */
static void lib_before_fork(void)
{
  pthread_mutex_lock(&lib_lock);
}

static void lib_after_fork(void)
{
  pthread_mutex_unlock(&lib_lock);
}

static void lib_watch_forks(void)
{
  pthread_atfork(lib_before_fork, lib_after_fork, lib_after_fork);
}

static int lib_look(void)
{
  pthread_once(&lib_once, lib_watch_forks);
  pthread_mutex_lock(&lib_lock);
  int state = lib_state;
  if (state == 0) {
    state = lib_open() < 0 ? -1 : 1;
    __atomic_store_n(&lib_state, state, __ATOMIC_RELEASE);
  }
  pthread_mutex_unlock(&lib_lock);
  return state;
}

int green_tls_load(green_tls_error *why)
{
  int state = __atomic_load_n(&lib_state, __ATOMIC_ACQUIRE);
  if (green_unlikely(state == 0)) state = lib_look();
  if (why) memset(why, 0, sizeof(*why));
  if (state > 0) return 0;
  if (why) *why = lib_error;
  return GREEN_ETLSLIBRARY;
}
