-- permessage-deflate (RFC 7692): every combination of what is offered, the texts that messages are
-- cut from, and single messages that are packed in all ways that the RFC allows, or in none.

local kit = require "spec.support.websocket_kit"

local M = {}

-- -- Offers ---------------------------------------------------------------------

--- Each: { text =, fresh = { server =, client = }, bits = { server =, client = } }: what is asked
-- for; bits.client "free" says only that the server may choose.
M.offers = {}

for _, server_fresh in ipairs { false, true } do
  for _, client_fresh in ipairs { false, true } do
    for _, server_bits in ipairs { false, 9, 12, 15 } do
      for _, client_bits in ipairs { false, "free", 9, 15 } do
        local text = "permessage-deflate"
          .. (server_fresh and "; server_no_context_takeover" or "")
          .. (client_fresh and "; client_no_context_takeover" or "")
          .. (server_bits and "; server_max_window_bits=" .. server_bits or "")
          .. (client_bits == "free" and "; client_max_window_bits" or "")
          .. (type(client_bits) == "number" and "; client_max_window_bits=" .. client_bits or "")
        table.insert(M.offers, { text = text,
          fresh = { server = server_fresh, client = client_fresh },
          bits = { server = server_bits, client = client_bits } })
      end
    end
  end
end

--- Offers that are none, alone: no compression; and how the next one in a list is taken.
M.declined = {
  "permessage-deflate; server_max_window_bits=8",
  "permessage-deflate; server_max_window_bits=7",
  "permessage-deflate; server_max_window_bits=16",
  "permessage-deflate; server_max_window_bits=010",
  "permessage-deflate; server_max_window_bits=+10",
  "permessage-deflate; server_max_window_bits",
  "permessage-deflate; client_max_window_bits=7",
  "permessage-deflate; client_max_window_bits=16",
  "permessage-deflate; server_no_context_takeover=1",
  "permessage-deflate; client_no_context_takeover=true",
  "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
  "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
  "permessage-deflate; unknown",
  "permessage-deflate; unknown=1",
  "permessage-bzip2",
  "x-webkit-deflate-frame",
}

-- -- Texts ----------------------------------------------------------------------

local function repeated(make)
  local out, n = {}, 0
  local i = 0
  while n < 2 ^ 17 + 2 ^ 12 do
    i = i + 1
    out[i] = make(i)
    n = n + #out[i]
  end
  return table.concat(out)
end

--- Long enough for any message at any of the first 4096 places.
M.corpora = {
  json = repeated(function(i)
    return ('{"id":%d,"name":"user %d","tags":["a","b"],"score":%d.5},'):format(i, i * 7 % 1000,
      i % 97)
  end),
  prose = repeated(function(i)
    return ("The sender cuts a message, the receiver puts it together; that was line %d. ")
      :format(i)
  end),
  picture = repeated(function(i)
    return string.char(i % 256, math.floor(i / 256) % 256, (i * i) % 251, 255)
  end),
  same = ("\0"):rep(2 ^ 17 + 2 ^ 12),
  random = repeated(function()
    return string.char(math.random(0, 255), math.random(0, 255), math.random(0, 255),
      math.random(0, 255))
  end),
}

M.sizes = { 16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072 }

--- The n-th message of a size: no two begin at the same place.
function M.message(corpus, size, n)
  local at = n * 37 % 4096
  return M.corpora[corpus]:sub(at + 1, at + size)
end

-- -- Single messages ------------------------------------------------------------

local HELLO = "\242\72\205\201\201\7\0" -- RFC 7692 7.2.3.1
local OPEN = { fin = false }
local RSV1 = { rsv = 4 }
local RSV1_OPEN = { rsv = 4, fin = false }

local list = {}
M.list = list

local function add(id, title, send, want, more)
  local c = { id = id, title = title, send = send, want = want }
  for name, value in pairs(more or {}) do
    c[name] = value
  end
  list[#list + 1] = c
end

local hello = { kit.TEXT, "Hello" }

add("12.6.1", "one block", { kit.text(HELLO, RSV1) }, { hello })
add("12.6.2", "the same in two fragments",
  { kit.text(HELLO:sub(1, 3), RSV1_OPEN), kit.cont(HELLO:sub(4)) }, { hello })
add("12.6.3", "the same, a byte a fragment",
  kit.fragments(kit.TEXT, HELLO, 1, { rsv = 4 }), { hello })
add("12.6.4", "a block that is not compressed",
  { kit.text("\0\5\0\250\255Hello\0", RSV1) }, { hello })
add("12.6.5", "a block that says it is the last", { kit.text("\243\72\205\201\201\7\0\0", RSV1) },
  { hello })
add("12.6.6", "two blocks",
  { kit.text("\242\72\5\0\0\0\255\255\202\201\201\7\0", RSV1) }, { hello })
-- [b144]
add("12.6.7", "not compressed, where it might be", { kit.text "Hello" }, { hello })
add("12.6.8", "compressed and not, by turns",
  { kit.text(HELLO, RSV1), kit.text "plain", kit.text(HELLO, RSV1) }, { hello, { 1, "plain" },
    hello })
add("12.6.9", "an empty message", { kit.text("\0", RSV1) }, { { 1, "" } })
add("12.6.10", "an empty message that is an empty block of the fixed kind",
  { kit.text("\2\0", RSV1) }, { { 1, "" } })
add("12.6.11", "a ping between compressed fragments",
  { kit.text(HELLO:sub(1, 3), RSV1_OPEN), kit.ping "p", kit.cont(HELLO:sub(4)) },
  { { kit.PONG, "p" }, hello })
add("12.6.12", "empty fragments of a compressed message",
  { kit.text("", RSV1_OPEN), kit.cont(HELLO, OPEN), kit.cont "" }, { hello })

local function fails(id, title, send, code)
  add(id, title, send, {}, { fails = code })
end

-- What is no deflate is no protocol error that RFC 7692 names: either code will do.
local BROKEN = { [1002] = true, [1007] = true }

fails("12.7.1", "RSV1 in a continuation",
  { kit.text(HELLO:sub(1, 3), RSV1_OPEN), kit.cont(HELLO:sub(4), RSV1) }, 1002)
fails("12.7.2", "RSV1 in a ping", { kit.ping("x", RSV1) }, 1002)
fails("12.7.3", "RSV1 in a close", { kit.close(1000, "", RSV1) }, 1002)
fails("12.7.4", "RSV2 beside RSV1", { kit.text(HELLO, { rsv = 6 }) }, 1002)
fails("12.7.5", "bytes that are no deflate", { kit.text("\7\255\255", RSV1) }, BROKEN)
fails("12.7.6", "a distance beyond the beginning",
  { kit.text("\202\0\17\0\0", RSV1) }, BROKEN)
fails("12.7.7", "a text that inflates to no UTF-8", function()
  return { kit.text("\0\2\0\253\255\255\254\0", RSV1) }
end, 1007)
fails("12.7.8", "the same in two fragments, at the first",
  { kit.text("\0\2\0\253\255\255\254", RSV1_OPEN) }, 1007)

return M
