--- Where the prompt's lines come from: libedit on a terminal, or standard input. Private to
-- green.cmd.repl.
-- @module green.cmd.repl_lines

local core = require "green.core"
local ffi = require "ffi"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, pcall, setmetatable = error, pcall, setmetatable
local byte, find = string.byte, string.find
local stdout, getenv = io.stdout, os.getenv

local EINTR, EEOF = core.codes.EINTR, core.codes.EEOF
local READ = core.READ -- a mode of core.park
local HISTORY = 1000 -- lines

-- -- Lines from an editor -----------------------------------------------------

local Editor = {}
Editor.__index = Editor

local function history_path(no_env)
  local path, home = not no_env and getenv("GREENLUA_HISTORY"), getenv("HOME")
  return path or (home and home ~= "" and home .. "/.greenlua_history") or ""
end

--- An editor on the terminal, or nil when there is none, or no libedit.
local function open_editor(stdio, no_env)
  local input = stdio.input()
  if not input then
    return nil
  end
  local api = require "green.ffi.repl"
  if api.open() < 0 then
    return nil
  end
  local self = setmetatable({
    api = api,
    input = input,
    stdio = stdio,
    path = history_path(no_env),
    thread = core.current(),
  }, Editor)
  api.history(self.path, HISTORY)
  stdio.on_finish = function()
    api.close()
  end
  return self
end

--- Other threads write while a line is edited: take it away, and put it back in
-- the next turn, when they have done.
function Editor:make_way(text)
  if not self.hidden then
    self.hidden = true
    self.api.hide()
    core.wake_thread(self.thread, 0)
  end
  self.ends = byte(text, -1)
end

function Editor:come_back()
  self.hidden = false
  if self.ends ~= 10 then
    self.stdio.raw.file.write(stdout, "\n")
    self.stdio.raw.file.flush(stdout)
  end
  self.api.show()
end

--- Let the user type until the line is complete. Parks.
function Editor:edit()
  local state = self.api.feed()
  while state == 0 do
    local status = core.park(self.input.s, nil, READ)
    if status == EINTR then
      self.api.abandon()
      return nil, "interrupted"
    elseif status == core.codes.EBUSY then
      thread.sleep(0.05) -- another thread reads standard input
    elseif status ~= 0 then
      return thread.failed(status, "read the terminal")
    end
    if self.hidden then
      self:come_back()
    end
    state = self.api.feed()
  end
  if state == EEOF then
    return nil
  end
  return ffi.string(self.api.line())
end

function Editor:read(prompt)
  self.api.begin(prompt)
  self.stdio.set_before(function(text)
    self:make_way(text)
  end)
  local ok, line, why = pcall(self.edit, self)
  self.stdio.set_before(nil)
  if not ok then
    self.api.abandon()
    error(line, 0)
  end
  if line and find(line, "%S") and line ~= self.last then
    self.last = line
    self.api.remember(line, self.path)
  end
  return line, why
end

function Editor:close()
  self.stdio.on_finish = nil
  self.api.close()
end

-- -- Lines without an editor --------------------------------------------------

local Plain = {}
Plain.__index = Plain

function Plain:read(prompt)
  local stdio = self.stdio
  stdio.write(stdout, prompt)
  stdio.flush(stdout)
  local line, _, code = stdio.read("*l")
  if not line then
    stdio.write(stdout, "\n")
  end
  if not line and code == -EINTR then
    return nil, "interrupted"
  end
  return line
end

function Plain.close() end

--- What gives lines: read(prompt) parks, and gives one; nil at the end; or nil and why there is
-- none.
-- @tparam table stdio green.stdio
-- @tparam ?boolean no_env the environment does not say where the history is
local function open(stdio, no_env)
  return open_editor(stdio, no_env) or setmetatable({ stdio = stdio }, Plain)
end

return { open = open }
