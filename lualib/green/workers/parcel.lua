--- What a worker is given by its maker: texts that go through C into another Lua state.
-- Private to green.workers.
-- @module green.workers.parcel

local args = require "green.args"

local buffer = require "string.buffer"

local PLAIN = { string = true, number = true, boolean = true }

local M = {}

--- Raise for what cannot go to another state, and say where it stands.
local function check(value, path, depth)
  if type(value) == "table" then
    if getmetatable(value) ~= nil then
      args.misuse("workers: %s has a metatable, and cannot go to another thread", path)
    elseif depth == 0 then
      args.misuse("workers: %s is nested too deep", path)
    end
    for k, v in pairs(value) do
      check(k, path .. "'s key", 0)
      check(v, ("%s[%s]"):format(path, type(k) == "string" and ("%q"):format(k) or tostring(k)),
        depth - 1)
    end
  elseif not PLAIN[type(value)] then
    args.misuse("workers: %s is %s, which cannot go to another thread", path, args.shown(value))
  end
end

--- Raise unless the args of green.workers can go over. Does not park.
function M.check(value)
  if value ~= nil then
    check(value, "args", 32)
  end
end

--- The text for one worker. Does not park.
function M.pack(value)
  return buffer.encode(value)
end

--- What the text holds.
function M.unpack(text)
  return buffer.decode(text)
end

return M
