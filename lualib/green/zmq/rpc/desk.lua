--- What clients ask of a broker: requests, taken or refused, and RFC 8's management. Private to
-- green.zmq.rpc.
-- @module green.zmq.rpc.desk

local calls = require "green.zmq.rpc.calls"
local dispatch = require "green.zmq.rpc.dispatch"
local envelope = require "green.zmq.rpc.envelope"
local mdp = require "green.zmq.rpc.mdp"
local roster = require "green.zmq.rpc.roster"

-- Scripts may put their own in their places.
local format, sub = string.format, string.sub

local M = {}

local function size_of(state, to)
  local most = state.settings.max_message
  if to.size > most then
    return "EMSGSIZE", format("a request of %d bytes; the broker takes %d", to.size, most)
  elseif to.n > mdp.BODY_MOST then
    return "EMSGSIZE", format("a request of %d frames; the broker takes %d", to.n, mdp.BODY_MOST)
  end
end

local function room_for(state, to)
  local settings = state.settings
  if calls.count(state, to.client) >= settings.max_pending then
    return "EBUSY", format("%d calls of this client are under way", settings.max_pending)
  elseif state.bytes + to.cost > settings.max_bytes then
    return "EBUSY", format("the broker has %d bytes of calls", state.bytes)
  end
end

local function queue_for(state, to, now)
  local service = roster.service(state, to.service, now)
  if not service then
    return nil, "EBUSY", "too many services are asked for"
  elseif service.queue.n >= state.settings.max_queue then
    return nil, "EBUSY", format("the queue of '%s' is full: %d calls wait", service.name,
      service.queue.n)
  end
  return service
end

local management = {}

--- RFC 8: is anybody there for a service?
management["mmi.service"] = function(state, to, frames, at)
  return roster.is_served(state, frames[to.header and at + 1 or at] or "") and "200" or "404"
end

--- Ours: a call's answer is not wanted any more.
management["mmi.cancel"] = function(state, to)
  local request = to.header and calls.find(state, to.client, to.header.id)
  if request then
    calls.cancel(state, request)
    roster.tidy(state, request.home)
  end
end

local function manage(state, to, frames, message)
  local manager = management[to.service]
  local answer = "501"
  if manager then
    answer = manager(state, to, frames, message.at)
  end
  if answer then
    local body = { answer }
    if to.header then
      body = { envelope.write(envelope.RESULT, to.header.id), answer }
    end
    state.send(mdp.client(to.client, to.version, "final", to.service, body))
  end
end

--- What came is no request.
function M.garbage(state)
  state.counts.garbage = state.counts.garbage + 1
end

--- A request has come. Does not park.
function M.request(state, identity, message, frames, now)
  local to = { client = identity, version = message.version, service = message.service,
    header = envelope.read(frames[message.at]), size = mdp.size(frames, message.at),
    n = message.n - message.at + 1 }
  to.cost = calls.cost(frames, to.size)
  if to.header and to.header.kind ~= envelope.CALL then
    return M.garbage(state)
  elseif sub(to.service, 1, 4) == "mmi." then
    return manage(state, to, frames, message)
  elseif to.header and calls.find(state, identity, to.header.id) then
    return M.garbage(state)
  end
  state.counts.requests = state.counts.requests + 1
  local code, text = size_of(state, to)
  if not code then
    code, text = room_for(state, to)
  end
  local service
  if not code then
    service, code, text = queue_for(state, to, now)
  end
  if not service then
    return calls.refuse(state, to, code, text)
  end
  calls.open(state, to, service, frames, message, now)
  if service.workers == 0 then
    state:wake(now + state.settings.patience)
  end
  dispatch.run(state, service, now)
end

return M
