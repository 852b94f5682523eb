--- Standard input: the formats of Lua's read, over a descriptor that parks.
--
-- A read that is cancelled takes nothing: what has arrived stays for the next.
-- @module green.patch.stdio.input

local core = require "green.core"
local thread = require "green.thread"
local stdfd = require "green.patch.stdio.stdfd"

-- Scripts may put their own in their places.
local error, ipairs, select, setmetatable, tonumber, type, unpack =
  error, ipairs, select, setmetatable, tonumber, type, unpack
local concat, string_format = table.concat, string.format
local floor, huge, max, min = math.floor, math.huge, math.max, math.min
local find, match, sub = string.find, string.match, string.sub

local api = require "green.ffi.stdfd"
local ffi = require "ffi"

local EAGAIN = core.codes.EAGAIN
local READ = core.READ -- a mode of core.park
local CHUNK = 65536

local Input = {}
Input.__index = Input

--- What C's stdio had read before green was there.
local function read_ahead()
  local memory = ffi.new("char[?]", CHUNK)
  local parts = {}
  repeat
    local n = tonumber(api.read_ahead(memory, CHUNK))
    parts[#parts + 1] = ffi.string(memory, n)
  until n == 0
  return concat(parts)
end

--- Green standard input, or nil when C's stdio will do.
local function open()
  local s = stdfd.open(0, 0)
  if not s then
    return nil
  end
  return setmetatable({
    s = s,
    chunk = ffi.new("char[?]", CHUNK),
    text = read_ahead(),
    at = 1, -- the first byte of text that was not read
    more = {}, -- what has arrived behind text
  }, Input)
end

--- Make one string of what is there.
function Input:join()
  if self.at > 1 or #self.more > 0 then
    self.text = sub(self.text, self.at) .. concat(self.more)
    self.at, self.more = 1, {}
  end
end

--- Let more arrive. Returns it, or nil at the end, or nil, err. Parks.
function Input:fill()
  local n = api.read(self.s, self.chunk, CHUNK)
  while n == EAGAIN do
    local status = core.park(self.s, nil, READ)
    if status ~= 0 then
      return thread.failed(status, "read standard input")
    end
    n = api.read(self.s, self.chunk, CHUNK)
  end
  n = tonumber(n)
  if n < 0 then
    return thread.failed(n, "read standard input")
  elseif n == 0 then
    return nil
  end
  local text = ffi.string(self.chunk, n)
  self.more[#self.more + 1] = text
  return text
end

--- Take n bytes of the joined text.
function Input:take(n)
  local text = sub(self.text, self.at, self.at + n - 1)
  self.at = self.at + n
  if self.at > #self.text then
    self.text, self.at = "", 1
  end
  return text
end

--- Bytes there.
function Input:available()
  local n = #self.text - self.at + 1
  for _, text in ipairs(self.more) do
    n = n + #text
  end
  return n
end

--- A line, without its end unless keep is set; nil at the end of the stream.
function Input:read_line(keep)
  self:join()
  local seen = #self.text - self.at + 1
  local at = find(self.text, "\n", self.at, true)
  local length = at and at - self.at + 1
  while not length do
    local text, err = self:fill()
    if err then
      return nil, err
    elseif not text then
      break
    end
    at = find(text, "\n", 1, true)
    length = at and seen + at
    seen = seen + #text
  end
  self:join()
  if not length then
    return seen > 0 and self:take(seen) or nil
  end
  local line = self:take(length)
  return keep and line or sub(line, 1, -2)
end

--- All that is left, "" at the end.
function Input:read_all()
  local text, err
  repeat
    text, err = self:fill()
  until not text
  if err then
    return nil, err
  end
  self:join()
  return self:take(#self.text)
end

--- Up to n bytes, fewer only before the end; nil at the end.
function Input:read_bytes(n)
  local there = self:available()
  while there < max(n, 1) do
    local text, err = self:fill()
    if err then
      return nil, err
    elseif not text then
      break
    end
    there = there + #text
  end
  self:join()
  if there == 0 then
    return nil
  end
  return self:take(min(n, there))
end

--- Is there a byte behind the first n that matches the pattern? Fills.
function Input:matches(n, pattern)
  while self:available() <= n do
    local text, err = self:fill()
    if not text then
      return false, err
    end
  end
  self:join()
  return find(sub(self.text, self.at + n, self.at + n), pattern) ~= nil
end

--- A number as C's scanf finds it; nil if there is none.
function Input:read_number()
  while self:matches(0, "^%s") do
    self:take(1)
  end
  local n = 0
  while n < 200 and self:matches(n, "^[%w.+-]") do
    n = n + 1
  end
  self:join()
  local text = sub(self.text, self.at, self.at + n - 1)
  while #text > 0 and not tonumber(text) do
    text = sub(text, 1, -2)
  end
  self:take(#text)
  return tonumber(text)
end

local formats = {
  l = Input.read_line,
  L = function(self)
    return self:read_line(true)
  end,
  a = Input.read_all,
  n = Input.read_number,
}

local function reader_of(format)
  local name = type(format) == "string" and match(format, "^%*?(.)")
  return formats[name]
end

--- What is wrong with a format, or nil.
local function wrong_with(format)
  if type(format) ~= "number" then
    return not reader_of(format) and "invalid format" or nil
  elseif not (format >= 0 and format < huge) then
    return "a number of bytes is wanted, not " .. tostring(format)
  end
end

--- Raise for wrong formats before anything is read: level 3 is whoever called the
-- function that calls this.
local function check_formats(where, ...)
  for i = 1, select("#", ...) do
    local wrong = wrong_with((select(i, ...)))
    if wrong then
      error(string_format("bad argument #%d to '%s' (%s)", i, where, wrong), 3)
    end
  end
end

function Input:read_format(format)
  if type(format) == "number" then
    return self:read_bytes(floor(format))
  end
  return reader_of(format)(self)
end

local function read_from(self, index, n, format, ...)
  local value, err = self:read_format(format)
  if err then
    return nil, err.message, -err.number
  elseif value == nil or index == n then
    return value
  end
  return value, read_from(self, index + 1, n, ...)
end

--- As file:read. A number of bytes that none can be raises. Parks.
function Input:read(...)
  check_formats("read", ...)
  thread.checkpoint()
  local n = select("#", ...)
  if n == 0 then
    return read_from(self, 1, 1, "*l")
  end
  return read_from(self, 1, n, ...)
end

--- What an iterator hands on; the end is nil, an error raises.
local function checked(first, message, ...)
  if first == nil and message then
    error(message, 3)
  end
  return first, message, ...
end

--- As file:lines. The iterator parks.
function Input:lines(...)
  check_formats("lines", ...)
  local formats_given = { n = select("#", ...), ... }
  return function()
    return checked(self:read(unpack(formats_given, 1, formats_given.n)))
  end
end

return { open = open }
