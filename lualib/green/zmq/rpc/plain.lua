--- Requests of MDP without our heads, one socket each. Private to green.zmq.rpc.
-- @module green.zmq.rpc.plain

local core = require "green.core"
local errors = require "green.error"
local mdp = require "green.zmq.rpc.mdp"
local open = require "green.zmq.rpc.open"
local timeouts = require "green.timeout"

-- Scripts may put their own in their places.
local max, unpack = math.max, unpack

local M = {}

--- The next message that is an answer. nil, err.
local function next_answer(socket, deadline)
  local left = deadline and max(deadline - core.now(), 0) or nil
  local frames, err = socket:recv_multipart(left)
  if not frames then
    return nil, errors.is_timeout(err) and errors.new("ETIMEDOUT", "request", "no answer",
      { sent = true }) or err
  end
  local message, why = mdp.read(frames, 1, "client")
  if not message then
    return nil, errors.new("EPROTO", "request", "the broker's answer is none: " .. why)
  end
  return message, frames
end

local function converse(socket, version, service, body, deadline, on_partial)
  local ok, err = socket:send_multipart(mdp.client(nil, version, "request", service, body),
    deadline and { timeout = max(deadline - core.now(), 0) } or nil)
  if not ok then
    return nil, err
  end
  while true do
    local message, frames = next_answer(socket, deadline)
    if not message then
      return nil, frames
    end
    local list = { unpack(frames, message.at) }
    if message.kind == "final" then
      return list
    elseif on_partial then
      on_partial(list)
    end
  end
end

--- Send frames to a service, and wait for those that come back. Parks.
function M.ask(settings, way, service, body, on_partial)
  local socket, err = open.connected("DEALER", settings, {})
  if not socket then
    return nil, err
  end
  local deadline = way.timeout < math.huge and core.now() + way.timeout or nil
  return timeouts.finally(function()
    return converse(socket, settings.version, service, body, deadline, on_partial)
  end, function()
    socket:close(0)
  end)
end

return M
