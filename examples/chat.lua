-- A chat room over plain TCP: what one types, all the others read. Who reads too
-- slowly is thrown out; nobody ever waits for anybody else.
--
--   greenlua examples/chat.lua [PORT]      then, twice: nc 127.0.0.1 PORT

local green = require "green"

local BEHIND = 500 -- lines a reader may be behind
local LONGEST = { max = 1000 }

local room = {} -- who is here: name -> { conn, outbox }

--- Tell everybody but one. A queue that is full belongs to a slow reader.
local function tell(text, except)
  for name, member in pairs(room) do
    if name ~= except and not member.outbox:put_nowait(text) then
      member.conn:close()
    end
  end
end

--- Send what stands in a member's queue, as fast as its connection takes it.
local function deliver(member)
  for text in member.outbox:items() do
    if not member.conn:write(text, "\n") then break end
  end
end

local function enter(conn)
  conn:write("Your name? ")
  local name = conn:read_line({ max = 40, timeout = 60 })
  while name and (name == "" or room[name]) do
    conn:write("Another name? ")
    name = conn:read_line({ max = 40, timeout = 60 })
  end
  return name
end

local function leave(name)
  room[name].outbox:shutdown(true)
  room[name] = nil
  tell("* " .. name .. " left")
end

local function who()
  local names = {}
  for name in pairs(room) do
    names[#names + 1] = name
  end
  table.sort(names)
  return "* here: " .. table.concat(names, ", ")
end

local function chat(conn)
  local name = enter(conn)
  if not name then return end
  local member = { conn = conn, outbox = green.LightQueue(BEHIND) }
  room[name] = member
  green.spawn(deliver, member)
  tell("* " .. name .. " joined", name)
  member.outbox:put_nowait(who())
  local line = conn:read_line(LONGEST)
  while line do
    tell(name .. ": " .. line, name)
    line = conn:read_line(LONGEST)
  end
  leave(name)
end

local listener = assert(green.listen("127.0.0.1", arg[1] or 7001))
print(("chat: listening on %s:%d"):format(listener:sockname()))
green.serve(listener, chat, { concurrency = 10000 })
