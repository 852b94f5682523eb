--- What a handler's `accept` says of a handshake: no, yes, or what the answer is to have.
-- @module green.websocket.accept

local args = require "green.args"
local handshake = require "green.websocket.handshake"
local options = require "green.args.options"

local find, ipairs, lower, pairs, tostring, type = string.find, ipairs, string.lower, pairs,
  tostring, type

local M = {}

local function check_header(name, value)
  if type(name) ~= "string" or not find(name, "^[%w!#$%%&'*+.^_`|~-]+$") then
    args.wrong("accept", "a header's name", "a token", name)
  elseif type(value) ~= "string" and type(value) ~= "number"
    or find(tostring(value), "[%z\r\n]") then
    args.wrong("accept", "header '" .. name .. "'", "a string on one line", value)
  end
end

--- What accept may not say: the handshake's own, and the sub-protocol has a field.
local function is_ours(name)
  local small = lower(tostring(name))
  return small == "connection" or small == "upgrade" or find(small, "^sec%-websocket%-") ~= nil
end

local function add_headers(shake, headers)
  for name, value in pairs(args.optional(headers, "table", "accept", "headers") or {}) do
    if is_ours(name) then
      args.misuse("accept: the header %s is the library's own", name)
    end
    for _, v in ipairs(type(value) == "table" and value or { value }) do
      check_header(name, v)
      shake.headers[#shake.headers + 1] = { name, tostring(v) }
    end
  end
end

--- { protocol =, headers =, cookies = }
local function granted(shake, answer)
  options.check(answer, { protocol = true, headers = true, cookies = true }, "accept")
  if answer.protocol ~= nil and not handshake.choose(shake, answer.protocol or nil) then
    args.misuse("accept: the client has not asked for the sub-protocol %s",
      args.shown(answer.protocol))
  end
  local cookies = answer.cookies
  if cookies ~= nil and type(cookies) ~= "string" then
    args.list(cookies, "accept", "cookies", 'lines such as "name=value; Path=/"')
  end
  add_headers(shake, answer.headers)
  add_headers(shake, { ["Set-Cookie"] = cookies })
end

--- Ask the handler's accept. Returns true; or nil and what is to be answered: nil, why, as
-- failures are told, is a no. Parks if that does.
function M.ask(accept, env, shake)
  local status, headers, body = accept(env)
  if status == true or status == nil and headers == nil then
    return true
  elseif not status then
    return nil, { 403, { Connection = "close" }, "" }
  elseif type(status) == "table" then
    granted(shake, status)
    return true
  end
  return nil, { status, headers, body }
end

return M
