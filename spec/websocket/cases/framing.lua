-- Frames of all lengths, and how a length is written: RFC 6455 5.2.

local kit = require "spec.support.websocket_kit"

local rep = string.rep
local list = {}

local function case(id, title, send, want, more)
  local c = { id = id, title = title, send = send, want = want }
  for name, value in pairs(more or {}) do
    c[name] = value
  end
  list[#list + 1] = c
end

-- On both sides of each place where a length is written otherwise.
local SIZES = { 0, 1, 124, 125, 126, 127, 128, 255, 256, 65534, 65535, 65536, 65537 }

for group, op in ipairs { kit.TEXT, kit.BINARY } do
  local filler = op == kit.TEXT and "*" or "\254"
  for i, size in ipairs(SIZES) do
    local payload = rep(filler, size)
    case(("1.%d.%d"):format(group, i), size .. " bytes",
      { kit.frame(op, payload) }, { { op, payload } })
  end
  local payload = rep(filler, 65536)
  case(("1.%d.%d"):format(group, #SIZES + 1), "65536 bytes in pieces of 997", function(peer)
    local bytes, pieces = peer:encode { kit.frame(op, payload) }, {}
    for at = 1, #bytes, 997 do
      pieces[#pieces + 1] = bytes:sub(at, at + 996)
    end
    return pieces
  end, { { op, payload } }, { ways = { frames = true } })
end

-- Lengths that are not the shortest, or are none: "the minimal number of bytes MUST be used".
local function fails(id, title, ...)
  case(id, title, { ... }, {}, { fails = 1002 })
end

fails("1.3.1", "5 bytes, the length in 16 bits", kit.text("hello", { form = 16 }))
fails("1.3.2", "5 bytes, the length in 64 bits", kit.text("hello", { form = 64 }))
fails("1.3.3", "125 bytes, the length in 16 bits", kit.text(rep("*", 125), { form = 16 }))
fails("1.3.4", "65535 bytes, the length in 64 bits", kit.text(rep("*", 65535), { form = 64 }))
fails("1.3.5", "no bytes, the length in 16 bits", kit.binary("", { form = 16 }))
fails("1.3.6", "a length with its highest bit",
  kit.text("", { form = 64, says = "\128\0\0\0\0\0\0\1" }))
fails("1.3.7", "a length of all ones", kit.text("", { form = 64, says = rep("\255", 8) }))

-- Longer than anybody takes: refused by the head alone.
case("1.4.1", "2^62 bytes are announced",
  { kit.binary("", { form = 64, says = "\64\0\0\0\0\0\0\0" }) }, {}, { fails = 1009 })
case("1.4.2", "a byte more than is allowed is announced",
  { kit.binary("x", { form = 64, says = 17 * 2 ^ 20 + 1 }) }, {}, { fails = 1009 })
case("1.4.3", "fragments that are too long together: the last one's head tells", {
  kit.text("x", { fin = false }), kit.cont("x", { form = 64, says = 17 * 2 ^ 20 }),
}, {}, { fails = 1009 })

-- Many in a row.
case("1.5.1", "100 messages at once", (function()
  local frames = {}
  for i = 1, 100 do
    frames[i] = kit.text("message " .. i)
  end
  return frames
end)(), (function()
  local want = {}
  for i = 1, 100 do
    want[i] = { kit.TEXT, "message " .. i }
  end
  return want
end)())
case("1.5.2", "empty ones between others", {
  kit.text "a", kit.text "", kit.binary "", kit.text "", kit.binary "b",
}, { { 1, "a" }, { 1, "" }, { 2, "" }, { 1, "" }, { 2, "b" } })

-- Masks: each byte of the key matters, and 0 is a key like any other.
for i, key in ipairs { "\0\0\0\0", "\255\255\255\255", "\1\2\4\8", "\0\0\0\1", "\128\0\0\0" } do
  case("1.6." .. i, "a mask of its own", function(peer)
    return { kit.text("The mask is a key.", { mask = peer.masks and key or nil }) }
  end, { { 1, "The mask is a key." } })
end

return list
