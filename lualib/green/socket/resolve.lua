--- Lookups of names for the modules that take addresses; green.resolve is for programs.
-- @module green.socket.resolve

local core = require "green.core"
local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"
local thread = require "green.thread"

local ffi = require "ffi"
local api = require "green.ffi.lookup"

local EAGAIN, QUEUE = core.codes.EAGAIN, core.QUEUE
local PASSIVE = 1
local types = { stream = 1, dgram = 2, seqpacket = 5 }

local M = {}

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
    pool = object
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

-- A thread that is abandoned in the middle leaves the object to the collector.
local function ask(host, service, hint, opts, op)
  core.waiter() -- where that raises, nothing is asked
  local object, err = start(host, service, hint, op)
  if not object then
    return nil, err
  end
  local lookup = ffi.cast(lookup_t, object)[0]
  local n, answered = wait(lookup, thread.deadline(opts.timeout))
  local list = n > 0 and copies(lookup, n)
  core.release(object)
  if list then
    return list
  elseif answered then
    return nil, errors.new(n, op)
  end
  return thread.failed(n, op)
end

-- -- Numbers ------------------------------------------------------------------

local any = { inet = "0.0.0.0", inet6 = "::" }
local own = { inet = "127.0.0.1", inet6 = "::1" }

--- A list of one address if nothing has to be asked for; or nil, err; or nil.
local function numeric(host, service, opts, op)
  local port, family = tonumber(service or 0), opts.family
  if not port then
    return nil
  end
  local raw, err = addr.ip(host, port)
  if raw then
    if family and addr.of(raw).family ~= family then
      return nil, errors.new("EAI_FAMILY", op)
    end
    return { raw }
  elseif not err:is("EAI_NONAME") then
    return nil, errors.new(err.code, op, err:is("EINVAL") and addr.NO_NUMBER or nil)
  end
end

local known = { family = true, type = true, passive = true, timeout = true }

local function check_arguments(host, service, opts)
  args.optional(host, "string", "getaddrinfo", "host")
  if service ~= nil and type(service) ~= "string" and type(service) ~= "number" then
    args.wrong("getaddrinfo", "service", "a number or the name of a service", service)
  end
  opts = options.check(opts, known, "getaddrinfo")
  args.timeout(opts.timeout, "getaddrinfo")
  if opts.family and not (opts.family == "inet" or opts.family == "inet6") then
    options.unknown("family", opts.family, { "inet", "inet6" }, "getaddrinfo")
  end
  if opts.type and not types[opts.type] then
    options.unknown("type", opts.type, types, "getaddrinfo")
  end
  return opts
end

--- What is tried, for errors: with the service where that is what may be wrong.
local function op_of(host, service)
  local is_told = host and service and (not tonumber(service) or addr.is_bad_port(service))
  return "resolve " .. (is_told and addr.text(host, service) or tostring(host or service))
end

--- As green.resolve's getaddrinfo, but a list of green_addr. Parks.
function M.lookup(host, service, opts)
  opts = check_arguments(host, service, opts)
  local op = op_of(host, service)
  host = host or (opts.passive and any or own)[opts.family or "inet"]
  thread.checkpoint()
  if addr.is_bad_port(service) then -- the system takes it modulo 65536
    return nil, errors.new("EINVAL", op, addr.NO_PORT)
  end
  local list, err = numeric(host, service, opts, op)
  if list or err then
    return list, err
  end
  local hint = ffi.new("green_lookup_hint", {
    family = opts.family and addr.families[opts.family] or 0,
    type = types[opts.type or "stream"],
    flags = opts.passive and PASSIVE or 0,
  })
  return ask(host, service, hint, opts, op)
end

return M
