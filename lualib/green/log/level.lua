--- Levels of a log: names and numbers, and which names of loggers have which.
-- @module green.log.level

local args = require "green.args"

-- Scripts may put their own in their places.
local pairs, type = pairs, type
local find, gmatch, lower, match = string.find, string.gmatch, string.lower, string.match

local M = {}

M.names = { "trace", "debug", "info", "warn", "error", "off" }
M.numbers = {}
for number, name in pairs(M.names) do
  M.numbers[name] = number
end

--- The number of a level. Raises misuse.
function M.number(value, where, what)
  local number = type(value) == "string" and M.numbers[lower(value)]
  if not number then
    args.wrong(where, what, '"trace", "debug", "info", "warn", "error" or "off"', value)
  end
  return number
end

--- Of a table name -> level, with numbers. Raises misuse.
function M.table(value, where)
  args.plain(value, where, "levels")
  local levels = {}
  for name, level in pairs(value) do
    args.type(name, "string", where, "a name in levels")
    levels[name] = M.number(level, where, "levels: the level of " .. name)
  end
  return levels
end

--- What GREENLUA_LOG says: "level" or "name=level", any number of them with commas between.
-- What cannot be read is left out: a log never keeps a program from running.
-- @treturn table name -> number, "" for all
-- @treturn ?string the first part that could not be read
function M.parse(text)
  local levels, wrong = {}, nil
  for part in gmatch(text, "[^,]+") do
    local name, level = match(part, "^%s*([^=%s]-)%s*=%s*(%a+)%s*$")
    if not name then
      name, level = "", match(part, "^%s*(%a+)%s*$")
    end
    local number = level and M.numbers[lower(level)]
    if number then
      levels[name] = number
    elseif find(part, "%S") then
      wrong = wrong or part
    end
  end
  return levels, wrong
end

--- The level of a logger: its own, or that of the nearest name above it ("db" of "db.pool").
-- nil: none is told.
function M.of(levels, name)
  while name do
    if levels[name] then
      return levels[name]
    end
    name = name ~= "" and (match(name, "^(.*)%.[^.]*$") or "") or nil
  end
end

return M
