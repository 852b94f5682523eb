-- busted's helper for tools/hollow: takes away what a spec tests, and writes down
-- what passes nevertheless. HOLLOW says what is taken:
--
--   calls    whatever functions a spec file takes from the library itself raise
--   subject  those that spec/support takes as well (and tools/hollow breaks the
--            binary that children run)
--   nil      nothing; but who calls or indexes nil in spec/ is noted
--
-- HOLLOW_OUT gets a line a test: "passed" or "failed", what was met first ("-":
-- nothing was), the test's name.

local busted = require "busted"

require "green" -- it puts its own require in place: ours goes over it
local real_require = require

local mode = os.getenv "HOLLOW"
local out = assert(io.open(os.getenv "HOLLOW_OUT", "w"))

local is_running = false
local met -- what the running test met first

local function note(what)
  met = met or what
end

-- -- Taking away --------------------------------------------------------------

local hollows = setmetatable({}, { __mode = "k" })
local hollow

local function hollow_first(name, first, ...)
  return hollow(name .. "()", first), ...
end

--- What a file makes when it is loaded is made, and hollow as well.
local function raiser(name, fn)
  return function(...)
    if not is_running then
      return hollow_first(name, fn(...))
    end
    note(name)
    error("hollow: " .. name, 2)
  end
end

local function hollow_table(name, real)
  local copy, mt = {}, getmetatable(real)
  hollows[real] = copy -- it may lead to itself, as classes do
  for key, value in pairs(real) do
    copy[key] = hollow(name .. "." .. tostring(key), value)
  end
  return setmetatable(copy, {
    __index = function(_, key)
      return hollow(name .. "." .. tostring(key), real[key])
    end,
    __call = type(mt) == "table" and mt.__call and raiser(name, real) or nil,
  })
end

function hollow(name, value)
  local kind = type(value)
  if kind ~= "function" and kind ~= "table" then
    return value
  end
  -- One for each: who compares functions finds them equal still.
  hollows[value] = hollows[value]
    or (kind == "function" and raiser or hollow_table)(name, value)
  return hollows[value]
end

-- Everybody's tests run in it, and it is the subject of one spec only.
local function is_kit(name, source)
  return name == "green.testing" and source ~= "@spec/testing_spec.lua"
end

-- The library reads its own modules as they are: only specs go through this.
local function is_taken(name, source)
  if not (name == "green" or name:find("^green%.")) or is_kit(name, source) then
    return false
  end
  if source:find("^@spec/support/") then
    return mode == "subject"
  end
  return source:find "^@spec/"
end

local function hollow_require(name)
  local value = real_require(name)
  local source = debug.getinfo(2, "S").source:gsub("^@%./", "@")
  if name == "green.testing" then
    hollows[value.busted] = value.busted -- makes the functions that run tests
  end
  return is_taken(name, source) and hollow(name, value) or value
end

-- -- Nil ----------------------------------------------------------------------

local function note_nil(verb)
  local info = debug.getinfo(3, "Sl")
  if is_running and info.source:find("^@%.?/?spec/") then
    note(("%s nil at %s:%d"):format(verb, info.short_src, info.currentline))
  end
end

local function watch_nil()
  debug.setmetatable(nil, {
    __call = function()
      note_nil "calls"
      error("attempt to call a nil value", 2)
    end,
    __index = function()
      note_nil "indexes"
      error("attempt to index a nil value", 2)
    end,
  })
end

-- -- Writing down -------------------------------------------------------------

local function full_name(element)
  local names = {}
  while element and element.descriptor ~= "file" do
    table.insert(names, 1, element.name or element.descriptor)
    element = busted.parent(element)
  end
  return (table.concat(names, " "):gsub("%s+", " "))
end

busted.subscribe({ "test", "start" }, function()
  is_running, met = true, nil
  return nil, true
end)

busted.subscribe({ "test", "end" }, function(element, _, status)
  is_running = false
  if status ~= "pending" then
    out:write(("%s\t%s\t%s\n"):format(
      status == "success" and "passed" or "failed", met or "-", full_name(element)))
    out:flush()
  end
  return nil, true
end)

if mode == "nil" then
  watch_nil()
else
  require = hollow_require -- luacheck: ignore 121
end
