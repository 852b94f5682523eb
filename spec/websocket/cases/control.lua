-- Pings, pongs, reserved bits and opcodes: RFC 6455 5.2, 5.5.

local kit = require "spec.support.websocket_kit"

local list = {}

local function case(id, title, send, want, more)
  local c = { id = id, title = title, send = send, want = want }
  for name, value in pairs(more or {}) do
    c[name] = value
  end
  list[#list + 1] = c
end

local function fails(id, title, send, want, code)
  case(id, title, send, want, { fails = code or 1002 })
end

-- -- 2: pings and pongs ---------------------------------------------------------

local BYTES = "\0\255\254\253\252\251\0\255"
local LONG = ("\254"):rep(125)

case("2.1", "a ping without a payload", { kit.ping() }, { { kit.PONG, "" } })
case("2.2", "a ping with a text", { kit.ping "Hello, world!" }, { { kit.PONG, "Hello, world!" } })
case("2.3", "a ping with bytes that are no text", { kit.ping(BYTES) }, { { kit.PONG, BYTES } })
case("2.4", "a ping of 125 bytes", { kit.ping(LONG) }, { { kit.PONG, LONG } })
fails("2.5", "a ping of 126 bytes", { kit.ping(LONG .. "x") }, {})
fails("2.5.1", "a ping of 65536 bytes", { kit.ping(("x"):rep(65536)) }, {})
fails("2.5.2", "a long ping is refused by its head",
  { kit.ping("", { form = 16, says = 126 }) }, {})
case("2.6", "a ping of 125 bytes in pieces", { kit.ping(LONG) }, { { kit.PONG, LONG } },
  { ways = { bytes = true } })
case("2.7", "a pong that nobody asked for", { kit.pong() }, {})
case("2.8", "the same with a payload", { kit.pong "unsolicited pong payload" }, {})
case("2.9", "the same, then a ping", { kit.pong "not asked for", kit.ping "asked" },
  { { kit.PONG, "asked" } })

local function pings(n)
  local send, want = {}, {}
  for i = 1, n do
    send[i] = kit.ping("payload-" .. i)
    want[i] = { kit.PONG, "payload-" .. i }
  end
  return send, want
end

case("2.10", "ten pings, answered in their order", pings(10))
case("2.11", "ten pings in pieces", (pings(10)), (select(2, pings(10))),
  { ways = { bytes = true } })
fails("2.12", "a pong of 126 bytes", { kit.pong(LONG .. "x") }, {})
fails("2.13", "a ping in two parts", { kit.ping("x", { fin = false }), kit.cont "y" }, {})
fails("2.14", "a pong in two parts", { kit.pong("x", { fin = false }), kit.cont "y" }, {})

-- -- 3: reserved bits -----------------------------------------------------------

local SMALL = { 1, "small" }
local kinds = {
  { "a text", function(rsv) return kit.text("Hello", { rsv = rsv }) end },
  { "a binary message", function(rsv) return kit.binary("\0\1", { rsv = rsv }) end },
  { "an empty text", function(rsv) return kit.text("", { rsv = rsv }) end },
  { "a ping", function(rsv) return kit.ping("x", { rsv = rsv }) end },
  { "a pong", function(rsv) return kit.pong("x", { rsv = rsv }) end },
  { "a close", function(rsv) return kit.close(1000, "", { rsv = rsv }) end },
}
for k, kind in ipairs(kinds) do
  for rsv = 1, 7 do
    fails(("3.%d.%d"):format(k, rsv), ("%s with reserved bits %d, behind a message"):format(kind[1],
      rsv), { kit.text "small", kind[2](rsv), kit.ping "late" }, { SMALL })
  end
end
for rsv = 1, 7 do
  fails("3.7." .. rsv, "a continuation with reserved bits " .. rsv,
    { kit.text("a", { fin = false }), kit.cont("b", { rsv = rsv }) }, {})
end

-- -- 4: opcodes that nobody has defined -----------------------------------------

for group, range in ipairs { { 3, 7 }, { 11, 15 } } do
  local number = 0
  for op = range[1], range[2] do
    for _, payload in ipairs { "", "reserved opcode payload", ("x"):rep(125) } do
      number = number + 1
      local id = ("4.%d.%d"):format(group, number)
      fails(id, ("opcode %d, %d bytes"):format(op, #payload), { kit.frame(op, payload) }, {})
      fails(id .. "b", ("the same behind a message"),
        { kit.text "small", kit.frame(op, payload), kit.ping "late" }, { SMALL })
    end
    fails(("4.%d.%dc"):format(group, number), ("opcode %d amidst a message"):format(op),
      { kit.text("a", { fin = false }), kit.frame(op, "x"), kit.cont "b" }, {})
  end
end

return list
