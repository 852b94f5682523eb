--- That a connection has ended: what its object says then, and who lets go of it.
-- @module green.websocket.ended

local core = require "green.core"
local errors = require "green.error"
local writers = require "green.websocket.writer"
local pipe = require "green.websocket.pipe"
local place = require "green.websocket.place"

-- Scripts may put their own in their places.
local rawget, rawset = rawget, rawset

local ws_info = core.ws_info
local LOST = 1006
local CLOSED = 2 -- GREEN_WS_CLOSED
local SET, HANDLE = place.SET, place.HANDLE

local M = {}

--- It has ended: say so in the object, and why. Returns the error that ended it, or nil.
function M.note(self)
  if rawget(self, "closed") then
    return self._why or nil
  end
  local _, code, reason, number, is_failed = ws_info(self[SET].pointer, self[HANDLE])
  rawset(self, "closed", true)
  rawset(self, "close_code", code and code ~= 0 and code or LOST)
  rawset(self, "close_reason", reason or "")
  rawset(self, "failed", is_failed or false)
  writers.leave(self)
  self._why = number and number ~= 0 and number or nil
  return self._why or nil
end

--- Who only sends was told that it has ended, or is about to: say so in the object if it has.
function M.look(self)
  local state = ws_info(self[SET].pointer, self[HANDLE])
  if state == nil or state == CLOSED then
    M.note(self)
  end
end

--- The connection is not used any more: what it has to say is said without the object. The
-- light form's worker does that when it has told of the end. At once: nothing is to be said.
local function leave(self, at_once)
  if self._stream then
    pipe.finish(self, at_once)
  elseif not self[SET].is_light then
    self[SET]:free(self[HANDLE])
  end
end
M.leave = leave

--- What a read gives at the end: nil, or nil, err.
function M.result(self, op)
  local number = M.note(self)
  leave(self)
  if number then
    return nil, errors.new(number, op)
  end
  return nil
end

return M
