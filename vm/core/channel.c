/*
** channel.c: green.core's functions for channels between native threads.
*/

#include "core/door.h"
#include "crossing.h"

/* -- Crossing ------------------------------------------------------------- */

static void *channel_hold(lua_State *L, int i)
{
  green_channel *c = *(green_channel **)lua_touserdata(L, i);
  if (!c) luaL_error(L, "channel: it is empty");
  return green_channel_ref(c);
}

static void channel_push(lua_State *L, void *held)
{
  vm *v = vm_get(L);
  if (!v) luaL_error(L, "channel: the library is not loaded here");
  int err = vm_push_object(v, L, "channel", 0, 0);
  if (err < 0) luaL_error(L, "channel: %s", green_err_text(err));
  *(green_channel **)lua_touserdata(L, -1) = green_channel_ref(held);
}

static void channel_drop(void *held)
{
  green_channel_unref(held);
}

static const vm_carrier channel_carrier = {channel_hold, channel_push,
                                           channel_drop};

void vm_open_channels(lua_State *L)
{
  vm_carry_objects(L, "channel", &channel_carrier);
}

/* -- Doors ---------------------------------------------------------------- */

static green_channel *channel_of(lua_State *L, int i)
{
  green_channel *c = *(green_channel **)vm_pointer(L, i);
  if (!c) luaL_argerror(L, i, "a channel expected");
  return c;
}

/* text = channel_pack(message, value): fills the message; or what cannot
** cross. */
static int channel_pack(lua_State *L)
{
  core_vm(L);
  vm_message **out = vm_pointer(L, 1);
  vm_message *m = vm_message_new();
  if (!m) return luaL_error(L, "not enough memory");
  lua_settop(L, 2);
  luaL_checkstack(L, 8, "a message");
  if (vm_pack(L, 1, "value", VM_PACK_NO_FUNCTIONS, &m->parcel) == 0) {
    *out = m;
    return 0;
  }
  vm_message_free(m);
  return 1;
}

/* code = channel_put(channel, message): 0, and the message is the channel's. */
static int channel_put(lua_State *L)
{
  core_vm(L);
  vm_message **m = vm_pointer(L, 2);
  luaL_argcheck(L, *m, 2, "a message expected");
  int err = green_channel_put(channel_of(L, 1), &(*m)->item);
  if (err == 0) *m = NULL;
  lua_pushinteger(L, err);
  return 1;
}

/* code, value = channel_get(channel). Raises what unpacking raises. */
static int channel_get(lua_State *L)
{
  core_vm(L);
  green_item *item;
  luaL_checkstack(L, 8, "a message");
  int err = green_channel_get(channel_of(L, 1), &item);
  lua_pushinteger(L, err);
  if (err < 0) return 1;
  vm_message *m = green_container(item, vm_message, item);
  int n = vm_unpack(L, &m->parcel);
  vm_message_free(m);
  return n < 0 ? lua_error(L) : 1 + n;
}

static int channel_close(lua_State *L)
{
  core_vm(L);
  green_channel_close(channel_of(L, 1));
  return 0;
}

/* size, capacity, closed = channel_state(channel) */
static int channel_state(lua_State *L)
{
  core_vm(L);
  green_channel *c = channel_of(L, 1);
  lua_pushinteger(L, green_channel_size(c));
  lua_pushinteger(L, green_channel_capacity(c));
  lua_pushboolean(L, green_channel_is_closed(c));
  return 3;
}

/* code = channel_wait(wait, channel, puts): stand in line; 0: park on what
** channel_line gives; EAGAIN: try at once. Again after it was told. */
static int channel_wait(lua_State *L)
{
  vm *v = core_vm(L);
  green_channel_wait *w = vm_pointer(L, 1);
  int side = lua_toboolean(L, 3) ? GREEN_CHANNEL_PUT : GREEN_CHANNEL_GET;
  int err = green_channel_wait_is_begun(w)
                ? green_channel_wait_again(w)
                : green_channel_wait_init(w, v->hub, channel_of(L, 2), side);
  lua_pushinteger(L, err);
  return 1;
}

static int channel_line(lua_State *L)
{
  core_vm(L);
  lua_pushlightuserdata(L, green_channel_wait_queue(vm_pointer(L, 1)));
  return 1;
}

const luaL_Reg vm_channel_functions[] = {
    {"channel_pack", channel_pack},   {"channel_put", channel_put},
    {"channel_get", channel_get},     {"channel_close", channel_close},
    {"channel_state", channel_state}, {"channel_wait", channel_wait},
    {"channel_line", channel_line},   {NULL, NULL},
};
