--- Methods of a dictionary that are about all of it.
-- @module green.shared.whole

local args = require "green.args"
local core = require "green.core"
local values = require "green.shared.values"

local ffi = require "ffi"
local C = require "green.ffi.dict"

-- Scripts may put their own in their places.
local tonumber, huge, ffi_string, ffi_copy = tonumber, math.huge, ffi.string, ffi.copy
local failed = values.error
local ETOOBIG = core.codes.ETOOBIG
local MOST = 0xffffffff

local bytes_t = ffi.typeof("char[?]")
local place_t, size_t, len_t = ffi.typeof("uint32_t[1]"), ffi.typeof("size_t[1]"),
  ffi.typeof("uint16_t[1]")

local KEYS_ROOM = 65536 -- bytes of keys that are got at once
local KEYS_USUAL = 1024 -- keys, where nobody says how many

local methods = {}

--- Let all that is there expire now: one step, however many there are. Their memory is freed
-- by and by, or by flush_expired. Does not park.
-- @treturn boolean true; or nil, err: EBUSY
function methods:flush_all()
  local code = C.flush_all(self._dict)
  if code < 0 then
    return nil, failed(self, "flush_all", code)
  end
  return true
end

--- Free the memory of what has expired. Looks at everything, about 0.1 s for a million items;
-- others may use the dictionary meanwhile. Does not park.
-- @tparam[opt] int max free no more than these; 0 or nil: all
-- @treturn number how many; or nil, err: EBUSY
function methods:flush_expired(max)
  if max ~= nil then
    args.integer(max, 0, "flush_expired", "max", MOST)
  end
  local n = tonumber(C.flush_expired(self._dict, max or 0, 0))
  if n < 0 then
    return nil, failed(self, "flush_expired", n)
  end
  return n
end

--- Append the keys that are at p, to max of them all.
local function append(keys, p, n, max)
  local len = len_t()
  for _ = 1, n do
    if #keys >= max then
      return
    end
    ffi_copy(len, p, 2)
    keys[#keys + 1] = ffi_string(p + 2, len[0])
    p = p + 2 + len[0]
  end
end

--- The keys that are there and have not expired, in no order. What is there from the call's
-- begin to its end is told once; others may use the dictionary meanwhile. A million take 0.5 s,
-- while the loop stands still. Does not park.
-- @tparam[opt] int max no more than these (default 1,024); 0: all
-- @treturn table a list of strings; or nil, err: EBUSY
function methods:get_keys(max)
  if max ~= nil then
    args.integer(max, 0, "get_keys", "max")
  end
  max = max == 0 and huge or max or KEYS_USUAL
  local keys, place, used, room = {}, place_t(), size_t(), KEYS_ROOM
  local p = bytes_t(room)
  while #keys < max do
    local n = C.keys(self._dict, place, p, room, used, 0)
    if n == 0 then
      break
    elseif n == ETOOBIG then
      room = tonumber(used[0])
      p = bytes_t(room)
    elseif n < 0 then
      return nil, failed(self, "get_keys", n)
    else
      append(keys, p, n, max)
    end
  end
  return keys
end

--- Bytes of the whole dictionary: its size, rounded up to pages. Does not park.
-- @treturn number
function methods:capacity()
  return C.capacity(self._dict)
end

--- Bytes that are free; not all in one piece. Does not park.
-- @treturn number
function methods:free_space()
  return C.free_space(self._dict)
end

return methods
