--- What TLS connections have in common, and how it is read anew.
-- @module green.tls.context

local boxes = require "green.tls.box"
local class = require "green.args.class"
local core = require "green.core"
local errors = require "green.error"
local exits = require "green.thread.exits"
local keylog = require "green.tls.keylog"
local options = require "green.tls.options"
local show = require "green.args.show"
local thread = require "green.thread"

local ffi = require "ffi"
local lib = require "green.ffi.tls_lib"
local buf_api = require "green.ffi.buf"
local C = require "green.ffi.tls_ctx"

-- Scripts may put their own in their places.
local ceil, error, getmetatable, pairs, setmetatable, tonumber, tostring, type =
  math.ceil, error, getmetatable, pairs, setmetatable, tonumber, tostring, type
local date, format, time, xpcall = os.date, string.format, os.time, xpcall

local DAY = 86400 -- seconds
local WARN = 14 * DAY -- before a certificate expires
local LOOK = 1 -- between looks at the files

local box = boxes.kind("green_tls_ctx *", C.free)
local own = {}
local mt = { __name = "green.tls.context", __index = own }

local function is_context(value)
  return type(value) == "table" and getmetatable(value) == mt
end

-- -- Making -------------------------------------------------------------------

--- The context of C, in its box; or nil, err. Parks if the function of a password does.
local function build(o, where)
  local boxed = box(C.new(o.server or false))
  if boxed.p == nil then
    return nil, errors.new("ENOMEM", where)
  end
  local ok, err = options.tell(boxed.p, o, where, is_context)
  if not ok then
    return nil, err
  end
  return boxed
end

--- Unix seconds, and which certificate that is of; nil: there is none.
local function expiry(p)
  local which = ffi.gc(ffi.new("green_buf"), buf_api.reset)
  buf_api.init(which, 1000)
  local at = tonumber(C.expires(p, which))
  if at > 0 then
    return at, ffi.string(which.data + which.head, which.tail - which.head)
  end
end

local function warn_of_expiry(p)
  local at, which = expiry(p)
  local left = at and at - time()
  if not at or left > WARN then
    return
  end
  local how = left <= 0 and "expired on %s" or "expires on %s, in %d days or less"
  core.complain(format("greenlua: %s " .. how .. "\n", which, date("!%Y-%m-%d %H:%M UTC", at),
    ceil(left / DAY)))
end

--- The contexts to look at when a connection begins: this one, and those of its names.
-- nil: none.
local function watched(self, o)
  local list = o.reload and { self } or {}
  for _, other in pairs(o.names or {}) do
    if other._watched then
      list[#list + 1] = other
    end
  end
  return list[1] and list or nil
end

--- See green.tls.context. `where` is the function's name in messages.
local function new(o, where)
  options.check(o, where)
  local why = ffi.new("green_tls_error")
  local code = lib.tls_load(why)
  if code < 0 then
    return nil, errors.new(code, where, ffi.string(why.text))
  end
  o = options.copy(o)
  o.keylog = o.keylog or keylog.env
  local boxed, err = build(o, where)
  if not boxed then
    return nil, err
  end
  warn_of_expiry(boxed.p)
  local self = { _box = boxed, _options = o, server = o.server or false,
    verify = o.verify, _asks = options.asks_of(o) }
  self._watched, self._look_at = watched(self, o), 0
  self._renewing, self._is_due = false, false -- its files have changed, and were not read yet
  return setmetatable(self, mt)
end

-- -- Reading anew -------------------------------------------------------------

--- Read the files again, for connections that begin from here on: those of servers that
-- run with the context, too, and of contexts that have it among their `names`. Open ones, and
-- handshakes under way, go on with what they began with. Sessions stay good where
-- verification has not changed. Parks only if the function of a password does.
-- @return true; or nil, err as green.tls.context, ECLOSED (the runtime has ended): all is as
-- before
function own:reload()
  if self._box.p == nil then
    return nil, errors.new("ECLOSED", "reload")
  end
  local boxed, err = build(self._options, "reload")
  if not boxed then
    return nil, err
  end
  local code = C.replace(self._box.p, boxed.p)
  if code < 0 then
    return nil, errors.new(code, "reload")
  end
  warn_of_expiry(boxed.p)
  return true
end

--- When the first of its own certificates expires. Does not park.
-- @return Unix seconds; nil: it has none; nil, err: ECLOSED (the runtime has ended)
function own:expires()
  if self._box.p == nil then
    return nil, errors.new("ECLOSED", "expires")
  end
  return (expiry(self._box.p))
end

local function is_cancel(err)
  return type(err) == "table" and (err.code == "ECANCELED" or err.is_timeout)
end

local function stop_renewing(record)
  record.context._renewing = false
end

--- Read the files again, in protected mode. A password's function may park, and whoever
-- waits there may be killed or abandoned: the next one reads them then.
local function read_again(self)
  local record = { _exit = stop_renewing, context = self }
  exits.hold(record)
  self._renewing, self._is_due = true, true
  local ok, done, err = xpcall(own.reload, thread.note_traceback, self)
  exits.release(record)
  self._renewing = false
  return ok, done, err
end

--- A failure is told once for each change; the certificates from before stay.
local function renew(self)
  if self._renewing or not (C.changed(self._box.p) or self._is_due) then
    return
  end
  local ok, done, err = read_again(self)
  if not ok and is_cancel(done) then
    error(done, 0)
  end
  self._is_due = false
  if not (ok and done) then
    core.complain(format("greenlua: tls.context: files have changed and cannot be used, what was "
      .. "read before stays: %s\n", tostring(ok and err or done)))
  end
end

--- For who is about to make connections: reload what is to be reloaded on a change. Looks
-- at files once in a second at most. Parks only if the function of a password does.
local function look(self)
  local list = self._watched
  local now = list and self._box.p ~= nil and core.now()
  if not now or now < self._look_at then
    return
  end
  self._look_at = now + LOOK
  for i = 1, #list do
    if list[i] == self then
      renew(self)
    else
      look(list[i])
    end
  end
end

local function close_stream(record)
  record.stream:close()
end

--- The same for who has a stream that is to carry TLS: it is closed where this raises, or
-- its green thread is abandoned.
local function look_before(self, stream)
  if not self._watched then
    return
  end
  local record = { _exit = close_stream, stream = stream }
  exits.hold(record)
  local ok, err = xpcall(look, thread.note_traceback, self)
  exits.release(record)
  if not ok then
    stream:close()
    error(err, 0)
  end
end

show.kind(mt, function(self)
  return self.server and "server" or "client"
end)
class.seal(mt)

return { new = new, is = is_context, look = look, look_before = look_before,
  known = options.known, is_pem = options.is_pem }
