--- What the command `greenlua` does with its command line, step by step.
--
-- The whole of it runs in the main green thread. vm/cmd/cli.c makes the plan: an
-- array of { letter, text } for -e, -l, -j and -O; `init` what LUA_INIT says;
-- `version` a text to print; `bytecode` the words of -b; `script` a file, or
-- `stdin`; `module` the name that -m has; `repl` a function for green.cmd.repl; `no_env`
-- without the environment; `backdoor` the path of one, or ""; `debugger` where one is; `keylog`
-- a file for the secrets of TLS (SSLKEYLOGFILE); `reader_gone` a function that says whether a
-- print ends the program; `on_usr2` one that takes what SIGUSR2 runs; `leaks` whether what is
-- left at the end is to be told; `profiles` kind -> file of green.profile's.
-- @module green.cmd.cli

local compiler = require "green.cmd.compiler"

-- LUA_INIT and the first steps may put their own in their places.
local _G, package = _G, package
local find, format, gsub, match = string.find, string.format, string.gsub, string.match
local loadlib, searchpath = package.loadlib, package.searchpath
local error, ipairs, loadfile = error, ipairs, loadfile
local loadstring = loadstring -- load: the user's own statements
local pcall, print, type, unpack = pcall, print, type, unpack
local open, os, rawget = io.open, os, rawget
local tostring = tostring

-- -- Loading ------------------------------------------------------------------

-- A module that waits at its top level must be loaded without a C frame below
-- it, also when it is the first to load the library. Most short programs load
-- nothing, so green.patch.require comes with the first call.
local raw = { require = require, dofile = dofile }
local patch_require, is_loading

local function put_late(name)
  local function late(...)
    if is_loading then
      return raw[name](...)
    elseif not patch_require then
      is_loading = true
      patch_require = raw.require "green.patch.require"
      is_loading = false
    end
    if _G[name] == late then -- the script has not put its own there
      patch_require.install()
    end
    return patch_require[name](...)
  end
  _G[name] = late
  return late
end

local late_require = put_late "require"
put_late "dofile"

-- A print that nobody reads ends the program. Before the library is loaded, C's stdio
-- knows of the one before.
local raw_exit, loaded = os.exit, package.loaded

local function put_print(reader_gone)
  local function careful_print(...)
    if reader_gone() then
      local stdio = loaded["green.stdio"]
      local exit = stdio and stdio.exit or raw_exit
      exit(141)
    end
    return print(...) -- a tail call: errors are the caller's
  end
  _G.print = careful_print
  return careful_print
end

--- Run a chunk, or return why there is none.
local function run(chunk, message, ...)
  if not chunk then
    return message
  end
  chunk(...)
end

-- -- The plan -----------------------------------------------------------------

local steps = {
  e = function(text)
    local chunk, message = loadstring(text, "=(command line)") -- load: the user's -e
    return run(chunk, message)
  end,
  l = function(name)
    late_require(name)
  end,
  j = compiler.command,
  O = compiler.optimize,
}

--- LUA_INIT is a statement, or "@" and a file.
local function run_init(text)
  local path = match(text, "^@(.*)$")
  if path then
    return run(loadfile(path))
  end
  return run(loadstring(text, "=LUA_INIT")) -- load: the user's LUA_INIT
end

local function load_beside(name, file, chunk, message)
  if not chunk then
    error(format("error loading module '%s' from file '%s':\n\t%s", name, file, message), 0)
  end
  return chunk
end

