-- permessage-deflate with all that can be agreed on, against zlib itself: nothing may refer further
-- back than was promised, and every message must come back as it was.
--
-- WEBSOCKET_MESSAGES=1000 sends as many of each size (a megabyte of each by default).

local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"

local cases = require "spec.support.websocket_cases"
local deflate = require "spec.support.websocket_deflate"
local forms = require "spec.support.websocket_forms"
local kit = require "spec.support.websocket_kit"
local program = require "spec.support.program"
local shake = require "spec.support.websocket_shake"
local tables = require "spec.websocket.cases.deflate"

local _, it = testing.busted()

local COMPRESS = { compression = { threshold = 0 } }
local BYTES = program.is_sanitized and 2 ^ 15 or 2 ^ 20 -- of each size
local MESSAGES = tonumber(os.getenv "WEBSOCKET_MESSAGES")

-- -- Negotiating ----------------------------------------------------------------

--- An answer's or an offer's parameters; raises if it is not permessage-deflate alone.
local function parameters(text)
  local name, rest = text:match "^([%w-]+)%s*(.*)$"
  assert(name == "permessage-deflate", text)
  local found = {}
  for field, value in rest:gmatch ";%s*([%w_]+)=?\"?(%d*)\"?" do
    assert(found[field] == nil, "given twice: " .. text)
    found[field] = value == "" or tonumber(value)
  end
  return found
end

--- What the answer to an offer may say: RFC 7692 7.1.
local function check_answer(offer, p)
  local function check(ok, what)
    if not ok then error(offer.text .. ": " .. what, 0) end
  end
  check(not offer.fresh.server or p.server_no_context_takeover == true, "server takes over")
  local server_bits, client_bits = p.server_max_window_bits, p.client_max_window_bits
  check(not offer.bits.server or type(server_bits) == "number"
    and server_bits <= offer.bits.server and server_bits >= 8, "server_max_window_bits")
  check(client_bits == nil or offer.bits.client and type(client_bits) == "number"
    and client_bits >= 8 and client_bits <= 15, "client_max_window_bits")
end

--- zlib on the client's side of what was agreed. Its own window is as small as it offered.
local function client_side(offer, p)
  local own = type(p.client_max_window_bits) == "number" and p.client_max_window_bits
    or type(offer.bits.client) == "number" and offer.bits.client or 15
  return deflate.new {
    out_bits = math.max(own, 9), out_fresh = p.client_no_context_takeover == true,
    in_bits = type(p.server_max_window_bits) == "number" and p.server_max_window_bits or 15,
    in_fresh = p.server_no_context_takeover == true,
  }
end

local function header(text)
  return { lines = { "Sec-WebSocket-Extensions: " .. text } }
end

--- A client with these parameters. Parks.
local function open(form, offer)
  local peer, headers = form.open(header(offer.text))
  local p = parameters(assert(headers["sec-websocket-extensions"], "declined: " .. offer.text))
  check_answer(offer, p)
  peer.deflate = client_side(offer, p)
  return peer
end

-- -- Talking --------------------------------------------------------------------

