-- A websocket peer for specs that does as it is told: it builds frames byte by byte, right
-- ones and wrong ones, over any stream and in either role, and takes nothing of what comes
-- back on trust. It knows nothing of green.websocket: what it thinks of frames was written
-- from RFC 6455 anew.

local bit = require "bit"
local ffi = require "ffi"

local utf8 = require "spec.support.utf8"

local M = {}

local char, byte, floor = string.char, string.byte, math.floor

M.CONT, M.TEXT, M.BINARY, M.CLOSE, M.PING, M.PONG = 0, 1, 2, 8, 9, 10

-- -- Frames ---------------------------------------------------------------------

--- A frame: { op =, payload =, fin =, rsv =, ... }. `fin` (true), `rsv` (0, the three bits as
-- a number: 4 is RSV1), `mask` (four bytes; false: none; nil: as the role wants), `form` (7,
-- 16 or 64: the length's, nil: the shortest), `says` (the length that stands in the head).
local function frame(op, payload, more)
  local f = { op = op, payload = payload or "" }
  for name, value in pairs(more or {}) do
    f[name] = value
  end
  return f
end
M.frame = frame

function M.text(payload, more) return frame(M.TEXT, payload, more) end
function M.binary(payload, more) return frame(M.BINARY, payload, more) end
function M.cont(payload, more) return frame(M.CONT, payload, more) end
function M.ping(payload, more) return frame(M.PING, payload, more) end
function M.pong(payload, more) return frame(M.PONG, payload, more) end

--- The two bytes of a code.
function M.code(code)
  return char(floor(code / 256), code % 256)
end

--- A close frame; without a code it is empty.
function M.close(code, reason, more)
  return frame(M.CLOSE, code and M.code(code) .. (reason or "") or "", more)
end

local function big_endian(n, width)
  local out = {}
  for i = width, 1, -1 do
    out[i] = char(n % 256)
    n = floor(n / 256)
  end
  return table.concat(out)
end

local function length_bytes(f, masked)
  local n, top = f.says or #f.payload, masked and 128 or 0
  local form = f.form or n < 126 and 7 or n < 65536 and 16 or 64
  if form == 7 then
    return char(top + n)
  elseif form == 16 then
    return char(top + 126) .. big_endian(n, 2)
  end
  return char(top + 127) .. (type(n) == "string" and n or big_endian(n, 8))
end

--- XOR with a key of four bytes, in words: messages of 16 MB come by.
function M.xor(text, key)
  local n = #text
  local words = ffi.new("int32_t[?]", floor(n / 4) + 1)
  ffi.copy(words, text, n)
  local k = ffi.new("int32_t[1]")
  ffi.copy(k, key, 4)
  local key32 = k[0]
  for i = 0, floor(n / 4) do
    words[i] = bit.bxor(words[i], key32)
  end
  return ffi.string(words, n)
end

local function random_key()
  return char(math.random(0, 255), math.random(0, 255), math.random(0, 255), math.random(0, 255))
end

--- The bytes of a frame.
-- @tparam boolean masks what the role wants
function M.bytes(f, masks)
  local mask = f.mask
  if mask == nil then
    mask = masks and random_key()
  end
  local head = char((f.fin == false and 0 or 128) + (f.rsv or 0) * 16 + f.op)
    .. length_bytes(f, mask)
  if not mask then
    return head .. f.payload
  end
  return head .. mask .. M.xor(f.payload, mask)
end

--- A message in frames of so many bytes, the last one being what is left over.
function M.fragments(op, payload, size, more)
  local list = {}
  for at = 1, math.max(#payload, 1), size do
    local f = frame(#list == 0 and op or M.CONT, payload:sub(at, at + size - 1), more)
    f.fin = at + size > #payload
    f.rsv = #list == 0 and f.rsv or 0
    list[#list + 1] = f
  end
  return list
end

-- -- A peer ---------------------------------------------------------------------

local Peer = {}
Peer.__index = Peer

local PATIENCE = tonumber(os.getenv "WEBSOCKET_PATIENCE") or 20 -- only a failing spec waits so long

--- A peer at this end of a stream, after the handshake.
-- @tparam string role "client" or "server"
-- @tparam[opt] table deflate of spec.support.websocket_deflate: messages may be compressed
M.PATIENCE = PATIENCE

function M.peer(stream, role, deflate)
  stream:settimeout(PATIENCE)
  return setmetatable({ stream = stream, masks = role == "client", deflate = deflate,
    keys = {} }, Peer)
end

--- The bytes of frames and of strings, which are bytes already.
function Peer:encode(list)
  local out = {}
  for i, f in ipairs(list) do
    out[i] = type(f) == "string" and f or M.bytes(f, self.masks)
  end
  return table.concat(out)
end

--- Send frames, or strings of raw bytes, in one write. true, or nil and an error. Parks.
function Peer:send(...)
  return self.stream:write(self:encode { ... })
end

--- Send bytes in pieces of `size`, pause() between them. Parks.
function Peer:chop(bytes, size, pause)
  for at = 1, #bytes, size do
    local ok, err = self.stream:write(bytes:sub(at, at + size - 1))
    if not ok then
      return nil, err
    end
    pause()
  end
  return true
end

local function number_of(text)
  local n = 0
  for i = 1, #text do
    n = n * 256 + byte(text, i)
  end
  return n
end

local function fault(...)
  error("the other side broke the protocol: " .. string.format(...), 0)
end

--- The payload's length, from the head's second byte on.
local function read_length(stream, second)
  local n = second % 128
  if n < 126 then
    return n
  end
  local width = n == 126 and 2 or 8
  local long = number_of(assert(stream:read(width)))
  if long < (width == 2 and 126 or 65536) then
    fault("a length of %d in %d bytes", long, width)
  end
  return long
end

--- A mask is there if and only if a client sent it, and nobody could have known it.
local function read_mask(self, second)
  if (second >= 128) == self.masks then
    fault(self.masks and "a masked frame of a server" or "an unmasked frame of a client")
  end
  if second < 128 then
    return
  end
  local key = assert(self.stream:read(4))
  self.keys[key] = (self.keys[key] or 0) + 1
  if self.keys[key] > 3 then
    fault("a mask that comes again and again")
  end
  return key
end

local KNOWN = { [0] = true, true, true, [8] = true, [9] = true, [10] = true }

local function check_head(self, f)
  if not KNOWN[f.op] then
    fault("opcode %d", f.op)
  elseif f.op >= 8 and (not f.fin or f.rsv ~= 0 or #f.payload > 125) then
    fault("a control frame that is long, in parts or has reserved bits")
  elseif f.rsv ~= 0 and not (f.rsv == 4 and self.deflate and f.op ~= M.CONT) then
    fault("reserved bits %d", f.rsv)
  elseif f.op < 8 and (f.op == M.CONT) ~= (self.message ~= nil) then
    fault(f.op == M.CONT and "it continues no message" or "a message within a message")
  end
end

--- The next frame; nil when the stream has ended between two of them; nil and the error when it
-- was reset, or amidst a frame. Raises if no such frame may be sent. Parks.
function Peer:read_frame()
  local head, err = self.stream:read(2)
  if not head then
    return nil, err
  elseif self.closed then
    fault("a frame after its close frame")
  end
  local first, second = byte(head, 1, 2)
  local n = read_length(self.stream, second)
  local key = read_mask(self, second)
  local payload = n == 0 and "" or assert(self.stream:read(n))
  local f = { op = first % 16, fin = first >= 128, rsv = floor(first / 16) % 8,
    payload = key and M.xor(payload, key) or payload }
  check_head(self, f)
  self.closed = f.op == M.CLOSE
  return f
end

local function finish_message(self)
  local m = self.message
  self.message = nil
  local payload = table.concat(m)
  self.wire = #payload
  if m.rsv == 4 then
    payload = self.deflate:unpack(payload)
  end
  if m.op == M.TEXT and utf8.fault(payload) then
    fault("a text that is no UTF-8")
  end
  return { op = m.op, payload = payload, compressed = m.rsv == 4, frames = #m }
end

--- The next message, whole and inflated, or control frame. As read_frame. Parks.
function Peer:read()
  while true do
    local f, err = self:read_frame()
    if not f then
      return nil, err
    elseif f.op >= 8 then
      return f
    end
    local m = self.message or { op = f.op, rsv = f.rsv }
    self.message = m
    m[#m + 1] = f.payload
    if f.fin then
      return finish_message(self)
    end
  end
end

--- The code of a close frame that was read; 1005 of one without.
function M.code_of(f)
  return #f.payload == 0 and 1005 or number_of(f.payload:sub(1, 2))
end

--- Say goodbye as RFC 6455 wants, and see that the other side does: it answers the close
-- frame; a server then ends the connection, a client waits for us to. Parks.
function Peer:goodbye(code)
  self:send(M.close(code or 1000))
  local f, err = self:read()
  if not f or f.op ~= M.CLOSE then
    fault("no close frame but %s", f and ("opcode " .. f.op) or tostring(err or "the end"))
  end
  if not self.masks then
    self.stream:shutdown "write"
  end
  self:expect_end()
  self.stream:close()
  return M.code_of(f)
end

--- The connection ends, and nothing comes before that. Parks.
function Peer:expect_end()
  local f, err = self:read_frame()
  if f then
    fault("opcode %d instead of the end", f.op)
  elseif err and not err:is "ECONNRESET" then
    fault("%s instead of the end", tostring(err))
  end
end

return M
