-- Messages in fragments, what may stand between these, and what may not: RFC 6455 5.4. And
-- messages that their sender cuts by itself (group 10).

local kit = require "spec.support.websocket_kit"

local list = {}

local function case(id, title, send, want, more)
  local c = { id = id, title = title, send = send, want = want }
  for name, value in pairs(more or {}) do
    c[name] = value
  end
  list[#list + 1] = c
end

local function fails(id, title, send, want)
  case(id, title, send, want or {}, { fails = 1002 })
end

local OPEN = { fin = false }

local function first(text) return kit.text(text, OPEN) end
local function part(text) return kit.cont(text, OPEN) end
local last, text, ping, pong = kit.cont, kit.text, kit.ping, kit.pong

local function whole(s) return { kit.TEXT, s } end
local function answer(s) return { kit.PONG, s } end

fails("5.1", "a ping in two fragments", { ping("frag", OPEN), last "ment" })
fails("5.2", "a pong in two fragments", { pong("frag", OPEN), last "ment" })
case("5.3", "a text in two fragments", { first "frag", last "ment" }, { whole "fragment" })
case("5.4", "the same of bytes", { kit.binary("\0\1", OPEN), last "\2" }, { { 2, "\0\1\2" } })
case("5.5", "five fragments", { first "a", part "b", part "c", part "d", last "e" },
  { whole "abcde" })
case("5.6", "a ping between two fragments", { first "frag", ping "ping", last "ment" },
  { answer "ping", whole "fragment" })
case("5.7", "a pong between two fragments", { first "frag", pong "pong", last "ment" },
  { whole "fragment" })
case("5.8", "pings and pongs between all of four fragments",
  { first "a", ping "1", part "b", pong "x", ping "2", part "c", ping "3", last "d" },
  { answer "1", answer "2", answer "3", whole "abcd" })

-- Continuations of nothing.
fails("5.9", "a whole continuation of nothing, then a text", { last "none", text "text" })
fails("5.10", "the same behind a message", { text "text", last "none" }, { whole "text" })
fails("5.11", "a first continuation of nothing, then a text", { part "none", text "text" })
fails("5.12", "the same behind a message", { text "text", part "none" }, { whole "text" })
fails("5.13", "an empty continuation of nothing", { last "" })
fails("5.14", "a continuation behind a message in fragments",
  { first "frag", last "ment", last "none" }, { whole "fragment" })
fails("5.15", "the same, and the message before is answered",
  { first "a", last "b", part "c", text "d", last "e" }, { whole "ab" })
fails("5.16", "continuations of nothing around texts, three times over", {
  part "none", text "text", last "none", part "none", text "text", last "none",
})

-- A message within a message.
fails("5.17", "a whole text within a message", { first "a", text "b", last "c" })
fails("5.18", "two texts that begin", { first "a", first "b" })
fails("5.18.1", "bytes within a text", { first "a", kit.binary "b" })
fails("5.18.2", "an empty text within a message", { first "a", text "" })
fails("5.18.3", "a message within one that has a ping", { first "a", ping "1", part "b", text "c" },
  { answer "1" })

case("5.19", "five fragments, pings behind the second and the fourth", {
  first "fragment1", part "fragment2", ping "pongme 1!", part "fragment3", part "fragment4",
  ping "pongme 2!", last "fragment5",
}, { answer "pongme 1!", answer "pongme 2!",
  whole "fragment1fragment2fragment3fragment4fragment5" })
case("5.20", "two messages in fragments, one behind the other",
  { first "a", last "b", first "c", part "", last "d" }, { whole "ab", whole "cd" })
case("5.21", "empty fragments first, amidst and last",
  { first "", part "a", part "", part "b", last "" }, { whole "ab" })
case("5.22", "nothing but empty fragments", { first "", part "", part "", last "" },
  { whole "" })
case("5.23", "a thousand fragments of a byte", kit.fragments(kit.TEXT, ("abcd"):rep(250), 1),
  { whole(("abcd"):rep(250)) })
case("5.24", "as many pings as fragments", (function()
  local send = {}
  for _, f in ipairs(kit.fragments(kit.TEXT, ("x"):rep(50), 1)) do
    send[#send + 1] = f
    send[#send + 1] = #send < 98 and ping("n" .. #send) or nil
  end
  return send
end)(), (function()
  local want = {}
  for i = 1, 97, 2 do
    want[#want + 1] = answer("n" .. i)
  end
  want[#want + 1] = whole(("x"):rep(50))
  return want
end)())

-- -- 10: messages that are cut by a layer below ---------------------------------

for i, size in ipairs { 1300, 1024, 65535, 65536 } do
  for op = 1, 2 do
    local payload = (op == 1 and "*" or "\170"):rep(65536)
    case(("10.%d.%d"):format(op, i), "65536 bytes, cut every " .. size,
      kit.fragments(op, payload, size), { { op, payload } }, { ways = { whole = true,
        frames = true } })
  end
end

return list
