-- What the chat does with its websockets: who may ask for what, and when. What there is to ask
-- for stands in ops.lua.

local url = require "green.url"
local websocket = require "green.websocket"

local FOLDER = arg[0]:match("^(.*)/") or "."
local checks = dofile(FOLDER .. "/checks.lua")
local hubs = dofile(FOLDER .. "/hubs.lua")
local page = dofile(FOLDER .. "/ops.lua")
local ops = page.ops

local is_group = {}
for _, name in ipairs(page.groups) do
  is_group[name] = true
end

local NEEDS_GROUP = { join = true, leave = true, say = true, typing = true, search = true }
local NEEDS_JOIN = { say = true, typing = true, search = true }

--- What is wrong with a message before its op looks at it; or nil.
local function wrong(ws, op, group)
  if not ops[op] then
    return "there is no such op"
  elseif not ws.data.name and op ~= "hello" then
    return "say hello first"
  elseif NEEDS_GROUP[op] and not is_group[group] then
    return "there is no such group"
  elseif NEEDS_JOIN[op] and not ws.data.joined[group] then
    return "join it first"
  end
end

local function receive(room, ws, text, is_binary)
  local form = not is_binary and url.parse_query(text)
  local op = form and form:get "op" or ""
  if not checks.may(ws.data, "all") then
    return page.fail(ws, form, "slow", "not so fast")
  elseif not form then
    return page.fail(ws, nil, "bad", "it is no form")
  end
  local group = form:get "group" or ""
  local what = wrong(ws, op, group)
  if what then
    return page.fail(ws, form, "bad", what)
  elseif not checks.may(ws.data, op) then
    return op ~= "typing" and page.fail(ws, form, "slow", "not so fast")
  end
  return ops[op](room, ws, form, group)
end

local function drain(ws)
  for _, joined in pairs(ws.data.joined) do
    joined.talk:drain()
    joined.live:drain()
  end
end

local function leave_all(ws)
  for _, group in ipairs(page.groups) do
    page.leave(ws, group)
  end
end

--- All of the chat in this process: `app`, a handler of requests, and `close`.
-- @tparam table options `redis`: a URL, or `zmq`: where a broker is asked; or neither
local function new(options)
  local room = hubs.new(options)
  room.app = websocket.handler({
    open = function(ws)
      ws.data = { buckets = {}, joined = {}, mistakes = 0 }
    end,
    message = function(ws, ...)
      return receive(room, ws, ...)
    end,
    drain = drain,
    close = leave_all,
  }, { max_message = 32768 })
  return room
end

return { new = new }
