--- Option tables: unknown names raise, and name the nearest known one.
-- @module green.options

local kinds = require "green.kind"

--- Edits needed to turn a into b (Levenshtein).
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      local best = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal, row[j] = row[j], best
    end
  end
  return row[#b]
end

--- The known name nearest to the given one, or nil when none is near.
-- @tparam string name
-- @tparam table known array of names, or a table with names as keys
local function nearest(name, known)
  local best, least = nil, math.max(2, math.floor(#name / 2))
  for k, v in pairs(known) do
    local candidate = type(k) == "number" and v or k
    local d = distance(name, candidate)
    if d < least or (d == least and best and candidate < best) then
      best, least = candidate, d
    end
  end
  return best
end

--- Raise the error for an unknown name.
-- @tparam string what "option", "socket option", ...
local function unknown(what, name, known, where, level)
  local near = nearest(tostring(name), known)
  local hint = near and ("; did you mean '%s'?"):format(near) or ""
  error(("%s: unknown %s '%s'%s"):format(where, what, tostring(name), hint), level + 1)
end

--- Check an option table against its defaults.
-- @tparam ?table options nil stands for {}
-- @tparam table known names as keys (any non-nil value)
-- @tparam string where the function's name, for the message
-- @tparam[opt=2] number level of the caller to blame
-- @treturn table the options
local function check(options, known, where, level)
  level = (level or 2) + 1
  if options == nil then
    return {}
  end
  if type(options) ~= "table" then
    error(("%s: options must be a table, not a %s"):format(where, type(options)), level)
  end
  for name in pairs(options) do
    if known[name] == nil then
      unknown("option", name, known, where, level)
    end
  end
  return options
end

--- A number of at least min, or an error that names the argument.
local function number(value, min, where, name, level)
  if type(value) ~= "number" or value ~= value or value < min then
    error(("%s: %s must be a number of at least %g, not %s"):format(
      where, name, min, tostring(value)), (level or 2) + 1)
  end
  return value
end

--- What a wrong value is, for a message: "nil", "a table".
local function kind(value)
  return value == nil and "nil" or "a " .. type(value)
end

--- Something that can be called, or an error that names the argument.
local function callable(value, where, name, level)
  if not kinds.is_callable(value) then
    error(("%s: %s must be a function, not %s"):format(
      where, name, kind(value)), (level or 2) + 1)
  end
  return value
end

return {
  check = check,
  kind = kind,
  callable = callable,
  nearest = nearest,
  unknown = unknown,
  number = number,
}
