-- Makes values of texts, so that a plan can be written down and each call gets
-- objects of its own: `pick(2, M"socket".pair())`, `O"green.Queue"`, `fn()`.

local find = require "spec.calls.find"
local green = require "green"
local kit = require "spec.calls.kit"

local M = { recipes = {} } -- class -> text

local kept, after = {}, {}
local K = {}

--- fn is called when the call that is being tried is over.
function K.later(fn)
  after[#after + 1] = fn
end

local words = {
  fn = function() return function() end end,
  M = find.require,
}

function words.thread()
  return kit.recipes["green.thread"](K)
end

--- The n-th of several results; the others are not collected before the call.
function words.pick(n, ...)
  kept[#kept + 1] = { ... }
  return (select(n, ...))
end

--- A new object of a class; raises when it cannot be made.
function M.object(class)
  local recipe, text = kit.recipes[class], M.recipes[class]
  local object
  if recipe then
    object = recipe(K)
  elseif text then
    object = M.value(text)
  end
  if object == nil then
    error("no " .. class .. " could be made", 0)
  end
  kept[#kept + 1] = { object }
  return object
end
words.O = M.object

-- -- States -------------------------------------------------------------------

--- A connection that a handler has taken over.
function words.taken_over()
  return find.require("wsgi").take_over(M.object("green.env"))
end

--- What belongs to a request, when it is over.
function words.over(object)
  K.finish()
  return object
end

function words.dead()
  local thread = green.spawn(function() end)
  thread:wait()
  return thread
end

function words.sent()
  local event = green.Event()
  event:send(1)
  return event
end

--- The object, after one of the methods that end it.
function words.ended(name, object)
  pcall(green.timeout, 0.01, object[name], object)
  return object
end

--- Do now what was to be done later.
function K.finish()
  local all = after
  after = {}
  for i = #all, 1, -1 do
    pcall(all[i])
  end
end

local chunks = {}

--- The value that a text stands for.
function M.value(text)
  local chunk = chunks[text]
  if not chunk then
    chunk = assert(loadstring("return " .. text, "=plan"))
    chunks[text] = setfenv(chunk, words)
  end
  return (chunk())
end

--- The call is over: what it was given goes.
function M.clean()
  kept = {}
  K.finish()
end

--- Can it be made at all?
function M.is_known(class)
  return kit.recipes[class] ~= nil or M.recipes[class] ~= nil
end

-- -- Plans --------------------------------------------------------------------

--- baselines: label -> array of texts.
function M.write_plan(path, baselines)
  local file = assert(io.open(path, "w"))
  local lines = {}
  for class, text in pairs(M.recipes) do
    lines[#lines + 1] = table.concat({ "object", class, text }, "\t")
  end
  for label, base in pairs(baselines) do
    lines[#lines + 1] = table.concat({ "base", label, base.good and "good" or "poor",
      unpack(base) }, "\t")
  end
  table.sort(lines)
  file:write(table.concat(lines, "\n"), "\n")
  file:close()
end

function M.read_plan(path)
  local baselines = {}
  for line in io.lines(path) do
    local fields = {}
    for field in line:gmatch("[^\t]+") do fields[#fields + 1] = field end
    if fields[1] == "object" then
      M.recipes[fields[2]] = fields[3]
    elseif fields[1] == "base" then
      baselines[fields[2]] = { good = fields[3] == "good", unpack(fields, 4) }
    end
  end
  return baselines
end

M.green = green
return M
