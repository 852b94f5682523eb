/*
** main.c: the program `greenlua`, which is the command and nothing else.
*/

#include "cmd/cli.h"

#include "base/mem.h"

#include <malloc.h>
#include <stddef.h>

#ifdef M_TRIM_THRESHOLD
/* Without them the thread that frees a small block of another one's waits for
** that one's lock: a message of ZeroMQ's took twice the CPU time. glibc's own
** setting. */
static void keep_small_blocks(void)
{
  mallopt(M_MXFAST, 64 * sizeof(size_t) / 4);
}
#endif

/* A handshake of TLS makes and frees memory in very many pieces: giving the end
** of the heap back, and walking the small free ones, cost 3 % of a resumed one.
** The process is ours, unlike a host's. */
static void keep_heap(void)
{
#ifdef M_TRIM_THRESHOLD
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
  mallopt(M_TOP_PAD, 1 << 20);
  mallopt(M_MXFAST, 0);
  green__mem_on_shared(keep_small_blocks);
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
#endif
}

int main(int argc, char **argv)
{
  keep_heap();
  return greenlua_cli(argc, argv);
}
