-- A broker of pub/sub over ZeroMQ, `greenlua -m zmq.broker`, beside a spec's body.

local folder_kit = require "spec.support.folder"
local patient = require "spec.support.patient"
local program = require "spec.support.program"
local testing = require "green.testing"
local zmq = require "green.zmq"

local M = {}

local server = {}
server.__index = server

--- Start it, again if it was stopped. It answers when this returns.
function server:start()
  local words = { program.greenlua, "-m", "zmq.broker" }
  for _, name in ipairs { "ask", "pub", "sub" } do
    words[#words + 1], words[#words + 2] = "--" .. name, self[name]
  end
  for _, word in ipairs(self.words) do
    words[#words + 1] = word
  end
  self.program = program.start(words)
  self.program:expect "zmq.broker: ask "
  self.said = self.program:expect "\n"
end

--- A crash.
function server:stop()
  self.program:kill(program.KILL)
  self.program:wait()
end

--- Stop it for good, as one that is told to: it must have gone well.
function server:remove()
  self.program:kill(program.TERM)
  self.program:wait()
  program.run { "rm", "-rf", self.dir }
  assert(self.program.status == 0, self.program.err)
end

local function folder()
  local path = os.tmpname()
  os.remove(path)
  program.run { "mkdir", path }
  return path
end

--- A broker on ipc, not started. `ask`, `pub`, `sub`: its endpoints.
-- @tparam[opt] table words more of its command line
function M.new(words)
  local dir = folder()
  return setmetatable({ dir = dir, words = words or {}, ask = "ipc://" .. dir .. "/ask",
    pub = "ipc://" .. dir .. "/pub", sub = "ipc://" .. dir .. "/sub" }, server)
end

--- An `it` for what uses ZeroMQ's default context: that has threads with descriptors of their
-- own, from its first socket on, and they close a socket's later.
function M.settled(it)
  assert(zmq.socket "PAIR"):close(0)
  return function(title, body)
    it(title, function()
      local count = testing.open_fds()
      body()
      folder_kit.settle_fds(count)
    end)
  end
end

--- Run body(server) beside one. Parks.
function M.with(body, words)
  local made = M.new(words)
  made:start()
  local ok, err = patient.try(body, made)
  if not ok then
    pcall(made.remove, made)
    error(tostring(err) .. "\n" .. made.program.err, 0)
  end
  made:remove()
end

return M
