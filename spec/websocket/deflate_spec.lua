-- permessage-deflate in the handshake: offers, answers, and what an answer may say.

local deflate = require "green.websocket.deflate"

require("green.testing").busted()

--- What was agreed and the header, when a client offers that.
local function answer(text, opts)
  local fields, header = deflate.answer(text, deflate.options(opts, "handler"))
  return header, fields
end

--- What the client makes of that answer.
local function agreed(text, opts)
  return deflate.agreed(text, deflate.options(opts, "connect"))
end

local function fields(server, client, server_bits, client_bits)
  return { server_no_takeover = server, client_no_takeover = client, server_bits = server_bits,
    client_bits = client_bits }
end

local LIGHT = { takeover = false } -- what the light form asks for

describe("permessage-deflate, offered to a server,", function()
  it("is accepted as it comes", function()
    local header, got = answer "permessage-deflate"
    assert.equal("permessage-deflate", header)
    assert.same(fields(false, false, 15, 15), got)
    header, got = answer "permessage-deflate; client_max_window_bits"
    assert.equal("permessage-deflate", header)
    assert.same(fields(false, false, 15, 15), got)
  end)

  it("keeps no window from message to message if either side wants that", function()
    local header, got = answer "permessage-deflate; server_no_context_takeover"
    assert.equal("permessage-deflate; server_no_context_takeover", header)
    assert.same(fields(true, false, 15, 15), got)
    header, got = answer "permessage-deflate; client_no_context_takeover"
    assert.equal("permessage-deflate; client_no_context_takeover", header)
    assert.same(fields(false, true, 15, 15), got)
    header, got = answer("permessage-deflate", LIGHT)
    assert.equal("permessage-deflate; server_no_context_takeover; client_no_context_takeover",
      header)
    assert.same(fields(true, true, 15, 15), got)
    header = select(2, deflate.answer("permessage-deflate", deflate.options(true, "handler"), true))
    assert.equal("permessage-deflate; server_no_context_takeover; client_no_context_takeover",
      header)
  end)

  it("has the smaller of both windows", function()
    local header, got = answer "permessage-deflate; server_max_window_bits=10"
    assert.equal("permessage-deflate; server_max_window_bits=10", header)
    assert.same(fields(false, false, 10, 15), got)
    header, got = answer("permessage-deflate; server_max_window_bits=14", { window_bits = 11 })
    assert.equal("permessage-deflate; server_max_window_bits=11", header)
    assert.same(fields(false, false, 11, 15), got)
    header, got = answer("permessage-deflate", { window_bits = 11 })
    assert.equal("permessage-deflate; server_max_window_bits=11", header)
    assert.same(fields(false, false, 11, 15), got)
    header, got = answer("permessage-deflate; client_max_window_bits", { window_bits = 11 })
    assert.equal("permessage-deflate; server_max_window_bits=11; client_max_window_bits=11",
      header)
    assert.same(fields(false, false, 11, 11), got)
    header, got = answer "permessage-deflate; client_max_window_bits=9"
    assert.equal("permessage-deflate; client_max_window_bits=9", header)
    assert.same(fields(false, false, 15, 9), got)
    header = answer "permessage-deflate; server_max_window_bits=15"
    assert.equal("permessage-deflate; server_max_window_bits=15", header)
  end)

  it("is declined where we would have to compress with 8 bits, which zlib cannot", function()
    assert.is_nil((answer "permessage-deflate; server_max_window_bits=8"))
    local header = answer("permessage-deflate; server_max_window_bits=8, "
      .. "permessage-deflate; server_max_window_bits=9")
    assert.equal("permessage-deflate; server_max_window_bits=9", header)
    header = answer "permessage-deflate; client_max_window_bits=8" -- we only read that
    assert.equal("permessage-deflate; client_max_window_bits=8", header)
  end)

  it("is the first offer that is one [b143]", function()
    assert.equal("permessage-deflate; server_max_window_bits=12",
      answer("permessage-deflate; server_max_window_bits=16, "
        .. "permessage-deflate; server_max_window_bits=7, "
        .. "permessage-deflate; server_max_window_bits=012, "
        .. "permessage-deflate; unknown, x-other; a=1, "
        .. 'PerMessage-Deflate; Server_Max_Window_Bits="12", permessage-deflate'))
    assert.is_nil((answer "x-webkit-deflate-frame"))
  end)

  it("is not taken where it is not wanted or was not offered", function()
    assert.is_nil((answer("permessage-deflate", false)))
    assert.is_nil((answer(nil, {})))
  end)

  it("is read to its end even where nobody wants it", function()
    assert.is_false(deflate.answer("permessage-deflate, ;", false))
    assert.is_false(deflate.answer("permessage-deflate, a b", deflate.options({}, "handler")))
  end)
end)

