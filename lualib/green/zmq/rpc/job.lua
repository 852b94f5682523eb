--- One request in a worker: the handler runs in a green thread of its own, and its answer is sent.
-- Private to green.zmq.rpc.
-- @module green.zmq.rpc.job

local args = require "green.args"
local codecs = require "green.zmq.rpc.codec"
local core = require "green.core"
local envelope = require "green.zmq.rpc.envelope"
local errors = require "green.error"
local exits = require "green.thread.exits"
local failure = require "green.zmq.rpc.failure"
local mdp = require "green.zmq.rpc.mdp"
local thread = require "green.thread"
local timeouts = require "green.timeout"

-- Scripts may put their own in their places.
local format, ipairs, pcall, select, tostring, type, unpack, xpcall = string.format, ipairs, pcall,
  select, tostring, type, unpack, xpcall

local M = {}

-- -- Calling the handler --------------------------------------------------------------

--- The owner's to see: a mistake in a handler is no answer alone.
local function report(self, err, name)
  local on_error = self._settings.on_error
  local ok, why = true, nil
  if on_error then
    ok, why = pcall(on_error, err, name)
  else
    thread.report(err, core.current(), format("(in the handler %s of %s)", name,
      self._settings.service))
  end
  if not ok then
    thread.report(why, core.current(), "(in on_error)")
  end
end

--- Does a handler say that it has failed: nil and an error object?
local function is_failure(...)
  return select("#", ...) == 2 and (...) == nil and errors.is_error((select(2, ...)))
end

local function answer(self, id, name, ok, ...)
  local settings = self._settings
  if not ok then
    if not errors.is_error((...)) then
      report(self, (...), name)
    end
    return failure.write(id, settings.codec, (...))
  elseif is_failure(...) then
    return failure.write(id, settings.codec, (select(2, ...)))
  end
  local packed, text = pcall(codecs.pack, settings.codec, ...)
  if not packed then
    text = format("the results of %s cannot be encoded: %s", name, tostring(text))
    report(self, text, name)
    return failure.write(id, settings.codec, text)
  elseif #text > settings.max_message then
    return failure.write(id, settings.codec, errors.new("EMSGSIZE", nil,
      format("results of %d bytes; the worker sends %d", #text, settings.max_message)))
  end
  return { envelope.write(envelope.RESULT, id), text }
end

local function refuse(self, id, code, text)
  return failure.write(id, self._settings.codec, errors.new(code, nil, text))
end

--- A call: the body of its answer. Parks if the handler does.
local function call(self, header, frames, at)
  local settings, id = self._settings, header.id
  local name, text = frames[at + 1], frames[at + 2]
  if header.kind ~= envelope.CALL or not text or frames[at + 3] then
    return refuse(self, id, "EPROTO", "it is no call")
  end
  local handler = settings.handlers[name]
  if not handler then
    return refuse(self, id, "ENOMETHOD", format("%s has no method %s", settings.service,
      args.shown(name)))
  end
  local list, n = codecs.unpack(settings.codec, text)
  if not list then
    return refuse(self, id, "EPROTO", "the arguments cannot be decoded: " .. n)
  elseif settings.timeout then
    return answer(self, id, name, xpcall(timeouts.timeout, thread.note_traceback, settings.timeout,
      handler, unpack(list, 1, n)))
  end
  return answer(self, id, name, xpcall(handler, thread.note_traceback, unpack(list, 1, n)))
end

local NOTHING = { "" }

local function is_body(body)
  for _, frame in ipairs(body) do
    if type(frame) ~= "string" then
      return false
    end
  end
  return #body > 0 and #body <= mdp.BODY_MOST
end

--- A plain request of MDP, which knows no errors: an empty frame stands for them.
local function plain(self, frames, at)
  local handler = self._settings.handler
  if not handler then
    return NOTHING
  end
  local ok, body = xpcall(handler, thread.note_traceback, { unpack(frames, at) })
  if not ok then
    report(self, body, "(plain)")
    return NOTHING
  end
  body = type(body) == "string" and { body } or body
  if type(body) ~= "table" or not is_body(body) then
    report(self, format("a handler of plain requests must return a string or a list of 1 to %d "
      .. "strings, not %s", mdp.BODY_MOST, args.shown(body)), "(plain)")
    return NOTHING
  end
  return body
end

-- -- The thread -----------------------------------------------------------------------

--- Send an answer over the connection that the request has come from; where that has gone, nobody
-- waits for it. Parks.
local function reply(self, job)
  local conn = job.conn
  if self._conn == conn then
    conn.beat_at = core.now() + self._settings.heartbeat
    conn.socket:send_multipart(mdp.worker(nil, self._settings.version, "final", job.address,
      job.body), self._reply_options)
  end
end

local function work(job)
  local self, frames, at = job.worker, job.frames, job.at
  if job.header then
    job.body = call(self, job.header, frames, at)
  else
    job.body = plain(self, frames, at)
  end
  reply(self, job)
  job.is_told = true
end

local function ended(job)
  local self = job.worker
  self:_job_ended(job)
  if not job.is_told then -- it was killed
    job.body = job.body or job.header and refuse(self, job.header.id, "ECANCELED",
      "the handler was killed") or NOTHING
    core.spawn_n(reply, self, job)
  end
end

--- Begin with a request. Does not park.
function M.start(self, conn, message, frames, header)
  local job = { _exit = ended, worker = self, conn = conn, address = message.address,
    frames = frames, at = message.at, header = header, body = false, is_told = false }
  job.thread = exits.make(2, job, false, work, job)
  core.start(job.thread)
  return job
end

return M
