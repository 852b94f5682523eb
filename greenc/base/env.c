/*
** env.c: secure_getenv, unless nobody listens.
*/

#include "base/env.h"

#include <stdlib.h>

static bool env_ignored;

const char *green_env(const char *name)
{
  const char *value = env_ignored ? NULL : secure_getenv(name);
  return value && *value ? value : NULL;
}

void green_env_ignore(void)
{
  env_ignored = true;
}

bool green_env_is_ignored(void)
{
  return env_ignored;
}
