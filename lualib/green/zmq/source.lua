--- What a poller can wait for, by kind.
--
-- A kind has `takes(what)`, `events` (the bits that it can have) and
--
--   * `look(what, bits)`: what there is of these bits now. Missing: nobody knows before the
--     loop has asked the system, which takes a turn
--   * `watch(what, bit, fn)`: call fn(), which does not park, once there may be some of that
--     one bit; a function that ends it
--
-- Private to green.zmq.poller.
-- @module green.zmq.source

local args = require "green.args"
local core = require "green.core"
local poll = require "green.zmq.poll"
local thread = require "green.thread"
local watch = require "green.wait.watch"

local has = args.method
local IN, OUT = poll.IN, poll.OUT
local WRITE = core.WRITE

local M = {}

-- -- ZeroMQ sockets -----------------------------------------------------------

local zmq = { events = IN + OUT, look = poll.look }

function zmq.takes(what)
  return type(what) == "table" and has(what, "recv_multipart") and what._s ~= nil
end

function zmq.watch(what, bit, fn)
  local helper = thread.spawn(function()
    poll.await(what, bit)
    fn()
  end)
  return function()
    poll.drop(what, helper)
  end
end

-- -- Queues, events, threads, ... ---------------------------------------------

local told = { events = IN }

function told.takes(what)
  return has(what, "_ready") and has(what, "_watch")
end

function told.look(what)
  return what:_ready() and IN or 0
end

function told.watch(what, _, fn)
  what:_watch(fn)
  return function()
    what:_unwatch(fn)
  end
end

-- -- Descriptors --------------------------------------------------------------

local number = { events = IN + OUT }

function number.takes(what)
  return type(what) == "number" and what >= 0 and what % 1 == 0 and what < 2 ^ 31
end

--- Through a dup: the number's owner may close it meanwhile. One that is not open is as
-- ready as it will ever be: its next use tells.
function number.watch(what, bit, fn)
  local dup = core.watch(what)
  local helper = thread.spawn(function()
    if dup then
      core.park(dup, nil, bit)
    end
    fn()
  end)
  return function()
    core.drop(helper)
    if dup then
      core.release(dup)
    end
  end
end

-- -- Sockets and streams ------------------------------------------------------

local stream = { events = IN + OUT }

function stream.takes(what)
  return type(what) == "table" and watch.watcher_for(what) and not has(what, "_watch")
end

local function wait_writable(what)
  if has(what, "_wait") then
    what:_wait(WRITE)
  end
end

function stream.watch(what, bit, fn)
  if bit == IN then
    return watch.watcher_for(what)(what, fn)
  elseif has(what, "fileno") and what:fileno() then
    return number.watch(what:fileno(), bit, fn)
  end
  local helper = thread.spawn(function()
    pcall(wait_writable, what)
    fn()
  end)
  return function()
    helper:kill_soon()
  end
end

M.is_zmq = zmq.takes

local kinds = { zmq, told, number, stream }

--- The kind of what a poller is to wait for, nil: it cannot.
function M.kind_of(what)
  for _, kind in ipairs(kinds) do
    if kind.takes(what) then
      return kind
    end
  end
end

return M
