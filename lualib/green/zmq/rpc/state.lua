--- What a broker knows and does: messages in, messages out, the clock given. No socket, and nothing
-- that parks. Private to green.zmq.rpc.
--
-- All that it sends goes through `send(frames)`, which says at once whether the peer can be
-- reached: true; or nil. `due` is when `tick` must be called again, at the latest.
-- @module green.zmq.rpc.state

local buckets = require "green.zmq.rpc.bucket"
local calls = require "green.zmq.rpc.calls"
local desk = require "green.zmq.rpc.desk"
local dispatch = require "green.zmq.rpc.dispatch"
local envelope = require "green.zmq.rpc.envelope"
local mdp = require "green.zmq.rpc.mdp"
local roster = require "green.zmq.rpc.roster"

-- Scripts may put their own in their places.
local format, min, pairs, setmetatable = string.format, math.min, pairs, setmetatable

local methods = {}
local mt = { __index = methods }
local M = {}

local SWEEP = 1 -- seconds between two looks at all that waits

--- A broker that knows nobody.
-- @tparam table settings as of options.broker
-- @tparam function send
-- @tparam string prefix what the names of its requests begin with, other ones in each broker
-- @tparam number now
function M.new(settings, send, prefix, now)
  return setmetatable({
    settings = settings, send = send, prefix = prefix,
    tokens = 0, serial = 0,
    services = {}, n_services = 0, -- by name
    workers = {}, n_workers = 0, -- by identity
    clients = {}, -- identity -> its requests
    waiting = 0, -- requests in queues
    bytes = 0, -- of all requests, see calls
    due = now + settings.heartbeat / 2, swept = now,
    counts = { requests = 0, answered = 0, refused = 0, expired = 0, repeated = 0, unsent = 0,
      garbage = 0, flood = 0, silent = 0, gone = 0, left = 0 },
  }, mt)
end

--- Have tick called then, if not before.
function methods:wake(at)
  self.due = min(self.due, at)
end

-- -- Workers ----------------------------------------------------------------------

local function lose(state, worker, why, now)
  roster.lose(state, worker, why, now, why ~= "left")
  dispatch.run(state, worker.service, now)
end

local function too_fast(state, worker, now)
  if buckets.take(worker.inflow, now) > 0 then
    lose(state, worker, "flood", now)
    return true
  end
end

--- Does an answer belong to the call that it is given for?
-- A worker that does not know our heads may do with them what it does with any text.
local function fits(call, header)
  return not call.header or header and header.id == call.header.id
end

--- What is too much of an answer; nil: nothing.
local function excess_of(worker, message, frames)
  local size, n = mdp.size(frames, message.at), message.n - message.at + 1
  if size > worker.max_message then
    return format("an answer of %d bytes; the worker may send %d", size, worker.max_message)
  elseif n > mdp.BODY_MOST then
    return format("an answer of %d frames; the worker may send %d", n, mdp.BODY_MOST)
  end
end

local function final(state, worker, message, frames, now)
  local header = envelope.read(frames[message.at])
  local call = roster.take_off(worker, message.address)
  local excess = excess_of(worker, message, frames)
  if header and header.kind == envelope.RETURNED and fits(call, header) then
    worker.draining = true
    roster.place(worker)
    calls.give_back(state, call)
  elseif not fits(call, header) and not call.abandoned then
    calls.refuse(state, call, "EPROTO", "the worker's answer is none to this call", true)
    calls.close(state, call)
  elseif excess and not call.abandoned then
    calls.refuse(state, call, "EMSGSIZE", excess, true)
    calls.close(state, call)
  else
    calls.answer(state, call, "final", frames, message.at)
  end
  dispatch.run(state, worker.service, now)
end

local kinds = {}

function kinds.heartbeat(state, worker, _, _, now)
  too_fast(state, worker, now)
end

function kinds.disconnect(state, worker, _, _, now)
  lose(state, worker, "left", now)
end

function kinds.ready(state, worker, _, _, now)
  lose(state, worker, "garbage", now) -- it has said so before
end

function kinds.partial(state, worker, message, frames, now)
  local call = worker.requests[message.address]
  if not call or excess_of(worker, message, frames) then
    return lose(state, worker, "garbage", now)
  elseif not too_fast(state, worker, now) and fits(call, envelope.read(frames[message.at])) then
    calls.answer(state, call, "partial", frames, message.at)
  end
end

function kinds.final(state, worker, message, frames, now)
  if not worker.requests[message.address] then
    return lose(state, worker, "garbage", now)
  end
  final(state, worker, message, frames, now)
end

--- Somebody who is no worker, so far.
local function stranger(state, identity, message, frames, now)
  if message.kind == "ready" then
    local worker = roster.join(state, identity, message, frames, now)
    if worker then
      return dispatch.run(state, worker.service, now)
    end
  elseif message.kind == "disconnect" then
    return
  end
  roster.disconnect(state, identity, message.version)
end

-- -- The whole ----------------------------------------------------------------------

--- A message has come. Does not park.
-- @tparam table frames identity and the rest
-- @tparam number now
function methods:receive(frames, now)
  local identity, worker = frames[1], self.workers[frames[1]]
  local message = mdp.read(frames, 2, "broker")
  if not message or worker and message.role == "client" then
    if worker then
      return lose(self, worker, "garbage", now)
    end
    return desk.garbage(self)
  elseif message.role == "client" then
    return desk.request(self, identity, message, frames, now)
  elseif not worker then
    return stranger(self, identity, message, frames, now)
  end
  worker.expires = now + worker.patience
  kinds[message.kind](self, worker, message, frames, now)
end

local function look_at(state, worker, now)
  if worker.expires <= now then
    return lose(state, worker, "silent", now)
  elseif worker.beat_at <= now then
    if not state.send(mdp.signal(worker.id, worker.version, "heartbeat")) then
      return lose(state, worker, "gone", now)
    end
    worker.beat_at = now + worker.heartbeat
  end
  state:wake(min(worker.expires, worker.beat_at))
end

--- Time has passed: heartbeats, who is silent, who has waited too long. Sets `due`. Does not park.
function methods:tick(now)
  self.due = now + self.settings.heartbeat / 2
  for _, worker in pairs(self.workers) do
    look_at(self, worker, now)
  end
  local is_sweep = now - self.swept >= SWEEP
  if is_sweep then
    self.swept = now
  end
  for _, service in pairs(self.services) do
    if is_sweep then
      dispatch.sweep(self, service, now)
    end
    dispatch.tick(self, service, now)
  end
end

--- Tell workers and clients that this is the end. Does not park.
function methods:close()
  for identity, worker in pairs(self.workers) do
    roster.disconnect(self, identity, worker.version)
  end
  for _, client in pairs(self.clients) do
    for _, call in pairs(client.by_id) do
      if not call.abandoned then
        calls.refuse(self, call, call.worker and "ECONNRESET" or "ENOSERVICE",
          "the broker was stopped", call.worker)
      end
    end
  end
end

return M
