--- ZeroMQ contexts.
-- @module green.zmq.context

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local known = require "green.zmq.context_options"
local show = require "green.args.show"
local sockets = require "green.zmq.socket"
local ends = require "green.zmq.ends"
local thread = require "green.thread"
local value_of = require "green.zmq.option_value"

local ffi = require "ffi"
local api = require "green.ffi.zmq_ctx"
local zmq = require "green.ffi.zmq"

local context_t = ffi.typeof("green_zmq_context **")

local ENDING = 1 -- seconds

local methods = {}
local mt = { __name = "green.zmq.context", __index = methods }

--- A socket of this context. Does not park.
-- @param kind zmq.REQ, or "REQ"
-- @tparam[opt] table opts options by name, set before anything else; `max_parts`: how many parts
-- a message may have that is received (1,024)
-- @return the socket (green.zmq.socket); or nil, err: EINVAL (no such type in this library, or an
-- option's value), EMFILE (no more sockets, or descriptors), ETERM, ECLOSED
function methods:socket(kind, opts)
  if self.closed then
    return nil, errors.new("ECLOSED", "socket")
  end
  local s, err = sockets.open(self._at[0], kind, opts, "socket", self.state)
  if s then
    self._sockets[s] = true
    s._context = self -- sockets keep it
  end
  return s, err
end

--- Close its sockets and let go of it. at_end: at the end of the program nobody is woken, to run
-- on where all others stand still.
function methods:_end(at_end)
  if self.closed then
    return
  end
  self.closed = true
  for s in pairs(self._sockets) do
    if at_end then
      zmq.forget(s._s)
    end
    s:close()
  end
  core.release(self._object)
end

--- End the context: its sockets are closed, and those of other runtimes that share it give ETERM
-- if it is not the process's common one. Waits for messages that are still to be sent; what is
-- left after that goes on in the background as long as the program runs. Idempotent. Parks.
-- @tparam[opt] number timeout seconds to wait (the context's `ending`, 1)
-- @treturn true or nil, err: ETIMEDOUT
function methods:term(timeout)
  args.timeout(timeout, "term")
  thread.checkpoint()
  self:_end()
  return ends.wait(self._id, timeout or self._ending, "term")
end

--- Ask for one of libzmq's numbers of the context; docs/modules/zmq_options.md has them. Does
-- not park.
-- @tparam string name "io_threads", "max_sockets", ...
-- @return the value; or nil, err: EINVAL (not in this libzmq), ECLOSED
function methods:get(name)
  local option = value_of.readable(name, "get", known)
  if self.closed then
    return nil, errors.new("ECLOSED", "get")
  end
  local raw = api.get(self._at[0], option.number)
  if raw < 0 then
    return nil, errors.new(raw, "get " .. name)
  end
  return value_of.decode(option, raw)
end

show.kind(mt, function(self)
  return self.closed and "closed" or self._is_own and "its own" or "the process's"
end)
class.seal(mt)

--- What libzmq is to be told: a list of number, raw value and name.
local function settings_of(opts)
  local list = {}
  for _, name in ipairs(value_of.ordered(opts)) do
    if name ~= "ending" then
      local option, raw = value_of.encode(name, opts[name], "Context", known)
      list[#list + 1] = { number = option.number, raw = raw, name = name }
    end
  end
  return list
end

--- A context. nil, err.
-- @tparam ?table opts nil: the process's
local function new(opts)
  local is_own = opts ~= nil
  opts = args.plain(opts or {}, "Context", "options")
  local settings = settings_of(opts)
  local object, code = core.object("zmq_context", is_own and 1 or 0)
  if not object then
    return nil, errors.new(code, "Context")
  end
  local self = setmetatable({
    closed = false,
    state = {}, -- what its sockets know of it: itself, who authenticates
    _object = object, _at = ffi.cast(context_t, object), _is_own = is_own,
    _id = api.id(ffi.cast(context_t, object)[0]),
    _ending = opts.ending == nil and ENDING or args.timeout(opts.ending, "Context"),
    _sockets = setmetatable({}, { __mode = "k" }),
  }, mt)
  self.state.context = self
  for _, option in ipairs(settings) do
    local status = api.set(self._at[0], option.number, option.raw)
    if status < 0 then
      core.release(object)
      return nil, errors.new(status, "Context " .. option.name)
    end
  end
  ends.add(self)
  return self
end

return { new = new, mt = mt }
