--- Which addresses are of the public Internet: for requests that strangers ask for.
--
-- A service that fetches what strangers name must not reach what stands beside it: the
-- machine itself, the local network, the metadata of a cloud. A check of the name is no
-- help, for a name may mean another address the next time. So each address is asked for
-- here, just before the connect to it.
--
-- What IANA's registries of special-purpose addresses name is not public (RFC 6890, and
-- the RFCs beside each block), nor is multicast, nor what has not been given to anyone.
-- Of the few special addresses that may be reached from everywhere (anycast for relays and
-- the like) none is for strangers, and so they are not public here.
-- @module green.http.public

local addr = require "green.socket.addr"
local args = require "green.args"
local errors = require "green.error"
local ip = require "green.http.ip"

-- Scripts may put their own in their places.
local ipairs, tostring, type = ipairs, tostring, type

local M = {}

-- A block, what it is, and where that stands.
local V4 = {
  { "0.0.0.0/8", "this network", "RFC 791" },
  { "10.0.0.0/8", "private", "RFC 1918" },
  { "100.64.0.0/10", "shared by a carrier", "RFC 6598" },
  { "127.0.0.0/8", "loopback", "RFC 1122" },
  { "169.254.0.0/16", "link-local", "RFC 3927" },
  { "172.16.0.0/12", "private", "RFC 1918" },
  { "192.0.0.0/24", "protocol assignments", "RFC 6890" },
  { "192.0.2.0/24", "documentation", "RFC 5737" },
  { "192.31.196.0/24", "AS112", "RFC 7535" },
  { "192.52.193.0/24", "AMT", "RFC 7450" },
  { "192.88.99.0/24", "6to4 relay", "RFC 7526" },
  { "192.168.0.0/16", "private", "RFC 1918" },
  { "192.175.48.0/24", "AS112", "RFC 7534" },
  { "198.18.0.0/15", "benchmarking", "RFC 2544" },
  { "198.51.100.0/24", "documentation", "RFC 5737" },
  { "203.0.113.0/24", "documentation", "RFC 5737" },
  { "224.0.0.0/4", "multicast", "RFC 5771" },
  { "255.255.255.255/32", "broadcast", "RFC 919" },
  { "240.0.0.0/4", "reserved", "RFC 1112" },
}

-- The same; and behind, at which byte an IPv4 address stands that decides.
local V6 = {
  { "::/128", "unspecified", "RFC 4291" },
  { "::1/128", "loopback", "RFC 4291" },
  { "::ffff:0:0/96", "IPv4-mapped", "RFC 4291", 13 },
  { "64:ff9b::/96", "NAT64", "RFC 6052", 13 },
  { "64:ff9b:1::/48", "local NAT64", "RFC 8215" },
  { "100::/64", "discarded", "RFC 6666" },
  { "2001::/32", "Teredo", "RFC 4380" },
  { "2001:2::/48", "benchmarking", "RFC 5180" },
  { "2001:10::/28", "ORCHID", "RFC 4843" },
  { "2001:20::/28", "ORCHID", "RFC 7343" },
  { "2001::/23", "protocol assignments", "RFC 2928" },
  { "2001:db8::/32", "documentation", "RFC 3849" },
  { "2002::/16", "6to4", "RFC 3056", 3 },
  { "2620:4f:8000::/48", "AS112", "RFC 7534" },
  { "3fff::/20", "documentation", "RFC 9637" },
  { "2000::/3", nil, "RFC 4291" }, -- all the rest of it is public
  { "fc00::/7", "unique local", "RFC 4193" },
  { "fe80::/10", "link-local", "RFC 4291" },
  { "fec0::/10", "site-local", "RFC 3879" },
  { "ff00::/8", "multicast", "RFC 4291" },
  { "::/0", "reserved", "RFC 4291" },
}

--- The first block that has the address. Blocks are read when they are first needed.
local function block_of(bytes, list)
  for _, block in ipairs(list) do
    if not block.first then
      block.first, block.bits = ip.block(block[1])
    end
    if ip.matches(bytes, block.first, block.bits) then
      return block
    end
  end
end

--- nil if those bytes are public; else the block that they are in.
local function refused_by(bytes)
  local block = block_of(bytes, #bytes == 4 and V4 or V6)
  if block and block[4] then
    return refused_by(bytes:sub(block[4], block[4] + 3))
  end
  return block and block[2] and block or nil
end

--- Is the address public? Does not park.
-- @param address an address object of green.socket, or a numeric host without brackets
-- @treturn boolean
-- @treturn ?string why not: "loopback", "private", ...
function M.is_public(address)
  local bytes
  if addr.is_address(address) then
    bytes = ip.of(address)
  elseif type(address) == "string" then
    bytes = ip.bytes(address)
  else
    args.wrong("is_public", "address", "an address or a numeric host", address)
  end
  if not bytes then
    return false, "not an Internet address"
  end
  local block = refused_by(bytes)
  return block == nil, block and block[2] or nil
end

--- Check what an option `allow` may be: nil, false, "public", or a function.
-- @return allow
function M.option(allow, where)
  if allow and allow ~= "public" and not args.is_callable(allow)
    and type(allow) ~= "function" then
    args.wrong(where, "allow", '"public", a function or false', allow)
  end
  return allow
end

--- May there be a connection to the address? To be asked for each address, just before
-- each connect. Parks if the function does.
-- @param allow nil: to any; "public"; or a function: allow(address) is true if there
-- may, else a false value and perhaps a text that says why not
-- @param address an address object of green.socket
-- @return true; or nil, err: EACCES, with `address` (its text) and `reason`
function M.check(allow, address)
  if allow == nil then
    return true
  end
  local ok, reason
  if allow == "public" then
    ok, reason = M.is_public(address)
  else
    ok, reason = allow(address)
  end
  if ok then
    return true
  end
  local text = tostring(address)
  reason = type(reason) == "string" and reason or "not allowed"
  return nil, errors.new("EACCES", "connect " .. text,
    ("no connection to this address is allowed: %s"):format(reason),
    { address = text, reason = reason })
end

return M
