--- Names before anybody is asked: what they are, and what needs no question.
-- @module green.dns.names

local ffi = require "ffi"

local addr = require "green.socket.addr"
local codes = require "green.core".codes
local host_api = require "green.ffi.dns_host"
local name_api = require "green.ffi.dns_name"

local bit = require "bit"

local band, find, byte, lower, sub = bit.band, string.find, string.byte, string.lower, string.sub
local format, gsub, reverse = string.format, string.gsub, string.reverse
local ffi_string, require = ffi.string, require

local M = {}

local DOT = 46

-- GREEN_DNS_HOST_*
local WHOLE, LOCALHOST, NOWHERE, LOCAL = 1, 2, 4, 8

local TEXT = 256 -- GREEN_IDNA_TEXT

--- In the form that messages carry: with its labels as in ASCII (IDNA).
local function to_ascii(name)
  local idna = require "green.ffi.idna"
  local text, why = ffi.new("char[?]", TEXT), ffi.new("green_idna_error")
  local n = idna.to_ascii(text, TEXT, name, #name, why)
  if n < 0 then
    return nil, ffi_string(why.text)
  end
  return ffi_string(text, n)
end

local parsed = ffi.new("green_dns_host")

--- A host's name in small letters without a dot at its end, and its flags.
-- @return nil, why: it can be no host's name
function M.read(host)
  local status = host_api.read(parsed, host, #host)
  if status == codes.EOPNOTSUPP then
    local ascii, why = to_ascii(host)
    if not ascii then
      return nil, why
    end
    status = host_api.read(parsed, ascii, #ascii)
  end
  if status < 0 then
    return nil, status == codes.EINVAL and M.NO_NUMBER or "that can be no name"
  end
  return ffi_string(parsed.text, parsed.len), parsed.flags
end

--- Any name of DNS, not only a host's: in small letters without a dot at its end. nil, why.
function M.plain(name)
  local why
  if find(name, "[\128-\255]") then
    name, why = to_ascii(name)
  end
  if name and #name > 1 and byte(name, #name) == DOT and byte(name, #name - 1) ~= 92 then
    name = sub(name, 1, -2)
  end
  return name and lower(name), why
end

M.NO_NUMBER = "no such numeric address"

--- Did it end in a dot? Then it is whole, and no search list is for it.
function M.is_whole(flags)
  return band(flags, WHOLE) ~= 0
end

--- This machine, whatever files and servers say (RFC 6761, 6.3).
function M.is_localhost(flags)
  return band(flags, LOCALHOST) ~= 0
end

--- Names that nobody has, by agreement (RFC 6761, 6.4; RFC 7686): nobody is asked.
function M.is_nowhere(flags)
  return band(flags, NOWHERE) ~= 0
end

--- Names of multicast DNS (RFC 6762).
function M.is_local(flags)
  return band(flags, LOCAL) ~= 0
end

local function dots(name)
  local n, at = 0, 0
  while true do
    at = find(name, ".", at + 1, true)
    if not at then
      return n
    end
    n = n + 1
  end
end

--- What is asked for in turn, for a name as a user gives it (resolv.conf(5)).
function M.candidates(name, is_whole, search, ndots)
  if is_whole or #search == 0 then
    return { name }
  end
  local list, n = {}, 0
  local has_own = dots(name) >= ndots
  if has_own then
    n, list[1] = 1, name
  end
  for i = 1, #search do
    local is_own = search[i] == "."
    local full = is_own and name or name .. "." .. lower(search[i])
    if #full <= 253 and not (is_own and has_own) then
      n = n + 1
      list[n] = full
    end
    has_own = has_own or is_own
  end
  if not has_own then
    list[n + 1] = name
  end
  return list
end

local packed = ffi.new("char[?]", 255) -- GREEN_DNS_NAME_WIRE

--- Can that be a domain? "." is the root.
function M.is_domain(text)
  return name_api.pack(text, #text, packed, 255) >= 0
end

local function nibbles(c)
  local value = byte(c)
  return format("%x.%x.", value % 16, (value - value % 16) / 16)
end

--- The name under which a green_addr of IPv4 or IPv6 is looked up backwards.
function M.reverse(raw)
  local bytes = reverse(addr.bytes(raw))
  if #bytes == 4 then
    return format("%d.%d.%d.%d.in-addr.arpa", byte(bytes, 1, 4))
  end
  return gsub(bytes, ".", nibbles) .. "ip6.arpa"
end

return M
