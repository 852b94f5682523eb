--- Classes of objects: their methods check that they are called with such an object.
--
-- A method that is called with a dot, or with another object, raises in the
-- caller's line. The check stands in front of every method; it costs some
-- nanoseconds in compiled code, some tens in interpreted.
-- @module green.args.class

local args = require "green.args"

local core = require "green.core"
local type, getmetatable, setmetatable = type, getmetatable, setmetatable
local is_thread = core.is_thread
local getinfo = debug.getinfo -- a script may take it away

local M = {}

--- Class name -> metatable, of every class that is there. A server has one of its own
-- for its requests, which goes with it.
M.all = setmetatable({}, { __mode = "v" })

--- Make a class known by its `__name`. Does not park.
-- @tparam table mt
function M.add(mt)
  M.all[mt.__name] = mt
end

--- Does a table of the class stand where self must?
local function is_of(value, mt)
  return type(value) == "table" and getmetatable(value) == mt
end
M.is = is_of

local function wrong_self(mt, name, self)
  args.misuse("%s: self must be a %s, not %s; call it with a colon, object:%s(...)",
    name, mt.__name, args.shown(self), name)
end

-- -- A guard for each count of parameters -------------------------------------

-- A method gets as many arguments as it has parameters, so its guard hands on no
-- list, and with a tail call: the stack has no frame more.

local guards = {}

guards[1] = function(fn, mt, name)
  return function(self)
    if type(self) ~= "table" or getmetatable(self) ~= mt then
      wrong_self(mt, name, self)
    end
    return fn(self)
  end
end

guards[2] = function(fn, mt, name)
  return function(self, a)
    if type(self) ~= "table" or getmetatable(self) ~= mt then
      wrong_self(mt, name, self)
    end
    return fn(self, a)
  end
end

guards[3] = function(fn, mt, name)
  return function(self, a, b)
    if type(self) ~= "table" or getmetatable(self) ~= mt then
      wrong_self(mt, name, self)
    end
    return fn(self, a, b)
  end
end

guards[4] = function(fn, mt, name)
  return function(self, a, b, c)
    if type(self) ~= "table" or getmetatable(self) ~= mt then
      wrong_self(mt, name, self)
    end
    return fn(self, a, b, c)
  end
end

local function guard_any(fn, mt, name)
  return function(self, ...)
    if type(self) ~= "table" or getmetatable(self) ~= mt then
      wrong_self(mt, name, self)
    end
    return fn(self, ...)
  end
end

local function guard_thread(fn, mt, name)
  return function(self, ...)
    if not is_thread(self) then
      wrong_self(mt, name, self)
    end
    return fn(self, ...)
  end
end

--- A guard that hands on less than the method takes would lose arguments.
local function guard_of(fn)
  local info = getinfo(fn, "u")
  return not info.isvararg and guards[info.nparams] or guard_any
end

-- -- Classes ------------------------------------------------------------------

--- All that is found in a table of methods and in those it inherits from.
local function flatten(methods)
  local all, mt = {}, getmetatable(methods)
  if mt and type(mt.__index) == "table" then
    all = flatten(mt.__index)
  end
  for name, value in pairs(methods) do
    all[name] = value
  end
  return all
end

--- Make a metatable's `__index`, a table of methods, safe: from here on its objects
-- have guarded ones. The table itself stays as it is, for use inside the library.
-- Does not park.
-- @tparam table mt with `__name` and `__index`
-- @tparam[opt] string kind "thread": its objects are userdata
-- @treturn table mt
function M.seal(mt, kind)
  local safe = flatten(mt.__index)
  for name, method in pairs(safe) do
    if type(method) == "function" then
      local guard = kind == "thread" and guard_thread or guard_of(method)
      safe[name] = guard(method, mt, name)
    end
  end
  mt.__index = safe
  M.add(mt)
  return mt
end

return M
