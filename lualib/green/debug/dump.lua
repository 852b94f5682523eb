--- All green threads to standard error, in steps: what SIGUSR2 does in a program of the
-- command's. Private to green.debug.
-- @module green.debug.dump

local core = require "green.core"
local stdfd = require "green.patch.stdio.stdfd"
local threads = require "green.debug.threads"

local format, pcall, stderr = string.format, pcall, io.stderr -- scripts may put their own there

local is_running = false

local function dump(title, is_apart)
  local me, n = is_apart and core.current(), 0
  core.complain(format("greenlua: %s\n", title))
  for t in threads.handles(true) do
    if t ~= me then
      n = n + 1
      core.complain(threads.text(t, true) .. "\n")
      if not stdfd.ease(stderr) then
        core.complain("greenlua: the rest is left out: nobody reads this\n")
        return
      end
    end
  end
  core.complain(format("greenlua: %d green thread%s\n", n, n == 1 and "" or "s"))
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
