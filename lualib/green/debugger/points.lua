--- Breakpoints as a client sets them: what is wrong with each, and where those are that are not.
-- Private to green.debugger.
-- @module green.debugger.points

local conditions = require "green.debugger.conditions"
local lines = require "green.debugger.lines"
local wire = require "green.debugger.wire"

local error, ipairs, pcall, type = error, ipairs, pcall, type

--- A text of a breakpoint; nil: it has none.
local function text_of(one, name)
  local text = one[name]
  if type(text) == "string" and text ~= "" then
    return text
  elseif text ~= nil and text ~= "" then
    error(name .. " is no text", 0)
  end
end

local function hit_test_of(one)
  local text = text_of(one, "hitCondition")
  local test = text and conditions.hit_test(text)
  if text and not test then
    error("a hit condition is 3, > 3, >= 3, < 3, <= 3, = 3 or % 3", 0)
  end
  return test
end

local function line_of(one, has_code, first)
  local line = type(one) == "table" and one.line
  if type(line) ~= "number" or line < first then
    error("a breakpoint without a line", 0)
  end
  return lines.next(has_code, line + 1 - first) or error("no code there", 0)
end

--- A breakpoint as stops.set takes it; raises a text that says why there is none.
local function place(one, has_code, why, first)
  return { line = line_of(one, has_code or error(why, 0), first),
    condition = text_of(one, "condition"),
    log = text_of(one, "logMessage"), hit_test = hit_test_of(one) }
end

local function told_of(id, ok, point, one, first)
  local line = ok and point.line - 1 + first or type(one) == "table" and one.line or nil
  return { id = id, verified = ok, message = not ok and point or nil,
    line = type(line) == "number" and line or nil }
end

--- @tparam string path
-- @param wanted what setBreakpoints has
-- @tparam function new_id
-- @tparam number first the client's number of the first line
-- @treturn table those that can be, as stops.set takes them
-- @treturn table what the client is told of each
local function read(path, wanted, new_id, first)
  local has_code, why = lines.of(path)
  local set, told = {}, wire.list()
  for i, one in ipairs(type(wanted) == "table" and wanted or {}) do
    local ok, point = pcall(place, one, has_code, why, first)
    local id = new_id()
    if ok then
      point.id = id
      set[#set + 1] = point
    end
    told[i] = told_of(id, ok, point, one, first)
  end
  return set, told
end

return { read = read }
