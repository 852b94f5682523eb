/*
** wscodec.c: what a message of websockets costs besides its system calls:
** UTF-8 checked, a mask taken off, a frame read; `wscodec memcpy` is the floor:
** as many bytes copied.
**
** Prints, in ns of CPU time: ascii_125, ascii_16k, ascii_1m, cyrillic_16k,
** japanese_16k, german_16k (a check of so many bytes); mask_125, mask_16k,
** mask_1m (in place); frame_125 (a masked frame read, its mask taken off; the
** floor copies it).
*/

#include "proto/utf8.h"
#include "proto/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1 << 20, BYTES = 64 << 20, FRAME = 125 };

static char text[MOST], other[MOST];
static int floor_only;

static double cpu_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The compiler may not know what is in memory. */
static void forget(void)
{
  __asm__ volatile("" ::: "memory");
}

static void check(size_t n)
{
  if (green_utf8_check(text, n)) return;
  fprintf(stderr, "wscodec: a text that is not UTF-8\n");
  exit(1);
}

static void mask(size_t n)
{
  static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
  green_ws_mask(text, text, n, key, 0);
}

/* A frame of n bytes behind a header of six. */
static void frame(size_t n)
{
  static green_ws_reader r;
  if (!r.masked) green_ws_init(&r);
  memcpy(text, "\x82\xfd\x37\xfa\x21\x3d", 6);
  if (green_ws_next(&r, text, n + 6) == GREEN_WS_DATA && r.last) return;
  fprintf(stderr, "wscodec: a frame that was not read\n");
  exit(1);
}

static void copy(size_t n)
{
  memcpy(other, text, n);
}

static void measure(const char *name, void (*act)(size_t), size_t n)
{
  int times = (int)(BYTES / (n + 128));
  if (floor_only) act = copy;
  act(n);
  double start = cpu_ns();
  for (int i = 0; i < times; i++) {
    act(n);
    forget();
  }
  printf(" %s=%.2f", name, (cpu_ns() - start) / times);
}

/* Fill with a word over and over; the rest is blanks. */
static void fill(const char *word)
{
  size_t len = strlen(word), n = 16384;
  memset(text, ' ', sizeof(text));
  for (size_t i = 0; i + len <= n; i += len) memcpy(text + i, word, len);
}

int main(int argc, char **argv)
{
  floor_only = argc > 1 && !strcmp(argv[1], "memcpy");
  fill("text ");
  measure("ascii_125", check, 125);
  measure("ascii_16k", check, 16384);
  measure("ascii_1m", check, MOST);
  fill("\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 ");
  measure("cyrillic_16k", check, 16384);
  fill("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
  measure("japanese_16k", check, 16384);
  fill("viele Gr\xc3\xbc\xc3\x9f"
       "e aus dem hohen Norden ");
  measure("german_16k", check, 16384);
  measure("mask_125", mask, 125);
  measure("mask_16k", mask, 16384);
  measure("mask_1m", mask, MOST);
  measure("frame_125", frame, FRAME);
  printf("\n");
  return 0;
}
