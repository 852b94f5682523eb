--- Methods of a dictionary whose values are lists.
--
-- A list holds strings, numbers and booleans. It has no flags; expire gives it an end.
-- Nothing else goes to make room for it.
-- @module green.shared.list

local core = require "green.core"
local values = require "green.shared.values"

local ffi = require "ffi"
local C = require "green.ffi.dict"

local c_push, c_pop, c_len = C.push, C.pop, C.len
local box, buffer, CAP = values.box, values.buffer, values.CAP
local failed, key_of, put, take = values.error, values.key, values.put, values.take
local ENOENT, ETOOBIG = core.codes.ENOENT, core.codes.ETOOBIG
local bytes_t = ffi.typeof("char[?]")

local LEFT, RIGHT = 1, 0
local NO_LIST = "value not a list"

local methods = {}

local function push(self, left, key, value, where)
  local text, code = key_of(key, where)
  local bytes = put(value, where)
  if text then
    code = c_push(self._dict, text, #text, left, box, bytes, 0)
  end
  if code > 0 then
    return code
  end
  return nil, failed(self, where, code, NO_LIST)
end

--- An element that is longer than the buffer; another may be there by then.
local function pop_long(self, key, left)
  local code, p
  repeat
    local len = box.len
    p = bytes_t(len)
    code = c_pop(self._dict, key, #key, left, p, len, box, 0)
  until code ~= ETOOBIG
  return code, p
end

local function pop(self, left, key, where)
  local text, code = key_of(key, where)
  local p = buffer
  if text then
    code = c_pop(self._dict, text, #text, left, p, CAP, box, 0)
  end
  if code == ETOOBIG then
    code, p = pop_long(self, text, left)
  end
  if code == 0 then
    return (take(p))
  elseif code == ENOENT then
    return nil
  end
  return nil, failed(self, where, code, NO_LIST)
end

--- Put a value before all of a list; a key that is not there begins one. Does not park.
-- @tparam string key
-- @param value a string, number or boolean
-- @treturn number how long the list is now; or nil, err: EINVAL ("value not a list"), ENOMEM
-- ("no memory"), EBUSY, ENAMETOOLONG
function methods:lpush(key, value)
  return push(self, LEFT, key, value, "lpush")
end

--- Put a value behind all of a list. Does not park.
-- @tparam string key
-- @param value as lpush
-- @treturn number as lpush
function methods:rpush(key, value)
  return push(self, RIGHT, key, value, "rpush")
end

--- Take the first value of a list; with its last, the key goes. Does not park.
-- @tparam string key
-- @return the value, or nil: there is none; or nil, err: EINVAL ("value not a list"), EBUSY,
-- ENAMETOOLONG
function methods:lpop(key)
  return pop(self, LEFT, key, "lpop")
end

--- Take the last value of a list; with its last, the key goes. Does not park.
-- @tparam string key
-- @return as lpop
function methods:rpop(key)
  return pop(self, RIGHT, key, "rpop")
end

--- How long a list is. Does not park.
-- @tparam string key
-- @treturn number 0: there is none; or nil, err: EINVAL ("value not a list"), EBUSY,
-- ENAMETOOLONG
function methods:llen(key)
  local text, code = key_of(key, "llen")
  if text then
    code = c_len(self._dict, text, #text, 0)
  end
  if code >= 0 then
    return code
  end
  return nil, failed(self, "llen", code, NO_LIST)
end

return methods
