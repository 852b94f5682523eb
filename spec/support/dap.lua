-- A client of the Debug Adapter Protocol on a program's pipes, for specs: what an editor does.

local cjson = require "cjson"
local fs = require "green.fs"
local program = require "spec.support.program"

local M = {}

local Client = {}
Client.__index = Client

--- Run a script under the debugger at standard input and output.
-- @tparam string path
-- @tparam[opt] table opts `env`, `words`
function M.start(path, opts)
  opts = opts or {}
  local words = { env = opts.env }
  for _, word in ipairs(opts.words or { "--debug" }) do
    words[#words + 1] = word
  end
  words[#words + 1] = path
  return M.over(program.start_greenlua(words))
end

--- A function script(text, name) that makes a file of that text, for a spec whose folder dir()
-- gives; its path.
function M.scripts(dir)
  return function(text, name)
    local path = fs.realpath(dir()) .. "/" .. (name or "work.lua")
    assert(fs.write_file(path, text))
    return path
  end
end

--- A client at a program that passes bytes on, or is the debugged one.
function M.over(p)
  return setmetatable({ program = p, seq = 0, events = {}, responses = {} }, Client)
end

--- Send bytes as they are.
function Client:write(text)
  self.program:write(text)
end

--- Take the next message off the pipe.
local function take(self)
  local head = self.program:expect "\r\n\r\n"
  local n = assert(tonumber(head:match "Content%-Length: (%d+)$"), head)
  local p = self.program
  local start = p.seen_out
  local due = program.now() + p.patience
  while #p.out < start + n - 1 do
    assert(program.now() < due, "half a message")
    p:listen(50)
  end
  p.seen_out = start + n
  local message = cjson.decode(p.out:sub(start, start + n - 1))
  if message.type == "event" then
    self.events[#self.events + 1] = message
  else
    self.responses[message.request_seq] = message
  end
  return message
end

--- Send a request; its response, whole.
function Client:ask(command, arguments)
  self.seq = self.seq + 1
  local text = cjson.encode { seq = self.seq, type = "request", command = command,
    arguments = arguments }
  self:write(("Content-Length: %d\r\n\r\n%s"):format(#text, text))
  while not self.responses[self.seq] do
    take(self)
  end
  return self.responses[self.seq]
end

--- The same, which must have gone well; its body.
function Client:must(command, arguments)
  local response = self:ask(command, arguments)
  assert(response.success, command .. ": " .. tostring(response.message))
  return response.body
end

--- The next event of that name that has not been asked for; its body.
function Client:event(name)
  while true do
    for i, event in ipairs(self.events) do
      if event.event == name then
        table.remove(self.events, i)
        return event.body
      end
    end
    take(self)
  end
end

--- Everything that was put out so far.
function Client:output(category)
  local parts = {}
  for _, event in ipairs(self.events) do
    if event.event == "output" and (not category or event.body.category == category) then
      parts[#parts + 1] = event.body.output
    end
  end
  return table.concat(parts)
end

--- Up to the point where the program begins.
-- @tparam ?table breakpoints path -> a list of { line =, ... }
-- @tparam ?table arguments of launch
function Client:begin(breakpoints, arguments)
  self.capabilities = self:must("initialize", { adapterID = "spec", linesStartAt1 = true })
  self:must("launch", arguments or {})
  self:event "initialized"
  local told = {}
  for path, list in pairs(breakpoints or {}) do
    told[path] = self:must("setBreakpoints", { source = { path = path }, breakpoints = list })
      .breakpoints
  end
  self:must "configurationDone"
  return told
end

--- The program has stopped: its thread, and the top frame.
function Client:stopped(reason)
  local body = self:event "stopped"
  assert(not reason or body.reason == reason, body.reason)
  self.thread = body.threadId
  self.stack = self:must("stackTrace", { threadId = body.threadId }).stackFrames
  return self.stack[1], body
end

--- Go on by these requests: the lines where it stops.
function Client:walk(commands)
  local seen = {}
  for i, command in ipairs(commands) do
    self:go(command)
    seen[i] = self:stopped("step").line
  end
  return seen
end

function Client:go(command)
  return self:must(command or "continue", { threadId = self.thread })
end

--- The variables of a scope of a frame: name -> what is told.
function Client:variables(frame, scope)
  for _, one in ipairs(self:must("scopes", { frameId = frame.id }).scopes) do
    if one.name == scope then
      return self:fields(one.variablesReference), one.variablesReference
    end
  end
end

function Client:fields(reference)
  local fields = {}
  for _, one in ipairs(self:must("variables", { variablesReference = reference }).variables) do
    fields[one.name] = one
  end
  return fields
end

--- The end, at which an editor goes: the exit status.
function Client:finish()
  self.program:close_stdin()
  self.program:wait()
  return self.program.status
end

return M
