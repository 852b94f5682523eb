/*
** zmq_lib.c: libzmq's functions, and its errors.
*/

#include "io/zmq_lib.h"

#include "base/env.h"
#include "base/library.h"
#include "base/mem.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

green__zmq_table green__zmq_lib;
green__zmq_draft_table green__zmq_drafts;
#define lib green__zmq_lib

/* What libzmq's errors of its own begin at, and what follows there. */
enum { ZMQ_OWN = 156384712, ZMQ_EFSM = ZMQ_OWN + 51 };

static const int own_errors[] = {GREEN_EFSM, GREEN_ENOCOMPATPROTO, GREEN_ETERM,
                                 GREEN_EMTHREAD};

static const char *const zmq_names[] = {
#define X(type, name, parameters) "zmq_" #name,
    GREEN__ZMQ_FUNCTIONS(X)
#undef X
};

static const char *const draft_names[] = {
#define X(type, name, parameters) "zmq_" #name,
    GREEN__ZMQ_DRAFTS(X)
#undef X
};

/* The library is open: this finds it again. */
static void draft_find(const green__library *l)
{
  const char *path = green_env(l->env);
  void *handle = dlopen(path ? path : l->file, RTLD_NOW | RTLD_NOLOAD);
  char *table = (char *)&green__zmq_drafts;
  size_t n = sizeof(draft_names) / sizeof(draft_names[0]), i;
  for (i = 0; handle && i < n; i++) {
    void *found = dlsym(handle, draft_names[i]);
    if (!found) break;
    memcpy(table + i * sizeof(found), &found, sizeof(found));
  }
  green__zmq_drafts.is_there = i == n && lib.f_has("draft");
  if (handle) dlclose(handle);
}

/* The first context begins what libzmq stands on (libpgm, libsodium), the last
** one ends it, and they do not look whether the other is at it in another
** thread. One that is never used, and costs no thread or descriptor, is always
** there: there is no last one. Nobody reads the pointer but checkers of leaks,
** so it must not be optimised away. */
static void *volatile kept;

/* The version that has all of what is used here with the present meaning. */
static int zmq_begin(green__library *l)
{
  int major, minor, patch;
  lib.f_version(&major, &minor, &patch);
  if (major > 4 || (major == 4 && minor >= 2)) {
    draft_find(l);
    kept = lib.f_ctx_new();
    green__mem_shared(); /* Messages go by its own threads. */
    if (kept) return 0;
    snprintf(l->why, sizeof(l->why), "%s: it did not start", l->needs);
    return GREEN_ENOLIBRARY;
  }
  snprintf(l->why, sizeof(l->why), "%s: version %d.%d.%d is older than 4.2",
           l->needs, major, minor, patch);
  return GREEN_ENOLIBRARY;
}

static green__library zmq = {
    .file = "libzmq.so.5",
    .env = "GREENLUA_LIBZMQ",
    .needs = "ZeroMQ needs libzmq, Debian's package libzmq5",
    .names = zmq_names,
    .table = &green__zmq_lib,
    .n = sizeof(zmq_names) / sizeof(zmq_names[0]),
    .begin = zmq_begin,
};

int green__zmq_load(void)
{
  return green__library_load(&zmq);
}

const char *green__zmq_why(void)
{
  return zmq.why;
}

int green__zmq_error(void)
{
  int number = lib.f_errno();
  if (number >= ZMQ_EFSM && number < ZMQ_EFSM + 4)
    return own_errors[number - ZMQ_EFSM];
  return number > 0 ? -number : GREEN_EIO;
}
