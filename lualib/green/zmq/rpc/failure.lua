--- Errors as frames, and back. What the broker says has three frames (head, code, message), what a
-- worker says a fourth: the fields of its error. Private to green.zmq.rpc.
-- @module green.zmq.rpc.failure

local codecs = require "green.zmq.rpc.codec"
local envelope = require "green.zmq.rpc.envelope"
local errors = require "green.error"

-- Scripts may put their own in their places.
local find, format, pairs, pcall, sub, tostring, type = string.find, string.format, pairs, pcall,
  string.sub, tostring, type

local M = {}

local MESSAGE_MOST = 2000 -- bytes of a message
local CODE_MOST = 64
local plain = { string = true, number = true, boolean = true }
local own = { code = true, message = true, number = true }

--- What of an error object crosses: its plain fields.
local function fields_of(err)
  local fields = {}
  for name, value in pairs(err) do
    if type(name) == "string" and plain[type(value)] and not own[name] then
      fields[name] = value
    end
  end
  return fields
end

--- The fields as text; without them where the codec cannot write them: code and message are told
-- in any case, or the caller would wait for nothing.
local function pack(codec, fields)
  local ok, text = pcall(codecs.pack, codec, fields)
  return ok and text or ""
end

local function frames_of(id, codec, code, message, fields)
  return { envelope.write(envelope.ERROR, id), code, sub(message, 1, MESSAGE_MOST),
    pack(codec, fields) }
end

--- The body of an answer that says an error: an error object keeps its code, all else is EREMOTE.
-- @tparam string id of the call
function M.write(id, codec, err)
  if errors.is_error(err) then
    return frames_of(id, codec, err.code, err.message, fields_of(err))
  end
  local ok, text = pcall(tostring, err)
  return frames_of(id, codec, "EREMOTE", ok and text or "an error without a text", {})
end

local function from_worker(codec, code, message, text, op)
  local list, n = codecs.unpack(codec, text)
  local remote = list and n > 0 and type(list[1]) == "table" and list[1] or {}
  remote.code, remote.message = code, message
  return errors.new(code, op, message, { remote = remote, sent = true })
end

--- The error that an answer says: with `remote` (its fields) where a worker did, and `sent`:
-- may it have been done?
-- @tparam table frames
-- @tparam number at the head
-- @tparam string op
function M.read(codec, frames, at, op)
  local code, message, text = frames[at + 1], frames[at + 2], frames[at + 3]
  if not message or frames[at + 4] or #code > CODE_MOST or not find(code, "^E[%u%d_]+$") then
    return errors.new("EPROTO", op, format("the answer is an error of %d frames that has no code",
      #frames - at + 1), { sent = true })
  elseif text then
    return from_worker(codec, code, message, text, op)
  end
  return errors.new(code, op, message, { sent = envelope.read(frames[at]).flag })
end

return M
