/*
** parcel_priv.h: what pack.c and unpack.c both know. Private to them, code.c
** and names.c.
*/
#ifndef GREEN_PARCEL_PRIV_H
#define GREEN_PARCEL_PRIV_H

#include "parcel.h"

enum { TYPE_CDATA = 10 }; /* What lua_type says to one of these. */

/* A parcel is the count of its values (32 bits) and the values. A value is a
** tag and what stands behind it, in the machine's own order:
**
**   NUMBER  8 bytes            STR8   n (8 bits), bytes
**   LIGHT   8 bytes            STR32  n (32 bits), bytes
**   TABLE   n (32), m (32): n values of the keys 1 to n, m pairs
**   OBJECT  name of its metatable (a string), then as TABLE
**   FUNC    code (a string, code.h), n (8), n upvalues
**   CELL    an upvalue's value
**   NAMED   a string (names.h)
**   CDATA   name of its type (a string), n (32), bytes
**   CTYPE   name (a string)
**   HELD    index (32) in the parcel's list
**   REF     offset (32) of a tag before it: the same thing again
**
** A tag that some REF leads to has SHARED. */
enum parcel_tag {
  TAG_NIL,
  TAG_FALSE,
  TAG_TRUE,
  TAG_NUMBER,
  TAG_LIGHT,
  TAG_STR8,
  TAG_STR32,
  TAG_TABLE,
  TAG_OBJECT,
  TAG_FUNC,
  TAG_CELL,
  TAG_NAMED,
  TAG_CDATA,
  TAG_CTYPE,
  TAG_HELD,
  TAG_REF,
  TAG_SHARED = 0x80
};

/* The key, in a metatable, of the class's carrier. */
const void *vm__carrier_key(void);

/* Push the FFI's table: typeof, new, sizeof, istype. Raises. */
void vm__push_ffi(lua_State *L);

/* lua_CFunctions: what vm_pack and vm_unpack call protected, each with a light
** userdata of its own. */
int vm__pack_body(lua_State *L);
int vm__unpack_body(lua_State *L);

#endif
