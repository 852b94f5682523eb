--- Messages that are encoded once and sent to many: `websocket.frame`.
-- @module green.websocket.frame

local ffi = require "ffi"
local args = require "green.args"
local class = require "green.args.class"
local errors = require "green.error"
local show = require "green.args.show"
local C = require "green.ffi.wsd"
local utf8 = require "green.ffi.utf8"

-- Scripts may put their own in their places.
local setmetatable = setmetatable

local M = {}

local frame_mt = { __name = "green.websocket.frame" }

show.kind(frame_mt, function(self)
  return (self.is_binary and "binary, " or "text, ") .. self.length .. " bytes"
end)
class.add(frame_mt)

--- A message that is encoded once and sent to many. Does not park.
-- @tparam string text
-- @tparam[opt] boolean is_binary
-- @return green.websocket.frame; or nil, err: EILSEQ (no UTF-8), ENOMEM
function M.new(text, is_binary)
  args.type(text, "string", "frame", "text")
  args.optional(is_binary, "boolean", "frame", "is_binary")
  if not is_binary and not utf8.check(text, #text) then
    return nil, errors.new("EILSEQ", "frame")
  end
  local c = C.ws_frame_new(text, #text, is_binary or false, true)
  if c == nil then
    return nil, errors.new("ENOMEM", "frame")
  end
  return setmetatable({ is_binary = is_binary or false, length = #text,
    _c = ffi.gc(c, C.ws_frame_free) }, frame_mt)
end

--- What core.ws_send_frame wants.
function M.pointer_of(frame)
  if not class.is(frame, frame_mt) then
    args.wrong("send_frame", "frame", "what websocket.frame gave", frame)
  end
  return frame._c
end

return M
