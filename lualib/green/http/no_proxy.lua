--- Hosts that no proxy is asked for: what `no_proxy` says. Private to green.http.
-- @module green.http.no_proxy

local addr = require "green.socket.addr"
local ip = require "green.http.ip"

local ipairs, setmetatable = ipairs, setmetatable -- scripts may put their own there

local methods = {}
local mt = { __index = methods }

local M = {}

--- What an entry says. nil: nothing that can be understood.
local function read_entry(text)
  if text == "*" then
    return { any = true }
  end
  local bytes, bits = ip.block(text)
  bytes = bytes or ip.bytes(text)
  if bytes then
    return { bytes = bytes, bits = bits or #bytes * 8 }
  end
  local host, port = addr.split(text)
  bytes = host and ip.bytes(host)
  if bytes then
    return { bytes = bytes, bits = #bytes * 8, port = port }
  end
  local name = host and host:gsub("^%*?%.", ""):gsub("%.$", "") or ""
  if name ~= "" and not name:find("[/:*%[%]]") then
    return { name = name, port = port }
  end
end

local function is_meant(entry, host, bytes, port)
  if entry.any then
    return true
  elseif entry.port and entry.port ~= port then
    return false
  elseif entry.bytes then
    return bytes ~= nil and #bytes == #entry.bytes and ip.matches(bytes, entry.bytes, entry.bits)
  end
  return host == entry.name or host:sub(-#entry.name - 1) == "." .. entry.name
end

--- Is that host one of them? Does not park.
-- @tparam string host a name, or a numeric address without brackets
-- @tparam number port
function methods:has(host, port)
  if not self[1] then
    return false
  end
  host = host:lower():gsub("%.$", "")
  local bytes = ip.bytes(host)
  for _, entry in ipairs(self) do
    if is_meant(entry, host, bytes, port) then
      return true
    end
  end
  return false
end

--- Read a list of names, which mean what is below them, too, numeric addresses, and blocks
-- ("10.0.0.0/8"), with commas or blanks between them; each but blocks may have a ":port". "*" is
-- all hosts. What cannot be understood is passed over, as others do. Does not park.
-- @tparam string text
function M.read(text)
  local list = {}
  for entry in text:lower():gmatch("[^,%s]+") do
    list[#list + 1] = read_entry(entry)
  end
  return setmetatable(list, mt)
end

return M
