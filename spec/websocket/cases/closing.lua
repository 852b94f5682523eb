-- How connections end: RFC 6455 5.5.1, 7.

local kit = require "spec.support.websocket_kit"

local list = {}

local function case(id, title, send, want, more)
  local c = { id = id, title = title, send = send, want = want }
  for name, value in pairs(more or {}) do
    c[name] = value
  end
  list[#list + 1] = c
end

local function closes(id, title, send, want, code, sees)
  case(id, title, send, want, { closes = code, sees = sees })
end

local function fails(id, title, send, want, code)
  case(id, title, send, want, { fails = code })
end

local OPEN = { fin = false }
local text, close, ping, cont = kit.text, kit.close, kit.ping, kit.cont
local BYE = { 1000, "" }

-- -- What stands before and behind a close --------------------------------------

closes("7.1.1", "a message, then a close", { text "hello", close(1000) }, { { 1, "hello" } }, 1000,
  BYE)
closes("7.1.2", "two closes", { close(1000), close(1000) }, {}, 1000, BYE)
closes("7.1.3", "a ping behind the close has no pong", { close(1000), ping "late" }, {}, 1000, BYE)
closes("7.1.4", "a text behind the close is ignored", { close(1000), text "late" }, {}, 1000, BYE)
closes("7.1.5", "a close amidst a message; the rest is ignored",
  { text("frag", OPEN), close(1000), cont "ment" }, {}, 1000, BYE)
local LARGE = ("BAsd7&jh23"):rep(26214)
closes("7.1.6", "256 KB, a close and a ping at once: the message is answered",
  { text(LARGE), close(1000), ping "late" }, { { 1, LARGE } }, 1000, BYE)
closes("7.1.7", "garbage behind the close is ignored", { close(1000), ("\255"):rep(40) }, {}, 1000,
  BYE)
closes("7.1.8", "ten messages and a close: all are answered before it", (function()
  local send = {}
  for i = 1, 10 do
    send[i] = text("m" .. i)
  end
  send[11] = close(1000)
  return send
end)(), (function()
  local want = {}
  for i = 1, 10 do
    want[i] = { 1, "m" .. i }
  end
  return want
end)(), 1000, BYE)

-- -- Payloads -------------------------------------------------------------------

closes("7.3.1", "an empty close", { close() }, {}, { [1000] = true, [1005] = true }, { 1005, "" })
fails("7.3.2", "a close of one byte", { kit.frame(kit.CLOSE, "\3") }, {}, 1002)
closes("7.3.3", "a code and no reason", { close(1000) }, {}, 1000, BYE)
closes("7.3.4", "a code and a reason", { close(1000, "Hello World!") }, {}, 1000,
  { 1000, "Hello World!" })
closes("7.3.5", "the longest reason", { close(1000, ("*"):rep(123)) }, {}, 1000,
  { 1000, ("*"):rep(123) })
fails("7.3.6", "a reason of a byte more", { close(1000, ("*"):rep(124)) }, {}, 1002)
fails("7.3.7", "a close in two fragments", { close(1000, "", OPEN), cont "x" }, {}, 1002)
fails("7.3.8", "a long close is refused by its head",
  { kit.frame(kit.CLOSE, "", { form = 16, says = 200 }) }, {}, 1002)

fails("7.5.1", "a reason that is no UTF-8", { close(1000,
  "\206\186\225\189\185\207\131\206\188\206\181\237\160\128edited") }, {}, 1007)
fails("7.5.2", "a reason that breaks off", { close(1000, "\206\186\225\189") }, {}, 1007)
fails("7.5.3", "a reason of one bad byte", { close(1000, "\255") }, {}, 1007)
closes("7.5.4", "a reason in many letters", { close(1000, "κόσμε ☃ 𝄞") }, {}, 1000,
  { 1000, "κόσμε ☃ 𝄞" })

-- -- Codes ----------------------------------------------------------------------

local VALID = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3001,
  3999, 4000, 4001, 4999 }
for i, code in ipairs(VALID) do
  closes("7.7." .. i, "code " .. code, { close(code) }, {}, code, { code, "" })
  closes("7.8." .. i, ("code %d, with a reason"):format(code), { close(code, "why not") }, {}, code,
    { code, "why not" })
end

local INVALID = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5001,
  32768, 65535 }
for i, code in ipairs(INVALID) do
  fails("7.9." .. i, "code " .. code, { close(code) }, {}, 1002)
  fails("7.13." .. i, ("code %d, with a reason"):format(code), { close(code, "why") }, {}, 1002)
end

-- What a message that fails says, behind one that is right.
fails("7.14.1", "the message before a bad close is answered", { text "hello", close(1005) },
  { { 1, "hello" } }, 1002)
fails("7.14.2", "the same, with a reason that is no UTF-8", { text "hello", close(1000, "\255") },
  { { 1, "hello" } }, 1007)

return list
