--- Addresses to names of hosts and services.
-- @module green.dns.nameinfo

local addr = require "green.socket.addr"
local answers = require "green.dns.answer"
local args = require "green.args"
local errors = require "green.error"
local files = require "green.dns.files"
local names = require "green.dns.names"
local options = require "green.args.options"
local plans = require "green.dns.plan"
local queries = require "green.dns.query"
local records = require "green.dns.records"
local thread = require "green.thread"

local ffi = require "ffi"
local addr_api = require "green.ffi.addr"
local hosts_api = require "green.ffi.hosts"

local sub, tostring = string.sub, tostring

local M = {}

local PTR = answers.types.PTR
local known = { namereqd = true, numeric_host = true, numeric_service = true, nofqdn = true,
  dgram = true, timeout = true }

local MAPPED = ("\0"):rep(10) .. "\255\255"

--- IPv4's address in one of IPv6 that carries it (::ffff:a.b.c.d); others as they are.
local function unmapped(raw)
  local bytes = addr.bytes(raw)
  if #bytes ~= 16 or sub(bytes, 1, 12) ~= MAPPED then
    return raw
  end
  local four = addr.new()
  addr_api.of(four, sub(bytes, 13), 4, 0, 0)
  return four
end

--- The first name of an address in a hosts table, or nil.
local function in_hosts(plan, raw)
  local line = plan.hosts and hosts_api.line_of(plan.hosts, raw, -1) or -1
  if line < 0 then
    return nil
  end
  local len = ffi.new("uint32_t[1]")
  local name = hosts_api.name(plan.hosts, line, 0, len)
  return ffi.string(name, len[0])
end

--- Its name by name servers; nil: it has none; nil, err. Parks.
local function asked(plan, raw, deadline, op)
  local entry, err = queries.entry(plan, names.reverse(raw), PTR, deadline, op)
  if not entry then
    return nil, err
  end
  local list = entry.count > 0 and records.list(entry)
  return list and list[1] and list[1].host or nil
end

--- Without the domain that this machine is in, too.
local function short(plan, name)
  local domain = plan.search[1]
  local tail = domain and "." .. domain:lower()
  if tail and #name > #tail and name:sub(-#tail):lower() == tail then
    return name:sub(1, -#tail - 1)
  end
  return name
end

local function host_of(plan, raw, object, opts, op)
  if opts.numeric_host then
    return object.host
  end
  plans.refresh(plan)
  raw = unmapped(raw)
  local name, err = in_hosts(plan, raw), nil
  if not name then
    name, err = asked(plan, raw, thread.deadline(opts.timeout), op)
  end
  if name then
    return opts.nofqdn and short(plan, name) or name
  elseif err and (opts.namereqd or err:is("ETIMEDOUT")) then
    return nil, err
  elseif opts.namereqd then
    return nil, errors.new("EAI_NONAME", op, "the address has no name")
  end
  return object.host
end

local function service_of(object, opts)
  local name = not opts.numeric_service
    and files.service(object.port, opts.dgram and "udp" or "tcp")
  return name or tostring(object.port)
end

--- See green.dns.getnameinfo. Parks.
function M.getnameinfo(plan, address, opts)
  opts = options.check(opts, known, "getnameinfo")
  args.timeout(opts.timeout, "getnameinfo")
  thread.checkpoint()
  local spot, err = addr.read(address, nil, "getnameinfo")
  if not spot then
    return nil, err
  end
  local op = "name of " .. addr.text(address)
  local object = spot.raw and addr.of(spot.raw)
  if not object or not object.host then
    return nil, errors.new("EINVAL", op, "an address of IPv4 or IPv6 is wanted")
  end
  local host
  host, err = host_of(plan, spot.raw, object, opts, op)
  if not host then
    return nil, err
  end
  return host, service_of(object, opts)
end

return M
