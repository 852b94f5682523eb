--- All green threads, and the native ones, to standard error, in steps: what SIGUSR2 does in a
-- program of the command's. Private to green.debug.
-- @module green.debug.dump

local core = require "green.core"
local natives = require "green.debug.natives"
local stdfd = require "green.patch.stdio.stdfd"
local threads = require "green.debug.threads"

local format, pcall, stderr = string.format, pcall, io.stderr -- scripts may put their own there

local is_running = false

--- False: nobody reads.
local function put(text)
  core.complain(text .. "\n")
  if stdfd.ease(stderr) then
    return true
  end
  core.complain("greenlua: the rest is left out: nobody reads this\n")
  return false
end

--- How many there were; nil: nobody reads.
local function dump_threads(me)
  local n = 0
  for t in threads.handles(true) do
    if t ~= me then
      n = n + 1
      if not put(threads.text(t, true)) then
        return nil
      end
    end
  end
  return n
end

local function dump_natives()
  local list = natives.list(true)
  for i = 1, #list do
    if not put(natives.text(list[i])) then
      return nil
    end
  end
  return #list
end

local function dump(title, is_apart)
  core.complain(format("greenlua: %s\n", title))
  local n = dump_threads(is_apart and core.current())
  local n_native = n and dump_natives()
  if n_native then
    core.complain(format("greenlua: %s\n", threads.count(n, n_native)))
  end
end

--- Write the list; nothing while one is being written. Parks.
-- @tparam string title the first line, behind "greenlua: "
-- @tparam[opt] boolean is_apart the running thread is there for this alone, and left out
return function(title, is_apart)
  if is_running then
    return
  end
  is_running = true
  pcall(dump, title, is_apart)
  is_running = false
end
