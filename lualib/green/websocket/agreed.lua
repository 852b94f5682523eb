--- The client's side of the opening handshake (RFC 6455, 4.1): what is asked, and whether
-- the answer grants it. Nothing is sent here. Private to green.websocket.
-- @module green.websocket.agreed

local args = require "green.args"
local deflate = require "green.websocket.deflate"
local digest = require "green.digest"
local handshake = require "green.websocket.handshake"
local words = require "green.websocket.words"

-- Scripts may put their own in their places.
local concat, ipairs, lower, match = table.concat, ipairs, string.lower, string.match

local M = {}

--- The sub-protocols of the option, none twice. Raises misuse.
function M.protocols(value, where)
  local seen = {}
  for i, name in ipairs(args.list(value or {}, where, "protocols", "strings")) do
    local place = "protocols[" .. i .. "]"
    if #(words.tokens(args.type(name, "string", where, place)) or {}) ~= 1 then
      args.wrong(where, place, "a sub-protocol's name, which is a token", name)
    elseif seen[name] then
      args.misuse("%s: protocols has %s twice", where, args.shown(name))
    end
    seen[name] = true
  end
  return value or {}
end

--- What is asked: `key`, and `headers` as green.http takes them. nil, err: no random bytes.
-- Does not park.
-- @tparam table plan `protocols`, `compression` (green.websocket.deflate.options), `origin`
function M.ask(plan)
  local bytes, err = digest.random(16)
  if not bytes then
    return nil, err
  end
  local key = digest.base64(bytes)
  local headers = { { "Sec-WebSocket-Key", key }, { "Sec-WebSocket-Version", "13" } }
  if plan.origin then
    headers[#headers + 1] = { "Origin", plan.origin }
  end
  if plan.protocols[1] then
    headers[#headers + 1] = { "Sec-WebSocket-Protocol", concat(plan.protocols, ", ") }
  end
  local offer = deflate.offer(plan.compression)
  if offer then
    headers[#headers + 1] = { "Sec-WebSocket-Extensions", offer }
  end
  return { key = key, headers = headers }
end

-- -- The answer ---------------------------------------------------------------

local function is_among(list, wanted)
  for _, name in ipairs(list) do
    if name == wanted then
      return true
    end
  end
  return false
end

--- The only value of a header; nil: there is none, or more than one.
local function only(headers, name)
  local list = headers:all(name)
  return #list == 1 and match(list[1], "^[ \t]*(.-)[ \t]*$") or nil
end

--- What is wrong with the head of an answer that says 101; nil: nothing.
local function fault_of(headers, key)
  if lower(only(headers, "upgrade") or "") ~= "websocket" then
    return "the server's Upgrade is not websocket"
  elseif not words.has(headers:get("connection"), "upgrade") then
    return "the server's Connection has no upgrade"
  elseif only(headers, "sec-websocket-accept") ~= handshake.accept_of(key) then
    return "the server's Sec-WebSocket-Accept is not what the key comes to"
  end
end

--- The sub-protocol that the server has chosen; nil: none, or nil and what is wrong.
local function protocol_of(headers, asked)
  if not headers:get("sec-websocket-protocol") then
    return nil
  end
  local protocol = only(headers, "sec-websocket-protocol")
  if not protocol or not is_among(asked, protocol) then
    return nil, "the server has chosen a sub-protocol that was not asked for"
  end
  return protocol
end

--- Does an answer that says 101 grant what was asked? Does not park.
-- @tparam green.http.headers headers of the answer
-- @tparam table asked what `ask` gave
-- @tparam table plan as for ask
-- @treturn table `protocol` and `offer` (what was agreed of permessage-deflate), either may
-- be nil; or nil, text: what is wrong
function M.check(headers, asked, plan)
  local fault = fault_of(headers, asked.key)
  if fault then
    return nil, fault
  end
  local protocol
  protocol, fault = protocol_of(headers, plan.protocols)
  if fault then
    return nil, fault
  end
  local offer = deflate.agreed(headers:get("sec-websocket-extensions"), plan.compression)
  if offer == false then
    return nil, "the server has chosen extensions that were not offered"
  end
  return { protocol = protocol, offer = offer }
end

return M
