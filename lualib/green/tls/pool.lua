--- The handshakes that sign in native threads, of all connections of the runtime.
-- @module green.tls.pool

local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"
local options = require "green.args.options"
local thread = require "green.thread"

local ffi = require "ffi"
local C = require "green.ffi.tls_pool"
local tls_api = require "green.ffi.tls"

local tonumber = tonumber -- scripts may put their own there

local EBUSY, ECLOSED, QUEUE = core.codes.EBUSY, core.codes.ECLOSED, core.QUEUE
local MOST = 1000000 -- that may wait, or run

local M = {}

local pool -- core's object, made when first needed
local pool_t = ffi.typeof("green_tls_pool **")

--- The pool; no thread is started before it is used.
-- @return nil, status: ENOMEM; ECLOSED: the runtime ends
function M.pointer()
  if not pool then
    local object, code = core.object("tls_pool")
    if not object then
      return nil, code
    end
    pool = object
  end
  local p = ffi.cast(pool_t, pool)[0]
  if p == nil then
    return nil, ECLOSED
  end
  return p
end

--- Does the handshake of a codec wait for it, or is it there: whoever waited for that may
-- have given up?
function M.has(tls)
  return tls_api.wants_pool(tls) or C.waiters(tls) ~= nil
end

--- A connection's codec; nil: it was closed.
local function codec_of(conn)
  local tls = conn._box.p -- an empty box has a pointer, too
  return tls ~= nil and tls or nil
end

--- Have the handshake of a connection's codec go on in it, or wait for one that is there.
-- Parks.
-- @tparam table conn with its codec in `_box`
-- @tparam ?number deadline
-- @return true; or nil, err: EBUSY (too many wait), ETIMEDOUT (it stays there), ECLOSED,
-- ENOMEM
function M.go(conn, deadline, op)
  local p, code = M.pointer()
  local status = p and 0 or code
  if p and tls_api.wants_pool(conn._box.p) then
    status = C.start(p, conn._box.p)
  end
  if status == EBUSY then
    return nil, errors.new(EBUSY, op, "too many handshakes wait for a native thread")
  end
  while status == 0 do
    local tls = codec_of(conn)
    local queue = tls and C.waiters(tls)
    if tls and queue == nil then
      return true
    end
    status = tls and core.park(queue, deadline, QUEUE) or ECLOSED
  end
  return thread.failed(status, op)
end

local known = { at_once = true, queue = true }

--- See green.tls.pool. Does not park.
function M.numbers(opts)
  opts = options.check(opts, known, "tls.pool")
  local p, code = M.pointer()
  if not p then
    return nil, errors.new(code, "tls.pool")
  end
  if opts.at_once ~= nil then
    p.at_once = args.integer(opts.at_once, 1, "tls.pool", "at_once", MOST)
  end
  if opts.queue ~= nil then
    p.queue = args.integer(opts.queue, 0, "tls.pool", "queue", MOST)
  end
  return { at_once = p.at_once, queue = p.queue, running = p.running, waiting = p.waiting,
    begun = tonumber(p.begun), refused = tonumber(p.refused) }
end

return M
