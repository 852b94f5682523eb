--- permessage-deflate: what is offered, what is answered, and what an answer may say
-- (RFC 7692, 7.1). Private to green.websocket.
--
-- What was agreed is a table: `server_no_takeover`, `client_no_takeover`: that side begins
-- each message with an empty window; `server_bits`, `client_bits`: the window of what that
-- side sends, 8 to 15. zlib cannot compress with a window of 8 bits: whoever would have to
-- sends its messages as they are, which it always may.
-- @module green.websocket.deflate

local args = require "green.args"
local ffi = require "ffi"
local options = require "green.args.options"
local C = require "green.ffi.ws_offer"

-- Scripts may put their own in their places.
local min, pairs, type = math.min, pairs, type

local M = {}

local LEAST, MOST = 9, 15 -- bits of a window: what zlib has
local CAP = ffi.C.GREEN_WS_OFFER_MAX

-- -- Options ------------------------------------------------------------------

local known = { level = true, threshold = true, takeover = true, window_bits = true }

--- The option `compression`: false, or a table with all four. Raises misuse. Does not park.
-- @param value nil or true: as it comes; false: none; a table: `level` 1 to 9, or -1:
-- what zlib takes for the best (-1),
-- `threshold` bytes that a message has at least to be compressed (256), `takeover`: keep the
-- window from message to message (true), `window_bits` 9 to 15 (15)
function M.options(value, where)
  if value == false then
    return false
  elseif value == nil or value == true then
    value = {}
  elseif type(value) ~= "table" then
    args.wrong(where, "compression", "true, false or a table", value)
  end
  options.check(value, known, where .. ": compression")
  local own = { level = -1, threshold = 256, takeover = true, window_bits = MOST }
  for name, given in pairs(value) do
    own[name] = given
  end
  args.integer(own.level, -1, where, "compression.level", 9)
  args.size(own.threshold, 0, where, "compression.threshold")
  args.type(own.takeover, "boolean", where, "compression.takeover")
  args.integer(own.window_bits, LEAST, where, "compression.window_bits", MOST)
  return own
end

-- -- Text ---------------------------------------------------------------------

local function text_of(fields, is_answer)
  local o, out = ffi.new("green_ws_offer"), ffi.new("char[?]", CAP)
  o.server_no_takeover, o.client_no_takeover = fields.server_no_takeover,
    fields.client_no_takeover
  o.server_bits, o.client_bits = fields.server_bits, fields.client_bits
  o.client_bits_free = fields.client_bits_free or false
  return ffi.string(out, C.write(out, CAP, o, is_answer))
end

-- -- The server's side --------------------------------------------------------

--- A window's bits in an answer; 0: it need not be said.
local function said(bits)
  return bits < MOST and bits or 0
end

--- What we answer to an offer; nil: we decline it.
local function accepted(o, own, takeover)
  local asked = o.server_bits
  if asked ~= 0 and asked < LEAST then
    return nil
  end
  local server_bits = min(own.window_bits, asked == 0 and MOST or asked)
  local may_limit = o.client_bits_free or o.client_bits ~= 0
  local client_bits = may_limit and min(own.window_bits, o.client_bits == 0 and MOST
    or o.client_bits) or MOST
  return {
    server_no_takeover = o.server_no_takeover or not takeover,
    client_no_takeover = o.client_no_takeover or not takeover,
    server_bits = asked == 0 and said(server_bits) or server_bits,
    client_bits = said(client_bits),
  }
end

--- With 15 where nothing was said.
local function settled(fields)
  return {
    server_no_takeover = fields.server_no_takeover,
    client_no_takeover = fields.client_no_takeover,
    server_bits = fields.server_bits == 0 and MOST or fields.server_bits,
    client_bits = fields.client_bits == 0 and MOST or fields.client_bits,
  }
end

--- Choose among what a client offers: the first that we can do. Does not park.
-- @tparam ?string text Sec-WebSocket-Extensions
-- @tparam table|false own what `options` gave
-- @tparam[opt] boolean light no window is kept from message to message
-- @treturn what was agreed, and the header that says so; nil: nothing was; false: the text
-- is no such header
function M.answer(text, own, light)
  local o, pos = ffi.new("green_ws_offer"), ffi.new("size_t[1]")
  local fields
  local status = text and C.next(text, #text, pos, o) or 0
  while status > 0 and not fields do
    fields = own and accepted(o, own, own.takeover and not light) or nil
    status = C.next(text, #text, pos, o)
  end
  if status < 0 then
    return false
  elseif fields then
    return settled(fields), text_of(fields, true)
  end
end

-- -- The client's side --------------------------------------------------------

--- What we offer. Does not park.
-- @tparam table|false own what `options` gave
-- @treturn ?string a header's value
function M.offer(own)
  if not own then
    return nil
  end
  return text_of({
    server_no_takeover = not own.takeover,
    client_no_takeover = not own.takeover,
    server_bits = said(own.window_bits),
    client_bits = said(own.window_bits),
    client_bits_free = own.window_bits == MOST,
  }, false)
end

--- May a server answer that to what we have offered?
local function is_legal(o, own)
  return not o.client_bits_free and o.client_bits <= own.window_bits
    and (o.server_bits == 0 and own.window_bits == MOST
      or o.server_bits ~= 0 and o.server_bits <= own.window_bits)
    and (own.takeover or o.server_no_takeover)
end

--- What a server has agreed to. Does not park.
-- @tparam ?string text its Sec-WebSocket-Extensions
-- @tparam table|false own what `options` gave
-- @treturn what was agreed; nil: nothing; false: it answers what it must not (RFC 6455, 9.1;
-- RFC 7692, 5.1)
function M.agreed(text, own)
  if text == nil then
    return nil
  end
  local o = ffi.new("green_ws_offer")
  local status = C.answer(text, #text, o)
  if status == 0 then
    return nil
  elseif status < 0 or not own or not is_legal(o, own) then
    return false
  end
  local fields = settled(o)
  fields.client_no_takeover = fields.client_no_takeover or not own.takeover
  fields.client_bits = min(fields.client_bits, own.window_bits)
  return fields
end

return M
