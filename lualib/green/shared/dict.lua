--- Dictionaries of green.shared: what users of OpenResty know as ngx.shared.DICT.
--
-- Each method is one step for all who share the dictionary, and takes a lock for about a
-- microsecond. The loop stands still for longer only if the lock's holder does not run
-- (SIGSTOP, a debugger): after 0.1 s the method gives up with EBUSY, and has done nothing.
-- If a holder was killed, the next who comes brings the dictionary into order, 0.1 s for a
-- million items; what the killed one was at has happened, or has not.
--
-- Keys are strings of up to 65,535 bytes; a number is taken as tostring writes it. Values
-- are strings, numbers and booleans. Time is the monotonic clock of the system.
-- @module green.shared.dict

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"
local list = require "green.shared.list"
local show = require "green.args.show"
local values = require "green.shared.values"
local whole = require "green.shared.whole"

local ffi = require "ffi"
local C = require "green.ffi.dict"

-- Scripts may put their own in their places.
local pairs, setmetatable, tonumber, format = pairs, setmetatable, tonumber, string.format

local c_get, c_set, c_incr, c_ttl, c_expire = C.get, C.set, C.incr, C.ttl, C.expire
local box, buffer, CAP = values.box, values.buffer, values.CAP
local failed, flags_of, key_of, put, take, ttl_of = values.error, values.flags, values.key,
  values.put, values.take, values.ttl
local ENOENT, ETOOBIG = core.codes.ENOENT, core.codes.ETOOBIG
local bytes_t = ffi.typeof("char[?]")

local ALWAYS = tonumber(ffi.C.GREEN_DICT_ALWAYS)
local ADD, REPLACE = tonumber(ffi.C.GREEN_DICT_ADD), tonumber(ffi.C.GREEN_DICT_REPLACE)
local SAFE = tonumber(ffi.C.GREEN_DICT_SAFE)

local M = {}
local methods = {}
local mt = { __name = "green.shared.dict", __index = methods }

--- A dictionary in Lua. Private to green.shared.
function M.new(name, it)
  return setmetatable({ name = name, _dict = it }, mt)
end

-- -- Reading ------------------------------------------------------------------

