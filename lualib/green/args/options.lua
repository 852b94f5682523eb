--- Option tables: unknown names raise, and name the nearest known one.
-- @module green.args.options

local args = require "green.args"
local core = require "green.core"

local class_of, misuse, shown = core.class_of, args.misuse, args.shown
local next, pairs, rawget, type, format = next, pairs, rawget, type, string.format
local concat, sort = table.concat, table.sort

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

local NAME_MOST = 64 -- bytes of a name that are looked at

--- The known name nearest to the given one, or nil when none is near.
-- @tparam string name
-- @tparam table known array of names, or a table with names as keys
-- @tparam[opt] number most edits (default: less than half of its letters, or 1)
local function nearest(name, known, most)
  -- Edits of all letters would make any name of any other: of one letter nothing is near.
  local best, least = nil, most and most + 1 or math.min(#name, math.max(2, math.floor(#name / 2)))
  if #name > NAME_MOST then
    return nil
  end
  for k, v in pairs(known) do
    local candidate = type(k) == "number" and v or k
    local d = distance(name, candidate)
    if d < least or (d == least and best and candidate < best) then
      best, least = candidate, d
    end
  end
  return best
end

local LISTED = 12 -- names, at most

--- The known names, when they are few.
local function listed(known)
  local names = {}
  for k, v in pairs(known) do
    names[#names + 1] = type(k) == "number" and v or k
  end
  sort(names)
  return #names > 0 and #names <= LISTED and "; there are " .. concat(names, ", ") or ""
end

--- Raise the error for an unknown name.
-- @tparam string what "option", "socket option", ...
-- @tparam[opt] function elsewhere what to say of a name that is known in another place, or nil
local function unknown(what, name, known, where, elsewhere)
  local place = elsewhere and elsewhere(name)
  local near = not place and type(name) == "string"
    and (nearest(name, known) or nearest(name:lower(), known))
  local hint = place and "; " .. place or near and format("; did you mean '%s'?", near)
    or listed(known)
  local is_plain = type(name) == "number" or type(name) == "string" and #name <= NAME_MOST
  local text = is_plain and format("'%s'", name) or shown(name)
  misuse("%s: unknown %s %s%s", where, what, text, hint)
end

--- What to say of an object of a class: what stands in it is nobody's option.
local function hint_of_object(value)
  local class = class_of(value)
  if class ~= nil and type(rawget(class, "__name")) == "string" then
    return function()
      return shown(value) .. " stands where options must"
    end
  end
end

--- Check an option table against its defaults.
-- @tparam ?table options nil stands for {}
-- @tparam table known names as keys (any non-nil value)
-- @tparam string where the function's name, for the message
-- @tparam[opt] function elsewhere as of unknown
-- @treturn table the options
local function check_options(options, known, where, elsewhere)
  if options == nil then
    return {}
  end
  if type(options) ~= "table" then
    args.wrong(where, "options", "a table", options)
  end
  local first = next(options)
  if first == nil or known[first] ~= nil and next(options, first) == nil then
    return options -- without a loop, so that compiled code goes on through here
  end
  for name in pairs(options) do
    if known[name] == nil then
      unknown("option", name, known, where, hint_of_object(options) or elsewhere)
    end
  end
  return options
end

return {
  check = check_options,
  nearest = nearest,
  unknown = unknown,
}
