--- A whole conversation with children: input in, output out, and their ends. Private to
-- green.process.

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local status = require "green.process.status"
local thread = require "green.thread"
local timeout = require "green.timeout"

-- Scripts may put their own in their places.
local error, ipairs, max, pcall, type = error, ipairs, math.max, pcall, type
local concat = table.concat

local MAX_OUTPUT = 64 * 2 ^ 20 -- bytes of each output
local LINGER = 1 -- seconds

local M = {}

M.known = { timeout = true, max_output = true, linger = true }

-- -- Threads of its own -----------------------------------------------------------

--- Read all there is into a sink. What is too much ends the children.
local function collect(self, sink)
  local stream = sink.stream
  for chunk in function() return stream:read_some() end do
    sink.n = sink.n + #chunk
    sink[#sink + 1] = chunk
    if sink.n > self.max_output then
      self.full = self.full or sink.name
      self.stop()
      return
    end
  end
end

--- Write the input and end it. A child that does not read it has its reasons.
local function feed(stream, input, is_shared)
  if input then
    stream:writev(input)
  end
  if not is_shared then
    stream:close()
  end
end

--- In a thread of the conversation's. Without it the child would wait for ever, or for who
-- waits for it: what it raises ends the children, and is raised by M.hold.
local function run_apart(self, fn, ...)
  local ok, err = pcall(fn, ...)
  if not ok then
    self.is_broken, self.broken = true, self.is_broken and self.broken or err
    self.stop()
  end
end

-- -- The conversation ------------------------------------------------------------------

--- Wait for a reader until then; beyond, others hold the pipe, and it is closed. Parks.
local function join(reader, sink, due)
  local _, err = reader:wait(max(due - core.now(), 0))
  if err then
    sink.stream:close()
    reader:wait()
  end
end

--- Parks. What is killed here is cleaned up by M.hold.
local function converse(self)
  for _, sink in ipairs(self.sinks) do
    sink.reader = core.spawn(run_apart, self, collect, self, sink)
  end
  if self.stdin then
    self.writer = core.spawn(run_apart, self, feed, self.stdin, self.input,
      self.is_shared)
  end
  for i, child in ipairs(self.children) do
    self.ends[i], self.errs[i] = child:wait()
  end
  local due = core.now() + self.linger
  for _, sink in ipairs(self.sinks) do
    join(sink.reader, sink, due)
  end
  return true
end

--- Let nothing of ours go on.
local function leave(self)
  for _, sink in ipairs(self.sinks) do
    sink.stream:close()
    if sink.reader then
      sink.reader:kill_soon()
    end
  end
  if self.writer then
    self.writer:kill_soon()
  end
  if self.stdin and not self.is_shared then
    self.stdin:close()
  end
end

local function end_children(self)
  self.stop()
  for _, child in ipairs(self.children) do
    child:_end_shielded()
  end
end

local function input_of(input, where)
  if input == nil then
    return nil
  elseif type(input) == "string" or type(input) == "number" then
    return { input }
  elseif type(input) ~= "table" then
    args.wrong(where, "input", "a string or a list of strings", input)
  end
  args.list(input, where, "input", "strings")
  for i = 1, #input do
    if type(input[i]) ~= "string" and type(input[i]) ~= "number" then
      args.wrong(where, ("input[%d]"):format(i), "a string", input[i])
    end
  end
  return input
end

--- What is asked for, checked: before any child is started.
function M.prepare(input, opts, where)
  args.timeout(opts.timeout, where)
  return {
    input = input_of(input, where),
    timeout = opts.timeout,
    max_output = opts.max_output == nil and MAX_OUTPUT
      or args.size(opts.max_output, 0, where, "max_output"),
    linger = opts.linger == nil and LINGER or args.number(opts.linger, 0, where, "linger"),
    sinks = {}, ends = {}, errs = {}, children = {},
    is_broken = false, broken = false, full = false, writer = false,
  }
end

--- Let it collect an output of that name.
function M.listen(self, name, stream)
  self.sinks[#self.sinks + 1] = { name = name, stream = stream, n = 0 }
end

--- Hold a prepared conversation: true; or nil, code, text where it was ended by us. Raises
-- what cancels the thread, when the children have ended. Parks.
function M.hold(self)
  local called, ok, err
  if self.timeout then
    called, ok, err = pcall(timeout.timeout, self.timeout, converse, self)
  else
    called, ok, err = pcall(converse, self)
  end
  if called and ok then
    leave(self)
    if self.is_broken then
      error(self.broken, 0)
    elseif self.full then
      return nil, "ETOOBIG", ("more than %d bytes on %s"):format(self.max_output, self.full)
    end
    return true
  end
  local ended, why = pcall(end_children, self)
  leave(self)
  if not called or not ended then
    error(not called and ok or why, 0)
  end
  return nil, err.code, ("not done in %g seconds"):format(self.timeout)
end

--- The texts that were collected, by name.
function M.texts(self)
  local texts = {}
  for _, sink in ipairs(self.sinks) do
    texts[sink.name] = concat(sink)
  end
  return texts
end

--- The error of a conversation, with all that is known.
function M.failure(self, code, op, text, result)
  local fields = M.texts(self)
  fields.result, fields.timeout = result, self.timeout
  return nil, errors.new(code, op, text, fields)
end

--- With one child: the result, or nil, err. Parks.
function M.one(child, input, opts, where, op)
  core.waiter()
  thread.checkpoint()
  local self = M.prepare(input, opts, where)
  self.children[1] = child
  self.stop = function()
    child:_end_soon()
  end
  self.stdin, self.is_shared = child.stdin, child.stdin ~= nil and child.stdin == child.pty
  if child.stdout then
    M.listen(self, "stdout", child.stdout)
  end
  if child.stderr then
    M.listen(self, "stderr", child.stderr)
  end
  local ok, code, text = M.hold(self)
  local how, err = self.ends[1], self.errs[1]
  if not ok then
    return M.failure(self, code, op, text, how or child:status())
  elseif not how then
    return M.failure(self, err.code, op, err.message)
  end
  return status.copy(how, M.texts(self))
end

return M
