--- The end that this side begins: a close, an abort, and the end of the handler's green thread.
-- @module green.websocket.close

local args = require "green.args"
local core = require "green.core"
local ended = require "green.websocket.ended"
local place = require "green.websocket.place"
local recv = require "green.websocket.recv"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local rawget, tostring = rawget, tostring

local ws_close = core.ws_close
local NORMAL, LOST, FAILED = 1000, 1006, 1011
local EINVAL = core.codes.EINVAL
local SET, HANDLE = place.SET, place.HANDLE

local methods = {}

local function check_close(code, reason)
  if code ~= nil then
    args.integer(code, 0, "close", "code", 4999)
  end
  if reason ~= nil then
    args.type(reason, "string", "close", "reason")
  end
end

--- Wait for the peer's close: `closed` says that it has come.
local function wait_closed(self)
  if self[SET].is_light then
    return true
  end
  thread.sleep(0) -- who reads it was woken, and goes on with that first
  repeat
    local text = recv.read(self, nil, false, "close")
  until not text
  return true
end

--- Begin the closing handshake, and wait for the peer's part of it, `close_timeout` at most:
-- what still comes is dropped. Light form, or where another green thread reads: it is not
-- waited for. Idempotent. Parks.
-- @tparam[opt=1000] number code 1000 to 1003, 1007 to 1014, 3000 to 4999
-- @tparam[opt] string reason UTF-8, at most 123 bytes
-- @treturn boolean true
function methods:close(code, reason)
  check_close(code, reason)
  local status = code == 0 and EINVAL -- C has it for a close without a code
    or ws_close(self[SET].pointer, self[HANDLE], code or NORMAL, reason or "")
  if status == EINVAL then
    args.misuse("close: there is no close with code %s and that reason: a code is 1000 to 1003, "
      .. "1007 to 1014 or 3000 to 4999, a reason UTF-8 of at most 123 bytes",
      tostring(code or NORMAL))
  end
  if rawget(self, "closed") then
    return true
  end
  return wait_closed(self)
end

--- End it at once, without a word. Idempotent. Does not park.
function methods:abort()
  core.ws_abort(self[SET].pointer, self[HANDLE], LOST)
  ended.note(self)
  ended.leave(self, true)
end

--- Its green thread has ended, in whatever way (green.thread.exits).
function methods:_exit()
  ws_close(self[SET].pointer, self[HANDLE], FAILED, "")
  ended.note(self)
  ended.leave(self)
end

return { methods = methods }
