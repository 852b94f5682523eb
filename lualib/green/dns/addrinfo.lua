--- getaddrinfo with all its flags.
-- @module green.dns.addrinfo

local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local found = require "green.dns.spots"
local resolve = require "green.socket.resolve"

local tonumber = tonumber

local M = {}

local known = {}
for _, name in ipairs { "family", "type", "passive", "timeout", "resolver", "numeric_host",
  "numeric_service", "canonname", "v4mapped", "all", "addrconfig" } do
  known[name] = true
end

--- The family that is asked for where this machine has not both; false: it has not the one
-- that is wanted.
local function reachable(family)
  local inet = family ~= "inet6" and found.reaches("inet")
  local inet6 = family ~= "inet" and found.reaches("inet6")
  if inet and inet6 then
    return family
  elseif inet or inet6 then
    return inet and "inet" or "inet6"
  end
  return family == nil and nil -- it reaches nobody: whoever asks means itself
end

local function with_family(opts, family)
  return { family = family, type = opts.type, passive = opts.passive, timeout = opts.timeout,
    resolver = opts.resolver }
end

--- IPv4's spots as addresses of IPv6.
local function mapped(spots)
  local list = { canonical = spots.canonical }
  for i = 1, #spots do
    local host = "::ffff:" .. spots[i].host
    list[i] = { family = "inet6", host = host }
  end
  return list
end

--- IPv6's, and with `all`, or where there are none, IPv4's among them. Parks.
local function six_or_mapped(host, service, opts, plan)
  local spots, port = resolve.spots(host, service, with_family(opts, "inet6"), plan)
  if spots and not opts.all or not spots and not (port:is("EAI_FAMILY") or port:is("EAI_NONAME"))
  then
    return spots, port
  end
  local four, err = resolve.spots(host, service, with_family(opts, "inet"), plan)
  if not four then
    return spots, spots and port or err
  end
  local list = mapped(four)
  for i = spots and #spots or 0, 1, -1 do
    table.insert(list, 1, { family = "inet6", host = spots[i].host })
  end
  return list, err
end

local function find_spots(host, service, opts, plan)
  local is_name = host and not resolve.is_number(host)
  if is_name and opts.numeric_host then
    return nil, errors.new("EAI_NONAME", resolve.op(host, service), "only a number was allowed")
  end
  local family = opts.family
  if is_name and opts.addrconfig then
    family = reachable(family)
    if family == false then
      return nil, errors.new("EAI_FAMILY", resolve.op(host, service),
        "this machine has no address of that family")
    end
  end
  if opts.v4mapped and opts.family == "inet6" then
    return six_or_mapped(host, service, opts, plan)
  end
  if family ~= opts.family then
    opts = with_family(opts, family)
  end
  return resolve.spots(host, service, opts, plan)
end

--- Address objects of spots that others have, too.
local function shared(spots, port)
  local list = { addr.object(spots[1].family, spots[1].host, port), nil }
  for i = 2, #spots do
    list[i] = addr.object(spots[i].family, spots[i].host, port)
  end
  return list
end

--- The spots of one lookup become address objects themselves.
local function own(spots, port)
  addr.adopt(spots[1], port)
  for i = 2, #spots do
    addr.adopt(spots[i], port)
  end
  if spots.canonical then
    spots.canonical = nil
  end
  return spots
end

--- See green.dns.getaddrinfo. Parks for names.
function M.getaddrinfo(plan, host, service, opts)
  opts = resolve.check(host, service, opts, "getaddrinfo", known)
  if opts.numeric_service and service ~= nil and not tonumber(service) then
    return nil, errors.new("EAI_SERVICE", resolve.op(host, service), "only a number was allowed")
  end
  local spots, port = find_spots(host, service, opts, plan)
  if not spots then
    return nil, port
  end
  local canonical = spots.canonical
  local list = spots.till and shared(spots, port) or own(spots, port)
  if opts.canonname then
    list.canonname = canonical or host
  end
  return list
end

--- See green.dns.gethostbyname. Parks.
function M.gethostbyname(plan, host)
  args.type(host, "string", "gethostbyname", "name")
  local spots, err = resolve.spots(host, nil, { family = "inet" }, plan)
  if not spots then
    return nil, err
  end
  return spots[1].host
end

return M
