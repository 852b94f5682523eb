--- Messages of the Debug Adapter Protocol on a descriptor: a head with Content-Length, and
-- JSON. Private to green.debugger.
--
-- Reading and writing stop the loop: while a program stands at a breakpoint nothing of it may
-- run. The protocol's specification is Microsoft's, version 1.x.
-- @module green.debugger.wire

local core = require "green.core"
local ffi = require "ffi"
local halt = require "green.ffi.halt"
local json = require "green.args.json"

local format, match, sub = string.format, string.match, string.sub
local pairs, pcall, require, setmetatable = pairs, pcall, require, setmetatable
local tonumber, type = tonumber, type
local concat = table.concat

local HEAD = 4096 -- bytes of a head,
local MOST = 16 * 1024 * 1024 -- of a message
local CHUNK = 65536

local EAGAIN = core.codes.EAGAIN

local Wire = {}
Wire.__index = Wire

local function decoder()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    return nil, "the debugger needs cjson: apt-get install lua-cjson"
  end
  return cjson.new() -- the script may have settings of its own
end

--- Take the nulls of a message out: to a client they are what is not there.
local function drop_nulls(t, null)
  for key, value in pairs(t) do
    if value == null then
      t[key] = nil
    elseif type(value) == "table" then
      drop_nulls(value, null)
    end
  end
  return t
end

-- -- Messages -----------------------------------------------------------------

--- A wire over descriptors, which it owns; or nil, text.
local function new(input, output)
  local cjson, why = decoder()
  if not cjson then
    return nil, why
  end
  return setmetatable({ input = input, output = output, cjson = cjson, buffer = "", pieces = {},
    size = 0, wanted = 0, seq = 0, chunk = ffi.new("char[?]", CHUNK) }, Wire)
end

--- Send a message; its `seq` is set. Whether it was. Stops the loop until it is written.
function Wire:send(message)
  self.seq = self.seq + 1
  message.seq = self.seq
  local text = json.encode(message)
  text = format("Content-Length: %d\r\n\r\n%s", #text, text)
  return not self.closed and halt.write(self.output, text, #text) == 0
end

--- The message that the buffer begins with; nil: not all of it is there; nil, text.
local function take(self)
  local first = sub(self.buffer, 1, 15)
  if first ~= sub("Content-Length:", 1, #first) then
    return nil, "that is no head of the protocol"
  end
  local head, at = match(self.buffer, "^(.-\r\n)\r\n()")
  if not head then
    return nil, #self.buffer > HEAD and "too long a head" or nil
  end
  local n = tonumber(match(head, "^Content%-Length: *(%d+)\r\n"))
  if not n or n > MOST then
    return nil, "no length, or too much"
  elseif #self.buffer < at + n - 1 then
    self.wanted = at + n - 1
    return nil
  end
  local ok, message = pcall(self.cjson.decode, sub(self.buffer, at, at + n - 1))
  self.buffer = sub(self.buffer, at + n)
  if not ok or type(message) ~= "table" then
    return nil, "no JSON object"
  end
  return drop_nulls(message, self.cjson.null)
end

--- Put n bytes of the chunk behind the buffer; when what is wanted is there: a long message
-- is not copied at each of its pieces.
local function add(self, n)
  local pieces = self.pieces
  pieces[#pieces + 1] = ffi.string(self.chunk, n)
  self.size = self.size + n
  if #self.buffer + self.size >= self.wanted then
    self.buffer = self.buffer .. concat(pieces)
    self.pieces, self.size, self.wanted = {}, 0, 0
  end
end

--- The next message that is there whole; nil, text: there is none to come.
local function next_of(self)
  if self.wanted == 0 then
    return take(self)
  end
end

--- The next message. Stops the loop for ms milliseconds at most; negative: as long as it takes.
-- @treturn table a message; or nil, "again": none has come; or nil, text: the wire is over, and
-- why, nil if that is its end
function Wire:read(ms)
  while not self.closed do
    local message, why = next_of(self)
    if message or why then
      return message, why
    end
    local n = halt.read(self.input, self.chunk, CHUNK, ms)
    if n == EAGAIN then
      return nil, "again"
    elseif n <= 0 then
      return nil
    end
    add(self, n)
  end
end

function Wire:close()
  if not self.closed then
    self.closed = true
    halt.close(self.input)
    if self.output ~= self.input then
      halt.close(self.output)
    end
  end
end

return { new = new, list = json.list }
