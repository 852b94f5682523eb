--- Where the prompt's lines come from: libedit on a terminal, or standard input. Private to
-- green.cmd.repl.
-- @module green.cmd.repl_lines

local core = require "green.core"
local ffi = require "ffi"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, ipairs, pcall, setmetatable = error, ipairs, pcall, setmetatable
local byte, find, rep, sub = string.byte, string.find, string.rep, string.sub
local concat, floor, max = table.concat, math.floor, math.max
local stdout, getenv = io.stdout, os.getenv

local EINTR, EEOF = core.codes.EINTR, core.codes.EEOF
local READ = core.READ -- a mode of core.park
local HISTORY = 1000 -- lines
local TAB = 2 -- of feed
local COLUMNS = 80

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

--- What all words begin with.
local function common(words)
  local begin = words[1]
  for i = 2, #words do
    while sub(words[i], 1, #begin) ~= begin do
      begin = sub(begin, 1, -2)
    end
  end
  return begin
end

--- Words in columns, below each other.
local function columns_of(words)
  local width, parts = 0, {}
  for _, word in ipairs(words) do
    width = max(width, #word + 2)
  end
  local most = max(floor(COLUMNS / width), 1)
  for i, word in ipairs(words) do
    local is_last = i % most == 0 or i == #words
    parts[i] = is_last and word .. "\n" or word .. rep(" ", width - #word)
  end
  return concat(parts)
end

--- Tab was typed: put in what is sure, or show what there is. Parks, if complete does. EINTR: it
-- was interrupted.
function Editor:complete_word(complete)
  local typed = ffi.string(self.api.typed())
  if not find(typed, "%S") then
    return self.api.insert("\t")
  end
  local words, begin = complete(typed)
  if not words then
    return EINTR
  end
  local sure = words[1] and sub(common(words), #begin + 1) or ""
  if sure ~= "" then
    self.api.insert(sure)
  elseif words[2] then
    self.api.hide()
    self.stdio.write(stdout, columns_of(words))
    self.stdio.flush(stdout)
    self.api.show()
  end
end

--- Let the user type until the line is complete. Parks.
function Editor:edit(complete)
  local state = self.api.feed()
  while state == 0 or state == TAB do
    local status = state == TAB and self:complete_word(complete)
      or core.park(self.input.s, nil, READ)
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

function Editor:read(prompt, complete)
  self.api.begin(prompt)
  self.stdio.set_before(function(text)
    self:make_way(text)
  end)
  local ok, line, why = pcall(self.edit, self, complete)
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

--- What gives lines: read(prompt, complete) parks, and gives one; nil at the end; or nil and why
-- there is none. complete(text) gives the words that the last one of a text may become, and that
-- one, or nil when it was interrupted; it may park.
-- @tparam table stdio green.stdio
-- @tparam ?boolean no_env the environment does not say where the history is
local function open(stdio, no_env)
  return open_editor(stdio, no_env) or setmetatable({ stdio = stdio }, Plain)
end

return { open = open }
