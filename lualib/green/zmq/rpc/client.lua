--- The client: calls of any number of green threads over one socket, and who waits for which
-- answer. Private to green.zmq.rpc; its methods are what rpc.client gives to users.
-- @module green.zmq.rpc.client

local args = require "green.args"
local attempt = require "green.zmq.rpc.attempt"
local class = require "green.args.class"
local codecs = require "green.zmq.rpc.codec"
local core = require "green.core"
local digest = require "green.digest"
local errors = require "green.error"
local jitter = require "green.net.jitter"
local mdp = require "green.zmq.rpc.mdp"
local options = require "green.zmq.rpc.options"
local plain = require "green.zmq.rpc.plain"
local show = require "green.args.show"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local format, min, pcall, setmetatable, tostring, type, unpack = string.format, math.min, pcall,
  setmetatable, tostring, type, unpack

local methods = {}
local mt = { __name = "green.zmq.rpc.client", __index = methods }
local M = {}

local function make(state, way)
  return setmetatable({ _state = state, _way = way }, mt)
end

--- A client, which connects when it is first used. Does not park.
function M.new(broker, opts)
  local settings = options.client(broker, opts, "rpc.client")
  local state = {
    settings = settings,
    prefix = digest.random(4) or "none", -- what its calls' ids begin with
    calls = 0,
    pending = {}, n_pending = 0, -- id -> an event: the answer
    socket = false, reader = false, closed = false,
    counts = { calls = 0, answered = 0, retried = 0, late = 0 },
  }
  return make(state, { timeout = settings.timeout, retries = settings.retries,
    idempotent = settings.idempotent })
end

-- -- Calls ----------------------------------------------------------------------------

--- May a call that has failed be made again? One that has begun, or may have, only where the
-- program says that it does no harm.
local function may_retry(way, err)
  if err.remote then
    return false
  elseif err.code == "EBUSY" then
    return err.sent == false and not err.is_local
  end
  return way.idempotent and (err.code == "ETIMEDOUT" or err.code == "ECONNRESET")
end

local function pause(settings, tries)
  local seconds = min(settings.backoff * 2 ^ tries, settings.max_backoff)
  thread.sleep(seconds * (1 - jitter.fraction() / 2))
end

--- The list of the results and their number; nil, err. Parks.
local function try(self, service, method, text)
  local state, way, tries = self._state, self._way, 0
  while true do
    local list, n = attempt.run(state, way, service, method, text)
    if list or tries >= way.retries or not may_retry(way, n) then
      return list, n
    end
    pause(state.settings, tries)
    tries = tries + 1
    state.counts.retried = state.counts.retried + 1
  end
end

local function encode(codec, ...)
  local ok, text = pcall(codecs.pack, codec, ...)
  if not ok then
    args.misuse("call: the arguments cannot be encoded: %s", tostring(text))
  end
  return text
end

--- Call a method of a service. Parks.
-- @tparam string service
-- @tparam string method
-- @param ... arguments, as the codec can encode them; nil counts
-- @return what the method returned; or nil, err: the method's error, with `err.remote` (a table of
-- its fields); ETIMEDOUT (`err.sent`: it may have been done, and may yet be), ECONNRESET (the
-- worker was lost; sent), ENOSERVICE, ENOMETHOD, EBUSY (the broker's queue is full, or too many
-- calls are under way), EMSGSIZE, EPROTO (what came is no answer), ECLOSED
function methods:call(service, method, ...)
  options.service(service, "call")
  options.service(method, "call", "method")
  local text = encode(self._state.settings.codec, ...)
  thread.checkpoint()
  local list, n = try(self, service, method, text)
  if not list then
    return nil, n
  end
  return unpack(list, 1, n)
end

--- The same client with other options; its socket is shared. Does not park.
-- @tparam table opts `timeout`, `retries`, `idempotent`
-- @return the client
function methods:with(opts)
  return make(self._state, options.with(self._way, opts))
end

-- -- Plain MDP --------------------------------------------------------------------------

local function closed(op)
  return nil, errors.new("ECLOSED", op)
end

--- A request of MDP as it is, for workers of others: frames there, frames back, on a socket of its
-- own, for MDP cannot say which of two requests is answered. It is not repeated. Parks.
-- @tparam string service
-- @tparam table|string frames a list of strings
-- @tparam[opt] function on_partial called with the list of each partial answer (MDP 0.2)
-- @treturn table the frames of the answer; or nil, err: ETIMEDOUT, EPROTO, ECLOSED, what green.zmq
-- gives
function methods:request(service, frames, on_partial)
  options.service(service, "request")
  local body = type(frames) == "string" and { frames } or frames
  args.list(body, "request", "frames", "strings")
  for i = 1, #body do
    args.type(body[i], "string", "request", "a frame")
  end
  if #body == 0 then
    args.wrong("request", "frames", "a list with something in it", frames)
  elseif #body > mdp.BODY_MOST then
    args.misuse("request: frames must be at most %d, not %d", mdp.BODY_MOST, #body)
  elseif on_partial ~= nil then
    args.callable(on_partial, "request", "on_partial")
  end
  thread.checkpoint()
  if self._state.closed then
    return closed("request " .. service)
  end
  return plain.ask(self._state.settings, self._way, service, body, on_partial)
end

--- Is a worker there for a service? (mmi.service of RFC 8) Parks.
-- @tparam string service
-- @treturn boolean; or nil, err: as request
function methods:has(service)
  options.service(service, "has")
  local answer, err = self:request("mmi.service", { service })
  if not answer then
    return nil, err
  elseif answer[1] ~= "200" and answer[1] ~= "404" then
    return nil, errors.new("EPROTO", "has", "the broker answers " .. args.shown(answer[1]))
  end
  return answer[1] == "200"
end

-- -- The rest ---------------------------------------------------------------------------

--- Figures: `pending` calls; counts: `calls`, `answered`, `retried`, `late` answers, which nobody
-- waited for any more. Does not park.
function methods:stats()
  local state = self._state
  local counts = state.counts
  return { pending = state.n_pending, calls = counts.calls, answered = counts.answered,
    retried = counts.retried, late = counts.late }
end

--- End: calls that wait fail with ECLOSED, later ones too. Idempotent, never raises, does not park.
function methods:close()
  local state = self._state
  if not state.closed then
    state.closed = true
    attempt.stop(state, errors.new("ECLOSED", "call", "the client was closed", { sent = true }))
    if state.reader and state.reader ~= core.current() then
      state.reader:kill_soon()
    end
  end
end

show.kind(mt, function(self)
  local state = self._state
  return state.closed and "closed" or format("%s, %d pending", state.settings.broker,
    state.n_pending)
end)
class.seal(mt)

return M
