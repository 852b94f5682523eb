--- Option tables: unknown names raise, and name the nearest known one.
-- @module green.options

--- Edits needed to turn a into b: letters put in, taken out, changed, or two
-- neighbours swapped.
local function distance(a, b)
  local rows = { [0] = {} }
  for j = 0, #b do
    rows[0][j] = j
  end
  for i = 1, #a do
    local above, row = rows[i - 1], { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], rows[i - 2][j - 2] + 1)
      end
    end
    rows[i] = row
  end
  return rows[#a][#b]
end

--- The known name nearest to the given one, or nil when none is near.
-- @tparam string name
-- @tparam table known array of names, or a table with names as keys
-- @tparam[opt] number most edits (default: less than half of its letters, or 1)
local function nearest(name, known, most)
  local best, least = nil, most and most + 1 or math.max(2, math.floor(#name / 2))
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
  if type(value) == "function" then
    return value
  end
  local mt = getmetatable(value)
  if type(mt) ~= "table" or not mt.__call then
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
