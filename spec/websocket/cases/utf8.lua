-- Texts that are UTF-8, and texts that are not: RFC 6455 8.1, RFC 3629. Each one that is wrong is
-- sent whole, byte by byte in fragments, and cut behind its first wrong byte, the rest
-- never sent: the other side must notice by then.

local kit = require "spec.support.websocket_kit"
local utf8 = require "spec.support.utf8"

local list = {}

local function add(id, title, send, want, more)
  local c = { id = id, title = title, send = send, want = want }
  for name, value in pairs(more or {}) do
    c[name] = value
  end
  list[#list + 1] = c
end

local OPEN = { fin = false }

--- A frame that announces all of a text, and has a part of it.
local function cut(text, n)
  return function(peer)
    local bytes = peer:encode { kit.text(text) }
    return { bytes:sub(1, #bytes - (#text - n)) }
  end
end

local function right(id, title, text)
  add(id, title, { kit.text(text) }, { { 1, text } })
  add(id .. "f", title .. ", a byte a fragment", kit.fragments(kit.TEXT, text, 1), { { 1, text } })
end

local function wrong(id, title, text)
  local at = assert(utf8.fault(text), id)
  add(id, title, { kit.text(text) }, {}, { fails = 1007 })
  add(id .. "f", title .. ", a byte a fragment", kit.fragments(kit.TEXT, text, 1), {},
    { fails = 1007 })
  if at <= #text then
    add(id .. "c", title .. ", the rest of the frame not sent", cut(text .. "....", at), {},
      { fails = 1007 })
    add(id .. "o", title .. ", the rest of the message not sent",
      { kit.text(text:sub(1, at), OPEN) }, {}, { fails = 1007 })
  end
end

local function either(id, title, text)
  if utf8.fault(text) then
    wrong(id, title, text)
  else
    right(id, title, text)
  end
end

local GREEK = "\206\186\225\189\185\207\131\206\188\206\181" -- "kosme", as in the RFCs' tests
local MIXED = "Hello-µ@ßöäüàá-UTF-8!!"
local SURROGATE = "\237\160\128" -- U+D800

-- -- Fragments ------------------------------------------------------------------

add("6.1.1", "an empty text", { kit.text "" }, { { 1, "" } })
add("6.1.2", "three empty fragments", { kit.text("", OPEN), kit.cont("", OPEN), kit.cont "" },
  { { 1, "" } })
add("6.1.3", "an empty fragment on either side", { kit.text("", OPEN), kit.cont("middle", OPEN),
  kit.cont "" }, { { 1, "middle" } })
add("6.2.1", "letters of two bytes", { kit.text(MIXED) }, { { 1, MIXED } })
for i = 1, #MIXED - 1 do
  add("6.2.2." .. i, "the same, cut behind byte " .. i,
    { kit.text(MIXED:sub(1, i), OPEN), kit.cont(MIXED:sub(i + 1)) }, { { 1, MIXED } })
end
right("6.2.3", "letters of two bytes", MIXED)
right("6.2.4", "letters of two and three bytes", GREEK)
-- [b141]
add("6.2.5", "a ping within a letter",
  { kit.text("\226\130", OPEN), kit.ping "p", kit.cont "\172" }, { { 10, "p" }, { 1, "€" } })
add("6.2.6", "bytes that are no text may be anything", { kit.binary "\255\254\192" },
  { { 2, "\255\254\192" } })

wrong("6.3.1", "a surrogate between letters", GREEK .. SURROGATE .. "edited")
add("6.4.1", "a wrong second fragment: the third never comes",
  { kit.text(GREEK, OPEN), kit.cont("\244\144\128\128", OPEN) }, {}, { fails = 1007 })
add("6.4.2", "a wrong second byte of a letter: the third never comes",
  { kit.text(GREEK .. "\244", OPEN), kit.cont("\144", OPEN) }, {}, { fails = 1007 })
add("6.4.3", "a wrong byte amidst a frame that goes on", cut(GREEK .. "\244\144\128\128" .. GREEK,
  #GREEK + 2), {}, { fails = 1007 })
add("6.4.4", "a message before the wrong one is answered", function(peer)
  return { peer:encode { kit.text "right" }, cut("\192\128....", 1)(peer)[1] }
end, { { 1, "right" } }, { fails = 1007 })
add("6.4.5", "a text that breaks off within a letter", { kit.text(GREEK:sub(1, -2)) }, {},
  { fails = 1007 })
add("6.4.6", "the next message does not complete a letter",
  { kit.text "\206", kit.text "\186" }, {}, { fails = 1007 })

-- -- Every length of a text that ends within letters ----------------------------

for n = 1, #GREEK do
  either("6.6." .. n, ("the first %d bytes of a text"):format(n), GREEK:sub(1, n))
end

-- -- Boundaries -----------------------------------------------------------------

for i, code in ipairs { 0, 0x80, 0x800, 0x10000, 0x200000, 0x4000000 } do
  either("6.7." .. i, "the first letter of that width", utf8.char(code))
end
local LAST = { 0x7F, 0x7FF, 0xFFFF, 0x1FFFFF, 0x3FFFFFF, 0x7FFFFFFF } -- by width
for i, code in ipairs(LAST) do
  either("6.9." .. i, "the last letter of that width", utf8.char(code))
end
for i, code in ipairs { 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10FFFF, 0x110000, 0x140000 } do
  either("6.11." .. i, ("U+%04X"):format(code), utf8.char(code))
end

-- -- Bytes that cannot stand where they do --------------------------------------

wrong("6.12.1", "a continuation byte alone", "\128")
wrong("6.12.2", "another", "\191")
for n = 2, 8 do
  wrong("6.12." .. n + 1, n .. " continuation bytes", ("\128\191"):rep(4):sub(1, n))
end
for c = 0x80, 0xBF do
  wrong("6.12.x" .. c, ("the continuation byte %02X"):format(c), "a" .. string.char(c))
end
for c = 0xC0, 0xFF do
  wrong("6.13." .. c, ("%02X and a blank"):format(c), string.char(c) .. " ")
  wrong("6.13.e" .. c, ("%02X and the end"):format(c), string.char(c))
end
for width = 2, 6 do
  wrong(("6.14.%d.1"):format(width), ("%d bytes without the last"):format(width),
    utf8.char(0, width):sub(1, -2))
  wrong(("6.14.%d.2"):format(width), ("%d bytes without the last"):format(width),
    utf8.char(LAST[width]):sub(1, -2))
end
wrong("6.15.1", "all of these behind each other",
  "\192\224\128\240\128\128\223\239\191\247\191\191")
for i, text in ipairs { "\254", "\255", "\254\254\255\255" } do
  wrong("6.16." .. i, "bytes that are in no letter", text)
end

-- -- Longer than need be --------------------------------------------------------

for width = 2, 6 do
  wrong("6.17." .. width, ("a slash in %d bytes"):format(width), utf8.char(0x2F, width))
  wrong("6.18." .. width, "the last one that is too long", utf8.char(LAST[width - 1], width))
  wrong("6.19." .. width, ("a NUL in %d bytes"):format(width), utf8.char(0, width))
end

-- -- Surrogates -----------------------------------------------------------------

local HIGH, LOW = { 0xD800, 0xDB7F, 0xDB80, 0xDBFF }, { 0xDC00, 0xDF80, 0xDFFF }
for i, code in ipairs { 0xD800, 0xDB7F, 0xDB80, 0xDBFF, 0xDC00, 0xDF80, 0xDFFF } do
  wrong("6.20." .. i, ("the surrogate U+%X"):format(code), utf8.char(code))
end
for i, high in ipairs(HIGH) do
  for j, low in ipairs(LOW) do
    wrong(("6.21.%d.%d"):format(i, j), "a pair of surrogates", utf8.char(high) .. utf8.char(low))
  end
end

-- -- Code points that are no characters, and are valid all the same -------------

for plane = 0, 16 do
  for j, code in ipairs { 0xFFFE, 0xFFFF } do
    right(("6.22.%d.%d"):format(plane, j), ("U+%X"):format(plane * 65536 + code),
      utf8.char(plane * 65536 + code))
  end
end
for code = 0xFDD0, 0xFDEF do
  right(("6.22.x%X"):format(code), ("U+%X"):format(code), utf8.char(code))
end
for i, code in ipairs { 0xFFF9, 0xFFFA, 0xFFFB, 0xFFFC, 0xFFFD, 0xFEFF, 0x2028 } do
  right("6.23." .. i, ("U+%X"):format(code), utf8.char(code))
end

return list
