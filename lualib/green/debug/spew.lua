--- Every line that runs, on standard error: the last resort. Private to green.debug.
-- @module green.debug.spew

local core = require "green.core"

-- Scripts may put their own in their places.
local format, find, gmatch, match, sub =
  string.format, string.find, string.gmatch, string.match, string.sub
local concat, ipairs, open, type = table.concat, ipairs, io.open, type
local gethook, getinfo, getlocal, getupvalue, sethook =
  debug.gethook, debug.getinfo, debug.getlocal, debug.getupvalue, debug.sethook
local jit_flush, jit_off, jit_on, jit_status = jit.flush, jit.off, jit.on, jit.status

local M = {}

local before -- what there was: { hook, mask, count, is_jit_on }; nil: nothing is traced
local names, shows_values
local files = {} -- name -> its lines

local function lines_of(name)
  if not files[name] then
    local lines, file = {}, open(name)
    for line in file and file:lines() or gmatch("", "x") do
      lines[#lines + 1] = line
    end
    if file then
      file:close()
    end
    files[name] = lines
  end
  return files[name]
end

local function is_wanted(source)
  if sub(source, 1, 1) ~= "@" or core.is_library(source) then
    return false
  end
  for _, name in ipairs(names or {}) do
    if find(source, name, 1, true) then
      return true
    end
  end
  return names == nil
end

-- -- Values -------------------------------------------------------------------

--- The value of a name in the function at a level of the stack, as far as its locals and
-- upvalues go. Whether there is one, and it.
local function value_of(name, level)
  local found, value, i = false, nil, 1
  local key, at = getlocal(level + 1, i)
  while key do
    if key == name then
      found, value = true, at -- the innermost is the last
    end
    i = i + 1
    key, at = getlocal(level + 1, i)
  end
  local fn = not found and getinfo(level + 1, "f").func
  for n = 1, fn and 60 or 0 do
    key, at = getupvalue(fn, n)
    if key == name then
      return true, at
    end
  end
  return found, value
end

--- " (n=1, name="x")" for the names in a line.
local function values_in(text, level)
  local seen, parts = {}, {}
  for name in gmatch(text, "[%a_][%w_]*") do
    if not seen[name] then
      seen[name] = true
      local found, value = value_of(name, level + 1)
      if found then
        parts[#parts + 1] = name .. "=" .. core.shown(value)
      end
    end
  end
  return parts[1] and "  (" .. concat(parts, ", ") .. ")" or ""
end

-- -- The hook -----------------------------------------------------------------

local function on_line(_, number)
  local info = getinfo(2, "S")
  if not is_wanted(info.source) then
    return
  end
  local text = lines_of(sub(info.source, 2))[number] or ""
  text = match(text, "^%s*(.-)%s*$")
  local more = shows_values and values_in(text, 2) or ""
  core.complain(format("%s:%d: %s%s\n", info.short_src, number, text, more))
end

--- Begin. Compiled code calls no hooks: nothing is compiled meanwhile.
function M.start(wanted, with_values)
  names = type(wanted) == "string" and { wanted } or wanted
  shows_values = with_values
  if not before then
    local hook, mask, count = gethook()
    before = { hook = hook, mask = mask, count = count, is_jit_on = jit_status() }
    jit_off()
    jit_flush()
  end
  sethook(on_line, "l")
end

--- End, and put back the hook and the compiler as they were. Idempotent.
function M.stop()
  local was = before
  before = nil
  if not was then
    return
  end
  sethook(was.hook, was.mask, was.count)
  if was.is_jit_on then
    jit_on()
  end
  files = {}
end

return M
