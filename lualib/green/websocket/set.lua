--- A set of WebSocket connections with the same options: what C has of it (httpd/wsd.h), and
-- which object of Lua's stands for which connection.
-- @module green.websocket.set

local ffi = require "ffi"
local core = require "green.core"
local C = require "green.ffi.wsd"
local exits = require "green.thread.exits"
local place = require "green.websocket.place"
local states = require "green.wsgi.state"
local stop = require "green.wsgi.stop"

-- Scripts may put their own in their places.
local next, pairs, setmetatable = next, pairs, setmetatable

local wsd_t = ffi.typeof("green_wsd *")
local FOR_EVER = 9223372036854775807LL
local SLOTS, CHUNK = 2 ^ 24, 1024
local GOING_AWAY = 1001
local HANDLE = place.HANDLE

local set_mt = {}
set_mt.__index = set_mt

local M = {}

local function ns(seconds)
  return seconds and seconds < 9e9 and seconds * 1e9 or FOR_EVER
end

--- Tell C.
local function apply(c, o)
  C.set_pings(c, ns(o.ping_interval), ns(o.ping_timeout))
  c.close_timeout, c.send_timeout = ns(o.close_timeout), ns(o.send_timeout)
  c.max_message, c.max_frame = o.max_message, o.max_frame
  c.max_fragments, c.max_buffered = o.max_fragments, o.max_buffered
  local compression = o.compression
  if compression then
    c.threshold, c.level = compression.threshold, compression.level
  end
end

--- Make a set, of the process that runs. Does not park.
-- @tparam table options checked ones (green.websocket.options)
-- @param handlers functions of the light form, or nil
function M.new(options, handlers)
  local object = core.object("wsd")
  local c = ffi.cast(wsd_t, object)
  apply(c, options)
  return setmetatable({
    object = object, -- keeps what the next ones point to
    c = c,
    pointer = core.pointer(object),
    options = options,
    handlers = handlers,
    is_light = handlers ~= nil,
    pid = core.getpid(),
    queue = core.pointer(C.queue(c)),
    shortage = core.pointer(C.shortage(c)),
    chunks = {}, -- of connections' objects, by slot: a large table would be a long step of
    -- the collector's
    servers = setmetatable({}, { __mode = "k" }), -- whose guest it is
    workers = 0, -- of the light form,
    crew = {}, -- their states (green.wsgi.state) -> true,
    is_served = false, -- and is somebody there who makes them?
    coming = 0, -- handshakes whose last bytes are on their way
  }, set_mt)
end

-- -- Objects ------------------------------------------------------------------

local function place_of(handle)
  local slot = handle % SLOTS
  local k = slot % CHUNK
  return (slot - k) / CHUNK, k
end

--- Remember the object of a connection. Does not park.
function set_mt:keep(handle, ws)
  local i, k = place_of(handle)
  local chunk = self.chunks[i]
  if not chunk then
    chunk = {}
    self.chunks[i] = chunk
  end
  chunk[k] = ws
end

--- The object of a connection; nil: it has gone.
function set_mt.at(self, handle)
  local slot = handle % SLOTS
  local k = slot % CHUNK
  local chunk = self.chunks[(slot - k) / CHUNK]
  return chunk and chunk[k]
end
M.at = set_mt.at

--- Its place may be another's by now.
local function forget(self, handle)
  local i, k = place_of(handle)
  local chunk = self.chunks[i]
  local ws = chunk and chunk[k]
  if ws and ws[HANDLE] == handle then
    chunk[k] = nil
  end
end

--- The connection is not used any more; what it has to say is said without it. Idempotent.
-- Does not park.
function set_mt:free(handle)
  forget(self, handle)
  core.ws_free(self.pointer, handle)
  for server in pairs(self.servers) do
    stop.look(server)
  end
  self:look()
end

--- Is there nobody to serve any more, and will nobody come?
function set_mt:is_over()
  if self.c.connections > 0 then
    return false
  end
  for server in pairs(self.servers) do
    if not server.stopping then
      return false
    end
  end
  return true
end

--- Let workers see whether it is over.
function set_mt:look()
  if self.is_served and self:is_over() then
    core.wake_cdata(self.queue)
    core.wake_cdata(self.shortage)
  end
end

-- -- As a guest of servers (green.wsgi.guests) ---------------------------------

--- Say to all that this end goes away.
function set_mt:leave()
  C.close_all(self.c, GOING_AWAY)
  self:look()
end

function set_mt:count()
  return self.c.connections + self.c.lingering + self.coming
end

--- So many more handshakes are waited for, before they are connections. Does not park.
function set_mt:expect(n)
  self.coming = self.coming + n
  for server in pairs(self.servers) do
    stop.look(server)
  end
end

--- Threads and workers with a connection in hand are killed, and abandoned so many seconds later.
function set_mt:throw_out(force_after)
  C.abort_all(self.c)
  for ws in self:each() do
    local t = exits.thread_of(ws)
    if t then
      t:kill_soon({ force_after = force_after })
    end
  end
  for state in pairs(self.crew) do
    if state.conn then
      states.thread_of(state):kill_soon { force_after = force_after }
    end
  end
end

--- Is that green thread one of its own?
function set_mt:has(thread)
  for ws in self:each() do
    if exits.thread_of(ws) == thread then
      return true
    end
  end
  for state in pairs(self.crew) do
    if states.thread_of(state) == thread then
      return true
    end
  end
  return false
end

--- Does it belong to this process? A child makes its own.
function set_mt:is_ours()
  return self.pid == core.getpid()
end

--- Every object of a connection, to look at. No connection may come or go meanwhile.
function set_mt:each()
  local chunks, i, chunk, k = self.chunks, nil, nil, nil
  return function()
    while true do
      if chunk then
        local ws
        k, ws = next(chunk, k)
        if ws then
          return ws
        end
      end
      i, chunk = next(chunks, i)
      if not i then
        return nil
      end
      k = nil
    end
  end
end

return M
