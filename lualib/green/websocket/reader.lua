--- Messages that are read in parts: `ws:reader()`.
-- @module green.websocket.reader

local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local show = require "green.args.show"

-- Scripts may put their own in their places.
local min, setmetatable, sub = math.min, setmetatable, string.sub

local ALL = 2 ^ 30 -- more than a message can have; string.sub takes no infinity

local M = {}

local reader = {}
local reader_mt = { __name = "green.websocket.reader", __index = reader }

--- The next bytes of the message, as they come. Parks.
-- @tparam[opt] number most bytes at most
-- @treturn string not empty; or nil at the message's end; or nil, err: ECLOSED (the
-- connection has ended in the middle), EALREADY (something else was read since), or as recv
function reader:read(most)
  most = min(args.size(most or ALL, 1, "read", "most"), ALL)
  local text = self._rest
  if text == "" and not self._last then
    local first
    text, first, self._last = self:_step()
    if not text then
      self._last = true
      return nil, first or errors.new("ECLOSED", "read", "the message was cut")
    end
  end
  if text == "" then
    return nil
  end
  self._rest = #text > most and sub(text, most + 1) or ""
  return #text > most and sub(text, 1, most) or text
end

--- Its parts, to the end: `for part in reader:chunks() do`. Each step parks.
function reader:chunks()
  return function()
    return (reader.read(self))
  end
end

show.kind(reader_mt, function(self)
  return (self.is_binary and "binary" or "text") .. (self._last and ", read" or "")
end)
class.seal(reader_mt)

--- More of its message: a part, false, is it the last? Or nil, err. Parks.
local function step(self)
  local ws = self._ws
  if ws._reader ~= self then
    return nil, errors.new("EALREADY", "read", "something else was read since")
  end
  local part, err, _, is_last = self._read(ws, nil, "more", "read")
  if not part then
    return nil, err
  end
  ws._reader = not is_last and self
  return part, false, is_last
end

--- A reader of the next message. Parks.
function M.new(ws, seconds, read)
  local text, binary, _, last = read(ws, seconds, true, "reader")
  if not text then
    return nil, binary
  end
  local self = setmetatable({ is_binary = binary, _ws = ws, _read = read, _step = step,
    _rest = text, _last = last }, reader_mt)
  ws._reader = not last and self
  return self
end

return M
