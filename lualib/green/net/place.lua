--- What green.listen and green.connect share: their arguments, and sockets of the right
-- family.
-- @module green.net.place

local addr = require "green.socket.addr"
local args = require "green.args"
local base = require "green.socket.base"
local options = require "green.args.options"
local stream_socket = require "green.socket.stream"

local require, type = require, type -- scripts may put their own there

local STREAM = 1

local M = {}

--- The two or three arguments of listen and connect: port may be left out. elsewhere as of
-- green.args.options.
function M.arguments(port, opts, known, where, elsewhere)
  if type(port) == "table" then
    port, opts = nil, port
  end
  return port, options.check(opts, known, where, elsewhere)
end

function M.check_family(family, where)
  if family ~= nil and family ~= "inet" and family ~= "inet6" then
    options.unknown("family", family, { "inet", "inet6" }, where)
  end
end

local resolvers = { system = true, dns = true }

--- What the option resolver says to green.dns.apart: nil, "system" or "dns"; and the plan of
-- an object of green.dns.resolver.
function M.resolver(value, where)
  if value == nil or type(value) == "string" and resolvers[value] then
    return value
  end
  local plan = type(value) == "table" and require("green.dns.resolver").plan_of(value)
  if not plan then
    args.wrong(where, "resolver", 'what dns.resolver gives, "system" or "dns"', value)
  end
  return nil, plan
end

--- A socket of the address's family.
function M.socket(raw)
  return base.open(addr.families[addr.of(raw).family], STREAM, stream_socket.mt, "socket")
end

--- The host of a target of connect's, a name or an address; nil: it has none.
function M.host(target, port)
  local spot = addr.read(target, port, "connect")
  if spot and spot.host then
    return spot.host
  end
  local raw = spot and spot.raw and addr.of(spot.raw)
  return raw and raw.host or nil
end

--- nil, err; the error is of what the user asked for.
function M.named(err, what)
  err.op = what
  return nil, err
end

return M
