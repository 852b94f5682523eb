--- How green threads wait for a ZeroMQ socket, and what its calls fail with.
--
-- Who has to wait stands in one of the socket's two lines, for something to receive or for
-- room to send, in order of arrival. Who was told and found nothing stands before those who
-- have not been told yet.
-- @module green.zmq.wait

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"
local thread = require "green.thread"

local ffi = require "ffi"
local zmq = require "green.ffi.zmq"

local now, zmq_park = core.now, core.zmq_park
local failed = thread.failed
local zmq_leave = zmq.leave
local codes = core.codes
local EAGAIN, ECANCELED, EDEADLOCK = codes.EAGAIN, codes.ECANCELED, codes.EDEADLOCK
local FORKED = tonumber(ffi.C.GREEN_ZMQ_FORKED)
local IN, OUT = tonumber(ffi.C.GREEN_ZMQ_IN), tonumber(ffi.C.GREEN_ZMQ_OUT)

local M = { IN = IN, OUT = OUT }

--- Raise for a call in a child of the process that opened the socket; else the error of a
-- call: nil, err.
-- @tparam ?string text instead of the code's
function M.failed(status, op, fields, text)
  if status == FORKED then
    args.misuse("%s: the socket is one of the parent's: a child of a fork opens its own", op)
  elseif status == EAGAIN then
    fields = fields or {}
    fields.is_timeout = true
  end
  return nil, errors.new(status, op, text, fields)
end

--- Wait for one's turn. 0, or a negative status; raises what cancels the thread. Parks.
-- @tparam boolean told whether one had it, and found nothing
-- @tparam ?number deadline absolute seconds
function M.wait(self, direction, told, deadline)
  local status = zmq_park(self._s, direction, told, deadline)
  if status ~= 0 and status ~= FORKED then
    zmq_leave(self._s)
    if status == ECANCELED or status == EDEADLOCK then
      failed(status)
    end
  end
  return status
end

--- When a call must be over that begins now. nil: never.
function M.deadline(timeout)
  return timeout and now() + timeout or nil
end

--- The timeout of one call: a number, or in its options. false: none.
-- @tparam table known the options that the call knows
function M.timeout(opts, default, known, where)
  if type(opts) == "number" then
    return args.number(opts, 0, where, "opts")
  end
  options.check(opts, known, where)
  local timeout = opts.timeout
  if timeout == nil then
    return default
  end
  return args.timeout(timeout, where)
end

return M
