--- The services and workers that a broker knows: who is there, who has room, who has gone. Private
-- to green.zmq.rpc.
-- @module green.zmq.rpc.roster

local buckets = require "green.zmq.rpc.bucket"
local calls = require "green.zmq.rpc.calls"
local lists = require "green.zmq.rpc.list"
local loads = require "green.zmq.rpc.load"
local mdp = require "green.zmq.rpc.mdp"

-- Scripts may put their own in their places.
local find, gmatch, gsub, max, min, pairs, sort, tonumber = string.find, string.gmatch, string.gsub,
  math.max, math.min, pairs, table.sort, tonumber

local M = {}

-- -- Services ---------------------------------------------------------------------

--- The service of that name; it is made where there is none. nil: there are too many.
function M.service(state, name, now)
  local service = state.services[name]
  if service then
    return service
  elseif state.n_services >= state.settings.max_services then
    return nil
  end
  service = {
    name = name,
    queue = lists.new(), -- requests that nobody has
    load = loads.new(), -- workers with room
    throttled = lists.new(), -- workers that had so many in this second
    workers = 0,
    alone_since = now,
  }
  state.services[name], state.n_services = service, state.n_services + 1
  return service
end

--- Forget it, if there is nothing of it.
function M.tidy(state, service)
  if service.workers == 0 and service.queue.n == 0 and state.services[service.name] == service then
    state.services[service.name], state.n_services = nil, state.n_services - 1
  end
end

--- Is somebody there for it?
function M.is_served(state, name)
  local service = state.services[name]
  return service ~= nil and service.workers > 0
end

-- -- What a worker can take ---------------------------------------------------------

local CLAIM_MOST = 256 -- bytes
local LEAST_BEAT, MOST_BEAT = 0.05, 3600

--- What stands behind the service in "ready": "concurrency=8 rate=100". nil: it is none of ours.
local function read_claim(text)
  if #text > CLAIM_MOST or find(gsub(text, "%l[%l_]*=%d[%d.]*", ""), "[^ ]") then
    return nil
  end
  local claim = {}
  for name, value in gmatch(text, "([%l_]+)=([%d.]+)") do
    claim[name] = tonumber(value)
  end
  return claim
end

local function least(a, b)
  return a and b and min(a, b) or a or b
end

--- The limits of a worker: its own and the broker's, whichever is less.
local function limit(worker, claim, settings, now)
  local rate = least(settings.rate or nil, claim.rate ~= 0 and claim.rate or nil)
  worker.capacity = max(1, min(claim.concurrency or 1, settings.max_concurrency))
  worker.bucket = rate and buckets.new(rate, now) or nil
  worker.max_message = least(settings.max_message, claim.max_message)
  local own = max(LEAST_BEAT, min(claim.heartbeat or settings.heartbeat, MOST_BEAT))
  worker.heartbeat = min(own, settings.heartbeat)
  worker.patience = max(own, settings.heartbeat) * settings.liveness
end

-- -- Workers ----------------------------------------------------------------------

local NOTHING = {}

--- A worker has come. nil: it cannot be taken.
function M.join(state, identity, message, frames, now)
  local settings, more = state.settings, frames[message.at]
  local claim = more and read_claim(more) or NOTHING
  local full = state.n_workers >= settings.max_workers or message.service:sub(1, 4) == "mmi."
  local service = not full and M.service(state, message.service, now)
  if not service then
    return nil
  end
  local worker = {
    id = identity, version = message.version, service = service,
    running = 0, -- requests that it has
    requests = {}, -- token -> request
    inflow = buckets.new(settings.message_rate, now),
    draining = false, -- it takes no more
  }
  limit(worker, claim, settings, now)
  worker.beat_at, worker.expires = now + worker.heartbeat, now + worker.patience
  state:wake(worker.beat_at)
  service.workers = service.workers + 1
  state.workers[identity], state.n_workers = worker, state.n_workers + 1
  loads.add(service.load, worker)
  return worker
end

--- Let a worker stand where its load belongs.
function M.place(worker)
  lists.remove(worker)
  if worker.running < worker.capacity and not worker.draining then
    loads.add(worker.service.load, worker)
  end
end

--- It has one request less. Returns that.
function M.take_off(worker, token)
  local request = worker.requests[token]
  worker.requests[token], worker.running = nil, worker.running - 1
  M.place(worker)
  return request
end

local function is_younger(a, b)
  return a.serial > b.serial
end

--- Nobody is to be thought of as there any more: its requests go to others, or fail.
-- @tparam string why what is counted: "silent", "gone", "garbage", "flood", "left"
-- @tparam[opt] boolean tell send DISCONNECT
function M.lose(state, worker, why, now, tell)
  local service, held = worker.service, {}
  state.workers[worker.id], state.n_workers = nil, state.n_workers - 1
  lists.remove(worker)
  service.workers = service.workers - 1
  if service.workers == 0 then
    service.alone_since = now
    state:wake(now + state.settings.patience)
  end
  state.counts[why] = state.counts[why] + 1
  if tell then
    M.disconnect(state, worker.id, worker.version)
  end
  for _, request in pairs(worker.requests) do
    held[#held + 1] = request
  end
  sort(held, is_younger) -- each goes to the front: the oldest must be the last
  for i = 1, #held do
    calls.orphan(state, held[i])
  end
  worker.requests, worker.running = {}, 0
  M.tidy(state, service)
end

--- Tell a peer that it is no worker of ours.
function M.disconnect(state, identity, version)
  state.send(mdp.signal(identity, version, "disconnect"))
end

return M
