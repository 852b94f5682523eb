--- map and imap of pools of native threads: a GreenPool whose members wait for calls there.
-- Private to green.tpool.
-- @module green.tpool.map

local args = require "green.args"
local greenpool = require "green.greenpool"
local options = require "green.args.options"

local type = type -- scripts may put their own there

local IN_FLIGHT = 8 -- calls

local known = { size = true }

--- An iterator over the calls of fn with each element.
-- @tparam function execute execute(pool, fn, ...)
-- @tparam string where the function's name, for messages
local function start(execute, pool, fn, list, opts, where)
  args.callable(fn, where, "fn")
  if type(list) ~= "table" and not args.is_callable(list) then
    args.wrong(where, "list", "a list or an iterator", list)
  end
  opts = options.check(opts, known, where)
  local size = opts.size == nil and IN_FLIGHT or args.count(opts.size, 1, where, "size")
  return greenpool.GreenPool(size):imap(function(...)
    return execute(pool, fn, ...)
  end, list)
end

return { start = start }
