--- Messages of the Debug Adapter Protocol on a descriptor: a head with Content-Length, and
-- JSON. Private to green.debugger.
--
-- Reading and writing stop the loop: while a program stands at a breakpoint nothing of it may
-- run. The protocol's specification is Microsoft's, version 1.x.
-- @module green.debugger.wire

local core = require "green.core"
local ffi = require "ffi"
local halt = require "green.ffi.halt"

local concat, sort = table.concat, table.sort
local byte, find, format, gsub = string.byte, string.find, string.format, string.gsub
local match, rep, sub = string.match, string.rep, string.sub
local getmetatable, ipairs, pairs, setmetatable = getmetatable, ipairs, pairs, setmetatable
local floor, huge = math.floor, math.huge
local pcall, require, tonumber, tostring, type = pcall, require, tonumber, tostring, type

local HEAD = 4096 -- bytes of a head,
local MOST = 16 * 1024 * 1024 -- of a message
local CHUNK = 65536

local EAGAIN = core.codes.EAGAIN

local Wire = {}
Wire.__index = Wire

-- -- JSON ---------------------------------------------------------------------

local list_mt = {}

--- A table that is a list, also when it is empty.
local function list(t)
  return setmetatable(t or {}, list_mt)
end

local escapes = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(c)
  return escapes[c] or format("\\u%04x", byte(c))
end

-- By the first byte of a character (RFC 3629): how many follow, and what the second may be.
local function form_of(lead)
  if lead < 194 or lead > 244 then
    return 0
  elseif lead < 224 then
    return 2, 128, 191
  elseif lead < 240 then
    return 3, lead == 224 and 160 or 128, lead == 237 and 159 or 191
  end
  return 4, lead == 240 and 144 or 128, lead == 244 and 143 or 191
end

--- How many bytes the character has that begins at i; nil: it is none of UTF-8.
local function width_at(text, i)
  local lead, second = byte(text, i, i + 1)
  local n, least, most = form_of(lead)
  if n == 0 or not second or second < least or second > most
    or not find(text, "^" .. rep("[\128-\191]", n - 1), i + 1) then
    return nil
  end
  return n
end

local function mend_run(text)
  local parts, i = {}, 1
  while i <= #text do
    local n = width_at(text, i)
    parts[#parts + 1] = n and sub(text, i, i + n - 1) or "?"
    i = i + (n or 1)
  end
  return concat(parts)
end

--- Bytes that are no UTF-8 become question marks: a client may refuse the whole message.
local function utf8_of(text)
  return (gsub(text, "[\128-\255]+", mend_run))
end

local encode

local function encode_object(t)
  local keys, parts = {}, {}
  for key in pairs(t) do
    keys[#keys + 1] = key
  end
  sort(keys)
  for i, key in ipairs(keys) do
    parts[i] = '"' .. key .. '":' .. encode(t[key])
  end
  return "{" .. concat(parts, ",") .. "}"
end

function encode(value)
  local kind = type(value)
  if kind == "string" then
    return '"' .. (gsub(utf8_of(value), '[%c"\\]', escape)) .. '"'
  elseif kind == "number" then
    return value == floor(value) and value > -huge and value < huge and format("%.0f", value)
      or "0"
  elseif kind == "boolean" then
    return tostring(value)
  elseif getmetatable(value) ~= list_mt then
    return encode_object(value)
  end
  local parts = {}
  for i, one in ipairs(value) do
    parts[i] = encode(one)
  end
  return "[" .. concat(parts, ",") .. "]"
end

local function decoder()
  local ok, cjson = pcall(require, "cjson")
  if not ok then
    return nil, "the debugger needs cjson: apt-get install lua-cjson"
  end
  return cjson
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
  return setmetatable({ input = input, output = output, cjson = cjson, buffer = "", seq = 0,
    chunk = ffi.new("char[?]", CHUNK) }, Wire)
end

--- Send a message; its `seq` is set. Whether it was. Stops the loop until it is written.
function Wire:send(message)
  self.seq = self.seq + 1
  message.seq = self.seq
  local text = encode(message)
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
    return nil
  end
  local ok, message = pcall(self.cjson.decode, sub(self.buffer, at, at + n - 1))
  self.buffer = sub(self.buffer, at + n)
  if not ok or type(message) ~= "table" then
    return nil, "no JSON object"
  end
  return drop_nulls(message, self.cjson.null)
end

--- The next message. Stops the loop for ms milliseconds at most; negative: as long as it takes.
-- @treturn table a message; or nil, "again": none has come; or nil, text: the wire is over, and
-- why, nil if that is its end
function Wire:read(ms)
  while not self.closed do
    local message, why = take(self)
    if message or why then
      return message, why
    end
    local n = halt.read(self.input, self.chunk, CHUNK, ms)
    if n == EAGAIN then
      return nil, "again"
    elseif n <= 0 then
      return nil
    end
    self.buffer = self.buffer .. ffi.string(self.chunk, n)
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

return { new = new, list = list, encode = encode, utf8_of = utf8_of }
