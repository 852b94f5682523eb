--- `greenlua top PID|SOCKET`: how a program that runs does, again and again.
-- @module green.cmd.top

local door = require "green.cmd.door"
local process = require "green.process"
local queue = require "green.queue"
local stdio = require "green.stdio"
local thread = require "green.thread"
local timeout = require "green.timeout"

local io, setmetatable = io, setmetatable
local find, format, match, sub = string.find, string.format, string.match, string.sub
local tonumber, tostring = tonumber, tostring

local USAGE = [[
usage: greenlua top PID | SOCKET | HOST:PORT
  how a program that runs does, and its green threads, refreshed each two seconds.
  Keys: s sorts by the next of waited, stack, newest, oldest; k kills a thread;
  t shows where one stands; q ends. Into a pipe it writes one screen, and ends
]]

local SECONDS = 2
local ORDERS = { "waited", "stack", "newest", "oldest" }
local HOME, CLEAR = "\27[H", "\27[J"
local KEYS = "%s first; s: sort by another, k: kill one, t: where one stands, q: quit"

local M = {}

local Top = {}
Top.__index = Top

-- -- The terminal -------------------------------------------------------------

--- Run stty on the terminal; what it prints.
local function stty(...)
  local command = { "stty", ... }
  command.stdin = "inherit"
  local done = process.run(command)
  return done and done.status == 0 and done.stdout or nil
end

local function size()
  local rows, columns = match(stty "size" or "", "(%d+) (%d+)")
  return tonumber(columns) or 80, tonumber(rows) or 24
end

--- Keys, as they are typed, for read_key.
local typed = queue.LightQueue()

local function read_keys()
  local key = stdio.read(1)
  while key do
    typed:put(key)
    key = stdio.read(1)
  end
  typed:put "q" -- nobody can type any more
end

--- A key within some seconds; nil: none. Parks.
local function read_key(seconds)
  return (typed:get(seconds))
end

-- -- Screens ------------------------------------------------------------------

local function screen(self, columns, rows)
  return door.ask(self.conn, "top", format("%d %d %s", columns, rows, ORDERS[self.order]))
end

local function show(self)
  local columns, rows = size()
  local text, err = screen(self, columns, rows - 1)
  if text then
    io.stdout:write(HOME, CLEAR, text, sub(format(KEYS, ORDERS[self.order]), 1, columns - 1))
    io.stdout:flush()
  end
  return text, err
end

--- A number that is typed after a question; nil: it was given up.
local function read_id(what)
  io.stdout:write(HOME, CLEAR, what, " which thread (its ID)? ")
  io.stdout:flush()
  local digits = ""
  while true do
    local key = read_key(60)
    if not key or key == "\27" or key == "\n" or key == "\r" then
      return key and key ~= "\27" and digits ~= "" and digits or nil
    elseif match(key, "%d") then
      digits = digits .. key
      io.stdout:write(key)
    elseif find(key, "[\b\127]") and digits ~= "" then -- Backspace
      digits = sub(digits, 1, -2)
      io.stdout:write("\b \b")
    end
    io.stdout:flush()
  end
end

local function act(self, what, request)
  local id = read_id(what)
  if id then
    local answer = door.ask(self.conn, request, id)
    io.stdout:write("\n\n", answer or "", "\n\n(any key)")
    io.stdout:flush()
    read_key(60)
  end
end

local keys = {
  s = function(self) self.order = self.order % #ORDERS + 1 end,
  k = function(self) act(self, "kill", "kill_thread") end,
  t = function(self) act(self, "trace", "trace") end,
}

local function run(self)
  local text, err = show(self)
  while text do
    local key = read_key(SECONDS)
    if key == "q" then
      return true
    elseif keys[key] then
      keys[key](self)
    end
    text, err = show(self)
  end
  return nil, err
end

--- With the terminal as it was afterwards, however it ends; Ctrl-C is a kill.
local function on_terminal(self)
  local was = match(stty "-g" or "", "%S+")
  stty("-icanon", "-echo")
  local reader = thread.spawn(read_keys)
  return timeout.finally(function()
    return run(self)
  end, function()
    reader:kill_soon()
    if was then
      stty(was)
    end
    io.stdout:write("\n")
  end)
end

--- @return the exit status: 1 when it could not attach, or the program has gone; 2: wrong words
function M.main(...)
  local target, status = door.target(USAGE, ...)
  if not target then
    return status
  end
  local conn, err = door.connect(target)
  local self = setmetatable({ conn = conn, order = 1 }, Top)
  local ok = nil
  if conn and stdio.input() and stty "size" then
    ok, err = on_terminal(self)
  elseif conn then
    ok, err = screen(self, 1000, 1000)
    io.stdout:write(ok or "")
  end
  if not ok then
    io.stderr:write("greenlua top: ", err and tostring(err) or "the program has ended", "\n")
    return 1
  end
  conn:close()
end

return M
