-- permessage-deflate (RFC 7692) for specs, by zlib itself: one end's pair of streams.

local ffi = require "ffi"

ffi.cdef [[
typedef struct websocket_z {
  const uint8_t *next_in; unsigned avail_in; unsigned long total_in;
  uint8_t *next_out; unsigned avail_out; unsigned long total_out;
  const char *msg; void *state; void *zalloc; void *zfree; void *opaque;
  int data_type; unsigned long adler; unsigned long reserved;
} websocket_z;
int websocket_deflate_init(websocket_z *z, int level, int method, int bits, int mem, int strategy,
  const char *version, int size) __asm__("deflateInit2_");
int websocket_deflate(websocket_z *z, int flush) __asm__("deflate");
int websocket_deflate_reset(websocket_z *z) __asm__("deflateReset");
int websocket_deflate_end(websocket_z *z) __asm__("deflateEnd");
int websocket_inflate_init(websocket_z *z, int bits, const char *version, int size)
  __asm__("inflateInit2_");
int websocket_inflate(websocket_z *z, int flush) __asm__("inflate");
int websocket_inflate_reset(websocket_z *z) __asm__("inflateReset");
int websocket_inflate_end(websocket_z *z) __asm__("inflateEnd");
]]
local z = ffi.load "libz.so.1"

local VERSION, SIZE = "1", ffi.sizeof "websocket_z"
local SYNC, DEFLATED, ROOM = 2, 8, 65536
local TAIL = "\0\0\255\255"

local M = {}

local Deflate = {}
Deflate.__index = Deflate

local function new_stream(init, ending, ...)
  local s = ffi.new "websocket_z"
  assert(init(s, ...) == 0, "zlib refused")
  return ffi.gc(s, ending)
end

--- One end.
-- @tparam[opt] table opts `level` (6), `out_bits` and `in_bits` (15) of the windows, `out_fresh`
-- and `in_fresh`: no context is taken over. What comes in must be so, too: a message that refers to
-- the one before, or further back than in_bits, fails
function M.new(opts)
  opts = opts or {}
  return setmetatable({
    opts = opts, room = ffi.new("uint8_t[?]", ROOM),
    out = new_stream(z.websocket_deflate_init, z.websocket_deflate_end, opts.level or 6, DEFLATED,
      -(opts.out_bits or 15), 8, 0, VERSION, SIZE),
    into = new_stream(z.websocket_inflate_init, z.websocket_inflate_end, -(opts.in_bits or 15),
      VERSION, SIZE),
  }, Deflate)
end

--- Run all of a text through a stream.
local function run(self, s, step, text)
  local pieces = {}
  s.next_in, s.avail_in = ffi.cast("const uint8_t *", text), #text
  repeat
    s.next_out, s.avail_out = self.room, ROOM
    local r = step(s, SYNC)
    if r ~= 0 and r ~= 1 and r ~= -5 then
      error("the other side's message does not inflate: " .. r, 0)
    end
    pieces[#pieces + 1] = ffi.string(self.room, ROOM - s.avail_out)
  until s.avail_out > 0
  return table.concat(pieces)
end

--- A message's compressed payload.
function Deflate:pack(text)
  if self.opts.out_fresh then
    z.websocket_deflate_reset(self.out)
  end
  if text == "" then
    return "\0" -- RFC 7692 7.2.3.6
  end
  local packed = run(self, self.out, z.websocket_deflate, text)
  assert(packed:sub(-4) == TAIL)
  return packed:sub(1, -5)
end

--- A message's text. Raises if it is none.
function Deflate:unpack(packed)
  if self.opts.in_fresh then
    z.websocket_inflate_reset(self.into)
  end
  return run(self, self.into, z.websocket_inflate, packed .. TAIL)
end

--- Free both streams now; they are of no use any more.
function Deflate:close()
  z.websocket_deflate_end(ffi.gc(self.out, nil))
  z.websocket_inflate_end(ffi.gc(self.into, nil))
end

return M
