local event_parser = require "green.http.event_parser"

--- All events of the chunks.
local function read(chunks, opts)
  local parser, all = event_parser.new(opts), {}
  for _, chunk in ipairs(chunks) do
    local events, err = parser:feed(chunk)
    if not events then
      return nil, err, parser
    end
    for _, event in ipairs(events) do
      all[#all + 1] = event
    end
  end
  return all, parser
end

--- "type:data:id" of each event.
local function short(text, opts)
  local out = {}
  for i, event in ipairs(assert(read({ text }, opts))) do
    out[i] = ("%s:%s:%s"):format(event.type, event.data, event.id)
  end
  return table.concat(out, "|")
end

-- A stream and its events; the first ones are WHATWG's own examples.
local CASES = {
  { "data: YHOO\ndata: +2\ndata: 10\n\n", "message:YHOO\n+2\n10:" },
  { ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
    "message:first event:1|message:second event:" },
  { "data\n\ndata\ndata\n\ndata:\n", "message::|message:\n:" },
  { "data:test\n\ndata: test\n\n", "message:test:|message:test:" },
  { "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
    "add:73857293:|remove:2153:|add:113411:" },
  { "", "" },
  { "\n\n\n", "" },
  { "data: x\r\r", "message:x:" },
  { "data: x\r\n\r\n", "message:x:" },
  { "data: x\n\r\n", "message:x:" },
  { "data: a\rdata: b\ndata: c\r\n\r\n", "message:a\nb\nc:" },
  { "\239\187\191data: x\n\n", "message:x:" },
  { "\239\187\191\239\187\191data: x\n\n", "" },
  { " data: x\n\n", "" },
  { "data : x\n\n", "" },
  { "Data: x\n\n", "" },
  { "data:x:y: z\n\n", "message:x:y: z:" },
  { "event: lost\n\ndata: x\n\n", "message:x:" }, -- without data it is no event
  { "event: a\nevent: b\ndata: x\n\n", "b:x:" },
  { "event:\ndata: x\n\n", "message:x:" },
  { "id: 1\n\ndata: x\n\n", "message:x:1" },
  { "id: a\0b\ndata: x\n\n", "message:x:" },
  { "id: 1\ndata: x\n\nid:\ndata: y\n\n", "message:x:1|message:y:" },
  { "unknown: x\n: comment\n:\ndata: y\n\n", "message:y:" },
  { "data: \255\n\n", "message:\239\191\189:" },
  { "data: gr\195\188n\nid: \226\130\172\n\n", "message:grün:€" },
  { "data: no end", "" },
  { "data: no end\n", "" },
}

describe("green.http.event_parser", function()
  for _, case in ipairs(CASES) do
    local text, wanted = case[1], case[2]
    it(("reads %q"):format(text), function()
      assert.equal(wanted, short(text))
    end)
  end

  it("reads the same however the bytes are cut", function()
    for _, case in ipairs(CASES) do
      local text = case[1]
      local whole = read { text }
      for at = 0, #text do
        assert.same(whole, (read { text:sub(1, at), text:sub(at + 1) }))
        for to = at, #text do
          assert.same(whole, (read { text:sub(1, at), text:sub(at + 1, to), text:sub(to + 1) }))
        end
      end
      local bytes = {}
      for byte in text:gmatch "." do bytes[#bytes + 1] = byte end
      assert.same(whole, (read(bytes)))
    end
  end)

  it("notes how long to wait before connecting again", function()
    local _, parser = read { "retry: 1500\n" }
    assert.equal(1.5, parser.retry)
    parser:feed "retry: soon\nretry: -1\nretry: 1.5\nretry:\nretry: 0x10\n"
    assert.equal(1.5, parser.retry)
    parser:feed "retry:0\n"
    assert.equal(0, parser.retry)
  end)

  it("has the id of the last event that ended", function()
    local parser = event_parser.new { last_id = "5" }
    assert.equal("5", parser.last_id)
    parser:feed "id: 6\ndata: x\n"
    assert.equal("5", parser.last_id)
    parser:restart()
    assert.same({ { type = "message", data = "y", id = "5" } }, parser:feed "data: y\n\n")
    parser:feed "id: 7\n\n"
    assert.equal("7", parser.last_id)
  end)

  it("forgets at a restart what had not ended, and looks for a mark again", function()
    local parser = event_parser.new()
    parser:feed "event: old\ndata: old\ndata: o"
    parser:restart()
    assert.same({ { type = "message", data = "new", id = "" } },
      parser:feed "\239\187\191data: new\n\n")
    parser:feed "data: x\r"
    parser:restart()
    assert.same({}, parser:feed "\ndata: y\n")
  end)

  it("refuses a line that is too long, as soon as it is", function()
    local opts = { max_line = 10 }
    assert.equal("message:45678:", short("data:45678\n\n", opts))
    local parser = event_parser.new(opts)
    assert.same({}, parser:feed "data:")
    assert.same({}, parser:feed "45678")
    local events, err = parser:feed "9"
    assert.is_nil(events)
    assert.equal("ETOOBIG", err.code)
    assert.equal(err, select(2, parser:feed "\n\n"))
    assert.equal(err, select(2, parser:feed ""))
  end)

  it("refuses an event that is too long", function()
    local opts = { max_event = 10 }
    assert.equal("message:1234\n6789:", short("data:1234\ndata:6789\n\n", opts))
    local events, err = read({ "data:1234\n", "data:67890\n" }, opts)
    assert.is_nil(events)
    assert.equal("ETOOBIG", err.code)
    assert.is_nil((read({ ("data\n"):rep(11) }, opts)))
  end)

  it("gives what came before the fault first", function()
    local parser = event_parser.new { max_line = 10 }
    assert.equal(1, #parser:feed "data:x\n\ndata: 4567890\n\n")
    assert.equal("ETOOBIG", select(2, parser:feed "").code)
  end)

  it("reads anything, however it is cut, in the same way", function()
    math.randomseed(11)
    local parts = { "data", "event", "id", "retry", ":", " ", "\r", "\n", "\r\n", "\n\n", "x", "7",
      "\0", "\239\187\191", "\255", "\226\130\172" }
    for _ = 1, 3000 do
      local out = {}
      for i = 1, math.random(1, 30) do
        out[i] = parts[math.random(#parts)]
      end
      local text = table.concat(out)
      local cuts, at = {}, 1
      while at <= #text do
        local n = math.random(1, 6)
        cuts[#cuts + 1] = text:sub(at, at + n - 1)
        at = at + n
      end
      local whole, one = read { text }
      local cut, other = read(cuts)
      assert.same(whole, cut)
      assert.equal(one.last_id, other.last_id)
      assert.equal(one.retry, other.retry)
    end
  end)

  it("raises for what is wrong", function()
    assert.error_matches(function() event_parser.new { last_id = "a\nb" } end,
      "event_parser: last_id must be a text without CR, LF and NUL")
    assert.error_matches(function() event_parser.new { max_line = 0 } end,
      "event_parser: max_line must be")
    assert.error_matches(function() event_parser.new():feed(5) end, "feed: chunk must be a string")
  end)
end)
