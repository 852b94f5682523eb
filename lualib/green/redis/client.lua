--- The client: commands of any number of green threads, each on a connection of its own.
-- Private to green.redis; its methods are what green.redis gives to users.
-- @module green.redis.client

local args = require "green.args"
local class = require "green.args.class"
local command = require "green.redis.command"
local core = require "green.core"
local multi = require "green.redis.multi"
local options = require "green.args.options"
local pipelines = require "green.redis.pipeline"
local redis_options = require "green.redis.options"
local scripts = require "green.redis.script"
local show = require "green.args.show"
local subscribing = require "green.redis.subscribe"
local supply = require "green.redis.supply"
local thread = require "green.thread"
local words = require "green.redis.words"

-- Scripts may put their own in their places.
local huge, pairs, setmetatable = math.huge, pairs, setmetatable

local now_of = core.now
local use, ready = supply.use, supply.ready
local encode, may_wait, patience_of = command.encode, words.may_wait, words.patience

local methods = {}
local mt = { __name = "green.redis", __index = methods }
local M = { mt = mt }

-- -- Commands -----------------------------------------------------------------

--- One command on a connection. It is sent again, on a new connection, only where a kept one
-- was lost and it had not left, or does nothing but read and had no answer. Parks.
local function once(conn, state, deadline, name, bytes, seconds)
  local ok, was_open = ready(conn, state, deadline)
  if not ok then
    return nil, was_open
  end
  local due = deadline
  if seconds then
    due = seconds < huge and now_of() + seconds or nil
  end
  local value, err = conn:ask(bytes, due, name)
  if value ~= nil or not err or err.sent == nil then
    return value, err
  end
  state.lost = state.lost + 1
  if err.code ~= "ECONNRESET" or not was_open
    or err.sent and not (words.readonly[name] and conn.is_deaf) then
    return nil, err
  end
  ok, was_open = ready(conn, state, deadline)
  if not ok then
    return nil, was_open
  end
  return conn:ask(bytes, due, name)
end

--- The same, again for as long as the server is loading. Parks.
local function run(conn, state, deadline, name, bytes, seconds)
  local value, err = once(conn, state, deadline, name, bytes, seconds)
  while err and supply.await_loading(state, err, deadline) do
    value, err = once(conn, state, deadline, name, bytes, seconds)
  end
  return value, err
end

--- A command whose bytes are ready; patience: how long it may wait in the server. Parks.
local function exchange(self, name, bytes, patience)
  local state, timeout = self._state, self._timeout
  local deadline = timeout and now_of() + timeout or nil
  local seconds = patience and patience + (timeout or huge)
  return use(state, patience and state.apart or state.pool, deadline, name, run, name, bytes,
    seconds)
end

function methods:_command(where, name, ...)
  thread.checkpoint()
  return exchange(self, name, encode(where, name, ...), may_wait[name] and patience_of(name, ...))
end

--- Send a command. Parks.
-- @tparam string name
-- @param ... strings and numbers
-- @return the reply: nil alone for null; or nil, err: EREDIS (`err.kind` is the server's word for
-- it), ETIMEDOUT and ECONNRESET (`err.sent`: it may have been done), ECONNREFUSED and what else
-- connecting gives, EBUSY (too many wait), EPROTO, ETOOBIG, ECLOSED
function methods:call(name, ...)
  name = command.check("call", name)
  return self:_command("call", name, ...)
end

--- Send a command that waits in the server, on a connection for such, for as long as it takes.
-- Parks.
-- @return as call
function methods:blocking(name, ...)
  name = command.check("blocking", name)
  thread.checkpoint()
  return exchange(self, name, encode("blocking", name, ...), huge)
end

-- -- Several at once ----------------------------------------------------------

--- Send several commands at once. Parks.
-- @tparam function fn fn(p): p:set(...), p:call(...) queue commands
-- @treturn table a list of their replies, redis.null for null, errors as objects; nil, err: as
-- call, none of them is known to have been done if `err.sent`
function methods:pipeline(fn)
  args.callable(fn, "pipeline", "fn")
  return pipelines.run(self, fn)
end

--- A transaction: all of its commands or none. Parks.
-- @tparam function fn fn(t, now): t:set(...) queues a command; with `watch`, now:get(...) asks at
-- once. Returns false to give up
-- @tparam[opt] table opts `watch`, a key or a list of keys: fn runs again when one was changed
-- meanwhile; `tries` in all (10)
-- @treturn table a list of the replies; false: fn gave up; nil, err: as call, EAGAIN (the keys kept
-- changing), EREDIS of kind "EXECABORT" with `errors`
function methods:multi(fn, opts)
  args.callable(fn, "multi", "fn")
  return multi.run(self, fn, opts)
end

--- A script that runs in the server. Does not park.
-- @tparam string source
-- @return a script: its method `call(keys, ...)` runs it
function methods:script(source)
  args.type(source, "string", "script", "source")
  return scripts.new(self, source)
end

-- -- Subscriptions ------------------------------------------------------------

--- Listen to channels, on a connection of its own. Parks.
-- @param ... names; a table may stand for them: a list with the options `gaps` (next tells of lost
-- connections), `keepalive` seconds (30), `tries` (false: no limit)
-- @return a subscription; or nil, err: as call
function methods:subscribe(...)
  return subscribing.open(self, "subscribe", ...)
end

--- Listen to the channels that match patterns; as subscribe. Parks.
function methods:psubscribe(...)
  return subscribing.open(self, "psubscribe", ...)
end

--- Listen to sharded channels (Redis 7); as subscribe. Parks.
function methods:ssubscribe(...)
  return subscribing.open(self, "ssubscribe", ...)
end

-- -- The rest -----------------------------------------------------------------

local function new(state, timeout)
  return setmetatable({ _state = state, _timeout = timeout }, mt)
end

local of_with = { timeout = true }

--- The same client with other options; connections are shared. Does not park.
-- @tparam table opts `timeout` in seconds for a command; false: none
function methods:with(opts)
  args.type(opts, "table", "with", "opts")
  options.check(opts, of_with, "with")
  local timeout = self._timeout
  if opts.timeout ~= nil then
    timeout = redis_options.timeout(opts.timeout, "with")
  end
  return new(self._state, timeout)
end

--- The protocol that the server agreed to: 2 or 3; nil before the first connection. Does not park.
function methods:protocol()
  for conn in pairs(self._state.conns) do
    if conn.protocol then
      return conn.protocol
    end
  end
end

--- Numbers: `open` connections, `busy` ones, threads `waiting` for one, `connects` so far,
-- `failures` in a row. Does not park.
function methods:stats()
  return supply.stats(self._state)
end

--- Close: later commands give ECLOSED; those that run go on, and subscriptions. Idempotent,
-- never raises, does not park.
function methods:close()
  supply.close(self._state)
end

show.kind(mt, function(self)
  local stats = supply.stats(self._state)
  return self._state.closed and "closed"
    or ("%d connections, %d busy, %d waiting"):format(stats.open, stats.busy, stats.waiting)
end)
class.seal(mt)
command.add_methods(mt)

--- A client of these settings. Does not park.
function M.new(settings)
  return new(supply.new(settings), settings.timeout)
end

return M
