--- The requests that a broker holds: whose they are, where they wait, and how they end. Private to
-- green.zmq.rpc.
--
-- A request is in a service's queue, or a worker has it (`worker`). Until it ends it counts for
-- its client.
-- @module green.zmq.rpc.calls

local envelope = require "green.zmq.rpc.envelope"
local lists = require "green.zmq.rpc.list"
local mdp = require "green.zmq.rpc.mdp"

local M = {}

-- Bytes of a request that are not its own: small ones, or many frames without anything in them,
-- would fill the memory else.
local BESIDE, BESIDE_FRAME = 1024, 32

--- Bytes that a request counts as, of a message's frames and the bytes of its body.
function M.cost(frames, size)
  return size + BESIDE + BESIDE_FRAME * #frames
end

--- Tell a client that its request has failed. One whose body has no head cannot be told: MDP has
-- no word for it.
-- @tparam table to `client`, `version`, `service`, `header`
-- @tparam string code
-- @tparam string text
-- @tparam[opt] boolean sent may it have been done?
function M.refuse(state, to, code, text, sent)
  local counts = state.counts
  counts.refused = counts.refused + 1
  if to.header then
    state.send(mdp.client(to.client, to.version, "final", to.service,
      { envelope.write(envelope.ERROR, to.header.id, sent), code, text }))
  end
end

-- -- Clients ----------------------------------------------------------------------

--- How many requests a client has.
function M.count(state, identity)
  local client = state.clients[identity]
  return client and client.n or 0
end

--- The request of a client that has that id, or nil.
function M.find(state, identity, id)
  local client = state.clients[identity]
  return client and client.by_id[id]
end

local function register(state, request)
  state.bytes = state.bytes + request.cost
  local client = state.clients[request.client]
  if not client then
    client = { n = 0, by_id = {} }
    state.clients[request.client] = client
  end
  client.n = client.n + 1
  if request.header then
    client.by_id[request.header.id] = request
  end
end

--- A request is over: nothing of it is left.
function M.close(state, request)
  state.bytes = state.bytes - request.cost
  local client = state.clients[request.client]
  client.n = client.n - 1
  if request.header then
    client.by_id[request.header.id] = nil
  end
  if client.n == 0 then
    state.clients[request.client] = nil
  end
end

-- -- Waiting ------------------------------------------------------------------------

--- Put a request into its service's queue: at the end, or in front where it has been before.
function M.enqueue(state, request, in_front)
  local push = in_front and lists.push_front or lists.push
  push(request.home.queue, request)
  state.waiting = state.waiting + 1
end

--- Take it out.
function M.dequeue(state, request)
  lists.remove(request)
  state.waiting = state.waiting - 1
end

--- A request that has just come. It waits in its service's queue.
-- @tparam table to as of refuse, with `size` and `cost`
-- @tparam table home the service
function M.open(state, to, home, frames, message, now)
  local seconds = to.header and to.header.seconds
  state.serial = state.serial + 1
  local request = {
    client = to.client, version = to.version, service = to.service, header = to.header,
    home = home,
    frames = frames, at = message.at,
    size = to.size, cost = to.cost,
    serial = state.serial,
    since = now,
    expires = seconds and now + seconds or nil,
    tries = 0, -- workers that have been given it
    worker = false, -- who has it
    abandoned = false, -- its client wants no answer any more
  }
  register(state, request)
  M.enqueue(state, request)
  return request
end

--- Its client waits no longer. Who has begun may finish; the answer goes nowhere.
function M.cancel(state, request)
  if request.worker then
    request.abandoned = true
    return
  end
  M.dequeue(state, request)
  M.close(state, request)
end

--- It is too late for one that waits.
function M.expire(state, request)
  state.counts.expired = state.counts.expired + 1
  M.cancel(state, request)
end

local function may_repeat(state, request)
  local header = request.header
  if header then
    return header.flag
  end
  return state.settings.repeat_plain
end

--- The worker that had it has gone: another one gets it where that is safe.
function M.orphan(state, request)
  request.worker = false
  if request.abandoned then
    return M.close(state, request)
  elseif may_repeat(state, request) and request.tries < state.settings.tries then
    state.counts.repeated = state.counts.repeated + 1
    return M.enqueue(state, request, true)
  end
  M.refuse(state, request, "ECONNRESET", "the worker was lost; the call may have been done", true)
  M.close(state, request)
end

--- The worker gives it back, and has not begun.
function M.give_back(state, request)
  request.worker = false
  if request.abandoned then
    return M.close(state, request)
  end
  request.tries = request.tries - 1
  M.enqueue(state, request, true)
end

--- Send a worker's answer to the client; a partial one leaves the request as it is.
function M.answer(state, request, kind, frames, at)
  local is_final = kind == "final"
  local can = is_final or request.version == 2 -- 0.1 has no partial answers
  if can and not request.abandoned then
    local ok = state.send(mdp.client(request.client, request.version, kind, request.service, frames,
      at))
    local counts = state.counts
    counts[ok and "answered" or "unsent"] = counts[ok and "answered" or "unsent"]
      + (is_final and 1 or 0)
  end
  if is_final then
    M.close(state, request)
  end
end

return M
