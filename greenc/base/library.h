/*
** library.h: libraries of others, opened when they are first used.
**
** Nothing is linked: a program that does not need one does not map it, and runs
** where there is none. Each has one owner, a file that keeps the table of its
** functions. Private to greenc.
*/
#ifndef GREEN_LIBRARY_H
#define GREEN_LIBRARY_H

#include "base/err.h"

#include <stddef.h>

/* Static; the owner says all but the last two. */
typedef struct green__library {
  const char *file;  /* "libz.so.1" */
  const char *env;   /* "GREENLUA_LIBZ": names another file. */
  const char *needs; /* "gzip needs zlib, Debian's package zlib1g" */

  const char *const *names; /* Of n functions, */
  void *table;              /* and where their pointers go, side by side. */
  size_t n;

  /* What it needs before its first use, once the table is full; NULL: nothing.
  ** 0, or negative with `why` written. It must not load another one. */
  int (*begin)(struct green__library *l);

  int state; /* 0: nobody has looked; 1: it is there; -1: it is not. */
  char why[400];
} green__library;

/* Open it and fill the table, once for the process. 0, or GREEN_ENOLIBRARY: it
** is absent, lacks a function or did not begin, and stays so; why is then a
** sentence that says so, without a full stop. A child of a fork has what its
** parent had. Any thread. */
int green__library_load(green__library *l);

#endif
