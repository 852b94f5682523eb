-- What specs of green.shared share: names that nobody has, and children.

local green = require "green"
local process = require "green.process"

local M = {}

local n = 0

--- A name that no other spec has: what is shared lives as long as the process.
function M.name()
  n = n + 1
  return ("spec %d %d"):format(process.getpid(), n)
end

--- Run fn in a child; it must not raise.
function M.in_child(fn)
  local pid = assert(green.fork(fn))
  local how, status = process.wait(pid)
  if how ~= "exit" or status ~= 0 then
    error(("the child ended: %s %s"):format(tostring(how), tostring(status)), 2)
  end
end

--- Call again what gives EBUSY: on a machine that is busy enough, a process that runs may
-- seem to stand.
function M.patiently(fn, ...)
  local value, err
  repeat
    value, err = fn(...)
  until value ~= nil or not err or not err:is "EBUSY"
  return value, err
end

return M
