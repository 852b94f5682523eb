--- Errors that a program has been given and never looked at.
--
-- Where a call is all that a program does, as wsgi.serve is, a failure whose result is
-- dropped would end it without a word. Such an error gets its fields when it is first
-- looked at; one that was never looked at is told on stderr when the state is closed.
-- @module green.error.unheard

local core = require "green.core"

-- Scripts may put their own in their places.
local getmetatable, newproxy, pairs, pcall, rawset, setmetatable, tostring =
  getmetatable, newproxy, pairs, pcall, rawset, setmetatable, tostring
local stderr, format = io.stderr, string.format

local pending = setmetatable({}, { __mode = "k" }) -- error -> its fields
local newest = {} -- where it was given -> the error: a call that is repeated tells one
local places = setmetatable({}, { __mode = "k" }) -- error -> where
local guard

local function tell_one(place, err)
  stderr:write(format("greenlua: %s%s; nobody has looked at that: put assert(...) around the "
    .. "call\n", place, tostring(err)))
end

--- Tell those that nobody has looked at, once: at the end of the program, or when the
-- state is closed.
local function tell()
  local all = newest
  newest = {}
  for place, err in pairs(all) do
    pcall(tell_one, place, err)
  end
end

--- In a child of a fork: its parent tells them.
local function forget()
  newest = {}
end

--- A finalizer that runs when the state is closed.
local function watch()
  if not guard then
    guard = newproxy(true)
    getmetatable(guard).__gc = tell
  end
end

--- Take the fields of a new error away until it is looked at.
-- @tparam table err
-- @return err
local function keep(err)
  local fields = {}
  for key, value in pairs(err) do
    fields[key] = value
  end
  for key in pairs(fields) do
    err[key] = nil
  end
  local place = core.placed("")
  pending[err], places[err], newest[place] = fields, place, err
  watch()
  return err
end

--- The __index of errors with these methods.
local function index(methods)
  return function(err, key)
    local fields = pending[err]
    if not fields then
      return methods[key]
    end
    local place = places[err]
    pending[err], places[err] = nil, nil
    if newest[place] == err then
      newest[place] = nil
    end
    for name, value in pairs(fields) do
      rawset(err, name, value)
    end
    return err[key]
  end
end

return { keep = keep, index = index, tell = tell, forget = forget }
