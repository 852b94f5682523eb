--- Finalizers written in Lua, on a LuaJIT of 2022 or 2023.
--
-- There an error in one is raised in whatever made the collector run, or ends the process.
-- Here it goes to stderr, as later LuaJITs have it. And there one may never come back
-- (vm/finalizer.h, which loads this module where it is needed): one that loops over a table.
--
-- newproxy, ffi.gc and ffi.metatype of the program are replaced by functions that do the same,
-- but a finalizer that is a Lua function or a table is guarded. Not guarded is a `__gc` that is
-- set in another way: by rawset, a second time in the same table, in one that has got another
-- metatable, in the metatable of a C library's userdata.
--
-- Private. Returns install(api); api is C's: `look`, `tell`, `guard`, `registry`, and, where
-- loops need it, `on_exit`, a handler for LuaJIT's ways out of compiled code, which stands
-- beside a finalizer while that runs. install returns the number LuaJIT has for them.
-- @module green.patch.finalizers

local ffi = require "ffi"

-- Scripts may put their own in their places.
local getmetatable, pairs, pcall, rawget, rawset, setmetatable, type =
  getmetatable, pairs, pcall, rawget, rawset, setmetatable, type
local new, gc, metatype, attach = newproxy, ffi.gc, ffi.metatype, jit.attach

local EVENT = "texit"

local look, tell, guard, on_exit, registry -- of api
local number -- of EVENT, in the registry's table of handlers

-- -- The handler ---------------------------------------------------------------

local is_watching = false
local theirs -- another's handler, while ours is in its place

local function both(...)
  on_exit(...)
  return theirs(...)
end

--- Is there a handler from here on that was not there?
local function watch()
  if is_watching then
    return false
  end
  theirs = rawget(registry._VMEVENTS, number)
  is_watching = pcall(attach, theirs and both or on_exit, EVENT)
  return is_watching
end

local function unwatch()
  attach(theirs and both or on_exit)
  if theirs then
    pcall(attach, theirs, EVENT)
  end
  is_watching, theirs = false, nil
end

-- -- Calling one ---------------------------------------------------------------

local function finish(is_watched, fn, ok, ...)
  if is_watched then
    unwatch()
  end
  if ok then
    return ...
  end
  pcall(tell, fn, (...))
end

--- Called by hand it is fn alone, which may wait and raise; but inside of another finalizer it
-- may not: whether the collector has called it there is not known.
local function call(fn, ...)
  local is_inside, has_room = look()
  if not is_inside then
    return fn(...)
  end
  return finish(has_room and watch(), fn, pcall(fn, ...))
end

local function can_fail(finalizer)
  return type(finalizer) == "function" or type(finalizer) == "table"
end

-- -- What has them -------------------------------------------------------------

local proxy_mt = {}

--- A function of Lua's: the script can get it, and call it.
function proxy_mt.__newindex(mt, key, value)
  local finalizer = value
  if key == "__gc" and can_fail(value) then
    finalizer = function(...)
      return call(value, ...)
    end
  end
  rawset(mt, key, finalizer)
end

local function newproxy_of(what)
  if what ~= true then
    return new(what)
  end
  local proxy = new(true)
  setmetatable(getmetatable(proxy), proxy_mt)
  return proxy
end

-- One function is often the finalizer of many objects. Weak: none is kept alive.
local last = setmetatable({}, { __mode = "v" })

local function guard_of(finalizer)
  if last.finalizer == finalizer and last.guard then
    return last.guard
  end
  local guarded = guard(finalizer, call)
  last.finalizer, last.guard = finalizer, guarded
  return guarded
end

local function gc_of(...)
  local cdata, finalizer = ...
  if can_fail(finalizer) then
    return gc(cdata, guard_of(finalizer))
  end
  return gc(...)
end

--- LuaJIT gets a copy: it must not be changed later, and the script's stays as it is.
local function metatype_of(...)
  local ctype, mt = ...
  local finalizer = type(mt) == "table" and rawget(mt, "__gc")
  if not can_fail(finalizer) then
    return metatype(...)
  end
  local copy = {}
  for key, value in pairs(mt) do
    copy[key] = value
  end
  copy.__gc = guard(finalizer, call)
  return metatype(ctype, copy)
end

-- -- Putting them there --------------------------------------------------------

--- Which number has a handler that is attached? Another's is there again afterwards.
local function find_number()
  local old = {}
  for n, one in pairs(registry._VMEVENTS or old) do
    old[n] = one
  end
  attach(on_exit, EVENT)
  for n, one in pairs(registry._VMEVENTS) do
    number = one == on_exit and n or number
  end
  attach(on_exit)
  if old[number] then
    attach(old[number], EVENT)
  end
end

return function(api)
  if not look then
    look, tell, guard, registry = api.look, api.tell, api.guard, api.registry
    on_exit = attach and api.on_exit
    if on_exit then
      find_number()
    end
    newproxy = new and newproxy_of -- luacheck: globals newproxy
    ffi.gc, ffi.metatype = gc_of, metatype_of
  end
  return number
end
