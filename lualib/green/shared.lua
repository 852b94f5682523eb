--- Memory that threads and processes share: dictionaries with expiry, and counters.
--
-- Found by name: by the threads of a process, and by a process, its children and theirs.
-- Nothing here parks.
-- @module green.shared

local args = require "green.args"
local core = require "green.core"
local counter = require "green.shared.counter"
local dict = require "green.shared.dict"
local errors = require "green.error"

local ffi = require "ffi"
local C = require "green.ffi.dict"

-- Scripts may put their own in their places.
local tonumber, format = tonumber, string.format

local NAME_MOST = 255
local SIZE_LEAST = tonumber(ffi.C.GREEN_DICT_LEAST)
local codes = core.codes

local code = ffi.new("int[1]")

local M = {}

local function name_of(name, where)
  args.type(name, "string", where, "name")
  if #name == 0 or #name > NAME_MOST then
    args.misuse("%s: name must be of 1 to %d bytes, not %d", where, NAME_MOST, #name)
  end
  return name
end

--- What hinders, where the code alone would say it badly; or nil.
local function why(number, name, size)
  if number == codes.ENOENT then
    return "there is none: who is to share it makes it, with a size"
  elseif number == codes.EEXIST then
    local there = C.named(name, #name, 0, code)
    return format("it has %.0f bytes, not %.0f", C.capacity(there), size)
  elseif number == codes.ENOMEM then
    return format("no memory: there is no room for %.0f bytes more", size)
  elseif number == codes.EBUSY then
    return "locked by a process that does not run"
  end
end

--- The dictionary of a name. The first who asks makes it, with a size that it has for ever:
-- keys, values and what is needed to find them; others get the same. It is shared with all
-- threads, and with children and their children: those that were forked after the
-- process first made a dictionary or counter, of whatever name. See green.shared.dict. Does
-- not park.
-- @tparam string name 1 to 255 bytes
-- @tparam[opt] int size in bytes, from 8,192; nil: do not make one
-- @return the dictionary; or nil, err: ENOENT (there is none, and no size was given), EEXIST
-- (it has another size), ENOMEM (all dictionaries together have no more than 16 GB of
-- addresses, or a quarter of the limit of the process's), EBUSY (see green.shared.dict),
-- EMFILE, ENFILE, ENOSYS (the kernel has no memfd)
function M.dict(name, size)
  name_of(name, "dict")
  if size ~= nil then
    args.integer(size, SIZE_LEAST, "dict", "size")
  end
  local it = C.named(name, #name, size or 0, code)
  if it == nil then
    local number = code[0]
    return nil, errors.new(number, format("shared.dict %q", name), why(number, name, size or 0))
  end
  return dict.new(name, it)
end

--- The counter of a name: a whole number of 64 bits that all count together, without a lock.
-- Shared as dictionaries are; the first who asks makes it. See green.shared.counter. Does not
-- park.
-- @tparam string name 1 to 255 bytes
-- @tparam[opt] int start what it begins with, if there is none: -2^53 to 2^53, default 0
-- @return the counter; or nil, err: as dict
function M.counter(name, start)
  name_of(name, "counter")
  local it, number = counter.named(name, start or 0, "counter")
  if not it then
    return nil, errors.new(number, format("shared.counter %q", name), why(number, name, 64))
  end
  return it
end

return M