--- A value that is longer than the buffer; it may grow while nobody has the lock.
local function get_long(self, key, stale)
  local code, p
  repeat
    local len = box.len
    p = bytes_t(len)
    code = c_get(self._dict, key, #key, stale, p, len, box, 0)
  until code ~= ETOOBIG
  return code, p
end

local function get(self, key, stale, where)
  local text, code = key_of(key, where)
  local p = buffer
  if text then
    code = c_get(self._dict, text, #text, stale, p, CAP, box, 0)
  end
  if code == ETOOBIG then
    code, p = get_long(self, text, stale)
  end
  if code == 0 then
    local flags = box.flags
    local is_stale = box.stale ~= 0
    return take(p), flags ~= 0 and flags or nil, is_stale
  elseif code == ENOENT then
    return nil
  end
  return nil, failed(self, where, code, "value is a list")
end

--- The value of a key; it counts as used then. Does not park.
-- @tparam string key
-- @return the value, or nil: there is none, or it has expired; or nil, err: EINVAL (it is a
-- list), EBUSY, ENAMETOOLONG
-- @treturn ?number the flags that it was set with, if they are not 0
function methods:get(key)
  local value, second = get(self, key, 0, "get")
  if second == nil then -- one value: table.insert(list, d:get(key)) takes what it gets
    return value
  end
  return value, second
end

--- The value of a key, even if it has expired and is there still. Does not park.
-- @tparam string key
-- @return as get
-- @treturn ?number as get
-- @treturn boolean has it expired?
function methods:get_stale(key)
  return get(self, key, 1, "get_stale")
end

--- Seconds until a key expires. Does not park.
-- @tparam string key
-- @treturn number 0: it does not expire; or nil, err: ENOENT ("not found"; it has expired,
-- too), EBUSY, ENAMETOOLONG
function methods:ttl(key)
  local text, code = key_of(key, "ttl")
  if text then
    code = tonumber(c_ttl(self._dict, text, #text, 0))
  end
  if code >= 0 then
    return code / 1e9
  end
  return nil, failed(self, "ttl", code)
end

-- -- Writing ------------------------------------------------------------------

local function store(self, how, key, value, exptime, flags, where)
  local text, code = key_of(key, where)
  local ttl = ttl_of(exptime, where, "exptime")
  flags = flags_of(flags, where)
  local bytes = put(value, where, how % SAFE == ALWAYS)
  box.flags = flags
  if text then
    code = c_set(self._dict, text, #text, how, box, bytes, ttl, 0)
  end
  if code >= 0 then
    return true, nil, code == 1
  end
  return nil, failed(self, where, code)
end

--- Give a key a value, whatever it had. If there is no room, what was not used for the
-- longest time goes, up to 1,000 of them. Does not park.
-- @tparam string key
-- @param value a string, number or boolean; nil deletes
-- @tparam[opt] number exptime seconds until it expires; 0 or nil: never
-- @tparam[opt] int flags a number of yours that stays with it, 0 to 2^32 - 1
-- @treturn boolean true; or nil, err: ENOMEM ("no memory"), EBUSY, ENAMETOOLONG
-- @treturn nil
-- @treturn boolean did others go that had not expired?
function methods:set(key, value, exptime, flags)
  return store(self, ALWAYS, key, value, exptime, flags, "set")
end

--- The same, but nothing goes that has not expired. Does not park.
-- @tparam string key
-- @param value as set
-- @tparam[opt] number exptime as set
-- @tparam[opt] int flags as set
-- @treturn boolean as set
function methods:safe_set(key, value, exptime, flags)
  return store(self, SAFE, key, value, exptime, flags, "safe_set")
end

--- As set, if the key is not there or has expired. Does not park.
-- @tparam string key
-- @param value a string, number or boolean
-- @tparam[opt] number exptime as set
-- @tparam[opt] int flags as set
-- @treturn boolean as set; or nil, err: EEXIST ("exists")
function methods:add(key, value, exptime, flags)
  return store(self, ADD, key, value, exptime, flags, "add")
end

--- The same, but nothing goes that has not expired. Does not park.
-- @tparam string key
-- @param value as add
-- @tparam[opt] number exptime as set
-- @tparam[opt] int flags as set
-- @treturn boolean as add
function methods:safe_add(key, value, exptime, flags)
  return store(self, ADD + SAFE, key, value, exptime, flags, "safe_add")
end

--- As set, if the key is there and has not expired. Does not park.
-- @tparam string key
-- @param value as add
-- @tparam[opt] number exptime as set
-- @tparam[opt] int flags as set
-- @treturn boolean as set; or nil, err: ENOENT ("not found")
function methods:replace(key, value, exptime, flags)
  return store(self, REPLACE, key, value, exptime, flags, "replace")
end

--- Remove a key, if it is there. Does not park.
-- @tparam string key
-- @treturn boolean true; or nil, err: EBUSY, ENAMETOOLONG
function methods:delete(key)
  local ok, err = store(self, ALWAYS, key, nil, nil, nil, "delete")
  return ok, err
end

--- Add to the number of a key. When it expires and its flags stay. Does not park.
-- @tparam string key
-- @tparam[opt] number by default 1
-- @tparam[opt] number init what a key that is not there, or has expired, counts as
-- @tparam[opt] number init_ttl seconds until it expires then; 0 or nil: never
-- @treturn number the sum; or nil, err: ENOENT ("not found", and no init was given), EINVAL
-- ("not a number"), ENOMEM ("no memory"), EBUSY, ENAMETOOLONG
-- @treturn nil
-- @treturn boolean with init: did others go that had not expired?
function methods:incr(key, by, init, init_ttl)
  local text, code = key_of(key, "incr")
  args.optional(by, "number", "incr", "by")
  args.optional(init, "number", "incr", "init")
  local ttl = ttl_of(init_ttl, "incr", "init_ttl")
  if init_ttl ~= nil and init == nil then
    args.wrong("incr", "init_ttl", "nil where init is", init_ttl)
  end
  box.number = by or 1
  if text then
    code = c_incr(self._dict, text, #text, box, init and 1 or 0, init or 0, ttl, 0)
  end
  if code < 0 then
    return nil, failed(self, "incr", code, "not a number")
  elseif init then
    return box.number, nil, code == 1
  end
  return box.number
end

--- Let a key expire, or not. Does not park.
-- @tparam string key
-- @tparam number exptime seconds from now; 0: never
-- @treturn boolean true; or nil, err: ENOENT ("not found"; it has expired, too), EBUSY,
-- ENAMETOOLONG
function methods:expire(key, exptime)
  local text, code = key_of(key, "expire")
  args.number(exptime, 0, "expire", "exptime")
  local ttl = ttl_of(exptime, "expire", "exptime")
  if text then
    code = c_expire(self._dict, text, #text, ttl, 0)
  end
  if code == 0 then
    return true
  end
  return nil, failed(self, "expire", code)
end

for _, more in pairs { list, whole } do
  for name, method in pairs(more) do
    methods[name] = method
  end
end

show.kind(mt, function(self)
  return format("%s: %.0f of %.0f bytes are free", self.name, C.free_space(self._dict),
    C.capacity(self._dict))
end)
class.seal(mt)

return M
