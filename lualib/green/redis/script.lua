--- Scripts that run in the server. Private to green.redis.
-- @module green.redis.script

local args = require "green.args"
local class = require "green.args.class"
local digest = require "green.digest"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local select, setmetatable, type, unpack = select, setmetatable, type, unpack

local M = {}
local methods = {}
local mt = { __name = "green.redis.script", __index = methods }

local function check(value, name)
  if type(value) ~= "string" and not (type(value) == "number" and value == value) then
    args.wrong("script:call", name, "a string or a number", value)
  end
  return value
end

--- The arguments of EVAL: how many keys, these, and the others.
local function arguments(keys, ...)
  local list, n = { #keys }, #keys
  for i = 1, n do
    list[i + 1] = check(keys[i], "key " .. i)
  end
  local more = select("#", ...)
  for i = 1, more do
    list[n + 1 + i] = check((select(i, ...)), "argument " .. i)
  end
  return list, n + 1 + more
end

--- Run it: by its digest, and by its source where the server does not know it yet. Parks.
-- @tparam ?table keys a list of the keys that it uses
-- @param ... further arguments
-- @return as the client's call
function methods:call(keys, ...)
  keys = keys == nil and {} or keys
  args.list(keys, "script:call", "keys", "strings and numbers")
  local client = self._client
  local list, n = arguments(keys, ...)
  local value, err = client:_command("script:call", "EVALSHA", self.sha, unpack(list, 1, n))
  if err and err.kind == "NOSCRIPT" then
    return client:_command("script:call", "EVAL", self._source, unpack(list, 1, n))
  end
  return value, err
end

show.kind(mt, function(self)
  return self.sha
end)
class.seal(mt)

--- Does not park.
function M.new(client, source)
  return setmetatable({ _client = client, _source = source,
    sha = digest.hex(digest.sha1(source)) }, mt)
end

return M
