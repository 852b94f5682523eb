--- The log of the program in native threads: the one of a state that runs jobs is set up as
-- that of the state they are from.
--
-- Lines for a path or standard error are written there by who puts them together; others, whose
-- output is an object of one state alone, come back with the job.
-- @module green.log.carried

local carry = require "green.thread.carry"
local core = require "green.core"
local lines = require "green.log.line"
local trees = require "green.log.tree"

-- Scripts may put their own in their places.
local ipairs, pairs, type = ipairs, pairs, type
local gmatch = string.gmatch

local MOST = 1048576 -- bytes of lines that come back with one job

local M = {}

-- -- What leaves --------------------------------------------------------------

local function plain_of(tree)
  local o, value = tree.options, {}
  for name, option in pairs(o) do
    value[name] = option
  end
  value.colors = tree.colors
  if o.output ~= true and type(o.output) ~= "string" then
    value.output = nil
  end
  return value
end

--- This is the log of the program: that of its native threads is as it is.
function M.watch(tree)
  tree.on_change = function()
    carry.put("log", plain_of(tree))
  end
  tree.on_change()
end

function M.pack(context)
  local fields = {}
  for name, value in pairs(context.log and context.log.fields or {}) do
    fields[name] = carry.crossing(value)
  end
  return context.log and fields
end

-- -- What arrives -------------------------------------------------------------

function M.unpack(fields)
  return "log", lines.record(fields)
end

local kept = { bytes = 0, lost = 0 } -- lines that go back with the job

local function keep(text)
  local lost = 0
  for line in gmatch(text, "([^\n]*)\n") do
    if kept.bytes + #line > MOST then
      lost = lost + 1
    else
      kept[#kept + 1], kept.bytes = line, kept.bytes + #line
    end
  end
  kept.lost = kept.lost + lost
  return lost
end

local back = { _sink = function()
  return { delay = 0, parks = false, write = keep }
end }

--- Set up a log as one was that has left; nil: as one that nobody has configured.
function M.set_up(tree, value)
  local o = trees.read({}, "log")
  for name, option in pairs(value or {}) do
    o[name] = option
  end
  if value and value.output == nil and core.inside() then
    o.output = back
  end
  if trees.apply(tree, o) then
    trees.reopen(tree) -- the file may have been renamed
  end
end

--- The lines that go back; nil: there are none.
function M.collect()
  local all = kept
  if #all > 0 or all.lost > 0 then
    kept = { bytes = 0, lost = 0 }
    return all
  end
end

--- Write lines that have come back.
function M.deliver(tree, value)
  for _, line in ipairs(value) do
    tree.channel:add(line, #line)
  end
  tree.lost = tree.lost + value.lost
end

return M