--- The frames of a packed message, `size` bytes each.
local function frames(packed, op, size)
  return kit.fragments(op, packed, size or math.max(#packed, 1), { rsv = 4 })
end

local function count_of(size)
  return MESSAGES or math.max(math.min(BYTES / size, 1000), 2)
end

local TEXTS = { json = true, prose = true }

--- Messages of one size there and back, one at a time. Returns how many bytes came compressed.
local function talk(peer, corpus, size, fragment, count)
  local wire = 0
  for n = 1, count do
    local text = tables.message(corpus, size, n)
    local op = TEXTS[corpus] and kit.TEXT or kit.BINARY
    assert(peer:send(unpack(frames(peer.deflate:pack(text), op, fragment))))
    local back = cases.expect(peer, op, "the message")
    cases.same("a message of " .. size, text, back.payload)
    wire = wire + (back.compressed and peer.wire or 0)
  end
  return wire
end

for _, name in ipairs { "a threaded server", "a light server" } do
  describe(name .. " with permessage-deflate", function()
    local form = forms.those(name)[1]

    for corpus in pairs(tables.corpora) do
      for _, size in ipairs(tables.sizes) do
        it(("12: %s in messages of %d bytes"):format(corpus, size), function()
          form.with(COMPRESS, function(server)
            for _, fragment in ipairs { false, 256 } do
              local peer = open(server, tables.offers[1])
              local wire = talk(peer, corpus, size, fragment or nil, count_of(size))
              if corpus ~= "random" and size >= 1024 then
                assert.is_true(wire > 0 and wire < count_of(size) * size)
              end
              peer:goodbye()
              server.ended()
            end
          end)
        end)
      end
    end

    it("13: whatever is offered, with messages of all sizes", function()
      form.with(COMPRESS, function(server)
        for i, offer in ipairs(tables.offers) do
          local peer = open(server, offer)
          for _, size in ipairs(tables.sizes) do
            talk(peer, i % 2 == 0 and "json" or "picture", size, nil, size < 8192 and 5 or 1)
          end
          peer:goodbye()
          server.ended()
        end
      end)
    end)

    it("declines an offer that is none, and takes the next", function()
      form.with(COMPRESS, function(server)
        for _, text in ipairs(tables.declined) do
          local peer, headers = server.open(header(text))
          assert(headers["sec-websocket-extensions"] == nil, text)
          peer:goodbye()
          server.ended()
          peer, headers = server.open(header(text .. ", permessage-deflate"))
          assert(headers["sec-websocket-extensions"], text)
          peer.deflate = client_side(tables.offers[1],
            parameters(headers["sec-websocket-extensions"]))
          talk(peer, "json", 100, nil, 2)
          peer:goodbye()
          server.ended()
        end
      end)
    end)

    it("12.6, 12.7: takes whatever is deflate, and nothing else", function()
      form.with(COMPRESS, function(server)
        local wrong = cases.failures(tables.list, { one = function(play)
          local peer, headers = server.open(header "permessage-deflate")
          peer.deflate = client_side(tables.offers[1],
            parameters(headers["sec-websocket-extensions"]))
          play(peer)
          server.ended()
        end })
        assert.same({}, wrong)
      end)
    end)
  end)
end

-- -- Our client -----------------------------------------------------------------

--- What a server may answer to an offer of ours: each with what it says of itself.
local ANSWERS = {
  { "permessage-deflate", {} },
  { "permessage-deflate; server_no_context_takeover", { out_fresh = true } },
  { "permessage-deflate; client_no_context_takeover", { in_fresh = true } },
  { "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    { out_fresh = true, in_fresh = true } },
  { "permessage-deflate; server_max_window_bits=9", { out_bits = 9 } },
  { "permessage-deflate; client_max_window_bits=9", { in_bits = 9 } },
  { "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12",
    { out_bits = 10, in_bits = 12 } },
  { "permessage-deflate; client_max_window_bits=8", { in_bits = 8 } },
}

--- Messages to an echo at the client's end, and back. Parks.
local function converse(peer)
  for _, size in ipairs(tables.sizes) do
    talk(peer, "json", size, nil, 2)
    talk(peer, "picture", size, 300, 2)
  end
end

local function with_client(answer, options, body)
  local listener = assert(green.listen "127.0.0.1:0")
  local _, port = listener:sockname()
  local server = green.spawn(function()
    local stream = assert(listener:accept())
    local ok, err = pcall(function()
      return body((shake.accept(stream, function(headers)
        assert.matches("^permessage%-deflate", headers["sec-websocket-extensions"])
        return { "Sec-WebSocket-Extensions: " .. answer }
      end)))
    end)
    stream:close()
    if not ok then error(err, 0) end
  end)
  local ws, err = websocket.connect(("ws://127.0.0.1:%d/"):format(port), options)
  if ws then
    forms.echo(ws)
  end
  local ok, why = pcall(server.wait, server)
  listener:close()
  if ws then
    ws:abort()
  end
  if ws and not ok then error(why, 0) end
  return ws, err
end

describe("our client with permessage-deflate", function()
  for _, answer in ipairs(ANSWERS) do
    it("agrees to " .. answer[1], function()
      local ws = with_client(answer[1], { compression = { threshold = 0 } }, function(peer)
        peer.deflate = deflate.new(answer[2])
        converse(peer)
        peer:goodbye()
      end)
      assert.is_truthy(ws)
    end)
  end

  for _, answer in ipairs { "permessage-deflate; unknown", "permessage-bzip2",
    "permessage-deflate; server_max_window_bits=16", "permessage-deflate, permessage-deflate",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; client_no_context_takeover; client_no_context_takeover" } do
    it("refuses an answer it has not asked for: " .. answer, function()
      local ws, err = with_client(answer, { compression = true }, function(peer)
        peer:read()
      end)
      assert.is_nil(ws)
      assert.is_true(err:is "EPROTO")
    end)
  end
end)
