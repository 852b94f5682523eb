--- require and dofile that may wait: modules may connect, sleep and spawn at
-- their top level.
--
-- The loaders are Lua's own (package.loaders); only the call of the chunk moves
-- from C to Lua. One green thread loads a module, others that require it wait.
-- @module green.patch.require

local core = require "green.core"

-- Scripts may put their own in their places.
local error, getinfo, ipairs, loadfile, package, pairs, pcall, setmetatable, tostring, type, xpcall
  = error, debug.getinfo, ipairs, loadfile, package, pairs, pcall, setmetatable, tostring, type,
  xpcall
local concat, find, format = table.concat, string.find, string.format
local loaded = package.loaded -- require's own table, whatever stands there later

local raw_require = require

local loading = {} -- name -> { thread = who loads it, queue = who waits }
local waits_for = setmetatable({}, { __mode = "k" }) -- thread -> the module it waits for

--- Would waiting for that loader close a circle of threads?
local function is_circle(entry, me)
  while entry do
    if entry.thread == me then
      return true
    end
    entry = loading[waits_for[entry.thread]]
  end
  return false
end

-- The library belongs to the state, which has one loop, one print, one set of threads.
-- Where a script (or a test runner) clears package.loaded, each module of ours is the
-- same when it is required again, by whatever require.
local kept = {} -- name -> module

--- Keep a module of the library.
-- @tparam[opt] function again called when it is required again
local function keep(name, module, again)
  if kept[name] then
    return
  end
  kept[name] = module
  package.preload[name] = package.preload[name] or function()
    if again then
      again()
    end
    return module
  end
end

-- green.thread takes longer to load than Lua to start: not before it is needed.
local note

local function note_traceback(err)
  if note then
    note(err)
  end
  return err
end

-- find_loader, run_loader, xpcall, green_require, and who called that.
local LEVEL_OF_CALLER = 5

--- What the searchers say to a name: the loader; or nil, and where they looked.
-- Raises what they raise.
local function search_all(name)
  local tried = {}
  for _, search in ipairs(package.loaders) do
    local found = search(name)
    if type(found) == "function" then
      return found
    elseif type(found) == "string" then
      tried[#tried + 1] = found
    end
  end
  return nil, format("module '%s' not found:%s", name, concat(tried))
end

local function find_loader(name)
  local loader, problem = search_all(name)
  if not loader then
    error(problem, LEVEL_OF_CALLER)
  end
  return loader
end

--- What would load that module; it is not loaded. Parks if a searcher does.
-- @return the loader; or nil, a text: where it was looked for, or what is wrong with the
-- file that was found
local function find_module(name)
  local ok, loader, problem = pcall(search_all, name)
  if not ok then
    return nil, loader
  end
  return loader, problem
end

--- Does that loader load a module of the library? Others may have modules below
-- "green.", too.
local function is_ours(name, loader)
  return name == "green" or name == "green.core"
    or find(name, "^green%.") and core.is_library(getinfo(loader, "S").source)
end

--- Call a loader: C libraries are opened on the main state, as in plain Lua. They may
-- keep it, and call back on it.
local function call_loader(loader, name)
  if getinfo(loader, "S").what == "C" then
    return core.open(loader, name)
  end
  return loader(name)
end

local function run_loader(name)
  local loader = find_loader(name)
  local value = call_loader(loader, name)
  if value ~= nil then
    loaded[name] = value
  elseif loaded[name] == nil then
    loaded[name] = true
  end
  if is_ours(name, loader) then
    keep(name, loaded[name])
  end
  return loaded[name]
end

--- Whoever loads the module has been abandoned: another may try.
local function abandoned(_, name, entry)
  if loading[name] == entry then
    loading[name] = nil
    core.wake_all(entry.queue)
  end
end

local function finish(name, entry, ok, value)
  loading[name] = nil
  if entry.queue then
    entry.thread:unlink(abandoned, name, entry)
    core.wake_all(entry.queue)
  end
  if not ok then
    error(value, 0)
  end
  return value
end

local function wait_for(name, entry, me)
  local thread = require "green.thread"
  core.waiter() -- where that raises, nothing is left
  if not entry.queue then
    entry.queue = core.waitq()
    entry.thread:link(abandoned, name, entry)
  end
  waits_for[me] = name
  local ok, err = pcall(thread.stand, entry.queue)
  waits_for[me] = nil
  if not ok then
    error(err, 0)
  end
end

local function name_of(value)
  if type(value) ~= "string" and type(value) ~= "number" then
    error(format("bad argument #1 to 'require' (string expected, got %s)",
      value == nil and "no value" or type(value)), 3)
  end
  return tostring(value)
end

--- Who loads the module now, if anybody does.
local function loader_of(name)
  local entry = loading[name]
  if entry and not core.is_dead(entry.thread) then
    return entry
  end
end

--- As Lua's. Parks while another green thread loads the module, and wherever
-- the module itself waits.
local function green_require(name)
  local me = core.current()
  name = name_of(name)
  while not loaded[name] do
    local entry = loader_of(name)
    if not entry then
      entry = { thread = me, queue = nil }
      loading[name] = entry
      return finish(name, entry, xpcall(run_loader, note_traceback, name))
    elseif is_circle(entry, me) then
      error(format("loop or previous error loading module '%s'", name), 2)
    end
    wait_for(name, entry, me)
  end
  return loaded[name]
end

--- As Lua's; the chunk may wait.
local function green_dofile(path)
  local chunk, err = loadfile(path)
  if not chunk then
    error(err, 0)
  end
  return chunk()
end

--- Put both into the globals. Idempotent.
-- @tparam[opt] function noter from now on, green.thread's note_traceback
local function install(noter)
  note = noter or note
  require, dofile = green_require, green_dofile
  for name, module in pairs(package.loaded) do
    local kind = type(module)
    local is_named = name == "green" or find(name, "^green%.")
    -- Lua's require loads no others, but what C has to give (green.ffi).
    if is_named and (kind == "table" or kind == "function" or kind == "cdata") then
      keep(name, module)
    end
  end
end

return {
  install = install,
  keep = keep,
  require = green_require,
  dofile = green_dofile,
  find = find_module,
  raw_require = raw_require,
}
