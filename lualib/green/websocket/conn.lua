--- WebSocket connections, of either end and of either form: the objects that handlers and
-- clients have.
--
-- C reads and writes frames (httpd/ws_conn.h); what waits for it are the methods: see
-- green.websocket.recv, send and close. A connection without a socket has `_stream`: its bytes
-- go through green.websocket.pipe.
-- @module green.websocket.conn

local class = require "green.args.class"
local close = require "green.websocket.close"
local ended = require "green.websocket.ended"
local envs = require "green.websocket.env"
local pipe = require "green.websocket.pipe"
local place = require "green.websocket.place"
local recv = require "green.websocket.recv"
local send = require "green.websocket.send"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local getmetatable, ipairs, pairs, rawget, rawset, setmetatable, tostring, type =
  getmetatable, ipairs, pairs, rawget, rawset, setmetatable, tostring, type

local PATH, ORIGIN, PROTOCOL = place.PATH, place.ORIGIN, place.PROTOCOL
local COMPRESSED, ENV, THREAD = place.COMPRESSED, place.ENV, place.THREAD

local methods = {}
for _, part in ipairs { recv, send, close } do
  for name, method in pairs(part.methods) do
    methods[name] = method
  end
end

local mt = { __name = "green.websocket", __index = methods }
local M = { mt = mt }

local is_placed = { path = true, origin = true, protocol = true, compressed = true, packed = true }

local computed = {}

--- Bytes that wait to be sent.
function computed.buffered(self)
  return pipe.buffered(self)
end

function computed.path(self)
  return rawget(self, PATH)
end

function computed.origin(self)
  return rawget(self, ORIGIN)
end

function computed.protocol(self)
  return rawget(self, PROTOCOL)
end

function computed.compressed(self)
  return rawget(self, COMPRESSED)
end

function computed._exit_thread(self)
  return rawget(self, THREAD)
end

--- Made when somebody looks at it.
function computed.env(self)
  local packed = rawget(self, ENV)
  if not packed then
    return nil
  end
  local env = envs.open(packed)
  rawset(self, "env", env)
  rawset(self, ENV, nil)
  return env
end

show.kind(mt, function(self)
  local state = rawget(self, "closed") and "closed, " .. tostring(self.close_code) or "open"
  return (self.path and self.path .. ", " or "") .. state
end)

class.seal(mt)

local safe = mt.__index
local absent = { closed = false, version = 13, _stream = false, _writer = false, _why = false,
  _reader = false, _due = false, _flusher = false, _written = false, _rest = false,
  _in_hand = false }

--- Methods, fields that are computed, and what most objects do not have: an idle one is small.
function mt.__index(self, key)
  local value = safe[key]
  if value ~= nil then
    return value
  end
  value = absent[key]
  if value ~= nil then
    return value
  end
  local get = computed[key]
  return get and get(self)
end

--- An env that nobody has looked at goes with `ws.env = nil`, too. What every object with a
-- thread has stands with the others: one without a field of its own is looked at in one place,
-- each time that a frame goes to many.
function mt.__newindex(self, key, value)
  if key == "env" then
    rawset(self, ENV, nil)
  elseif key == "_exit_thread" then
    rawset(self, THREAD, value)
    return
  end
  if value ~= nil then
    rawset(self, key, value)
  end
end

--- The object of a connection that was opened in a set.
-- @param set
-- @tparam number handle
-- @tparam table known of it: `path`, `origin`, `protocol`, `compressed` (true or nil), `packed`
-- (its env, packed); other fields are copied
function M.new(set, handle, known)
  local path, origin, protocol, packed = known.path, known.origin, known.protocol, known.packed
  local compressed = known.compressed
  local ws = packed and { set, handle, path, origin, protocol, compressed, packed, false }
    or { set, handle, path, origin, protocol, compressed }
  for name, value in pairs(known) do
    if not is_placed[name] then
      ws[name] = value
    end
  end
  set:keep(handle, setmetatable(ws, mt))
  return ws
end

--- Its handler has ended: what it has to say is said without it. Does not park.
function M.leave(ws)
  ended.note(ws)
  ended.leave(ws)
end

--- Is it one?
function M.is(value)
  return type(value) == "table" and getmetatable(value) == mt
end

return M
