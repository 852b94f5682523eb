/*
** tls_pool_fork_test.c: handshakes in the pool, in a child, which has none of
** its parent's threads.
*/

#include "child.h"
#include "io/tls_pool_kit.h"

static void child_of_two(void *arg)
{
  ends *e = arg;
  gate_open = 1;
  wait_back(&e[0], 1);
  must(green_tls_handshake(e[0].server) == GREEN_ECONNABORTED);
  wait_back(&e[1], 1);
  must(finish(&e[1]) == 0);
  ends_close(&e[0]);
  ends_close(&e[1]);
}

/* What a thread of the parent's is at is no use to a child. */
static void test_fork(void)
{
  ends e[2] = {ends_open(0), ends_open(0)};
  pool->at_once = 1;
  gate_open = 0;
  for (int i = 0; i < 2; i++) {
    hello(&e[i]);
    start(&e[i]);
  }
  wait_inside(1);
  is(in_child(child_of_two, e), 0, "the child goes on with the other");
  gate_open = 1;
  for (int i = 0; i < 2; i++) {
    wait_back(&e[i], 1);
    is(finish(&e[i]), 0, "the parent with both");
    ends_close(&e[i]);
  }
  pool->at_once = 2;
}

int main(void)
{
  pool_begin();
  test_fork();
  return pool_end();
}
