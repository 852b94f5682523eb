--- How objects of the library print: "green.Queue{2 of 10, ...}".
--
-- The text begins with the class's name; what follows in braces is what somebody wants
-- to know who prints it.
-- @module green.args.show

local class = require "green.args.class"
local core = require "green.core"

local format = string.format -- scripts may put their own there

local M = {}

--- Objects with that metatable print as its `__name` and their state.
-- @tparam table mt
-- @tparam ?function state state(self) is a text; nil: the address stands for it
-- @treturn table mt
function M.kind(mt, state)
  class.add(mt)
  function mt:__tostring()
    if core.class_of(self) ~= mt then -- called by hand, with another object
      return core.shown(self)
    end
    return format("%s{%s}", mt.__name, state and state(self) or format("%p", self))
  end
  return mt
end

return M
