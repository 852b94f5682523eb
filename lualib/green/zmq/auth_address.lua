--- Lists of addresses that may, or may not, connect.
-- @module green.zmq.auth_address

local args = require "green.args"
local ip = require "green.http.ip"

local ipairs, select, tonumber = ipairs, select, tonumber

local MAPPED = ("\0"):rep(10) .. "\255\255" -- before an IPv4 address in IPv6's form
local MAPPED_BITS = #MAPPED * 8

local M = {}

--- IPv4 in IPv6's form is IPv4: who is shut out by one shall not come in by the other. A block
-- that has more than IPv4 in it is IPv6's.
local function plain(bytes, bits)
  if not bytes then
    return nil
  end
  bits = bits or #bytes * 8
  if #bytes == 16 and bits >= MAPPED_BITS and bytes:sub(1, 12) == MAPPED then
    return bytes:sub(13), bits - MAPPED_BITS
  end
  return bytes, bits
end

--- What a text stands for; a wrong one raises.
local function entry_of(text, where)
  args.type(text, "string", where, "address")
  local uid = text:match("^ipc:(%d+)$")
  if text == "ipc" or uid then
    return { ipc = true, uid = tonumber(uid) }
  end
  local bytes, bits = ip.block(text)
  bytes, bits = plain(bytes or ip.bytes(text), bits)
  if not bytes then
    args.wrong(where, "address",
      'an IP address, a block of them ("10.0.0.0/8"), "ipc" or "ipc:UID"', text)
  end
  return { bytes = bytes, bits = bits }
end

--- Add addresses to a list.
function M.add(list, where, ...)
  local new = {}
  for i = 1, select("#", ...) do
    new[i] = entry_of((select(i, ...)), where)
  end
  for _, entry in ipairs(new) do
    list[#list + 1] = entry
  end
end

--- What libzmq says of a peer: bytes of an IP address, or a user's number of an ipc one; nil:
-- neither.
function M.read(text)
  local uid = text:match("^[^:]*:(%d+):%d+:%d+$")
  if uid then
    return { ipc = true, uid = tonumber(uid) }
  end
  local bytes = plain(ip.bytes((text:gsub("^%[(.*)%]$", "%1"))))
  return bytes and { bytes = bytes }
end

--- Is that address in the list?
function M.has(list, address)
  for _, entry in ipairs(list) do
    if entry.ipc then
      if address.ipc and (not entry.uid or entry.uid == address.uid) then
        return true
      end
    elseif address.bytes and #address.bytes == #entry.bytes
      and ip.matches(address.bytes, entry.bytes, entry.bits) then
      return true
    end
  end
  return false
end

return M
