--- Numeric addresses as bytes, and blocks of them ("10.0.0.0/8").
-- @module green.http.ip

local addr = require "green.socket.addr"

-- Scripts may put their own in their places.
local floor, tonumber = math.floor, tonumber

local M = {}

--- The 4 or 16 bytes of a numeric host without brackets; nil: it is none. Does not park.
-- @tparam string host
-- @treturn ?string
function M.bytes(host)
  local raw = addr.ip(host, 0)
  return raw and addr.bytes(raw) or nil
end

--- The same of an address object of green.socket.addr; nil: it is one of UNIX.
-- @param address
-- @treturn ?string
function M.of(address)
  local raw = not address.path and addr.raw(address)
  return raw and addr.bytes(raw) or nil
end

--- Have both the same first bits? They are equally long. Does not park.
-- @tparam string a
-- @tparam string b
-- @tparam number bits
-- @treturn boolean
function M.matches(a, b, bits)
  local whole = floor(bits / 8)
  if a:sub(1, whole) ~= b:sub(1, whole) then
    return false
  end
  local rest = 2 ^ (8 - bits % 8)
  return bits % 8 == 0
    or floor(a:byte(whole + 1) / rest) == floor(b:byte(whole + 1) / rest)
end

--- A block of "address/bits": its first address and the bits. nil: it is none.
-- Does not park.
-- @tparam string text
-- @return bytes, bits
function M.block(text)
  local host, bits = text:match("^(.*)/(%d%d?%d?)$")
  local bytes = host and M.bytes(host)
  bits = tonumber(bits)
  if bytes and bits <= #bytes * 8 then
    return bytes, bits
  end
end

return M
