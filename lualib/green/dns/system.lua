--- Lookups by the system's own getaddrinfo, in a native thread: for names that only its
-- name services know, and where a program or its user wants that.
-- @module green.dns.system

local core = require "green.core"
local addr = require "green.socket.addr"
local errors = require "green.error"
local files = require "green.dns.files"
local natives = require "green.tpool.natives"
local thread = require "green.thread"

local ffi = require "ffi"
local api = require "green.ffi.lookup"

local tostring = tostring

local EAGAIN, QUEUE = core.codes.EAGAIN, core.QUEUE
local PASSIVE = 1

local M = {}

M.types = { stream = 1, dgram = 2, seqpacket = 5 }

-- -- Who wants it -------------------------------------------------------------

local wanted

--- Does the environment say that the system looks all names up? GREENLUA_RESOLVER=system,
-- or Eventlet's EVENTLET_NO_GREENDNS=yes.
function M.is_wanted()
  if wanted == nil then
    local own = files.env("GREENLUA_RESOLVER")
    wanted = own == "system"
      or own == nil and (files.env("EVENTLET_NO_GREENDNS") or ""):lower() == "yes"
  end
  return wanted
end

-- -- The pool -----------------------------------------------------------------

local pool -- core's object, made when first needed; older than every lookup
local pool_t, lookup_t = ffi.typeof("green_tpool **"), ffi.typeof("green_lookup **")

--- The runtime's pool of native threads; none is started before the first job.
-- nil, err: ENOMEM; ECLOSED: the runtime ends.
function M.pool()
  if not pool then
    local object, code = core.object("tpool")
    if not object then
      return nil, errors.new(code, "native pool")
    end
    pool = natives.add(object, "dns")
  end
  local p = ffi.cast(pool_t, pool)[0]
  if p == nil then
    return nil, errors.new("ECLOSED", "native pool")
  end
  return p
end

-- -- Lookups ------------------------------------------------------------------

local function start(host, service, hint, op)
  local p, err = M.pool()
  if not p then
    return nil, err
  end
  local object = core.object("lookup")
  local status = api.start(object, p, host, service and tostring(service), hint)
  if status < 0 then
    return nil, errors.new(status, op)
  end
  return object
end

--- The result, or a negative status of a wait. Parks.
local function wait(lookup, deadline)
  local queue = api.waiters(lookup)
  while true do
    local n = api.result(lookup)
    if n ~= EAGAIN then
      return n, true
    end
    local status = core.park(queue, deadline, QUEUE)
    if status ~= 0 then
      return status, false
    end
  end
end

local function copies(lookup, n)
  local list = {}
  for i = 1, n do
    list[i] = addr.new()
    ffi.copy(list[i], api.addr(lookup, i - 1), ffi.sizeof(list[i]))
  end
  return list
end

local function hint_of(opts)
  return ffi.new("green_lookup_hint", {
    family = opts.family and addr.families[opts.family] or 0,
    type = M.types[opts.type or "stream"],
    flags = opts.passive and PASSIVE or 0,
  })
end

--- A list of green_addr. A thread that is abandoned in the middle leaves the lookup to the
-- collector. Parks.
-- @tparam table opts `family`, `type`, `passive`
function M.ask(host, service, opts, deadline, op)
  core.waiter() -- where that raises, nothing is asked
  local object, err = start(host, service, hint_of(opts), op)
  if not object then
    return nil, err
  end
  local lookup = ffi.cast(lookup_t, object)[0]
  local n, answered = wait(lookup, deadline)
  local list = n > 0 and copies(lookup, n)
  core.release(object)
  if list then
    return list
  elseif answered then
    return nil, errors.new(n, op)
  end
  return thread.failed(n, op)
end

return M
