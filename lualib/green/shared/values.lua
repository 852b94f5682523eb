--- Keys and values on their way into shared memory and back. Private to green.shared.
-- @module green.shared.values

local args = require "green.args"
local core = require "green.core"
local errors = require "green.error"

local ffi = require "ffi"
require "green.ffi.dict"

-- Scripts may put their own in their places.
local tonumber, tostring, type, floor = tonumber, tostring, type, math.floor
local ffi_string, format = ffi.string, string.format

local T = ffi.C
local BOOLEAN, NUMBER = tonumber(T.GREEN_DICT_BOOLEAN), tonumber(T.GREEN_DICT_NUMBER)
local STRING, NIL = tonumber(T.GREEN_DICT_STRING), tonumber(T.GREEN_DICT_NIL)
local KEY_MOST = tonumber(T.GREEN_DICT_KEY_MOST)
local codes = core.codes

local M = {}

--- What calls of C fill and read. Nothing is allocated between, so no finalizer that might
-- use it, too, comes in between.
local box = ffi.new("green_dict_value")
M.box = box

M.CAP = 4096 -- bytes of the buffer that most values fit in
M.buffer = ffi.new("char[?]", M.CAP)

-- -- In -----------------------------------------------------------------------

--- A key as a text, as ngx.shared has it; or nil and the code of what hinders.
function M.key(key, where)
  if type(key) == "number" then
    key = tostring(key)
  elseif type(key) ~= "string" then
    args.wrong(where, "key", "a string or a number", key)
  end
  if #key > KEY_MOST then
    return nil, codes.ENAMETOOLONG
  end
  return key
end

local hints = {
  table = "; encode it, with string.buffer or cjson",
  ["function"] = "; code stays in its thread",
  cdata = "; make a number or a string of it",
}

local function refuse(value, where, is_nil_good)
  args.misuse("%s: value must be a string, a number%s, not %s%s", where,
    is_nil_good and ", a boolean or nil" or " or a boolean", args.shown(value),
    hints[type(value)] or "")
end

--- Put a value into the box; the text that C is to copy, or nil.
-- @tparam boolean is_nil_good
function M.put(value, where, is_nil_good)
  local kind = type(value)
  if kind == "string" then
    box.type, box.len = STRING, #value
    return value
  elseif kind == "number" then
    box.type, box.number = NUMBER, value
  elseif kind == "boolean" then
    box.type, box.number = BOOLEAN, value and 1 or 0
  elseif kind == "nil" and is_nil_good then
    box.type = NIL
  else
    refuse(value, where, is_nil_good)
  end
  return nil
end

--- Seconds until something expires as nanoseconds; 0: never.
function M.ttl(seconds, where, name)
  if seconds == nil or seconds == 0 then
    return 0
  end
  args.number(seconds, 0, where, name)
  local ns = seconds * 1e9
  if ns >= 9e18 then
    return 0
  end
  return ns < 1 and 1 or floor(ns)
end

--- The user's flags.
function M.flags(flags, where)
  return flags == nil and 0 or args.integer(flags, 0, where, "flags", 0xffffffff)
end

-- -- Out ----------------------------------------------------------------------

--- The value that is in the box, and a string's bytes at p.
function M.take(p)
  local kind = box.type
  if kind == STRING then
    return ffi_string(p, box.len)
  elseif kind == NUMBER then
    return box.number
  end
  return box.number ~= 0
end

local texts = {
  [codes.ENOENT] = "not found",
  [codes.EEXIST] = "exists",
  [codes.ENOMEM] = "no memory",
  [codes.ENAMETOOLONG] = "key too long",
  [codes.EBUSY] = "locked by a process that does not run",
}

--- The error of a call.
-- @param dict of which
-- @tparam string what the method
-- @tparam number code
-- @tparam[opt] string wrong what EINVAL says
function M.error(dict, what, code, wrong)
  local text = code == codes.EINVAL and wrong or texts[code]
  return errors.new(code, format("%s:%s", dict.name, what), text)
end

return M
