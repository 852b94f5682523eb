--- Requests to authenticators, and their answers: ZeroMQ's RFC 27. No socket, no decision.
-- @module green.zmq.zap

local char, concat, find, floor, format = string.char, table.concat, string.find, math.floor,
  string.format
local ipairs, pairs, type = ipairs, pairs, type

local M = {}

M.ENDPOINT = "inproc://zeromq.zap.01"

local VERSION = "1.0"
local MOST = 255 -- bytes of a text

--- How many frames of credentials each mechanism has.
local credentials = { NULL = 0, PLAIN = 2, CURVE = 1, GSSAPI = 1 }

--- The request that a ROUTER has received.
-- @tparam table parts
-- @treturn ?table `envelope`, a list that comes before the answer; `id`; `domain`, `address`,
-- `identity`, `mechanism`, and what the mechanism gives: `user`, `password`, `key` (32 bytes),
-- `principal`. nil: nobody could be answered
-- @treturn ?string what is wrong with it
function M.parse(parts)
  local at = 1
  while parts[at] ~= "" do
    if at > #parts then
      return nil
    end
    at = at + 1
  end
  local request = { envelope = {}, id = parts[at + 2] }
  if not request.id then
    return nil
  end
  for i = 1, at do
    request.envelope[i] = parts[i]
  end
  if parts[at + 1] ~= VERSION then
    return request, "Invalid version"
  elseif #parts < at + 6 then
    return request, "Not enough frames"
  end
  for i, name in ipairs { "domain", "address", "identity", "mechanism" } do
    request[name] = parts[at + 2 + i]
    if #request[name] > MOST then
      return request, format("Invalid %s", name)
    end
  end
  local wanted, first = credentials[request.mechanism], parts[at + 7]
  if not wanted then
    return request, "Unknown mechanism"
  elseif #parts - at - 6 ~= wanted then
    return request, "Invalid credentials"
  elseif request.mechanism == "PLAIN" then
    request.user, request.password = first, parts[at + 8]
  elseif request.mechanism == "CURVE" then
    request.key = first
    return request, #first ~= 32 and "Invalid credentials" or nil
  elseif request.mechanism == "GSSAPI" then
    request.principal = first
  end
  return request
end

--- Is it a name that metadata can have?
function M.is_name(name)
  return type(name) == "string" and #name >= 1 and #name <= MOST and not find(name, "[^%w%-_.+]")
end

--- Metadata as ZMTP writes them: each name behind its length, each text behind its own.
local function properties(metadata)
  local list = {}
  for name, text in pairs(metadata or {}) do
    local n = #text
    list[#list + 1] = char(#name) .. name .. char(floor(n / 2 ^ 24), floor(n / 2 ^ 16) % 256,
      floor(n / 256) % 256, n % 256) .. text
  end
  return concat(list)
end

--- The parts of an answer.
-- @tparam table request
-- @tparam string status "200": yes, "300": not now, "400": no, "500": it failed
-- @tparam string text
-- @tparam ?string user_id for "200"
-- @tparam ?table metadata for "200", name = text
-- @treturn table
function M.answer(request, status, text, user_id, metadata)
  local parts = {}
  for i, part in ipairs(request.envelope) do
    parts[i] = part
  end
  local n = #parts
  parts[n + 1], parts[n + 2], parts[n + 3], parts[n + 4] = VERSION, request.id, status, text
  local is_in = status == "200"
  parts[n + 5], parts[n + 6] = is_in and user_id or "", is_in and properties(metadata) or ""
  return parts
end

return M
