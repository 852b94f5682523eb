-- Large messages, whole, in fragments and in pieces, and many small ones: not how fast they are but
-- that they come back as they were.

local green = require "green"
local cases = require "spec.support.websocket_cases"
local kit = require "spec.support.websocket_kit"
local program = require "spec.support.program"

local KIB, MIB = 2 ^ 10, 2 ^ 20
local SMALL = program.is_sanitized -- these builds take a sixteenth of the sizes

local list = {}

local function add(id, title, more)
  more.id, more.title = id, title
  list[#list + 1] = more
end

--- So many bytes of a text, or of none.
local function filler(op, n)
  local unit = op == kit.TEXT and "The sizes grow: ä, €, 𝄞. " or "\0\1\2\253\254\255*"
  local text = unit:rep(math.floor(n / #unit))
  return text .. ("."):rep(n - #text)
end

local function scaled(n)
  return SMALL and math.max(n / 16, 64) or n
end

--- Write bytes in pieces while what comes back is read.
local function echo_chopped(payload, op, size)
  return function(peer)
    local writer = green.spawn(peer.chop, peer, peer:encode { kit.frame(op, payload) }, size,
      function() green.sleep(0) end)
    cases.same("the message", payload, cases.expect(peer, op, "the message").payload)
    writer:kill()
  end
end

local SIZES = { 64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB }
local FRAGMENTS = { 64, 256, KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB }
local PIECES = { 64, 128, 256, 512, 1024, 2048 }
local SHORT = { 0, 16, 64, 256, 1024, 4096 }

for op = 1, 2 do
  for i, size in ipairs(SIZES) do
    local payload = filler(op, scaled(size))
    add(("9.%d.%d"):format(op, i), #payload .. " bytes",
      { send = { kit.frame(op, payload) }, want = { { op, payload } }, ways = { whole = true } })
  end
  local payload = filler(op, scaled(4 * MIB))
  for i, size in ipairs(FRAGMENTS) do
    add(("9.%d.%d"):format(op + 2, i), ("%d bytes, %d a fragment"):format(#payload, size),
      { send = function() return kit.fragments(op, payload, size) end, want = { { op, payload } },
        ways = { whole = true } })
  end
  local shorter = filler(op, scaled(MIB))
  for i, size in ipairs(PIECES) do
    add(("9.%d.%d"):format(op + 4, i), ("%d bytes, sent %d at a time"):format(#shorter, size),
      { talk = echo_chopped(shorter, op, size) })
  end
  for i, size in ipairs(SHORT) do
    local text = filler(op, size)
    add(("9.%d.%d"):format(op + 6, i), ("1000 times %d bytes there and back"):format(size), {
      talk = function(peer)
        for _ = 1, 1000 do
          assert(peer:send(kit.frame(op, text)))
          cases.same("the echo", text, cases.expect(peer, op, "the echo").payload)
        end
      end,
    })
  end
end

return list
