--- One client of a backdoor: reads its lines, runs them, and sends what they give. Private to
-- the library.
--
-- Three green threads: one reads, and so hears of a kill while a statement runs; one runs a
-- statement at a time, each in a thread of its own; one writes, so that a statement that is
-- killed leaves no half frame behind.
-- @module green.backdoor.session

local completion = require "green.backdoor.completion"
local evaluation = require "green.backdoor.evaluation"
local event = require "green.event"
local frame = require "green.backdoor.frame"
local gone = require "green.backdoor.gone"
local group = require("green.group").group
local looks = require "green.backdoor.looks"
local outbox = require "green.backdoor.outbox"
local queue = require "green.queue"
local statement = require "green.backdoor.statement"

local concat = table.concat
local error, pcall, setmetatable = error, pcall, setmetatable
local tostring, type = tostring, type
local format = string.format

local LONGEST = 64 * 1024 -- bytes of a line,
local LARGEST = 1024 * 1024 -- of a statement
local LINES = 1000 -- that wait while a statement runs

local TOO_LARGE = "a statement of more than 1 MB that is not complete"

local INTERRUPTED = evaluation.INTERRUPTED
local PROMPT, MORE = "> ", ">> "

local Session = {}
Session.__index = Session

-- -- Out ----------------------------------------------------------------------

--- Parks while the client is slow. Nothing of it is told when the client has left.
function Session:send(kind, text)
  if self.is_framed then
    outbox.put(self.out, frame.pack(kind, text))
  elseif kind == "out" or kind == "prompt" then
    outbox.put(self.out, text)
  end
end

-- -- Statements ---------------------------------------------------------------

--- A line has come: with those before it, it may be a statement. Parks.
local function take(self, line)
  local text = self.text and self.text .. "\n" .. line or line
  local chunk, message, is_incomplete = statement.compile(text, "=backdoor")
  self.text = nil
  if chunk then
    evaluation.run(self, chunk)
  elseif is_incomplete and #text <= LARGEST then
    self.text = text
  else
    self:send("out", (is_incomplete and TOO_LARGE or message) .. "\n")
  end
  self:send("prompt", self.text and MORE or PROMPT)
end

local function run_all(self)
  for line in self.lines:items() do
    self.taken = self.taken + 1
    if self.taken <= self.killed then
      self:send("out", INTERRUPTED)
      self:send("prompt", PROMPT)
    else
      take(self, line)
    end
  end
  self.out:shutdown()
  self.done:send(true)
end

-- -- In -----------------------------------------------------------------------

--- What runs; else the lines that have come, which nobody has taken yet.
local function kill_running(self, opts)
  if self.running then
    return self.running:kill_soon(opts)
  end
  self.killed = self.given
  if self.text then
    self.text = nil
    self:send("prompt", PROMPT)
  end
end

local requests = setmetatable({
  line = function(self, text)
    self.given = self.given + 1
    return self.lines:put_nowait(text)
  end,
  kill = function(self)
    kill_running(self)
    return true
  end,
  complete = function(self, text)
    local words, begin = completion.words(text, self.env)
    self:send("words", begin .. "\n" .. concat(words, "\n"))
    return true
  end,
}, { __index = looks })

--- The next thing that the client asks for: a kind and a text. Parks.
local function next_request(self)
  if self.is_framed then
    return frame.read(self.conn, LONGEST)
  end
  local line, err = self.conn:read_line { max = LONGEST }
  if not line then
    return nil, err
  elseif line == frame.HELLO then
    self.out:put(frame.WELCOME .. "\n")
    self.is_framed = true
    self:send("prompt", PROMPT)
    return next_request(self)
  elseif line == "\3" then
    return "kill", ""
  end
  return "line", line
end

local function read_all(self)
  local kind, text = next_request(self)
  while kind do
    local fn = requests[kind]
    if not fn then
      return format("%s: no such request", kind)
    elseif not fn(self, text) then
      return format("more than %d lines wait", LINES)
    end
    kind, text = next_request(self)
  end
  return text and tostring(text)
end

-- -- The other side ----------------------------------------------------------

--- Nobody is there who reads: what runs is of no use to anybody.
local function leave(self)
  self.out:shutdown(true)
  self.lines:shutdown(true)
  kill_running(self, evaluation.GRACE)
end

local function write_all(self)
  for piece in self.out:items() do
    if not self.conn:write(piece) then
      return leave(self)
    end
  end
end

-- -- All of it ----------------------------------------------------------------

--- Until all is done that has come from who may still read, or that one has gone. Parks.
local function see_off(self)
  gone.watch(self.conn)
  while not self.done:wait(gone.LOOK) do
    if gone.is_gone(self.conn) then
      return leave(self)
    end
  end
end

--- Nobody says any more: what has come is still done for who reads, but for who attached, and
-- has seen it end. Parks.
local function finish(self, why)
  if why then
    self:send("out", why .. "\n")
  end
  if self.is_framed or why then
    self.lines:shutdown(true)
    kill_running(self, evaluation.GRACE)
  end
  self.lines:shutdown()
  see_off(self)
end

--- One of a session's threads: somebody kills it, and the session is over.
local function run_part(fn, self)
  local ok, err = pcall(fn, self)
  if not ok then
    error(type(err) == "table" and err.code == "ECANCELED" and self.gone or err, 0)
  end
end

--- Serve one client until it leaves, or asks for what there is not. Its connection stays
-- open. Parks.
-- @param conn a stream
-- @tparam table env its globals
-- @tparam string banner
function Session.serve(conn, env, banner)
  local self = setmetatable({
    conn = conn,
    env = env,
    gone = {}, -- the error of a part that was killed
    is_framed = false,
    lines = queue.LightQueue(LINES),
    done = event.Event(), -- all of them
    out = outbox.new(),
    last = {}, -- of the screen before
    given = 0, -- lines
    taken = 0, -- of them
    killed = 0, -- the lines up to this one are passed over
    running = nil, -- the thread of a statement
    text = nil, -- of one that is not complete
  }, Session)
  self.out:put_nowait(banner .. "\n" .. PROMPT)
  local ok, err = pcall(group, function(g)
    g:spawn(run_part, write_all, self)
    g:spawn(run_part, run_all, self)
    finish(self, read_all(self))
  end)
  if not ok and err ~= self.gone then
    error(err, 0)
  end
end

return Session
