--- Who gets the next request: the worker that has the fewest. Private to green.zmq.rpc.
-- @module green.zmq.rpc.dispatch

local buckets = require "green.zmq.rpc.bucket"
local calls = require "green.zmq.rpc.calls"
local lists = require "green.zmq.rpc.list"
local loads = require "green.zmq.rpc.load"
local mdp = require "green.zmq.rpc.mdp"
local roster = require "green.zmq.rpc.roster"

-- Scripts may put their own in their places.
local format, max = string.format, math.max

local M = {}

--- The worker that is to have the next request; nil: nobody has room. Who has had so many in this
-- second stands aside.
local function pick(state, service, now)
  local worker = loads.first(service.load)
  while worker and worker.bucket do
    local seconds = buckets.take(worker.bucket, now)
    if seconds == 0 then
      return worker
    end
    loads.remove(worker)
    worker.resumes = now + seconds
    lists.push(service.throttled, worker)
    state:wake(worker.resumes)
    worker = loads.first(service.load)
  end
  return worker
end

local function give(state, worker, request, now)
  state.tokens = state.tokens + 1
  local token = format("%s%d", state.prefix, state.tokens)
  local ok = state.send(mdp.worker(worker.id, worker.version, "request", token, request.frames,
    request.at))
  if not ok then -- its connection has gone, or it has long read nothing
    return roster.lose(state, worker, "gone", now)
  end
  calls.dequeue(state, request)
  request.worker, request.tries = worker, request.tries + 1
  worker.requests[token], worker.running = request, worker.running + 1
  worker.beat_at = now + worker.heartbeat
  roster.place(worker)
end

--- The first request that still makes sense, or nil.
local function next_of(state, service, now)
  local request = service.queue.first
  while request and request.expires and request.expires <= now do
    calls.expire(state, request)
    request = service.queue.first
  end
  return request
end

--- Is it more than that worker takes?
local function is_too_big(worker, request)
  return request.size > worker.max_message
end

local function refuse_big(state, worker, request)
  if worker.bucket then
    buckets.give(worker.bucket)
  end
  calls.refuse(state, request, "EMSGSIZE", format("a request of %d bytes; the worker takes %d",
    request.size, worker.max_message))
  calls.cancel(state, request)
end

--- Give the requests of a service to workers, as long as there are both.
function M.run(state, service, now)
  local request = next_of(state, service, now)
  while request do
    local worker = pick(state, service, now)
    if not worker then
      break
    elseif is_too_big(worker, request) then
      refuse_big(state, worker, request)
    else
      give(state, worker, request, now)
    end
    request = next_of(state, service, now)
  end
  roster.tidy(state, service)
end

-- -- As time passes -----------------------------------------------------------------

local function resume_throttled(state, service, now)
  local worker = service.throttled.first
  local again
  while worker do
    local behind = worker._behind
    if worker.resumes <= now then
      again = true
      roster.place(worker)
    else
      state:wake(worker.resumes)
    end
    worker = behind
  end
  return again
end

--- Nobody has come for them.
local function refuse_alone(state, service, now)
  local patience = state.settings.patience
  local request = service.queue.first
  while request do
    local due = max(request.since, service.alone_since) + patience
    if due > now then
      return state:wake(due)
    end
    calls.refuse(state, request, "ENOSERVICE", "no worker of '" .. service.name .. "' is there")
    calls.cancel(state, request)
    request = service.queue.first
  end
end

--- Drop what is too late, wherever it stands in the queue.
function M.sweep(state, service, now)
  local request = service.queue.first
  while request do
    local behind = request._behind
    if request.expires and request.expires <= now then
      calls.expire(state, request)
    end
    request = behind
  end
end

--- What time has brought for a service.
function M.tick(state, service, now)
  if service.workers == 0 then
    refuse_alone(state, service, now)
    roster.tidy(state, service)
  elseif resume_throttled(state, service, now) then
    M.run(state, service, now)
  end
end

return M
