--- Several programs, each reading what the one before writes. Private to green.process.

local core = require "green.core"
local args = require "green.args"
local command = require "green.process.command"
local errors = require "green.error"
local run = require "green.process.run"
local spawn = require "green.process.spawn"
local status = require "green.process.status"
local stream = require "green.stream"
local talk = require "green.process.talk"
local thread = require "green.thread"
local pipe = require "green.pipe"

local api = require "green.ffi.pipe"
local ffi = require "ffi"

local READ = stream.READ

local M = {}

local known = { check = true, input = true, stdin = true, stdout = true }
for name in pairs(talk.known) do
  known[name] = true
end

local of_each = {}
for name in pairs(spawn.known) do
  of_each[name] = name ~= "stdin" and name ~= "stdout" or nil
end

local ends, number = ffi.new("int32_t[2]"), ffi.new("int32_t[1]")

-- -- Numbers between them -------------------------------------------------------------

-- lent: a number of ours that only children are to have -> true

local function drop(lent, fd)
  if lent[fd] then
    lent[fd] = nil
    api.drop(fd)
  end
end

local function drop_all(lent)
  for fd in pairs(lent) do
    drop(lent, fd)
  end
end

--- A pipe from one child to the next: its numbers; or nil, err.
local function new_link(lent)
  local code = api.plain(ends)
  if code < 0 then
    return nil, errors.new(code, "pipe")
  end
  lent[ends[0]], lent[ends[1]] = true, true
  return ends[0], ends[1]
end

--- What all write their errors to: the number for them; or nil, err.
local function open_stderr(self, lent)
  local p = pipe._handle()
  local code = api.half(p, READ, number)
  if code < 0 then
    return nil, errors.new(code, "pipe")
  end
  self.stderr = pipe._wrap(p)
  lent[number[0]] = true
  return number[0]
end

-- -- Starting them ------------------------------------------------------------------

--- The i-th command with its place in the line. stderr of all is one pipe.
local function start_one(self, i, from, to, err_fd)
  local list, opts = command.split(self.commands[i], of_each, "pipe")
  local first, last = i == 1, i == #self.commands
  local at_first = self.opts.input ~= nil and "pipe" or self.opts.stdin or "null"
  local defaults = {
    stdin = first and at_first or from,
    stdout = last and (self.opts.stdout or "pipe") or to,
    stderr = err_fd,
  }
  return spawn.start(list, opts, defaults, "pipe")
end

--- Start all; on failure those that run already are children of self. true; nil, err.
local function start_all(self, lent)
  local err_fd, err = open_stderr(self, lent)
  if not err_fd then
    return nil, err
  end
  local from = false
  for i = 1, #self.commands do
    local reader, writer = false, false
    if i < #self.commands then
      reader, writer = new_link(lent)
      if not reader then
        return nil, writer
      end
    end
    self.children[i], err = start_one(self, i, from, writer, err_fd)
    if err then
      return nil, err
    end
    drop(lent, from)
    drop(lent, writer)
    from = reader
  end
  return true
end

local function stop_all(self)
  for _, child in ipairs(self.children) do
    child:_end_soon()
  end
end

local function end_all(self)
  stop_all(self)
  for _, child in ipairs(self.children) do
    child:_end_shielded()
    child:close()
  end
  if self.stderr then
    self.stderr:close()
  end
end

-- -- Their ends -------------------------------------------------------------------------

--- Is that a failure? One whose reader has had enough is none, before the last.
local function is_fine(how, is_last)
  return how.ok or not is_last and how.signal == "SIGPIPE"
end

--- The first that failed, or nil.
local function first_failed(self)
  for i, how in ipairs(self.ends) do
    if not is_fine(how, i == #self.children) then
      return i
    end
  end
end

local function result_of(self)
  local result = status.copy(self.ends[#self.children], talk.texts(self))
  result.statuses = self.ends
  local failed = first_failed(self)
  result.ok = failed == nil
  if failed and self.opts.check then
    local child, how = self.children[failed], self.ends[failed]
    local _, err = run.exit_failure(how, "pipe " .. child.shown, child.argv, result.stderr)
    err.result, err.stdout, err.stderr = result, result.stdout, result.stderr
    return nil, err
  end
  return result
end

local function hold(self)
  local children = self.children
  local last = children[#children]
  self.stop = function()
    stop_all(self)
  end
  self.stdin = children[1].stdin
  if last.stdout then
    talk.listen(self, "stdout", last.stdout)
  end
  talk.listen(self, "stderr", self.stderr)
  local ok, code, text = talk.hold(self)
  for i, child in ipairs(children) do
    child:close()
    if ok and not self.ends[i] then
      ok, code, text = nil, self.errs[i].code, self.errs[i].message
    end
  end
  if not ok then
    return talk.failure(self, code, "pipe " .. last.shown, text)
  end
  return result_of(self)
end

local function check_commands(list)
  args.list(list, "pipe", "list", "commands")
  if #list == 0 then
    args.misuse("pipe: list must have a command, not be %s without one", args.shown(list))
  end
  for i = 1, #list do
    if type(list[i]) == "string" then
      args.misuse("pipe: command %d must be a list of words, not a string", i)
    end
    args.type(list[i], "table", "pipe", ("command %d"):format(i))
  end
end

--- See green.process.
function M.run(spec)
  local list, opts = command.split(spec, known, "pipe", "list")
  check_commands(list)
  args.optional(opts.check, "boolean", "pipe", "check")
  if opts.input ~= nil and opts.stdin ~= nil then
    args.misuse("pipe: input or stdin, not both")
  end
  local self = talk.prepare(opts.input, opts, "pipe")
  self.commands, self.opts = list, opts
  core.waiter()
  thread.checkpoint()
  local lent = {}
  local called, ok, err = pcall(start_all, self, lent)
  drop_all(lent)
  if called and ok then
    return hold(self)
  end
  end_all(self)
  if not called then
    error(ok, 0)
  end
  return nil, err
end

return M
