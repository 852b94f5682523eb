/*
** zmq_lib_test.c: libzmq opened at first use, absent, or not what it should be.
** Each look is in a child: a process looks once.
*/

#include "child.h"
#include "io/zmq_ctx.h"

static int is_mapped(void)
{
  char line[400];
  int found = 0;
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof(line), f))
    found |= strstr(line, "libzmq") != NULL;
  if (f) fclose(f);
  return found;
}

static void load_absent(void *arg)
{
  setenv("GREENLUA_LIBZMQ", arg, 1);
  must(green_zmq_ctx_load() == GREEN_ENOLIBRARY);
  must(strstr(green_zmq_ctx_why(), arg) != NULL);
  must(strstr(green_zmq_ctx_why(), "Debian's package libzmq5") != NULL);
  unsetenv("GREENLUA_LIBZMQ");
  must(green_zmq_ctx_load() == GREEN_ENOLIBRARY); /* It stays so. */
}

static void load_there(void *arg)
{
  int32_t version[3];
  (void)arg;
  must(!is_mapped());
  must(green_zmq_ctx_load() == 0);
  must(is_mapped());
  green_zmq_ctx_version(version);
  must(version[0] == 4 && version[1] >= 2);
  must(green_zmq_ctx_has("ipc") && !green_zmq_ctx_has("nothing"));
}

int main(void)
{
  char none[] = "/nonexistent/libzmq.so.5", other[] = "libm.so.6";
  is(in_child(load_absent, none), 0, "no such file");
  is(in_child(load_absent, other), 0, "it lacks what is needed");
  is(in_child(load_there, NULL), 0, "it comes when it is asked for");
  ok(!is_mapped(), "nobody has asked here: it is not mapped");
  return t_done();
}
