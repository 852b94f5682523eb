--- Where spans go: an OTLP receiver over HTTP, a file, a function.
-- @module green.tracing.target

local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"
local ffi = require "ffi"
local sinks = require "green.log.sink"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local min, random, tonumber, tostring, pcall, require =
  math.min, math.random, tonumber, tostring, pcall, require
local format, match = string.format, string.match

local LONGEST_WAIT = 30 -- seconds between two tries

local M = {}

-- -- HTTP ---------------------------------------------------------------------

-- Statuses after which OTLP/HTTP has the client try again ("Retryable Response Codes").
local AGAIN = { [429] = true, [502] = true, [503] = true, [504] = true }

--- The spans that the receiver says it has not taken, of an answer of 200. One whose body cannot
-- be read has taken them: they are not to come twice.
local function rejected(body, n)
  local count = tonumber(match(body or "", '"rejectedSpans"%s*:%s*"?(%d+)'))
  return count and min(count, n) or 0
end

--- Seconds until the next try: 1, 2, 4, ... with some chance in it, so that many programs do
-- not come back at once; or what the receiver says.
local function wait_of(attempt, resp)
  local told = resp and match(resp.headers:get("retry-after") or "", "^%d+$")
  if told then
    return min(tonumber(told), LONGEST_WAIT)
  end
  return min(2 ^ (attempt - 1), LONGEST_WAIT) * (0.5 + random() / 2)
end

--- What is lost is told once on standard error, and again when some have come through since:
-- who sees no spans anywhere wants to know why. Returns how many are lost, of those of a batch.
local function teller()
  local is_told = false
  return function(lost, why)
    if lost > 0 and not is_told then
      core.complain(format("greenlua: tracing: spans are lost: %s\n", why))
    end
    is_told = lost > 0
    return lost
  end
end

--- To a receiver of OTLP/HTTP. Its URL is used as it is.
function M.http(o)
  local session
  local tell = teller()
  local over = core.waitq()
  local is_late = false
  local function post(text)
    session = session or require("green.http").session()
    local resp, err = session:post(o.endpoint, { body = text, headers = o.headers,
      timeout = o.timeout, redirects = 0, max_body = 65536, stream = true })
    local body = resp and resp:text()
    if resp then
      resp:close()
    end
    return resp, err, body
  end
  local function send(text, n)
    for attempt = 1, o.retries + 1 do
      local resp, err, body = post(text)
      if resp and resp.status >= 200 and resp.status < 300 then
        return tell(rejected(body, n), "the receiver has refused some")
      elseif resp and not AGAIN[resp.status] or err and err.phase == "url"
        or attempt > o.retries or is_late then
        return tell(n, resp and "the receiver has answered " .. resp.status or tostring(err))
      end
      if core.park(over, core.now() + wait_of(attempt, resp)) == core.codes.ECANCELED then
        thread.raise()
      end
    end
  end
  return { send = send, hurry = function()
    is_late = true
    core.wake_all(over)
  end, close = function()
    if session then
      session:close()
    end
  end }
end

-- -- Files and functions ------------------------------------------------------

local function nothing() end

--- A line of JSON for each batch, as the collector's file receiver reads them, however long.
-- nil, err.
function M.file(o)
  local sink = sinks.new(o.file)
  local ok, err = sink.open()
  if not ok then
    return nil, err
  end
  local line -- here, its bytes stay where they are while they are written
  return { send = function(text, n)
    line = text .. "\n"
    local lost = sink.write_bytes(ffi.cast("const char *", line), #line)
    line = nil
    return lost > 0 and n or 0
  end, hurry = nothing, close = sink.close }
end

--- A function that is given the text and the number of spans in it; false, or an error, says
-- that they are lost.
function M.call(o)
  return { send = function(text, n)
    local ok, result = pcall(o.export, text, n)
    if not ok and errors.is_error(result, "ECANCELED") then
      thread.raise()
    end
    return ok and result ~= false and 0 or n
  end, hurry = nothing, close = nothing }
end

--- What the options ask for. nil, err. Raises misuse.
function M.new(o, where)
  local given = (o.endpoint and 1 or 0) + (o.file and 1 or 0) + (o.export and 1 or 0)
  if given ~= 1 then
    args.misuse("%s: give one of endpoint, file and export", where)
  end
  if o.endpoint then
    return M.http(o)
  elseif o.export then
    return M.call(o)
  end
  return M.file(o)
end

return M
