-- A websocket echo: greenlua bench/ws.lua PORT thread|light [deflate|all|hub]
--
-- deflate: messages are compressed, all of them, and no context is kept. all: a message that begins
-- with "all" goes to all connections; hub: by a hub of green.pubsub. "pause" is answered with
-- pause_ms=: the longest step of a loop that allocates, in CPU time; tables_ms=: of one that
-- makes no new strings, whose table LuaJIT moves in one step when it grows. "pause N": beside so
-- many connections; those that have no socket are made for it.
local conns = require "green.websocket.conn"
local core = require "green.core"
local place = require "green.websocket.place"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local longest_step = dofile "bench/longest.lua"
local form, mode = arg[2] or "thread", arg[3]

local SHORTEST = 16 -- messages are not shorter; what is asked is

local function new_table()
  return {}
end

-- To the collector a connection without a socket is as any other.
local function fill(set, n)
  for _ = set.c.connections + 1, n do
    local handle = assert(core.ws_open(set.pointer, nil, { light = form == "light" }))
    conns.new(set, handle, { path = "/" })
  end
  return set.c.connections
end

local function pause(ws, n)
  local beside = fill(ws[place.SET], n or 0)
  return ("pause_ms=%.3f tables_ms=%.3f beside=%d"):format((longest_step(tostring)),
    (longest_step(new_table)), beside)
end

local everybody = {}

local function send_all(text)
  local frame = websocket.frame(text)
  for ws in pairs(everybody) do
    ws:send_frame(frame)
  end
end

local is_hub = mode == "hub"
local hub = is_hub and require("green.pubsub").new()

local function enter(ws)
  everybody[ws] = is_hub and assert(hub:subscribe("all", ws)) or true
end

local function leave(ws)
  if is_hub then everybody[ws]:close() end
  everybody[ws] = nil
end

local function answer(ws, text, is_binary)
  if is_hub and text:sub(1, 3) == "all" then
    hub:publish("all", text)
  elseif mode == "all" and text:sub(1, 3) == "all" then
    send_all(text)
  elseif #text < SHORTEST and text:sub(1, 5) == "pause" then
    ws:send(pause(ws, tonumber(text:sub(6))))
  elseif is_binary then
    ws:send_binary(text)
  else
    ws:send(text)
  end
end

local handlers = { message = answer }
if mode == "all" or is_hub then
  handlers.open, handlers.close = enter, leave
end

local function thread(ws)
  if mode == "all" or is_hub then enter(ws) end
  for text, is_binary in ws:messages() do
    answer(ws, text, is_binary)
  end
  if everybody[ws] then leave(ws) end
end

local app = websocket.handler(form == "light" and handlers or thread, {
  max_message = 2 ^ 24, max_frame = 2 ^ 24, ping_interval = 3600, ping_timeout = 3600,
  compression = mode == "deflate" and { level = 6, threshold = 0, takeover = false } or false,
})

wsgi.serve("127.0.0.1:" .. (arg[1] or "8080"), app, { access_log = false, error_log = false })
