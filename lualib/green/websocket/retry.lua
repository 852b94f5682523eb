--- Which failures of a connection are worth another try, and when: the options of a client
-- that connects again. Private to green.websocket.
-- @module green.websocket.retry

local args = require "green.args"
local jitter = require "green.net.jitter"

-- Scripts may put their own in their places.
local find, match, pairs, tonumber = string.find, string.match, pairs, tonumber
local huge, max, min = math.huge, math.max, math.min

local M = {}

-- What will be the same the next time. A certificate is, too.
local FOR_GOOD = {}
for name in ("EINVAL EACCES EPROTO ENOLIBRARY EREDIRECT EOPNOTSUPP"):gmatch("%S+") do
  FOR_GOOD[name] = true
end

--- May another try do better? Does not park.
-- @param err what websocket.connect gave, or a connection was lost by
-- @treturn boolean
function M.may_pass(err)
  local status = err.status
  if err.code == "EHTTPSTATUS" then
    return status == 408 or status == 425 or status == 429 or status >= 500 and status ~= 501
  end
  return not FOR_GOOD[err.code] and not find(err.code, "^ECERT")
end

--- Seconds that a server asks for (Retry-After); 0: it does not.
local function asked(err)
  local text = err and err.headers and err.headers:get("retry-after")
  return tonumber(text and match(text, "^%d+$")) or 0
end

--- Seconds until the next try: from half of what doubles with each failure up to all of it,
-- so that those who failed together do not come back together; and no less than the server
-- asks for. Does not park.
-- @tparam int failures in a row, at least 1
-- @tparam ?table err of the last one
-- @tparam table pace `delay` after the first, `max_delay`, and `random`, a function that gives
-- a number from 0 to 1
-- @treturn number
function M.pause(failures, err, pace)
  local most = min(pace.max_delay, pace.delay * 2 ^ min(failures - 1, 64))
  return max(most * (1 + pace.random()) / 2, min(asked(err), pace.max_delay))
end

-- -- Options ------------------------------------------------------------------

local NUMBERS = { delay = 0.5, max_delay = 30, tries = huge, send_wait = 0 }

--- The names of the options.
M.names = { on_open = true, retry = true, random = true }
for name in pairs(NUMBERS) do
  M.names[name] = true
end

local function callable(value, where, name, default)
  if value == nil then
    return default
  end
  return args.callable(value, where, name)
end

--- The options with what they are unless told. Raises misuse. Does not park.
-- @tparam table opts
-- @tparam string where the function's name, for messages
function M.read(opts, where)
  local own = {
    on_open = callable(opts.on_open, where, "on_open", false),
    retry = callable(opts.retry, where, "retry", M.may_pass),
    random = callable(opts.random, where, "random", jitter.fraction),
  }
  for name, default in pairs(NUMBERS) do
    local value = opts[name]
    own[name] = value == nil and default or args.number(value, 0, where, name)
  end
  args.count(own.tries, 0, where, "tries")
  if own.max_delay < own.delay then
    own.max_delay = opts.max_delay == nil and own.delay
      or args.wrong(where, "max_delay", ("at least delay, %g"):format(own.delay), own.max_delay)
  end
  return own
end

return M
