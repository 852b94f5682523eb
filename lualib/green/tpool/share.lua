--- Read-only data for all native threads: packed once, and each entry is unpacked by a thread
-- when it first reads it.
-- @module green.tpool.share

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local getmetatable, next, pairs, rawget, setmetatable, type =
  getmetatable, next, pairs, rawget, setmetatable, type
local share_part = core.share_part

local mt = { __name = "green.share", __cross = "green.tpool.share" }
class.add(mt)

local OBJECT = "\0share" -- where it has its parts; the first of them is the list of keys

-- What this Lua state has unpacked: data -> { keys, parts = key -> part, values }.
local unpacked = setmetatable({}, { __mode = "k" })

--- What is known of the data in this state; its keys are unpacked.
local function open(self)
  local known = unpacked[self]
  if not known then
    known = { keys = share_part(rawget(self, OBJECT), 1), parts = {}, values = {} }
    for i, key in ipairs(known.keys) do
      known.parts[key] = i + 1
    end
    unpacked[self] = known
  end
  return known
end

function mt.__index(self, key)
  local known = open(self)
  local value, part = known.values[key], known.parts[key]
  if value == nil and part then
    value = share_part(rawget(self, OBJECT), part)
    known.values[key] = value
  end
  return value
end

function mt.__newindex(_, key)
  args.misuse("share: the data is read-only, and %s cannot be set", args.shown(key))
end

show.kind(mt, function(self)
  return ("%d entries"):format(#open(self).keys)
end)

local function check(data, where)
  if type(data) ~= "table" or getmetatable(data) ~= mt then
    args.wrong(where, "data", "what tpool.share gives", data)
  end
end

--- The keys in order, and what is to be packed: the list of them, then the values.
local function parts_of(values)
  local keys, parts = {}, { false }
  for key, value in pairs(values) do
    keys[#keys + 1] = key
    parts[#keys + 1] = value
  end
  parts[1] = keys
  return parts, #keys + 1
end

--- How an entry is written behind the table that it stands in.
local function step(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then
    return "." .. key
  end
  return "[" .. args.shown(key) .. "]"
end

local M = { mt = mt }

--- Pack a table once, for all threads that it is handed to: an argument or an upvalue of a job,
-- a value in a channel. There it is read as a table is, with `data[key]`, and cannot be written.
-- An entry is unpacked in each thread when it is first read: then it is an ordinary value of that
-- thread, the same one each time. What cannot cross raises, and the text says where it stands.
-- Does not park.
-- @tparam table values
-- @return the data
function M.share(values)
  args.type(values, "table", "share", "values")
  if getmetatable(values) ~= nil then
    args.wrong("share", "values", "a table without a metatable", values)
  end
  local parts, n = parts_of(values)
  local object = core.object "share"
  local bad, problem = core.share_fill(object, parts, n)
  if bad then
    core.release(object)
    local where = bad == 1 and "keys" or "values" .. step(parts[1][bad - 1])
    args.misuse("share: %s", (problem:gsub("^value%[1%]", where)))
  end
  return setmetatable({ [OBJECT] = object }, mt)
end

local function next_entry(self, key)
  local known = open(self)
  local following = next(known.parts, key)
  if following ~= nil then
    return following, self[following]
  end
end

--- An iterator over the keys and values of shared data, in no order. Does not park.
function M.each(data)
  check(data, "each")
  return next_entry, data
end

--- A table of its own with all entries of shared data. Does not park.
function M.unshare(data)
  check(data, "unshare")
  local values = {}
  for key, value in M.each(data) do
    values[key] = value
  end
  return values
end

return M
