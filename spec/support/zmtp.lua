-- A ZMTP 3.0 peer by hand, for specs: what it sends need not be right.

local green = require "green"

local M = {}

local NULL = "NULL" .. ("\0"):rep(16)

--- The 64 bytes that each side begins with.
function M.greeting(mechanism)
  return "\255" .. ("\0"):rep(8) .. "\127\3\0" .. (mechanism or NULL) .. "\0" .. ("\0"):rep(31)
end

local function size(n, bytes)
  local list = {}
  for i = bytes, 1, -1 do
    list[i] = string.char(n % 256)
    n = math.floor(n / 256)
  end
  return table.concat(list)
end

--- A frame. flags: 1 more, 2 long, 4 command. n: the length it claims.
function M.frame(text, flags, n)
  flags, n = flags or 0, n or #text
  local is_long = n > 255 or flags % 4 >= 2
  if is_long and flags % 4 < 2 then flags = flags + 2 end
  return string.char(flags) .. size(n, is_long and 8 or 1) .. text
end

--- READY, or another command with properties.
function M.ready(kind, name)
  name = name or "READY"
  return M.frame(string.char(#name) .. name .. "\11Socket-Type" .. size(#kind, 4) .. kind, 4)
end

--- Connect to an endpoint of tcp. The stream.
function M.connect(endpoint)
  return assert(green.connect("127.0.0.1", tonumber(endpoint:match ":(%d+)$")))
end

--- The same, and shake hands as that type.
function M.open(endpoint, kind)
  local conn = M.connect(endpoint)
  assert(conn:write(M.greeting() .. M.ready(kind)))
  assert(conn:read(64)) -- their greeting; READY may come later
  return conn
end

return M
