/*
** err.c: names and texts of the error table.
*/

#include "base/err.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Our own codes have no errno; these only let the assertion below name them. */
enum {
  ECLOSED = 4001,
  ETOOBIG = 4003,
  EEOF = 4004,
  EGONE = 4005,
  ENOLIBRARY = 4006,
  ELOST = 4007,
  EAI_NONAME = 4101,
  EAI_AGAIN = 4102,
  EAI_FAIL = 4103,
  EAI_FAMILY = 4104,
  EAI_SERVICE = 4105,
  ETLS = 4201,
  ETLSALERT = 4202,
  ETLSVERSION = 4203,
  ETLSTRUNCATED = 4204,
  ETLSPLAIN = 4205,
  ETLSFLOOD = 4206,
  ECERTEXPIRED = 4211,
  ECERTHOST = 4212,
  ECERTUNKNOWN = 4213,
  ECERTREVOKED = 4214,
  ECERTINVALID = 4215,
  EKEYINVALID = 4216,
  ECERTPIN = 4217,
  EHTTPSTATUS = 4301,
  EREDIRECT = 4302,
  EREDIS = 4401,
  EFSM = 4601,
  ENOCOMPATPROTO = 4602,
  ETERM = 4603,
  EMTHREAD = 4604,
  ENOSERVICE = 4701,
  ENOMETHOD = 4702,
  EWORKER = 4501,
  EEXITSTATUS = 4502
};

/* EDEADLOCK is ours, and another word for EDEADLK in the system. */
#define X(name, number, text) \
  _Static_assert((number) <= -4000 || (number) == -(name), "errno of " #name);
GREEN_ERR_MAP(X)
#undef X

static const struct {
  int code;
  const char *name;
  const char *text;
} err_table[] = {
#define X(name, number, text) {number, #name, text},
    GREEN_ERR_MAP(X)
#undef X
};

static int is_errno(int code)
{
  return code < 0 && code > -4000;
}

const char *green_err_name(int code)
{
  for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++)
    if (err_table[i].code == code) return err_table[i].name;
  return is_errno(code) ? strerrorname_np(-code) : NULL;
}

/* The system's words for what is not in our table, written as ours are: without
** a capital, unless it begins an abbreviation. */
enum { SYSTEM_MOST = 256, SYSTEM_TEXT = 64 };
static char system_texts[SYSTEM_MOST][SYSTEM_TEXT];
static pthread_once_t system_once = PTHREAD_ONCE_INIT;

static void system_fill(void)
{
  for (int i = 1; i < SYSTEM_MOST; i++) {
    const char *text = strerrordesc_np(i);
    char *own = system_texts[i];
    if (!text) continue;
    snprintf(own, SYSTEM_TEXT, "%s", text);
    if (!isupper((unsigned char)own[1])) own[0] = (char)tolower(own[0]);
  }
}

static const char *system_text(int code)
{
  if (!is_errno(code) || code <= -SYSTEM_MOST) return NULL;
  pthread_once(&system_once, system_fill);
  return *system_texts[-code] ? system_texts[-code] : NULL;
}

const char *green_err_text(int code)
{
  for (size_t i = 0; i < sizeof(err_table) / sizeof(err_table[0]); i++)
    if (err_table[i].code == code) return err_table[i].text;
  const char *text = system_text(code);
  return text ? text : "unknown error";
}

void green__assert_failed(const char *file, int line, const char *sentence)
{
  fprintf(stderr, "greenlua: %s:%d: broken precondition: %s\n", file, line,
          sentence);
  abort();
}
