--- What the command `greenlua` does with its command line, step by step.
--
-- The whole of it runs in the main green thread. vm/cli.c makes the plan: an
-- array of { "e", statement } and { "l", module }; `version` a text to print;
-- `script` a file, or `stdin`; `repl` a function for green.repl; `reader_gone` one that
-- says whether a print ends the program.
-- @module green.cli

--- Run a chunk, or return why there is none.
local function run(chunk, message, ...)
  if not chunk then
    return message
  end
  chunk(...)
end

local steps = {
  e = function(text)
    local chunk, message = loadstring(text, "=(command line)") -- load: the user's -e
    return run(chunk, message)
  end,
  l = function(name)
    require(name)
  end,
}

-- A module that waits at its top level must be loaded without a C frame below
-- it, also when it is the first to load the library. Most short programs load
-- nothing, so green.load comes with the first call.
local raw = { require = require, dofile = dofile }
local load, is_loading

local function put_late(name)
  local function late(...)
    if is_loading then
      return raw[name](...)
    elseif not load then
      is_loading = true
      load = raw.require "green.load"
      is_loading = false
    end
    if _G[name] == late then -- the script has not put its own there
      load.install()
    end
    return load[name](...)
  end
  _G[name] = late
end

put_late "require"
put_late "dofile"

-- A print that nobody reads ends the program. Before the library is loaded, C's stdio
-- knows of the one before.
local raw_print, raw_exit = print, os.exit

local function put_print(reader_gone)
  _G.print = function(...)
    if reader_gone() then
      local stdio = package.loaded["green.stdio"]
      local exit = stdio and stdio.exit or raw_exit
      exit(141)
    end
    return raw_print(...) -- a tail call: errors are the caller's
  end
end

--- @return nil, or the message of a chunk that could not be loaded
return function(plan)
  local wrong
  put_print(plan.reader_gone)
  if plan.version then
    print(plan.version)
  end
  for _, step in ipairs(plan) do
    wrong = steps[step[1]](step[2])
    if wrong then
      return wrong
    end
  end
  if plan.script or plan.stdin then
    local chunk, message = loadfile(plan.script)
    wrong = run(chunk, message, unpack(arg))
  end
  if plan.repl and not wrong then
    require("green.repl").run { listen = plan.repl }
  end
  return wrong
end
