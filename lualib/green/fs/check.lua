--- Arguments of green.fs: paths, modes, options. Private to it.
-- @module green.fs.check

local args = require "green.args"
local options = require "green.args.options"

local ffi = require "ffi"

local find, format, match, tonumber, type = string.find, string.format, string.match, tonumber, type

local M = {}

--- A path: a string without a NUL, which no name of a file has: what stands behind it would
-- be lost without a word.
function M.path(value, where, name)
  args.type(value, "string", where, name or "path")
  if find(value, "%z") then
    args.misuse("%s: %s must not have a NUL in it", where, name or "path")
  end
  return value
end

--- Permissions: a number, or a text of octal digits ("0644"); default when there are none.
function M.mode(value, default, where)
  if value == nil then
    return default
  elseif type(value) == "string" and match(value, "^[0-7]+$") and #value <= 5 then
    value = tonumber(value, 8)
  end
  if type(value) ~= "number" or value < 0 or value > 4095 or value % 1 ~= 0 then
    args.wrong(where, "mode", 'octal digits as a string ("0644") or a number up to 4095', value)
  end
  return value
end

--- Options and how many there may be; each of a table of Lua types: `{ parents = "boolean" }`.
-- "mode" and "size" are kinds of their own.
function M.options(opts, known, where)
  opts = options.check(opts, known, where)
  for name, kind in pairs(known) do
    local value = opts[name]
    if value ~= nil and kind ~= "mode" and kind ~= true then
      if kind == "seconds" then
        args.timeout(value, where)
      elseif kind == "size" then
        args.size(value, 0, where, name)
      else
        args.type(value, kind, where, name)
      end
    end
  end
  return opts
end

--- An offset or a size of a file: a whole number of at least 0.
function M.offset(value, where, name)
  return args.integer(value, 0, where, name)
end

local EXCL, NOFOLLOW, SYNC, DSYNC, NOATIME = 0x80, 0x20000, 0x101000, 0x1000, 0x40000
local RDONLY, WRONLY, RDWR, CREAT, TRUNC, APPEND = 0, 1, 2, 0x40, 0x200, 0x400
local DIRECTORY, TMPFILE = 0x10000, 0x410000
if ffi.arch == "arm64" or ffi.arch == "arm" then
  DIRECTORY, NOFOLLOW, TMPFILE = 0x4000, 0x8000, 0x404000
end
M.DIRECTORY, M.TMPFILE = DIRECTORY, TMPFILE

local modes = {
  r = RDONLY,
  ["r+"] = RDWR,
  w = WRONLY + CREAT + TRUNC,
  ["w+"] = RDWR + CREAT + TRUNC,
  a = WRONLY + CREAT + APPEND,
  ["a+"] = RDWR + CREAT + APPEND,
}

--- What a mode of io.open means: flags of open(2), and whether it reads, writes, appends.
function M.open_mode(text, where)
  args.optional(text, "string", where, "mode")
  local plain = (text or "r"):gsub("b", "", 1)
  local excl = find(plain, "x", 1, true)
  plain = plain:gsub("x", "", 1)
  local flags = modes[plain]
  if not flags or excl and plain:sub(1, 1) == "r" then
    args.misuse('%s: mode must be "r", "r+", "w", "w+", "a" or "a+", with "x" behind the last '
      .. 'four where nothing may be there yet, not %s', where, args.shown(text))
  end
  local access = flags % 4
  return excl and flags + EXCL or flags, access ~= WRONLY, access ~= RDONLY,
    plain:sub(1, 1) == "a"
end

local flag_names = { excl = EXCL, nofollow = NOFOLLOW, sync = SYNC, dsync = DSYNC,
  noatime = NOATIME, create = CREAT, truncate = TRUNC }

--- Names of further flags, a list, or one: their sum with those there are.
function M.flags(flags, names, where)
  if names == nil then
    return flags
  elseif type(names) == "string" then
    names = { names }
  end
  args.list(names, where, "flags", "names")
  for _, name in ipairs(names) do
    local bits = flag_names[name]
    if not bits then
      options.unknown("flag", name, flag_names, where)
    end
    flags = bit.bor(flags, bits)
  end
  return flags
end

--- Seconds, or a table's field of such, as nanoseconds.
function M.nanoseconds(value, where, name)
  if type(value) ~= "number" or value ~= value or value < -2 ^ 33 or value > 2 ^ 33 then
    args.wrong(where, name, "a number of seconds since 1970", value)
  end
  -- A double has 53 bits: whole seconds are kept apart, so that these stay exact.
  local whole = math.floor(value)
  return ffi.new("int64_t", whole) * 1000000000LL + math.floor((value - whole) * 1e9 + 0.5)
end

--- A name without a folder, for a temporary file.
function M.name(value, default, where, name)
  value = value == nil and default or M.path(value, where, name)
  if find(value, "/", 1, true) then
    args.misuse("%s: %s must not have a / in it, it is %s", where, name, format("%q", value))
  end
  return value
end

return M
