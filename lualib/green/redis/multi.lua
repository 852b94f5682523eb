--- Transactions: MULTI, EXEC, and WATCH before them. Private to green.redis.
-- @module green.redis.multi

local args = require "green.args"
local class = require "green.args.class"
local command = require "green.redis.command"
local conns = require "green.redis.conn"
local core = require "green.core"
local errors = require "green.error"
local options = require "green.args.options"
local pipelines = require "green.redis.pipeline"
local show = require "green.args.show"
local supply = require "green.redis.supply"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local ipairs, setmetatable, type, unpack = ipairs, setmetatable, type, unpack

local null = conns.null
local TRIES = 10

local M = {}

-- -- Asking while keys are watched ----------------------------------------------

local methods = {}
local mt = { __name = "green.redis.now", __index = methods }

--- When a command that begins now must be over.
local function due(timeout)
  return timeout and core.now() + timeout or nil
end

local function lost(op)
  return nil, errors.new("ECONNRESET", op, "the connection was lost", { sent = false })
end

local function busy(op, text)
  return nil, errors.new("EBUSY", op, text, { sent = false })
end

--- Raise, if the transaction is over: the connection is somebody else's, or nobody's.
local function check(self, where)
  if not self._user or self._conn.user ~= self._user then
    args.misuse("%s: the transaction is over", where)
  end
end

--- Parks.
local function ask(self, name, bytes, deadline)
  local conn = self._conn
  if not conn.stream then
    return lost(name)
  elseif conn.owed ~= 0 then
    return busy(name, "another green thread asks by the same now")
  end
  return conn:ask(bytes, deadline, name)
end

function methods:_command(where, name, ...)
  check(self, where)
  local bytes, deadline = command.encode(where, name, ...), due(self._timeout)
  thread.checkpoint()
  check(self, where)
  local value, err = ask(self, name, bytes, deadline)
  while err and supply.await_loading(self._state, err, deadline) do
    check(self, where)
    value, err = ask(self, name, bytes, deadline)
  end
  return value, err
end

--- Send a command at once, on the connection of the transaction. Parks.
-- @return as the client's call
function methods:call(name, ...)
  return self:_command("call", command.check("call", name), ...)
end

show.kind(mt)
class.seal(mt)
command.add_methods(mt)

-- -- Executing ----------------------------------------------------------------

local MULTI, EXEC, UNWATCH = command.encode("multi", "MULTI"), command.encode("multi", "EXEC"),
  command.encode("multi", "UNWATCH")

--- Send what was queued. The replies; null: a watched key had changed; nil, err. Parks.
local function execute(conn, queue, deadline)
  local bytes, n = pipelines.finish(queue)
  local replies, err = conn:ask_all(MULTI .. bytes .. EXEC, n + 2, deadline, "multi")
  if not replies then
    return nil, err
  end
  conn.is_marked = false
  local refused = pipelines.name_errors(queue, replies, 1)
  local last = replies[n + 2]
  if conns.is_error(last) then
    err = conns.is_error(replies[1]) and replies[1] or last
    err.op, err.errors = "multi", refused
    return nil, err
  elseif type(last) ~= "table" then
    conn:close()
    return nil, errors.new("EPROTO", "multi", "EXEC was not answered with a list")
  end
  if last ~= null then
    pipelines.name_errors(queue, last, 0)
  end
  return last
end

--- The error by which a server that is loading has refused all of a transaction, or nil.
local function loading(err)
  for _, each in ipairs(err and err.errors or {}) do
    if each.kind ~= "LOADING" then
      return nil
    end
  end
  return err and (err.errors and err.errors[1] or err)
end

--- fn queues commands, on a connection of which keys are watched. What execute gives; false: fn
-- gave up. Parks.
local function attempt(conn, state, timeout, fn, watch)
  local queue = pipelines.new()
  local now = setmetatable({ _conn = conn, _user = conn.user, _state = state, _timeout = timeout },
    mt)
  conn.is_marked = true
  local ok, err = conn:ask(watch, due(timeout), "WATCH")
  if not ok then
    return nil, err
  end
  local verdict = fn(queue, now)
  now._user = nil
  if not conn.stream then
    return lost "multi"
  elseif conn.owed ~= 0 then
    return busy("multi", "another green thread still asks by now")
  elseif verdict == false then
    ok = conn:ask(UNWATCH, due(timeout), "UNWATCH")
    conn.is_marked = not ok
    return false
  end
  return execute(conn, queue, due(timeout))
end

--- Parks.
local function watched(conn, state, deadline, timeout, fn, opts)
  local tries, patience = opts.tries, due(timeout)
  while tries > 0 do
    local ok, failure = supply.ready(conn, state, deadline)
    if not ok then
      return nil, failure
    end
    local replies, err = attempt(conn, state, timeout, fn, opts.watch)
    if replies == null then
      tries = tries - 1
    elseif not supply.await_loading(state, loading(err), patience) then
      return replies, err
    end
  end
  return nil, errors.new("EAGAIN", "multi", "the watched keys were changed in each attempt")
end

--- Parks.
local function once(conn, state, deadline, queue)
  local ok, failure = supply.ready(conn, state, deadline)
  if not ok then
    return nil, failure
  end
  return execute(conn, queue, deadline)
end

--- Parks.
local function plain(conn, state, deadline, queue)
  local replies, err = once(conn, state, deadline, queue)
  while supply.await_loading(state, loading(err), deadline) do
    replies, err = once(conn, state, deadline, queue)
  end
  if replies == null then
    conn:close()
    return nil, errors.new("EPROTO", "multi", "EXEC was answered with null")
  end
  return replies, err
end

-- -- For the client -----------------------------------------------------------

local known = { watch = true, tries = true }

--- The command that watches; nil: there is nothing to watch.
local function watch_of(opts)
  local watch = opts.watch
  if type(watch) == "string" or type(watch) == "number" then
    watch = { watch }
  elseif watch ~= nil then
    args.list(watch, "multi", "watch", "keys")
  end
  if not watch or #watch == 0 then
    return nil
  end
  return command.encode("multi: watch", "WATCH", unpack(watch))
end

--- What client:multi(fn, opts) does. Parks.
function M.run(client, fn, opts)
  opts = options.check(opts, known, "multi")
  local watch = watch_of(opts)
  local tries = opts.tries == nil and TRIES or args.count(opts.tries, 1, "multi", "tries")
  thread.checkpoint()
  local state, timeout = client._state, client._timeout
  if watch then
    return supply.use(state, state.pool, due(timeout), "multi", watched, timeout, fn,
      { watch = watch, tries = tries })
  end
  local queue = pipelines.new()
  if fn(queue) == false then
    return false
  end
  return supply.use(state, state.pool, due(timeout), "multi", plain, queue)
end

return M
