--- Holders: what is known here of the objects that one native thread has for a Proxy, how it is
-- asked, and how it is told of garbage. Private to green.tpool.
-- @module green.tpool.holder

local core = require "green.core"
local background = require "green.thread.background"
local errors = require "green.error"
local objects = require "green.tpool.objects"
local pools = require "green.tpool.pool"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, format, getmetatable, gsub, pcall, rawequal, rawget, select, setmetatable, tostring,
  type = error, string.format, getmetatable, string.gsub, pcall, rawequal, rawget, select,
  setmetatable, tostring, type

local execute_pinned = pools.execute_pinned

local REF = "\0ref" -- as green.tpool.objects has it

local M = {}

local n_holders = 0
local holder_of = setmetatable({}, { __mode = "kv" }) -- by its pin
local ask, forget -- below

-- -- The pool -----------------------------------------------------------------

local THREADS = 4

local pool

--- For what a call gives that nobody waits for any more: its objects are garbage.
local function late(pin)
  local holder = holder_of[pin]
  return function(outcome, ...)
    for i = 1, outcome == 1 and select("#", ...) or 0 do
      local value = select(i, ...)
      if type(value) == "table" and getmetatable(value) == nil and rawget(value, REF) then
        forget(holder, value[REF], 1)
      end
    end
  end
end

--- The threads where the objects live. No other jobs come there, and what runs there is not
-- told to stop when nobody waits for it any more: a thread that was stopped amidst something
-- begins anew, and all objects would be gone.
local function get_pool()
  if not pool then
    pool = pools.new(THREADS, { patient = late })
    if tonumber(core.env("GREENLUA_THREADS") or 1) == 0 then
      pool:set_num_threads(0)
    end
  end
  return pool
end

--- End the threads, and all objects with them. Parks.
function M.killall()
  if pool then
    pool:killall()
  end
end

-- -- Calls --------------------------------------------------------------------

local OURS = "^" .. gsub(objects.SOURCE, "%p", "%%%0") .. ":%d+: "

--- C functions blame the line that has called them: there it is one of ours, and `fn` is what
-- they are called there. The error with the caller's line and the key's name.
local function blamed(err, key)
  local text, n = gsub(err, OURS, "")
  if n == 0 then
    return err
  elseif type(key) == "string" then
    text = gsub(text, "^(bad argument #%d+ to )'fn'", function(words)
      return format("%s'%s'", words, key)
    end)
  end
  local inner = core.data(core.current()).inner
  text = core.placed(text)
  if inner and rawequal(inner.error, err) then
    inner.error = text -- its traceback is this one's
  end
  return text
end

local function finish(holder, key, ok, ...)
  if ok then
    return ...
  elseif objects.is_gone((...)) then
    error(errors.new("ECLOSED", holder.text, "its native thread has ended"), 0)
  end
  local err = ...
  error(type(err) == "string" and blamed(err, key) or err, 0)
end

--- fn(holder's name, ...) in the holder's thread. Parks.
function ask(holder, fn, ...)
  thread.checkpoint()
  local key = select(2, ...)
  return finish(holder, key, pcall(execute_pinned, get_pool(), holder.pin, fn, holder.name, ...))
end

M.ask = ask

-- -- Garbage ------------------------------------------------------------------

--- Tell the thread of all that is garbage here.
local function let_go(holder)
  local gone = holder.gone
  holder.gone, holder.helper = {}, nil
  pcall(ask, holder, objects.release, gone)
end

local function start_letting_go(holder)
  local helper = core.spawn(let_go, holder)
  background[helper] = true
  holder.helper = helper
end

--- The other side has sent an object so often, and here it is garbage.
function forget(holder, id, got)
  local gone = holder.gone
  gone[#gone + 1] = id
  gone[#gone + 1] = got
  if #gone == 2 or not holder.helper then
    pcall(start_letting_go, holder)
  end
end

M.forget = forget

-- -- Making -------------------------------------------------------------------

--- A holder of the native thread with the fewest. Does not park.
function M.new()
  n_holders = n_holders + 1
  local holder = {
    pin = pools.new_pin(get_pool()),
    name = format("%s %d", tostring(core), n_holders), -- other states have the same threads
    proxies = setmetatable({}, { __mode = "v" }), -- id -> proxy
    methods = {}, -- class -> key -> what calls it
    gone = {}, -- id, how often it was got, ...: garbage here
    text = "Proxy",
  }
  holder_of[holder.pin] = holder
  return holder
end

--- Let the thread hold its first object: what it sends for that. Parks.
function M.hold(holder, what, autowrap)
  return execute_pinned(pool, holder.pin, objects.hold, holder.name, what, autowrap)
end

return M
