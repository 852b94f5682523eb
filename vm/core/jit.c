/*
** jit.c: green.core's function about the machine code that LuaJIT makes.
*/

#include "core/door.h"

#include <link.h>
#include <string.h>

/* LuaJIT's own code: the readable code that `inside` is part of. */
struct text {
  uintptr_t inside, begin, end;
};

static int find_text(struct dl_phdr_info *info, size_t size, void *data)
{
  struct text *t = data;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t begin = info->dlpi_addr + p->p_vaddr;
    if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || !(p->p_flags & PF_R))
      continue;
    if (t->inside < begin || t->inside - begin >= p->p_memsz) continue;
    t->begin = begin;
    t->end = begin + p->p_memsz;
    return 1;
  }
  return 0;
}

/* mov ecx, [rdi+48]; cmp esi, ecx: how the function begins that gives the next
** pair of a table, lj_vm_next. */
static const unsigned char next_begins[] = {0x8b, 0x4f, 0x30, 0x39, 0xce};

static int is_next(uintptr_t target)
{
  struct text t = {.inside = (uintptr_t)lua_settop};
  if (!dl_iterate_phdr(find_text, &t)) return 0;
  if (target < t.begin || target + sizeof(next_begins) > t.end) return 0;
  return !memcmp((const void *)target, next_begins, sizeof(next_begins));
}

enum { CALL = 0xe8, CALL_LEN = 5, XCHG_EDX_EAX = 0x92 };

/* yes = swaps_next(code, address): does it call lj_vm_next and then swap the 32
** low bits of the two results, of which one is a pointer of 64? */
static int core_swaps_next(lua_State *L)
{
  size_t len;
  const char *code = luaL_checklstring(L, 1, &len);
  uint64_t at = (uint64_t)(int64_t)luaL_checknumber(L, 2);
  int found = 0;
  for (size_t i = 0; i + CALL_LEN < len && !found; i++) {
    int32_t distance;
    if ((unsigned char)code[i] != CALL) continue;
    if ((unsigned char)code[i + CALL_LEN] != XCHG_EDX_EAX) continue;
    memcpy(&distance, code + i + 1, sizeof(distance));
    found = is_next((uintptr_t)(at + i + CALL_LEN + (uint64_t)distance));
  }
  lua_pushboolean(L, found);
  return 1;
}

const luaL_Reg vm_jit_functions[] = {
    {"swaps_next", core_swaps_next},
    {NULL, NULL},
};
