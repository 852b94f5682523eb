--- Numbers that somebody has typed behind an option of the command.
-- @module green.args.typed

local ffi = require "ffi"
local C = require "green.ffi.typed"

-- Scripts may put their own in their places.
local tonumber = tonumber

local SIZE = 256

local M = {}

--- What is wanted.
-- @tparam string what "number of seconds"
-- @tparam number least
-- @tparam number most
-- @tparam[opt] table opts `is_whole`; `or_zero`: 0 will do, too; `other`: what else, in words
function M.new(what, least, most, opts)
  opts = opts or {}
  return { what, opts.other, -- which C points to
    c = ffi.new("green_typed", { what = what, least = least, most = most, other = opts.other,
      is_whole = opts.is_whole and 1 or 0, or_zero = opts.or_zero and 1 or 0 }) }
end

--- The number that a text is; or nil, and what is wrong with it behind a name.
-- @param typed what new gave
-- @tparam string name "--watchdog=", "-m "
-- @tparam string text
function M.read(typed, name, text)
  local value = ffi.new("double[1]")
  if C.read(typed.c, text, value) == 0 then
    return tonumber(value[0])
  end
  local out = ffi.new("char[?]", SIZE)
  C.explain(typed.c, name, text, out, SIZE)
  return nil, ffi.string(out)
end

return M
