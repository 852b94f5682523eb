--- `greenlua attach PID|SOCKET`: a prompt in a program that runs.
-- @module green.cmd.attach

local core = require "green.core"
local door = require "green.cmd.door"
local event = require "green.event"
local lines = require "green.cmd.repl_lines"
local queue = require "green.queue"
local signal = require "green.signal"
local stdio = require "green.stdio"
local thread = require "green.thread"

local gmatch, match, sub = string.gmatch, string.match, string.sub
local io, pcall, setmetatable, tostring = io, pcall, setmetatable, tostring
local stdout = io.stdout

local EINTR = core.codes.EINTR

local USAGE = [[
usage: greenlua attach PID | SOCKET | HOST:PORT
  a prompt in a program that runs: its process, the path of its backdoor, or the
  port on loopback that it listens at, whose token GREENLUA_TOKEN has
]]

local PROMPT = "> " -- for the first line of a statement

local M = {}

local Client = {}
Client.__index = Client

-- -- From the program ---------------------------------------------------------

local receive = {
  out = function(_, text)
    stdio.write(stdout, text)
    stdio.flush(stdout)
  end,
  prompt = function(self, text)
    self.prompts:put(text)
  end,
  words = function(self, text)
    if self.words then
      self.words:send(text)
    end
  end,
}

local function read_all(self)
  local kind, text = door.read(self.conn)
  while kind do
    if receive[kind] then
      receive[kind](self, text)
    end
    kind, text = door.read(self.conn)
  end
  self.prompts:shutdown()
  return text
end

-- -- To it --------------------------------------------------------------------

--- The words that the last one of a text may become; nil: Ctrl-C was typed meanwhile. Parks.
local function complete(self, text)
  self.words = event.Event()
  door.send(self.conn, "complete", text)
  local answer = self.words:wait(2)
  self.words = nil
  if answer == false then
    return nil
  end
  local begin, rest = match(answer or "", "^([^\n]*)\n(.*)$")
  local words = {}
  for word in gmatch(rest or "", "[^\n]+") do
    words[#words + 1] = word
  end
  if not begin or sub(text, #text - #begin + 1) ~= begin then
    return {}, "" -- none has come, or that of another text, late
  end
  return words, begin
end

--- A line: of the terminal, or of what is no terminal. Parks.
local function read_line(self, prompt)
  if not self.source.edit then
    return stdio.read "*l"
  end
  self.is_editing = true
  local line, why = self.source:read(prompt, function(text)
    return complete(self, text)
  end)
  self.is_editing = false
  return line, why
end

--- Ctrl-C: gives the line up, or kills what runs there.
local function interrupt(self)
  if self.words then
    self.words:send(false)
  elseif self.is_editing then
    core.wake_thread(self.thread, EINTR)
  else
    door.send(self.conn, "kill")
  end
end

local function ask_all(self)
  for prompt in self.prompts:items() do
    local line, why = read_line(self, prompt)
    if line then
      door.send(self.conn, "line", line)
    elseif why then
      door.send(self.conn, prompt == PROMPT and "line" or "kill")
    else
      return prompt == PROMPT or self.source.edit ~= nil, "the last statement is not complete"
    end
  end
end

local function run(conn)
  local self = setmetatable({
    conn = conn,
    prompts = queue.LightQueue(),
    thread = core.current(),
    source = lines.open(stdio),
  }, Client)
  local reader = thread.spawn(read_all, self)
  local on_int = signal.handler("INT", function()
    interrupt(self)
  end)
  local ok, is_end, why = pcall(ask_all, self)
  on_int:cancel()
  self.source:close()
  conn:close()
  local _, err = pcall(reader.wait, reader)
  return ok, is_end, why or err
end

--- @return the exit status: 1 when it could not attach, or the program has gone; 2: wrong words
function M.main(...)
  local target, status = door.target(USAGE, ...)
  if not target then
    return status
  end
  local conn, err = door.connect(target)
  if not conn then
    io.stderr:write("greenlua attach: ", tostring(err), "\n")
    return 1
  end
  local ok, is_end, why = run(conn)
  if not ok then
    error(is_end, 0)
  elseif not is_end then
    io.stderr:write("greenlua attach: ", why and tostring(why) or "the program has ended", "\n")
    return 1
  end
end

return M
