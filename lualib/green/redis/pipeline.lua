--- Commands that are queued and sent together. Private to green.redis.
-- @module green.redis.pipeline

local args = require "green.args"
local class = require "green.args.class"
local command = require "green.redis.command"
local conns = require "green.redis.conn"
local core = require "green.core"
local show = require "green.args.show"
local supply = require "green.redis.supply"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local concat, setmetatable = table.concat, setmetatable

local M = {}
local methods = {}
local mt = { __name = "green.redis.pipeline", __index = methods }

function methods:_command(where, name, ...)
  if self._is_over then
    args.misuse("%s: the commands of this pipeline have been sent; what is asked behind it comes "
      .. "from the client", where)
  end
  local n = self._n + 1
  self._bytes[n] = command.encode(where, name, ...)
  self._names[n], self._n = name, n
end

--- Queue a command. Does not park.
-- @tparam string name
-- @param ... strings and numbers
function methods:call(name, ...)
  self:_command("call", command.check("call", name), ...)
end

show.kind(mt, function(self)
  return ("%d commands%s"):format(self._n, self._is_over and ", sent" or "")
end)
class.seal(mt)
command.add_methods(mt)

--- An empty queue. Does not park.
function M.new()
  return setmetatable({ _bytes = {}, _names = {}, _n = 0, _is_over = false }, mt)
end

--- No more commands: all their bytes, and how many they are. Does not park.
function M.finish(queue)
  queue._is_over = true
  return concat(queue._bytes, "", 1, queue._n), queue._n
end

--- Give each error among the replies the command that it is about. How many there are.
-- @tparam table replies the first `skip` are others'
function M.name_errors(queue, replies, skip)
  local errors = {}
  for i = 1, queue._n do
    local reply = replies[skip + i]
    if conns.is_error(reply) then
      reply.op = queue._names[i]
      errors[#errors + 1] = reply
    end
  end
  return errors
end

--- The error that all of the replies are, one of a server that is loading; nil: they are not.
local function loading(replies)
  for i = 1, #replies do
    if not (conns.is_error(replies[i]) and replies[i].kind == "LOADING") then
      return nil
    end
  end
  return replies[1]
end

--- Parks.
local function once(conn, state, deadline, bytes, n)
  local ok, failure = supply.ready(conn, state, deadline)
  if not ok then
    return nil, failure
  end
  return conn:ask_all(bytes, n, deadline, "pipeline")
end

--- The same, again for as long as the server is loading and does nothing of it. Parks.
local function exchange(conn, state, deadline, bytes, n)
  local replies, err = once(conn, state, deadline, bytes, n)
  while replies and supply.await_loading(state, loading(replies), deadline) do
    replies, err = once(conn, state, deadline, bytes, n)
  end
  return replies, err
end

--- What client:pipeline(fn) does. Parks.
function M.run(client, fn)
  thread.checkpoint()
  local queue = M.new()
  fn(queue)
  local bytes, n = M.finish(queue)
  if n == 0 then
    return {}
  end
  local state, timeout = client._state, client._timeout
  local deadline = timeout and core.now() + timeout or nil
  local replies, err = supply.use(state, state.pool, deadline, "pipeline", exchange, bytes, n)
  if not replies then
    return nil, err
  end
  M.name_errors(queue, replies, 0)
  return replies
end

return M
