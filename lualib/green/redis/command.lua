--- Commands as bytes: what every object that takes commands does with their arguments.
-- Private to green.redis.
-- @module green.redis.command

local args = require "green.args"
local core = require "green.core"
local words = require "green.redis.words"

-- Scripts may put their own in their places.
local format, getmetatable, select, setmetatable, tonumber, type, unpack = string.format,
  getmetatable, select, setmetatable, tonumber, type, unpack

local resp_command = core.resp_command

local M = {}

--- A number that is not whole, or too large to be exact, with as few digits as say which it is.
local function digits_of(value)
  local text = format("%.15g", value)
  return tonumber(text) == value and text or format("%.17g", value)
end

--- The command of which the i-th word is neither a string nor a whole number.
local function encode_again(where, i, name, ...)
  local n, list = select("#", ...), { ... }
  if type(name) ~= "string" then
    args.wrong(where, "the command", "a string", name)
  end
  for k = i - 1, n do
    local value = list[k]
    if type(value) == "number" and value == value then
      list[k] = digits_of(value)
    elseif type(value) ~= "string" then
      args.wrong(where, "argument " .. k, type(value) == "table"
        and 'a string or a number (options are words, too: "EX", 60)' or "a string or a number",
        value)
    end
  end
  return (resp_command(name, unpack(list, 1, n)))
end

--- The bytes of a command: strings as they are, numbers in digits. Raises for all else.
-- @tparam string where the method, for messages
-- @tparam string name
-- @treturn string
function M.encode(where, name, ...)
  local bytes, i = resp_command(name, ...)
  if bytes and type(name) == "string" then
    return bytes
  end
  return encode_again(where, i or 1, name, ...)
end

--- A command's name for a call with one: raises for those that would change the connection.
-- @treturn string as servers document it
function M.check(where, name)
  if type(name) ~= "string" or name == "" then
    args.wrong(where, "the command", "the name of one", name)
  end
  name = words.canonical(name)
  local instead = words.refused[name]
  if instead then
    args.misuse("%s: %s cannot be sent here; %s", where, name, instead)
  end
  return name
end

--- Give a class a method for each command that is known: object:get(...) is
-- object:_command("GET", ...). The class must have been sealed.
-- @tparam table mt
function M.add_methods(mt)
  local made = mt.__index
  setmetatable(made, { __index = function(_, word)
    local name = words.methods[word]
    if not name then
      return nil
    end
    local function method(self, ...)
      if type(self) ~= "table" or getmetatable(self) ~= mt then
        args.misuse("%s: self must be a %s, not %s; call it with a colon, object:%s(...)", word,
          mt.__name, args.shown(self), word)
      end
      return self:_command(word, name, ...)
    end
    made[word] = method
    return method
  end })
end

return M
