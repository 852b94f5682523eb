--- One try of a call: it is sent, and its answer found among those that come. Private to
-- green.zmq.rpc.
-- @module green.zmq.rpc.attempt

local background = require "green.thread.background"
local codecs = require "green.zmq.rpc.codec"
local core = require "green.core"
local envelope = require "green.zmq.rpc.envelope"
local errors = require "green.error"
local event = require "green.event"
local exits = require "green.thread.exits"
local failure = require "green.zmq.rpc.failure"
local mdp = require "green.zmq.rpc.mdp"
local open = require "green.zmq.rpc.open"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, format, max, pairs, pcall, rawset, xpcall = error, string.format, math.max, pairs,
  pcall, rawset, xpcall

local now_of = core.now

local M = {}

local AT_ONCE = { timeout = 0 }

-- -- Answers --------------------------------------------------------------------------

--- Let a call go: its answer, if one comes, is nobody's.
local function forget(state, id)
  if state.pending[id] then
    state.pending[id], state.n_pending = nil, state.n_pending - 1
  end
end

--- An answer, or none that we know.
local function hear(state, frames)
  local message = mdp.read(frames, 1, "client")
  local head = message and message.kind == "final" and envelope.read(frames[message.at])
  local waiter = head and state.pending[head.id]
  if waiter then
    forget(state, head.id)
    waiter:send(head.kind, frames, message.at)
  else
    state.counts.late = state.counts.late + 1
  end
end

--- Whoever waits gets an error.
function M.stop(state, err)
  local pending, socket = state.pending, state.socket
  state.pending, state.n_pending, state.socket = {}, 0, false
  for _, waiter in pairs(pending) do
    waiter:send(nil, err)
  end
  if socket then
    socket:close(0)
  end
end

local function read(state, socket)
  while state.socket == socket do
    local frames, err = socket:recv_multipart()
    if frames then
      hear(state, frames)
    elseif not errors.is_error(err, "EMSGSIZE") then
      return
    end
  end
end

local function ended(record)
  local state = record.state
  if state.reader == record.thread then
    state.reader = false
    M.stop(state, errors.new("ECONNRESET", "call", "the client's socket has failed",
      { sent = true }))
  end
end

--- A thread that is to read from a socket, and that green.wait does not wait for.
local function reader_of(state, socket)
  local record = { _exit = ended, state = state, thread = false }
  local reader = exits.make(3, record, false, read, state, socket)
  record.thread = reader
  local ok, err = pcall(rawset, background, reader, true)
  if not ok then -- no memory
    core.drop(reader)
    error(err, 0)
  end
  return reader
end

--- The socket, with a thread that reads from it. nil, err.
local function connect(state)
  local settings = state.settings
  local socket, err = open.connected("DEALER", settings, { sndhwm = settings.max_pending })
  if not socket then
    return nil, err
  end
  local reader = reader_of(state, socket)
  state.socket, state.reader = socket, reader
  core.start(reader)
  return socket
end

-- -- One try --------------------------------------------------------------------------

--- Whoever called was killed or timed out: the broker need not find a worker any more. Its own
-- thread, for that of the call cannot send now.
local function cancel(state, id)
  local socket = state.socket
  if socket then
    socket:send_multipart(mdp.client(nil, state.settings.version, "request", "mmi.cancel",
      { envelope.write(envelope.CALL, id), "" }), AT_ONCE)
  end
end

local function send(socket, body, service, version, deadline, op)
  local ok, err = socket:send_multipart(mdp.client(nil, version, "request", service, body),
    deadline and { timeout = max(deadline - now_of(), 0) } or nil)
  if ok then
    return true
  elseif errors.is_timeout(err) then
    return nil, errors.new("ETIMEDOUT", op, "the broker takes nothing", { sent = false })
  end
  err.sent = false
  return nil, err
end

--- What an answer says: a list and its length; nil, err.
local function outcome(state, op, kind, frames, at)
  local codec = state.settings.codec
  if not kind then -- an error of ours
    return nil, frames
  elseif kind == envelope.ERROR then
    return nil, failure.read(codec, frames, at, op)
  elseif kind ~= envelope.RESULT or not frames[at + 1] or frames[at + 2] then
    return nil, errors.new("EPROTO", op, "the answer is none: does the worker speak green.zmq.rpc?",
      { sent = true })
  end
  local list, n = codecs.unpack(codec, frames[at + 1])
  if not list then
    return nil, errors.new("EPROTO", op, "the results cannot be decoded: " .. n, { sent = true })
  end
  state.counts.answered = state.counts.answered + 1
  return list, n
end

local function told(state, op, id, first, second, at)
  if first == nil and errors.is_error(second, "ETIMEDOUT") then
    forget(state, id)
    return nil, errors.new("ETIMEDOUT", op, "no answer", { sent = true })
  end
  return outcome(state, op, first, second, at)
end

local function go(state, id, waiter, service, body, deadline, op)
  local ok, err = send(state.socket, body, service, state.settings.version, deadline, op)
  if not ok then
    forget(state, id)
    return nil, err
  end
  return told(state, op, id, waiter:wait(deadline and max(deadline - now_of(), 0) or nil))
end

local function gone(state, id, ok, ...)
  if not ok then -- killed, or an outer timeout
    forget(state, id)
    core.spawn_n(cancel, state, id)
    error((...), 0)
  end
  return ...
end

local function local_error(code, op, text)
  return nil, errors.new(code, op, text, { sent = false, is_local = true })
end

--- Send a call, and wait for its answer. Parks.
-- @treturn table the results and, second, how many; or nil, err
function M.run(state, way, service, method, text)
  local settings, op = state.settings, format("call %s.%s", service, method)
  if state.closed then
    return local_error("ECLOSED", op, "the client was closed")
  elseif state.n_pending >= settings.max_pending then
    return local_error("EBUSY", op, format("%d calls are under way", state.n_pending))
  elseif #text > settings.max_message then
    return local_error("EMSGSIZE", op, format("arguments of %d bytes; the client sends %d", #text,
      settings.max_message))
  elseif not state.socket then
    local ok, err = connect(state)
    if not ok then
      return nil, err
    end
  end
  state.calls, state.counts.calls = state.calls + 1, state.counts.calls + 1
  local id, waiter, seconds = envelope.id(state.prefix, state.calls), event.Event(), way.timeout
  local body = { envelope.write(envelope.CALL, id, way.idempotent, seconds), method, text }
  state.pending[id] = waiter
  state.n_pending = state.n_pending + 1
  return gone(state, id, xpcall(go, thread.note_traceback, state, id, waiter, service, body,
    seconds < math.huge and now_of() + seconds or nil, op))
end

return M