--- Modules are found beside the script, too, where they are nowhere else: a loader
-- behind all others, so that a script may have the name of a library that it uses.
local function look_beside(script)
  local folder = match(script, "^(.*/)") or "./"
  if find(folder, "[;?]") or type(package.loaders) ~= "table" then
    return -- no way to say that in a path
  end
  local texts, libraries = folder .. "?.lua;" .. folder .. "?/init.lua", folder .. "?.so"
  package.loaders[#package.loaders + 1] = function(name)
    local file, tried = searchpath(name, texts)
    if file then
      return load_beside(name, file, loadfile(file))
    end
    local library, more = searchpath(name, libraries)
    if library then
      return load_beside(name, library, loadlib(library, "luaopen_" .. gsub(name, "%.", "_")))
    end
    return tried .. more
  end
end

local function run_steps(plan)
  for _, step in ipairs(plan) do
    local wrong = steps[step[1]](step[2])
    if wrong then
      return wrong
    end
  end
end

--- The module that -m names: the library's own first, then any other.
local function module_of(name)
  local own = "green." .. name
  local ok, module = pcall(raw.require, own .. ".main")
  if ok then
    return module
  elseif not find(tostring(module), "module '" .. own .. ".main' not found", 1, true) then
    error(module, 0)
  end
  return late_require(name)
end

--- What a function main returns is the exit status, if that is a number.
local function end_with(status)
  if type(status) == "number" and status ~= 0 then
    os.exit(status)
  end
end

--- Call main(...) of a module with the words of the command line. What it returns is the
-- exit status, if that is a number.
local function run_module(name, ...)
  local module = module_of(name)
  local main = type(module) == "table" and module.main
  if type(main) ~= "function" then
    return "-m: the module " .. name .. " has no function main"
  end
  end_with(main(...))
end

-- What the command does besides running scripts; a script of that name goes before.
local commands = { attach = true, dump = true, top = true }

local function is_command(name)
  return commands[name] and not open(name)
end

--- Of a word for which there is no script: a command that is spelt almost so.
local function hint(word)
  local near = find(word, "^%l%l%l+$") and not open(word)
    and raw.require("green.args.options").nearest(word, commands, 2)
  return near and format("; did you mean 'greenlua %s'?", near) or ""
end

local door -- the backdoor that SIGUSR2 has opened

--- SIGUSR2: the green threads, and a backdoor, if there is a place for one. In a green
-- thread of its own: the library waits where it must.
local function on_usr2()
  raw.require("green.debug.dump")("SIGUSR2: all green threads", true)
  if not door or door.is_closed then
    door = raw.require("green.backdoor").open()
  end
end

local function words_of_arg()
  local words = rawget(_G, "arg")
  return unpack(type(words) == "table" and words or {})
end

local function run_script(plan)
  if plan.module then
    return run_module(plan.module, words_of_arg())
  elseif plan.bytecode then
    return compiler.save(plan.bytecode)
  elseif is_command(plan.script) then
    return end_with(raw.require("green.cmd." .. plan.script).main(words_of_arg()))
  elseif plan.script or plan.stdin then
    local chunk, message = loadfile(plan.script)
    message = message and plan.script and message .. hint(plan.script) or message
    return run(chunk, message, words_of_arg())
  end
end

local function open_inside(plan)
  local inside = (plan.debugger or plan.backdoor) and raw.require "green.cmd.inside"
  return plan.debugger and inside.start_debugger(plan.debugger)
    or plan.backdoor and inside.open_backdoor(plan.backdoor)
end

--- Before anything of the script's runs.
local function start_profiles(files)
  if files then
    return raw.require("green.profile.command")(files)
  end
end

--- What the functions of at_exit are to know; before main has returned: what it will be if it
-- raises.
local function note_status(status)
  local ending = loaded["green.ending"]
  if type(ending) == "table" then
    ending.status = status
  end
end

--- @return nil, or the message of a chunk that could not be loaded
return function(plan)
  local careful_print = put_print(plan.reader_gone)
  if plan.keylog then
    raw.require("green.tls.keylog").env = plan.keylog
  end
  plan.on_usr2(on_usr2)
  if plan.leaks then
    raw.require("green.debug.leaks").start()
  end
  local wrong = plan.init and run_init(plan.init)
  if plan.script then
    look_beside(plan.script)
  end
  if plan.version and not wrong then
    careful_print(plan.version)
  end
  wrong = wrong or start_profiles(plan.profiles) or open_inside(plan) or nil
  note_status(1)
  wrong = wrong or run_steps(plan) or run_script(plan)
  if plan.repl and not wrong then
    raw.require("green.cmd.repl").run { listen = plan.repl, no_env = plan.no_env }
  end
  note_status(wrong and 1 or 0)
  return wrong
end
