--- How a child has ended, in words and in numbers. Private to green.process.

local class = require "green.args.class"
local signal = require "green.signal"

local api = require "green.ffi.child"
local ffi = require "ffi"

local M = {}

local EXITED, KILLED = ffi.C.GREEN_CHILD_EXITED, ffi.C.GREEN_CHILD_KILLED

local methods = {}
local mt = { __name = "green.process.status", __index = methods }

--- "exit status 1", "killed by SIGKILL", "killed by SIGSEGV, core dumped".
function mt:__tostring()
  if self.status then
    return ("exit status %d"):format(self.status)
  elseif self.signal then
    return "killed by " .. self.signal .. (self.core_dumped and ", core dumped" or "")
  end
  return "an end that nobody knows"
end

class.add(mt)
class.seal(mt)

local usage = ffi.new("green_child_usage")

local function usage_of(c)
  api.usage_get(c, usage)
  return { user = usage.user, system = usage.system, real = usage.real, memory = usage.memory }
end

--- The status of a child in C that has ended; nil, code: nobody knows it.
function M.of(c)
  local state, code = api.state(c), api.code(c)
  local self = { ok = false, core_dumped = api.dumped(c) == 1, usage = usage_of(c) }
  if state == EXITED then
    self.status, self.ok = code, code == 0
  elseif state == KILLED then
    self.signal, self.signal_number = signal.name(code), code
  else
    return nil, code
  end
  return setmetatable(self, mt)
end

--- A copy, for a result that has more fields.
function M.copy(status, more)
  for key, value in pairs(status) do
    more[key] = value
  end
  return setmetatable(more, mt)
end

return M
