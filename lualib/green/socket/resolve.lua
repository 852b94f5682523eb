--- Lookups of names for the modules that take addresses; green.resolve and green.dns are for
-- programs.
--
-- What is found are spots: a list, best first, of `{ family, host }`, host as text. The port is
-- told apart. Nobody changes a spot.
-- @module green.socket.resolve

local core = require "green.core"
local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"
local thread = require "green.thread"

local addr_api = require "green.ffi.addr"

local byte, find, tonumber, tostring, type = string.byte, string.find, tonumber, tostring, type
local require = require

local M = {}

-- What looks names up is loaded with the first name: programs that use none start faster.
local lookups, plans, files, system

local function require_all()
  lookups, plans = require "green.dns.lookup", require "green.dns.plan"
  files, system = require "green.dns.files", require "green.dns.system"
end

-- -- The plan of all who have no resolver of their own ------------------------

local plan

--- It reads the system's files when they are first needed.
function M.plan()
  if not plan then
    require_all()
    plan = plans.new({})
  end
  return plan
end

-- -- Numbers ------------------------------------------------------------------

local any = { inet = "0.0.0.0", inet6 = "::" }
local own = { inet = "127.0.0.1", inet6 = "::1" }
local ZERO, NINE = 48, 57

--- IPv6 has a colon, IPv4 ends in a digit. Both are looked at closer by addr.ip.
local function may_be_number(host)
  local last = byte(host, #host)
  return last ~= nil and last >= ZERO and last <= NINE or find(host, ":", 1, true) ~= nil
end

--- Is it a number, right or wrong?
function M.is_number(host)
  local raw, err = nil, nil
  if may_be_number(host) then
    raw, err = addr.ip(host, 0)
  end
  return raw ~= nil or err ~= nil and not err:is("EAI_NONAME")
end

--- Why a host that looks like a number is none.
local function no_number(host)
  if find(host, "://", 1, true) then
    return "a host is wanted, and no URL (green.url takes it apart)"
  elseif find(host, "^[^:]+:%w*$") then
    return "the port is an argument of its own, behind the host"
  end
  return addr.NO_NUMBER
end

--- Spots of a number; nil, err: it is a wrong one; nil: it is a name.
local function numeric(host, family, op)
  local raw, err = addr.ip(host, 0)
  if raw then
    local object = addr.of(raw)
    if family and object.family ~= family then
      return nil, errors.new("EAI_FAMILY", op)
    end
    return { { family = object.family, host = object.host } }
  elseif not err:is("EAI_NONAME") then
    return nil, errors.new(err.code, op, err:is("EINVAL") and no_number(host) or nil)
  end
end

-- -- Arguments ----------------------------------------------------------------

local types = { stream = "tcp", dgram = "udp", seqpacket = "tcp" }
local known = { family = true, type = true, passive = true, timeout = true, resolver = true }

local function check_resolver(value, where)
  if value == nil or value == "system" or value == "dns" then
    return
  elseif type(value) == "table" and type(value.getaddrinfo) == "function" then
    args.misuse("%s: a resolver of one's own is asked itself: resolver:%s(...)", where, where)
  end
  options.unknown("resolver", value, { "system", "dns" }, where)
end

local function check_options(opts, where, also)
  opts = options.check(opts, also or known, where)
  args.timeout(opts.timeout, where)
  if opts.family and not (opts.family == "inet" or opts.family == "inet6") then
    options.unknown("family", opts.family, { "inet", "inet6" }, where)
  end
  if opts.type and not types[opts.type] then
    options.unknown("type", opts.type, types, where)
  end
  check_resolver(opts.resolver, where)
  return opts
end

--- Check the arguments of getaddrinfo or its like; the options.
function M.check(host, service, opts, where, also)
  args.optional(host, "string", where, "host")
  if service ~= nil and type(service) ~= "string" and type(service) ~= "number" then
    args.wrong(where, "service", "a number or the name of a service", service)
  end
  return opts and check_options(opts, where, also) or {}
end

--- What is tried, for errors: with the service where that is what may be wrong.
function M.op(host, service)
  local is_told = host and service and (not tonumber(service) or addr.is_bad_port(service))
  local text = is_told and addr.text(host, service) or tostring(host or service)
  return "resolve " .. (text == "" and '""' or text)
end

-- -- Services -----------------------------------------------------------------

--- The port of a service, 0 for none; nil, err.
local function port_of(host, service, opts)
  local port = service == nil and 0 or tonumber(service)
  if port and addr.is_bad_port(port) then -- the system takes it modulo 65536
    return nil, errors.new("EINVAL", M.op(host, service), addr.NO_PORT)
  elseif not port then
    M.plan()
    port = files.port(service, types[opts.type or "stream"])
    if not port then
      return nil, errors.new("EAI_SERVICE", M.op(host, service))
    end
  end
  return port
end

-- -- Hosts --------------------------------------------------------------------

--- Of the system's answer, a list of green_addr.
local function spots_of(list, err)
  if not list then
    return nil, err
  end
  for i = 1, #list do
    local object = addr.of(list[i])
    list[i] = { family = object.family, host = object.host }
  end
  return list
end

--- Does the system look all names up?
function M.is_systems(opts)
  return opts.resolver == "system" or opts.resolver == nil and system.is_wanted()
end
local is_systems = M.is_systems

--- Spots of a name. Parks.
local function of_name(whose, host, service, opts, deadline)
  local spots, err
  if opts.resolver == "dns" or whose ~= plan or not is_systems(opts) then
    spots, err = lookups.spots(whose, host, service, opts.family, deadline)
    if spots or err ~= lookups.SYSTEM then
      return spots, err
    end
  end
  return spots_of(system.ask(host, nil, opts, deadline, M.op(host, service)))
end

--- Spots of a host that were found less than a second ago, or nil.
local function recent(whose, host, opts)
  local front = whose and opts.resolver == nil and whose[opts.family or "any"]
  local found = front and front:get(host)
  return found and core.now() < found.till and found or nil
end

--- What can be told of a host and service without a question. Does not park.
-- @return spots or nil, port; nil, nil, err
function M.at_once(host, service, opts, whose)
  host = host or (opts.passive and any or own)[opts.family or "inet"]
  local port, err = port_of(host, service, opts)
  if not port then
    return nil, nil, err
  end
  local spots = recent(whose or plan, host, opts)
  if not spots and may_be_number(host) then
    spots, err = numeric(host, opts.family, M.op(host, service))
  end
  return spots, not err and port or nil, err
end

--- Ask the system: a list of green_addr. Parks.
function M.ask_system(host, opts, port, deadline, op)
  local list, err = system.ask(host, nil, opts, deadline, op)
  for i = 1, list and #list or 0 do
    addr_api.set_port(list[i], port)
  end
  return list, err
end

--- Spots of a host and the port of a service; nil, err. Arguments were checked. whose: a
-- plan other than that of all. Parks for names.
function M.spots(host, service, opts, whose)
  thread.checkpoint()
  local spots, port, err = M.at_once(host, service, opts, whose)
  if spots then
    return spots, port
  elseif err then
    return nil, err
  end
  if not whose or not lookups then
    M.plan()
  end
  local deadline = opts.timeout and thread.deadline(opts.timeout)
  spots, err = of_name(whose or plan, host, service, opts, deadline)
  return spots, spots and port or err
end

--- The green_addr of a spot, with a port.
function M.raw(spot, port)
  return addr.ip(spot.host, port)
end

--- As green.resolve's getaddrinfo, but a list of green_addr. Parks.
function M.lookup(host, service, opts)
  local spots, port = M.spots(host, service, M.check(host, service, opts, "getaddrinfo"))
  if not spots then
    return nil, port
  end
  local list = {}
  for i = 1, #spots do
    list[i] = M.raw(spots[i], port)
  end
  return list
end

return M