describe("permessage-deflate, offered by a client,", function()
  it("lets the server choose our window", function()
    assert.equal("permessage-deflate; client_max_window_bits",
      deflate.offer(deflate.options(true, "connect")))
    assert.equal("permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
      .. "client_max_window_bits", deflate.offer(deflate.options(LIGHT, "connect")))
    assert.equal("permessage-deflate; server_max_window_bits=10; client_max_window_bits=10",
      deflate.offer(deflate.options({ window_bits = 10 }, "connect")))
    assert.is_nil(deflate.offer(false))
  end)

  it("is what the server answers", function()
    assert.is_nil(agreed(nil))
    assert.same(fields(false, false, 15, 15), agreed "permessage-deflate")
    assert.same(fields(true, true, 12, 10), agreed("permessage-deflate; "
      .. "server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; "
      .. 'client_max_window_bits="10"'))
    assert.same(fields(true, true, 15, 15), agreed("permessage-deflate; "
      .. "server_no_context_takeover", LIGHT))
    assert.same(fields(false, false, 10, 9), agreed("permessage-deflate; "
      .. "server_max_window_bits=10; client_max_window_bits=9", { window_bits = 11 }))
    assert.same(fields(false, false, 11, 11), agreed("permessage-deflate; "
      .. "server_max_window_bits=11", { window_bits = 11 }))
  end)

  it("may be granted with 8 bits: then we send as it is, and read what comes", function()
    assert.same(fields(false, false, 15, 8), agreed "permessage-deflate; client_max_window_bits=8")
    assert.same(fields(false, false, 8, 15), agreed "permessage-deflate; server_max_window_bits=8")
  end)

  it("must not be answered with what was not offered", function()
    for _, text in ipairs { "x-other", "permessage-deflate, permessage-deflate",
      "permessage-deflate; x", "permessage-deflate, x-other", ";",
      "permessage-deflate; client_max_window_bits", "permessage-deflate; server_max_window_bits",
      "permessage-deflate; server_max_window_bits=16",
      "permessage-deflate; server_max_window_bits=7",
      "permessage-deflate; server_no_context_takeover=1",
      "permessage-deflate; server_no_context_takeover; server_no_context_takeover" } do
      assert.is_false(agreed(text), text)
    end
    assert.is_false(agreed("permessage-deflate", false))
    assert.is_false(agreed("permessage-deflate", LIGHT))
    assert.is_false(agreed("permessage-deflate; client_no_context_takeover", LIGHT))
    assert.is_false(agreed("permessage-deflate", { window_bits = 11 }))
    assert.is_false(agreed("permessage-deflate; server_max_window_bits=12", { window_bits = 11 }))
    assert.is_false(agreed("permessage-deflate; server_max_window_bits=11; "
      .. "client_max_window_bits=12", { window_bits = 11 }))
  end)
end)

describe("the option compression", function()
  it("is a table with what it can be", function()
    assert.is_false(deflate.options(false, "handler"))
    local all = { level = -1, threshold = 256, takeover = true, window_bits = 15 }
    assert.same(all, deflate.options(nil, "handler"))
    assert.same(all, deflate.options(true, "handler"))
    all.level, all.takeover = 1, false
    assert.same(all, deflate.options({ level = 1, takeover = false }, "handler"))
    for _, opts in ipairs { 1, { level = -2 }, { level = 10 }, { window_bits = 8 },
      { window_bits = 16 }, { threshold = -1 }, { takeover = 1 }, { levels = 1 }, "yes" } do
      assert.has_error(function() deflate.options(opts, "handler") end)
    end
  end)
end)
