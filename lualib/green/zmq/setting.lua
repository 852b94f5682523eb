--- Options of ZeroMQ sockets: how their values go between Lua and libzmq.
-- @module green.zmq.setting

local args = require "green.args"
local options = require "green.args.options"
local known = require "green.zmq.options"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local zmq = require "green.ffi.zmq"

local floor, tonumber = math.floor, tonumber

local int_t, int64_t, uint64_t = ffi.typeof("int[1]"), ffi.typeof("int64_t[1]"),
  ffi.typeof("uint64_t[1]")
local INT_MOST, MOST = 2 ^ 31 - 1, 2 ^ 53
local ROOM = 4096 -- bytes; no option's text is longer
local room, room_len = ffi.new("uint8_t[?]", ROOM), ffi.new("size_t[1]")

local methods = {}

-- -- To libzmq ----------------------------------------------------------------

local writers = {}

function writers.int(value, where, name)
  return int_t(args.integer(value, -1, where, name, INT_MOST)), 4
end

function writers.int64(value, where, name)
  return int64_t(args.integer(value, -1, where, name, MOST)), 8
end

function writers.uint64(value, where, name)
  return uint64_t(args.integer(value, 0, where, name, MOST)), 8
end

function writers.bool(value, where, name)
  return int_t(args.type(value, "boolean", where, name) and 1 or 0), 4
end

--- Seconds; -1 or math.huge: without an end.
function writers.seconds_ms(value, where, name)
  if value == -1 or value == math.huge then
    return int_t(-1), 4
  end
  args.number(value, 0, where, name)
  if value > INT_MOST / 1000 then
    args.wrong(where, name, "a number of seconds, at most 2,147,483", value)
  end
  return int_t(floor(value * 1000 + 0.5)), 4
end

function writers.bytes(value, where, name)
  return args.type(value, "string", where, name), #value
end

function writers.text(value, where, name)
  if args.type(value, "string", where, name):find("\0", 1, true) then
    args.wrong(where, name, "a text without a zero byte", value)
  end
  return value, #value
end

function writers.key(value, where, name)
  args.type(value, "string", where, name)
  if #value ~= 32 and #value ~= 40 then
    args.misuse("%s: %s must be a key of 32 bytes or of 40 characters, not of %d", where, name,
      #value)
  end
  return value, #value
end

-- -- From libzmq --------------------------------------------------------------

local readers = {}

local function number(size, ptr_t)
  ptr_t = ffi.typeof(ptr_t)
  return { size = size, read = function(p)
    return tonumber(ffi.cast(ptr_t, p)[0])
  end }
end

readers.int, readers.int64 = number(4, "int *"), number(8, "int64_t *")
readers.uint64 = number(8, "uint64_t *")
readers.bool = { size = 4, read = function(p)
  return ffi.cast("int *", p)[0] ~= 0
end }
readers.seconds_ms = { size = 4, read = function(p)
  local ms = ffi.cast("int *", p)[0]
  return ms < 0 and -1 or ms / 1000
end }
readers.bytes = { size = ROOM, read = function(p, n)
  return ffi.string(p, n)
end }
readers.text = { size = ROOM, read = function(p)
  return ffi.string(p)
end }
readers.key = { size = 41, read = function(p)
  return ffi.string(p)
end }

-- -- Options ------------------------------------------------------------------

local function find(name, where, way)
  args.type(name, "string", where, "name")
  local option = known[name]
  if not option then
    options.unknown("option", name, known, where)
  elseif not option[way] then
    args.misuse("%s: option '%s' can only be %s", where, name,
      way == "read" and "set" or "asked for")
  end
  return option
end

--- Timeouts of calls are ours: libzmq never waits. false: none.
local function note(self, name, value)
  if name == "rcvtimeo" or name == "sndtimeo" then
    self["_" .. name] = value >= 0 and value ~= math.huge and value or false
  end
end

--- Set an option. true; or nil, err.
local function set(self, name, value, where)
  local option = find(name, where, "write")
  local data, n = writers[option.kind](value, where, name)
  local status = zmq.set(self._s, option.number, data, n)
  if status < 0 then
    return wait.failed(status, where .. " " .. name)
  end
  note(self, name, value)
  return true
end

--- Set an option of libzmq's. Does not park.
-- @tparam string name as libzmq's, in small letters and without ZMQ_: "sndhwm", "linger"
-- @param value true or false; durations in seconds, -1 for ever; sizes in bytes; keys as 32 bytes
-- or 40 characters
-- @treturn true or nil, err: EINVAL (not for this type of socket, or this value), ETERM, ECLOSED
function methods:set(name, value)
  return set(self, name, value, "set")
end

--- Ask for an option of libzmq's. Does not park.
-- @tparam string name as set
-- @return the value; or nil, err: EINVAL (not for this type of socket), ETERM, ECLOSED
function methods:get(name)
  local option = find(name, "get", "read")
  local reader = readers[option.kind]
  room_len[0] = reader.size
  local status = zmq.get(self._s, option.number, room, room_len)
  if status < 0 then
    return wait.failed(status, "get " .. name)
  end
  return reader.read(room, tonumber(room_len[0]))
end

--- Receive messages that begin with a text. SUB and XSUB only. Does not park.
-- @tparam string topic "": all
-- @treturn true or nil, err: EINVAL, ETERM, ECLOSED
function methods:subscribe(topic)
  args.type(topic, "string", "subscribe", "topic")
  return set(self, "subscribe", topic, "subscribe")
end

--- Undo one subscribe. As that. Does not park.
function methods:unsubscribe(topic)
  args.type(topic, "string", "unsubscribe", "topic")
  return set(self, "unsubscribe", topic, "unsubscribe")
end

return { methods = methods, set = set, find = find }
