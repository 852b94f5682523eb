--- What the socket types need that libzmq calls drafts: peers by number, groups.
-- @module green.zmq.draft

local args = require "green.args"
local core = require "green.core"
local thread = require "green.thread"
local wait = require "green.zmq.wait"

local ffi = require "ffi"
local api = require "green.ffi.zmq_draft"

local tonumber, type = tonumber, type
local number_t = ffi.typeof("uint32_t[1]")
local OUT, EAGAIN = wait.OUT, core.codes.EAGAIN

local GROUP_MOST = 255 -- bytes of a group's name
local PEER_MOST = 2 ^ 32 - 1
local by_number = { SERVER = true, PEER = true }
local with_timeout = { timeout = true }

local methods = {}

local function group_of(value, where)
  if type(value) ~= "string" or #value < 1 or #value > GROUP_MOST
    or value:find("\0", 1, true) then
    args.wrong(where, "group", "a text of 1 to 255 bytes, none of them zero", value)
  end
  return value
end

local function only(self, kind, where)
  if self.type ~= kind then
    args.misuse("%s: only a %s does that, not a %s", where, kind, self.type)
  end
end

-- -- Sending --------------------------------------------------------------------

--- Whom a message is for: a number and a group, of which one is none.
local function address_of(self, to)
  if by_number[self.type] then
    return args.integer(to, 1, "send_to", "to", PEER_MOST), nil
  elseif self.type == "RADIO" then
    return 0, group_of(to, "send_to")
  end
  args.misuse("send_to: a %s sends to nobody by name: SERVER, PEER and RADIO do", self.type)
end

--- Wait until there is room, and send. 0 or a negative status. Parks.
local function send_later(self, timeout, text, peer, group)
  local deadline, told = wait.deadline(timeout), false
  while timeout ~= 0 do
    local status = wait.wait(self, OUT, told, deadline)
    if status == 0 then
      status = api.send(self._s, text, #text, peer, group, 1)
    end
    if status ~= EAGAIN then
      return status
    end
    told = true
  end
  return EAGAIN
end

--- Send a message to one of several: of a SERVER or PEER to the peer with a number, which
-- `recv_message` gives (`metadata.peer`), of a RADIO to a group. Parks while there is no room;
-- a RADIO drops for those that have none.
-- @param to the number, or the group
-- @tparam string text
-- @param[opt] opts `timeout`, or that number of seconds itself
-- @treturn true or nil, err: EHOSTUNREACH (no such peer), and as send
function methods:send_to(to, text, opts)
  local peer, group = address_of(self, to)
  args.type(text, "string", "send_to", "text")
  local timeout = self._sndtimeo
  if opts ~= nil then
    timeout = wait.timeout(opts, timeout, with_timeout, "send_to")
  end
  thread.checkpoint()
  local status = api.send(self._s, text, #text, peer, group, 0)
  if status == EAGAIN then
    status = send_later(self, timeout, text, peer, group)
  end
  if status < 0 then
    return wait.failed(status, "send_to")
  end
  return true
end

-- -- Groups and peers -----------------------------------------------------------

--- Receive what is sent to a group. DISH. Does not park.
-- @tparam string group 1 to 255 bytes
-- @treturn true or nil, err: EINVAL (it is in the group), ETERM, ECLOSED
function methods:join(group)
  only(self, "DISH", "join")
  local status = api.join(self._s, group_of(group, "join"))
  if status < 0 then
    return wait.failed(status, "join " .. group)
  end
  return true
end

--- No more. DISH. Does not park.
-- @tparam string group
-- @treturn true or nil, err: EINVAL (it is not in the group), ETERM, ECLOSED
function methods:leave(group)
  only(self, "DISH", "leave")
  local status = api.leave(self._s, group_of(group, "leave"))
  if status < 0 then
    return wait.failed(status, "leave " .. group)
  end
  return true
end

--- Connect a PEER, and learn the number of whom it will reach. Does not park.
-- @tparam string endpoint as connect
-- @treturn number for send_to; or nil, err: as connect
function methods:connect_peer(endpoint)
  only(self, "PEER", "connect_peer")
  args.type(endpoint, "string", "connect_peer", "endpoint")
  local number = number_t()
  local status = api.connect(self._s, endpoint, number)
  if status < 0 then
    return wait.failed(status, "connect_peer " .. endpoint)
  end
  return tonumber(number[0])
end

--- What is known of the message that was received last, into a table of metadata.
local function describe(self, found)
  if by_number[self.type] then
    found.peer = tonumber(api.peer(self._s))
  elseif self.type == "DISH" then
    found.group = ffi.string(api.group(self._s))
  end
end

return { methods = methods, describe = describe }
