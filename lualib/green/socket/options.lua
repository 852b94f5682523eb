--- Socket options by name.
--
-- The C core has the table of names and what each value looks like; here Lua's
-- booleans, numbers and strings are fitted to it.
-- @module green.socket.options

local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"

local ffi = require "ffi"
local sock = require "green.ffi.sock"

-- enum in greenc/io/sock.h
local kinds = { "number", "boolean", "linger", "seconds", "string", "membership", "interface" }

local INT_MOST = 2 ^ 31 - 1

local known -- name -> kind

--- All names ("SO_KEEPALIVE"), each with what its value is: "number", "boolean",
-- "linger" (seconds, false: off), "seconds", "string", "membership" (a group's
-- address, with an interface "239.1.2.3%eth0"; set only), "interface" (name,
-- number or IPv4 address). Does not park.
local function names()
  if not known then
    known = {}
    local i = 0
    local name = sock.optname(0)
    while name ~= nil do
      name = ffi.string(name)
      known[name] = kinds[sock.optkind(name)]
      i = i + 1
      name = sock.optname(i)
    end
  end
  return known
end

--- "TCP_NODELAY" for "NODELAY": other libraries leave the level out. The first of several.
local function with_level(name)
  local best
  for full in pairs(names()) do
    if full:match("^%w+_(.*)$") == name and (not best or full < best) then
      best = full
    end
  end
  return best
end

local function find(name, where)
  args.type(name, "string", where, "name")
  local found = name:upper()
  local kind = names()[found]
  if not kind then
    local full = with_level(found)
    if full then
      args.misuse("%s: unknown socket option '%s'; did you mean '%s'?", where, found, full)
    end
    options.unknown("socket option", found, names(), where)
  end
  return found, kind
end

local function misfit(name, kind, value)
  args.misuse("setoption: %s takes a %s, not %s", name, kind, args.shown(value))
end

local function number_of(name, kind, value)
  if kind == "boolean" and type(value) == "boolean" then
    return value and 1 or 0
  elseif kind == "linger" and value == false then
    return -1
  elseif type(value) ~= "number" or value ~= value then
    misfit(name, kind, value)
  end
  return math.max(-INT_MOST, math.min(value, INT_MOST)) -- the system's numbers are an int
end

local function set(s, name, kind, value)
  if kind == "number" or kind == "boolean" or kind == "linger" or kind == "seconds" then
    return sock.setnum(s, name, number_of(name, kind, value))
  elseif type(value) == "number" and kind == "interface" then
    value = tostring(value)
  elseif type(value) ~= "string" then
    misfit(name, kind, value)
  end
  return sock.setstr(s, name, value, #value)
end

local methods = {}

--- Set an option. Does not park.
-- @tparam string name as the system's ("TCP_NODELAY"), in any case; an unknown
-- one raises, and names the nearest
-- @param value a boolean, number or string, see green.socket.options
-- @return true; or nil, err: ENOPROTOOPT (not for this kind of socket), EINVAL,
-- EPERM, ECLOSED
function methods:setoption(name, value)
  local found, kind = find(name, "setoption")
  local status = set(self._s, found, kind, value)
  if status < 0 then
    return nil, errors.new(status, "setoption " .. found)
  end
  return true
end

local value = ffi.new("double[1]")
local TEXT = 4096
local text -- made when first needed

local function get_text(s, name)
  text = text or ffi.new("char[?]", TEXT)
  local n = sock.getstr(s, name, text, TEXT)
  return n >= 0 and ffi.string(text, n), n
end

--- An option's value. Does not park.
-- @return boolean, number or string; or nil, err as setoption
function methods:getoption(name)
  local found, kind = find(name, "getoption")
  local got, status
  if kind == "string" or kind == "interface" then
    got, status = get_text(self._s, found)
  else
    status = sock.getnum(self._s, found, value)
    got = tonumber(value[0])
  end
  if status < 0 then
    return nil, errors.new(status, "getoption " .. found)
  elseif kind == "boolean" then
    return got ~= 0
  elseif kind == "linger" and got < 0 then
    return false
  end
  return got
end

return { methods = methods, names = names }
