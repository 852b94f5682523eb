--- Sockets for green.zmq.rpc, with the options that its users give. Private to green.zmq.rpc.
-- @module green.zmq.rpc.open

local longest = require "green.zmq.longest"
local zmq = require "green.zmq"

-- Scripts may put their own in their places.
local pairs = pairs

local LINGER = 0.5 -- seconds for what has not left at the end: less than a program waits for it

local M = {}

--- A socket. nil, err: as zmq.socket. Does not park.
-- @tparam string kind "ROUTER", "DEALER"
-- @tparam table settings `max_message`, `socket` options, `context`
-- @tparam table own options of ours, which the user's may not change
function M.socket(kind, settings, own)
  local all = { linger = LINGER, -- from the beginning: see green.zmq.socket's close
    maxmsgsize = longest.of(settings.max_message) }
  for name, value in pairs(settings.socket or {}) do
    all[name] = value
  end
  for name, value in pairs(own) do
    all[name] = value
  end
  if settings.context then
    return settings.context:socket(kind, all)
  end
  return zmq.socket(kind, all)
end

--- The same, connected to the settings' broker.
function M.connected(kind, settings, own)
  local socket, err = M.socket(kind, settings, own)
  if not socket then
    return nil, err
  end
  local ok
  ok, err = socket:connect(settings.broker)
  if not ok then
    socket:close(0)
    return nil, err
  end
  return socket
end

return M
