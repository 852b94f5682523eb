-- A build runner: the commands of a small file, side by side, each when what it needs is done.
--
--   greenlua examples/build.lua [-f FILE] [-j N] [-k] [-p] [TARGET...]
--   greenlua examples/build.lua -f examples/build/Buildfile -j 4 -p
--
-- FILE (Buildfile) has targets, what each needs, and its commands for the shell, as in
-- examples/build/Buildfile. -j: so many commands at once (as many as there are cores); -k: when
-- one fails, go on with all that does not need it, instead of stopping all others; -p: lines as
-- they come, each behind its target's name, instead of a target's whole output at its end. The
-- status is 1 when something has failed.

local green = require "green"
local process = require "green.process"

-- -- What is asked for ---------------------------------------------------------------

local function misuse(...)
  io.stderr:write("build: ", ...)
  io.stderr:write "\nusage: build.lua [-f FILE] [-j N] [-k] [-p] [TARGET...]\n"
  os.exit(2)
end

local function read_options(words)
  local options, i = { f = "Buildfile", targets = {} }, 1
  while words[i] do
    local letter = words[i]:match "^%-(.*)$"
    if letter == "k" or letter == "p" then
      options[letter] = true
    elseif letter == "f" or letter == "j" then
      i = i + 1
      options[letter] = words[i] or misuse(words[i - 1], " wants a word behind it")
    elseif letter then
      misuse("what is ", words[i], "?")
    else
      table.insert(options.targets, words[i])
    end
    i = i + 1
  end
  options.j = tonumber(options.j or assert(process.run { "nproc" }).stdout)
  if not options.j or options.j < 1 then misuse "-j wants a number" end
  return options
end

--- The targets of a build file: name -> { needs = names, commands = texts }; and their names.
local function read_build_file(path)
  local file, problem = io.open(path)
  if not file then misuse(problem) end
  local targets, names, target, n = {}, {}, nil, 0
  for line in file:lines() do
    n = n + 1
    local name, needs = line:match "^([^%s:#]+)%s*:(.*)$"
    local command = line:match "^%s+([^%s#].*)$"
    if name then
      if targets[name] then misuse(path, ":", n, ": there is a target ", name, " already") end
      target = { needs = {}, commands = {} }
      for need in needs:gmatch "%S+" do table.insert(target.needs, need) end
      targets[name] = target
      table.insert(names, name)
    elseif command and target then
      table.insert(target.commands, command)
    elseif line:find "^%s*[^%s#]" then
      misuse(path, ":", n, ": neither a target nor its command: ", line)
    end
  end
  file:close()
  return targets, names
end

--- All that these need: name -> names. A circle would wait for itself for ever.
local function needed_by(wanted, targets)
  local needs, path = {}, {}
  local function visit(name)
    if not targets[name] then
      misuse("there is no target ", name, path[1] and " for " .. path[#path] or "")
    end
    for _, above in ipairs(path) do
      if above == name then misuse("a circle: ", table.concat(path, " > "), " > ", name) end
    end
    if needs[name] then return end
    table.insert(path, name)
    for _, need in ipairs(targets[name].needs) do visit(need) end
    table.remove(path)
    needs[name] = targets[name].needs
  end
  for _, name in ipairs(wanted) do visit(name) end
  return needs
end

-- -- Doing it ------------------------------------------------------------------------

local options = read_options(arg)
local targets, names = read_build_file(options.f)
local needs = needed_by(options.targets[1] and options.targets or names, targets)
local slots = green.Semaphore(options.j)

--- Where a target's output goes: a function of a text, and one that ends it.
local function output_of(name)
  if options.p then
    return function(text) print(name .. " | " .. text) end, function() end
  end
  local lines = { "== " .. name }
  return function(text) table.insert(lines, text) end, function()
    if lines[2] then print(table.concat(lines, "\n")) end
  end
end

--- Run a command: how it has ended. It and all that it has started end with this thread. Parks.
local function run(command, tell)
  tell("$ " .. command)
  local child = assert(process.spawn { command, shell = true, kill_group = true, stdout = "pipe",
    stderr = "stdout" })
  for line in child.stdout:lines() do tell(line) end
  local how = assert(child:wait())
  child:close()
  return how
end

local function build(name, inputs)
  for _ in inputs do end -- all must be there; raises when one has failed
  local tell, finish = output_of(name)
  for _, command in ipairs(targets[name].commands) do
    slots:acquire()
    local how = green.finally(function() return run(command, tell) end, function()
      slots:release()
    end)
    if not how.ok then
      tell(tostring(how))
      finish()
      error(how, 0)
    end
  end
  finish()
  return true
end

local pool = green.DAGPool()
pool:spawn_many(needs, build)

local failed = {}
for name, problem in pool:wait_each_exception() do
  table.insert(failed, { name, problem })
  if not options.k then break end
end
for _, name in ipairs(pool:running_keys()) do pool:kill(name) end
for _, one in ipairs(failed) do
  local name, cause = one[1], one[2].cause
  local is_own = not (type(cause) == "table" and cause.key)
  io.stderr:write("build: ", name, ": ", is_own and tostring(cause) or "needs " .. cause.key, "\n")
end
os.exit(failed[1] and 1 or 0)
