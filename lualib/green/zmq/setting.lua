--- Options of ZeroMQ sockets: how their values get to libzmq and back.
-- @module green.zmq.setting

local args = require "green.args"
local value_of = require "green.zmq.option_value"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local digest = require "green.ffi.digest"
local zmq = require "green.ffi.zmq"

local type, tonumber = type, tonumber

local ROOM = 4096 -- bytes; no option's text is longer
local room, room_len = ffi.new("uint8_t[?]", ROOM), ffi.new("size_t[1]")

local methods = {}

-- -- To libzmq ----------------------------------------------------------------

local boxes = {
  int = ffi.typeof("int[1]"), int64 = ffi.typeof("int64_t[1]"), uint64 = ffi.typeof("uint64_t[1]"),
}
boxes.bool, boxes.seconds_ms = boxes.int, boxes.int
local sizes = { int = 4, bool = 4, seconds_ms = 4, int64 = 8, uint64 = 8 }

--- 0, or a negative status. Nothing, and not an empty text, clears what was set before.
local function give(self, option, raw)
  if type(raw) == "string" then
    return zmq.set(self._s, option.number, raw ~= "" and raw or nil, #raw)
  end
  return zmq.set(self._s, option.number, boxes[option.kind](raw), sizes[option.kind])
end

-- -- What hangs together ------------------------------------------------------

local after = {}

--- Timeouts of calls are ours: libzmq never waits. false: none.
local function note_timeout(self, name, _, raw)
  self["_" .. name] = raw >= 0 and raw / 1000 or false
end

after.rcvtimeo, after.sndtimeo = note_timeout, note_timeout

local enforce = value_of.find("zap_enforce_domain", "set")

--- Where there is a domain, nobody is let in without an authenticator that says so: libzmq takes
-- an absent one for a yes unless it is told.
local function set_domain(self, option, raw)
  local before = self._zap_domain or ""
  self._zap_domain = raw
  if raw == "" and before == "" then
    return 0 -- libzmq knows no empty one
  end
  local status = give(self, option, raw)
  if status == 0 then
    return give(self, enforce, raw ~= "" and 1 or 0)
  end
  self._zap_domain = before
  return status
end

--- libzmq ends the program where PLAIN is to be enforced and there is no domain; and with the other
-- mechanisms it enforces nothing.
local function set_enforce(self, option, raw, where)
  if raw == 1 and (self._zap_domain or "") == "" then
    args.misuse("%s: zap_enforce_domain needs a zap_domain, which sets it", where)
  end
  return give(self, option, raw)
end

local special = { zap_domain = set_domain, zap_enforce_domain = set_enforce }

--- Servers of CURVE and PLAIN ask the authenticator that their context has, though nobody has
-- named a domain: with one of no name libzmq would let all keys in when the authenticator has
-- gone. What a script has said stays.
local function guard(self)
  if self._zap_domain == nil and self._state.zap
    and (self:get "curve_server" or self:get "plain_server") then
    set_domain(self, value_of.find("zap_domain", "bind"), "*")
  end
end

-- -- From libzmq --------------------------------------------------------------

local rooms = { int = 4, bool = 4, seconds_ms = 4, int64 = 8, uint64 = 8, text = ROOM, bytes = ROOM,
  key = 41 }
local int_p, int64_p, uint64_p = ffi.typeof("int *"), ffi.typeof("int64_t *"),
  ffi.typeof("uint64_t *")

local takes = {}

function takes.int()
  return ffi.cast(int_p, room)[0]
end

takes.bool, takes.seconds_ms = takes.int, takes.int

function takes.int64()
  return tonumber(ffi.cast(int64_p, room)[0])
end

function takes.uint64()
  return tonumber(ffi.cast(uint64_p, room)[0])
end

function takes.bytes()
  return ffi.string(room, tonumber(room_len[0]))
end

takes.text, takes.key = takes.bytes, takes.bytes

local function take(option)
  local raw = takes[option.kind]()
  if option.secret then
    digest.wipe(room, ROOM)
  end
  return raw
end

-- -- Options ------------------------------------------------------------------

--- Set an option. true; or nil, err.
local function set(self, name, value, where)
  local option, raw = value_of.encode(name, value, where)
  local status = (special[name] or give)(self, option, raw, where)
  if status < 0 then
    return wait.failed(status, where == name and name or where .. " " .. name)
  elseif after[name] then
    after[name](self, name, option, raw)
  end
  return true
end

--- Set an option of libzmq's; docs/modules/zmq_options.md has them all. Does not park.
-- @tparam string name as libzmq's, in small letters and without ZMQ_: "sndhwm", "linger"
-- @param value true or false; durations in seconds, math.huge: for ever; sizes in bytes; keys as 32
-- bytes or 40 letters of Z85
-- @treturn true or nil, err: EINVAL (not for this type of socket, or not in this libzmq), ETERM,
-- ECLOSED
function methods:set(name, value)
  return set(self, name, value, "set")
end

--- Ask for an option of libzmq's. Does not park.
-- @tparam string name as set
-- @return the value, nil for one that nobody has set (keys, heartbeat_timeout); or nil, err: EINVAL
-- (not for this type of socket, or not in this libzmq), ETERM, ECLOSED
function methods:get(name)
  local option = value_of.readable(name, "get")
  room_len[0] = rooms[option.kind]
  local status = zmq.get(self._s, option.number, room, room_len)
  if status < 0 then
    return wait.failed(status, "get " .. name)
  end
  return value_of.decode(option, take(option))
end

--- Receive messages that begin with a text. SUB, and XPUB where it is "manual". Does not park.
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

return { methods = methods, set = set, guard = guard }
