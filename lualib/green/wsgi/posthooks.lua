--- What a handler wants to be called when its request is over: `env.posthooks`.
-- @module green.wsgi.posthooks

local mistakes = require "green.wsgi.mistakes"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, ipairs, type, unpack, xpcall = error, ipairs, type, unpack, xpcall
local format, maxn = string.format, table.maxn

local function call_each(env, hooks, tell)
  if type(hooks) ~= "table" then
    error(mistakes.new("posthooks must be a list of { fn, ... }, not a " .. type(hooks)), 0)
  end
  for i, hook in ipairs(hooks) do
    if type(hook) ~= "table" then
      error(mistakes.new(format("posthook %d must be a list { fn, ... }, not a %s", i,
        type(hook))), 0)
    end
    local ok, err = xpcall(hook[1], thread.note_traceback, env, unpack(hook, 2, maxn(hook)))
    if not ok then
      tell(err)
    end
  end
end

--- Call all of them. What stands in the list is the handler's: it may be no list, or hold no
-- hooks. Parks if they do.
-- @param env
-- @param hooks what it has
-- @tparam function tell tell(err) is told of each that raises
local function call(env, hooks, tell)
  local ok, err = xpcall(call_each, thread.note_traceback, env, hooks, tell)
  if not ok then
    tell(err)
  end
end

return { call = call }
