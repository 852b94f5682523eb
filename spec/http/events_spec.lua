local green = require "green"
local events = require "green.http.events"
local parks = require "spec.support.parks"
local testing = require "green.testing"

local it, it_real = testing.busted() -- luacheck: ignore 211

--- An opener that gives these streams in turn: a text is one that has that text and ends,
-- a table is { code } of an error that passes or { code, true } of one for good. What it was
-- asked is noted.
local function opener(list)
  local asked = {}
  return function(last_id)
    asked[#asked + 1] = { at = green.now(), id = last_id }
    local what = list[#asked]
    if type(what) == "string" then
      local here, there = testing.stream_pair()
      there:write(what)
      there:close()
      return here
    elseif type(what) == "table" then
      return not what[2] and nil, require("green.error").new(what[1])
    end
    return what
  end, asked
end

local function new(open, opts)
  opts = opts or {}
  opts.random = opts.random or function() return 0 end
  return events.new(open, opts)
end

local function data_of(source)
  local out = {}
  for event in source:events() do
    out[#out + 1] = event.data
  end
  return table.concat(out, ",")
end

--- Seconds between the connections.
local function gaps(asked)
  local out = {}
  for i = 2, #asked do
    out[i - 1] = math.floor((asked[i].at - asked[i - 1].at) * 1000 + 0.5) / 1000
  end
  return out
end

describe("green.http.events", function()
  it("reads on in the next connection, from the last event on", function()
    local open, asked = opener { "id: 1\ndata: a\n\ndata: lost", "data: b\n\nid: 2\ndata: c\n\n",
      nil }
    local source = new(open)
    assert.equal("a,b,c", data_of(source))
    assert.equal("", asked[1].id)
    assert.equal("1", asked[2].id)
    assert.equal("2", asked[3].id)
    assert.same({ 3, 3 }, gaps(asked))
    assert.equal("2", source.last_id)
    assert.same({}, { source:next() })
  end)

  it("begins behind the event that it is told", function()
    local open, asked = opener {}
    assert.equal("", data_of(new(open, { last_id = "77" })))
    assert.equal("77", asked[1].id)
  end)

  it("waits as long as the server says, within limits", function()
    local open, asked = opener { "retry: 10000\n", "retry: 0\n\n", "retry: 99999999999\n", nil }
    data_of(new(open, { max_retry = 100 }))
    assert.same({ 10, 0.1, 100 }, gaps(asked))
  end)

  it("waits longer and longer while connections fail", function()
    local open, asked = opener { { "ECONNREFUSED" }, { "ECONNREFUSED" }, { "ETIMEDOUT" },
      { "ECONNREFUSED" }, { "ECONNREFUSED" }, { "ECONNREFUSED" }, "data: a\n\n", nil }
    local source = new(open, { random = function() return 1 end })
    assert.equal("a", data_of(source))
    assert.same({ 6, 12, 24, 48, 63, 63, 6 }, gaps(asked))
  end)

  it("gives up after as many failures as it is told", function()
    local open, asked = opener { "data: a\n\n", { "ECONNREFUSED" }, { "ECONNRESET" } }
    local source = new(open, { tries = 2 })
    assert.equal("a", source:next().data)
    local event, err = source:next()
    assert.is_nil(event)
    assert.equal("ECONNRESET", err.code)
    assert.equal(err, select(2, source:next()))
    assert.equal(err, source.last_error)
    assert.equal(3, #asked)
  end)

  it("gives up after connections that end, too, and says so", function()
    local open, asked = opener { "data: a\n\n", "", "data: never\n\n" }
    local source = new(open, { tries = 1 })
    assert.equal("a", source:next().data)
    assert.equal("EEOF", select(2, source:next()).code)
    assert.equal(2, #asked)
    source = new((opener { "data: a\n\n" }), { tries = 0 })
    assert.equal("a", source:next().data)
    assert.equal("EEOF", select(2, source:next()).code)
  end)

  it("leaves nothing of a thread that is killed between two connections", function()
    local open, asked = opener { "", "data: a\n\n", nil }
    local source = new(open)
    local waiter = green.spawn(source.next, source)
    testing.settle()
    waiter:kill()
    assert.equal("a", source:next().data)
    assert.equal(2, #asked)
    assert.is_nil(source:next())
  end)

  it("ends with what failed for good", function()
    local open = opener { "data: a\n\n", { "EPROTO", true } }
    local source = new(open)
    assert.equal("a", source:next().data)
    assert.equal("EPROTO", select(2, source:next()).code)
    assert.equal("green.http.events{closed}", tostring(source))
  end)

  it("ends with a stream that it cannot bear, and closes it", function()
    local here, there = testing.stream_pair()
    there:write("data: a\n\n" .. ("x"):rep(100))
    local source = new(function() return here end, { max_line = 50 })
    assert.equal("a", source:next().data)
    there:write "xx"
    assert.equal("ETOOBIG", select(2, source:next()).code)
    assert.is_nil(there:read_some())
  end)

  it("goes on when a connection is reset amidst an event", function()
    local count = 0
    local source = new(function()
      count = count + 1
      if count == 3 then return nil end
      return {
        read_some = function(self)
          if self.read then return nil, require("green.error").new("ECONNRESET") end
          self.read = true
          return "data: " .. count .. "\n\ndata: x"
        end,
        close = function(self) self.closed = true end,
      }
    end)
    assert.equal("1,2", data_of(source))
    assert.equal("ECONNRESET", source.last_error.code)
  end)

  it("gives ECLOSED to who waits for bytes when it is closed, and later", function()
    local here, there = testing.stream_pair()
    local source = new(function() return here end)
    local waiter = green.spawn(source.next, source)
    testing.settle()
    source:close()
    source:close()
    local event, err = waiter:wait()
    assert.is_nil(event)
    assert.equal("ECLOSED", err.code)
    assert.equal("ECLOSED", select(2, source:next()).code)
    there:close()
  end)

  it("gives ECLOSED to who waits for the next connection", function()
    local open, asked = opener { "" }
    local source = new(open, { retry = 1000 })
    local waiter = green.spawn(source.next, source)
    testing.settle()
    local t0 = green.now()
    source:close()
    assert.equal("ECLOSED", select(2, waiter:wait()).code)
    assert.equal(t0, green.now())
    assert.equal(1, #asked)
  end)

  it("closes a stream that came after it was closed", function()
    local here, there = testing.stream_pair()
    local source = new(function()
      green.sleep(5)
      return here
    end)
    local waiter = green.spawn(source.next, source)
    testing.settle()
    source:close()
    assert.equal("ECLOSED", select(2, waiter:wait()).code)
    assert.is_nil(there:read_some())
    there:close()
  end)

  it("has one reader at a time", function()
    local here, there = testing.stream_pair()
    local source = new(function() return here end)
    local waiter = green.spawn(source.next, source)
    testing.settle()
    assert.equal("EBUSY", select(2, source:next()).code)
    there:write "data: x\n\n"
    assert.equal("x", waiter:wait().data)
    source:close()
    there:close()
  end)

  it("raises what the opener raises, and can be asked again", function()
    local fail = true
    local source = new(function()
      if fail then error("no way", 0) end
    end)
    assert.has_error(function() source:next() end, "no way")
    fail = false
    assert.is_nil(source:next())
  end)

  it("raises for arguments that are none", function()
    assert.error_matches(function() events.new(5) end, "events: open must be a function, not 5")
    assert.error_matches(function() events.new(print, { retry = -1 }) end, "events: retry must be")
    assert.error_matches(function() events.new(print, { last_id = "\n" }) end, "last_id must be")
    assert.error_matches(function() events.new(print, { tris = 1 }) end,
      "events: unknown option 'tris'")
  end)

  --- A source whose stream is open; what is written to `there` comes.
  local function make()
    local here, there = testing.stream_pair()
    local source = new(function() return here end)
    source.there = there
    return source
  end

  parks.check(it, "next", {
    make = make,
    call = function(source) return source:next() end,
    ready = function(source) source.there:write "data: x\n\n" end,
    good = function(event) assert.equal("x", event.data) end,
    cleanup = function(source)
      source:close()
      source.there:close()
    end,
    -- Another green thread gets EBUSY while one waits.
    without = { ["raises in a thread that is killed meanwhile, and leaves nothing"] = true,
      ["returns at once when it can"] = true },
  })

  it("leaves nothing of a thread that is killed while it waits", function()
    local source = make()
    local waiter = green.spawn(source.next, source)
    testing.settle()
    waiter:kill()
    source.there:write "data: x\n\n"
    assert.equal("x", source:next().data)
    source:close()
    source.there:close()
  end)

  it("gives an event that is there without a wait", function()
    local source = make()
    source.there:write "data: x\n\ndata: y\n\n"
    local others_ran = false
    green.spawn(function() others_ran = true end)
    assert.equal("x", source:next().data)
    assert.equal("y", source:next().data)
    assert.is_false(others_ran)
    source:close()
    source.there:close()
  end)
end)
