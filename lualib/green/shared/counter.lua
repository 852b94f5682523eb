--- Counters of green.shared: atomic whole numbers of 64 bits.
--
-- Each method is one operation of the processor: no lock, and nobody waits. Lua's numbers
-- are exact up to 2^53 from 0; beyond that, what a method returns is the nearest of them,
-- while the counter goes on exactly, and wraps at 2^63.
-- @module green.shared.counter

local args = require "green.args"
local class = require "green.args.class"
local show = require "green.args.show"

local ffi = require "ffi"
local C = require "green.ffi.counter"

-- Scripts may put their own in their places.
local setmetatable, format = setmetatable, string.format

local get, get64, set, add, swap = C.get, C.get64, C.set, C.add, C.swap
local MOST = 2 ^ 53

local code = ffi.new("int[1]")
local expected_box = ffi.new("double[1]")

local M = {}
local methods = {}
local mt = { __name = "green.shared.counter", __index = methods }

local function integer(value, where, name)
  if type(value) ~= "number" or value % 1 ~= 0 or math.abs(value) > MOST then
    args.wrong(where, name, "a whole number, at most 2^53 from 0", value)
  end
  return value
end

--- The counter of a name; or nil and the code of what hinders. Private to green.shared.
function M.named(name, start, where)
  integer(start, where, "start")
  local it = C.named(name, #name, start, code)
  if it == nil then
    return nil, code[0]
  end
  return setmetatable({ name = name, _counter = it }, mt)
end

--- Its value. Does not park.
-- @treturn number
function methods:get()
  return get(self._counter)
end

--- Its value, exactly, as an int64_t of the FFI. Does not park.
-- @treturn cdata
function methods:get64()
  return get64(self._counter)
end

--- Give it a value. Does not park.
-- @tparam int value -2^53 to 2^53
function methods:set(value)
  set(self._counter, integer(value, "set", "value"))
end

--- Add to it. Does not park.
-- @tparam[opt] int by -2^53 to 2^53, default 1
-- @treturn number the new value
function methods:add(by)
  if by == nil then
    by = 1
  end
  return add(self._counter, integer(by, "add", "by"))
end

--- Give it a value if it has the one that is expected: nobody comes in between. Does not
-- park.
-- @tparam int expected -2^53 to 2^53
-- @tparam int value the same
-- @treturn boolean was it done?
-- @treturn number else: the value that it has
function methods:compare_and_set(expected, value)
  expected_box[0] = integer(expected, "compare_and_set", "expected")
  if swap(self._counter, expected_box, integer(value, "compare_and_set", "value")) == 1 then
    return true
  end
  return false, expected_box[0]
end

show.kind(mt, function(self)
  return format("%s: %.0f", self.name, get(self._counter))
end)
class.seal(mt)

return M
