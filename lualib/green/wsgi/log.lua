--- The server's logs.
-- @module green.wsgi.log

local thread = require "green.thread"

local methods = {}
local mt = { __name = "green.wsgi.log", __index = methods }

function methods:error(format, ...)
  if self.out then
    self.out:write("greenlua: " .. format:format(...) .. "\n")
  end
end

function methods:debug() end

--- A handler raised.
function methods:failure(env, err)
  local trace = thread.traceback_of(err)
  self:error("%s %s: %s%s", env and env.REQUEST_METHOD or "-", env and env.RAW_PATH_INFO or "-",
    tostring(err), trace and "\n" .. trace or "")
end

function methods:refused() end

local function new(o)
  local out = o.log or io.stderr
  if not o.log_output then
    out = nil
  end
  return setmetatable({ out = out, access = false, wants_time = false }, mt)
end

return { new = new, errors = function(o) return o.log or io.stderr end }
