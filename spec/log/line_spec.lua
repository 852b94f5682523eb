-- What a line of green.log looks like.

local cjson = require "cjson"
local green = require "green"
local kit = require "spec.support.log_kit"
local log = require "green.log"
local testing = require "green.testing"

local it = testing.busted()

describe("a line of JSON", function()
  it("has time, level, logger, message, and the fields", function()
    local logger, lines, raw = kit.json()
    assert.is_true(logger:info("hello", { n = 1, s = "x", b = true }))
    logger:get("db"):get("pool"):warn("slow")
    assert.truthy(raw()[1]:find('^{"time":"%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%d%d%d%dZ",'
      .. '"level":"info","message":"hello",'))
    local first, second = lines()[1], lines()[2]
    first.time, second.time = nil, nil
    assert.same({ level = "info", message = "hello", n = 1, s = "x", b = true }, first)
    assert.same({ level = "warn", logger = "db.pool", message = "slow" }, second)
  end)

  it("is UTF-8 and one line, whatever is logged", function()
    local logger, lines, raw = kit.json()
    logger:info("a\n\27[2J\0\255", { ["k\255\n"] = "\192\128\226\128\174" })
    assert.is_nil(raw()[1]:find("[%z\1-\31\127\255\192]"))
    assert.truthy(raw()[1]:find("\\u202e", 1, true))
    local line = lines()[1]
    assert.equal("a\n\27[2J\0\239\191\189", line.message)
    assert.truthy(line["k\239\191\189\n"])
  end)

  it("has numbers that JSON has, and texts for the others", function()
    local logger, lines, raw = kit.json()
    logger:info("n", { a = 0 / 0, b = 1 / 0, c = -1 / 0, d = 0.1, e = 2 ^ 53, f = -0.0 })
    local line = lines()[1]
    assert.same({ "nan", "inf", "-inf", 0.1, 2 ^ 53, 0 },
      { line.a, line.b, line.c, line.d, line.e, line.f })
    logger:info("i", { a = 2LL ^ 62, b = 18446744073709551615ULL })
    assert.truthy(raw()[2]:find('"a":4611686018427387904', 1, true))
    assert.truthy(raw()[2]:find('"b":18446744073709551615', 1, true))
  end)

  it("has tables as lists and objects", function()
    local logger, lines = kit.json()
    logger:info("t", { list = { 1, "b", { 3 } }, object = { x = { y = 1 } }, none = {},
      mixed = { 1, x = 2 }, holes = { [1] = 1, [3] = 3 } })
    local line = lines()[1]
    assert.same({ 1, "b", { 3 } }, line.list)
    assert.same({ x = { y = 1 } }, line.object)
    assert.same({}, line.none)
    assert.same({ ["1"] = 1, x = 2 }, line.mixed)
    assert.truthy(line.holes)
  end)

  it("ends at cycles, at a depth, and after so many items", function()
    local logger, lines = kit.json { depth = 2, max_items = 3, max_text = 20 }
    local me = { name = "me" }
    me.me = me
    logger:info("c", { me = me, deep = { { { 1 } } }, long = { 1, 2, 3, 4, 5 },
      text = ("x"):rep(30), wide = ("\195\188"):rep(11) })
    local line = lines()[1]
    assert.same({ name = "me", me = "(cycle)" }, line.me)
    assert.same({ { "(deeper)" } }, line.deep)
    assert.same({ 1, 2, 3, "(2 more)" }, line.long)
    assert.equal(("x"):rep(20) .. "... (30 bytes)", line.text)
    assert.equal(("\195\188"):rep(9) .. "... (22 bytes)", line.wide)
  end)

  it("shows the same table twice where it is no cycle", function()
    local logger, lines = kit.json()
    local t = { 1 }
    logger:info("t", { a = { t, t } })
    assert.same({ { 1 }, { 1 } }, lines()[1].a)
  end)

  it("bounds the whole of a field", function()
    local logger, _, raw = kit.json { max_items = 1000 }
    local wide = {}
    for i = 1, 100 do
      wide[i] = {}
      for j = 1, 100 do wide[i][j] = j end
    end
    logger:info("w", { wide = wide })
    assert.truthy(raw()[1]:find("(more)", 1, true))
    assert.is_true(#raw()[1] < 20000)
    assert(cjson.decode(raw()[1]))
  end)

  it("has as many fields as a table may have items", function()
    for _, format in ipairs { "json", "console" } do
      local logger, lines = kit.new { format = format, max_items = 8 }
      local fields = {}
      for i = 1, 20 do fields["k" .. i] = i end
      logger:info("w", fields)
      assert.truthy(lines()[1]:find("(more)", 1, true))
      assert.equal(8, select(2, lines()[1]:gsub("k%d+", "")), lines()[1])
    end
  end)

  it("that is too long is lost, and put together no further", function()
    for _, format in ipairs { "json", "console" } do
      local logger, lines = kit.new { format = format }
      local asked, list = 0, {}
      for i = 1, 100 do
        list[i] = setmetatable({}, { __tostring = function()
          asked = asked + 1
          return ("\1"):rep(16384)
        end })
      end
      assert.is_false(logger:info("w", { a = list, b = list, c = list, d = list }))
      assert.same({}, lines())
      assert.equal(1, logger:stats().dropped)
      assert.is_true(asked < 100, asked)
    end
  end)

  it("shows objects, functions and all else as text", function()
    local logger, lines = kit.json()
    logger:info("o", { fn = print, file = io.stdout, object = green.Queue(3),
      bad = setmetatable({}, { __tostring = function() error("no") end }),
      locked = setmetatable({ x = 1 }, { __metatable = false }) })
    local line = lines()[1]
    assert.truthy(line.fn:find("^function: "))
    assert.truthy(line.file:find("^file %("))
    assert.truthy(line.object:find("^green.Queue{"))
    assert.equal("(error object is not a string)", line.bad)
    assert.same({ x = 1 }, line.locked)
  end)

  it("is whole when the text of a value logs as well", function()
    local logger, lines = kit.json()
    local chatty = setmetatable({}, { __tostring = function()
      logger:info("inner")
      return "chatty"
    end })
    logger:info("outer", { a = chatty, b = 1 })
    local inner, outer = lines()[1], lines()[2]
    assert.same({ "inner", "outer", "chatty", 1 },
      { inner.message, outer.message, outer.a, outer.b })
  end)

  it("keeps its own names apart from fields", function()
    local logger, lines = kit.json()
    logger:info("m", { time = 1, level = 2, message = 3, logger = 4 })
    local line = lines()[1]
    assert.same({ "info", "m", 1, 2, 3, 4 }, { line.level, line.message, line.time_, line.level_,
      line.message_, line.logger_ })
  end)

  it("keeps them apart in the line alone, not in a table of a field", function()
    local logger, lines = kit.json()
    logger:info("m", { row = { time = 1, level = 2 } })
    assert.same({ time = 1, level = 2 }, lines()[1].row)
  end)

  it("takes names that are no strings, whatever their text does", function()
    local function odd(fn) return setmetatable({}, { __tostring = fn }) end
    for _, format in ipairs { "json", "console" } do
      local logger, lines = kit.new { format = format }
      assert.is_true(logger:info("m", { [odd(function() error("no") end)] = 1, [12] = 2,
        [odd(function() return 5 end)] = 3, [odd(function() green.sleep(0) return "n" end)] = 4,
        [true] = 5, x = 6 }))
      assert.truthy(lines()[1]:find("true", 1, true))
    end
  end)

  it("takes any text and any fields", function()
    local logger, lines = kit.json()
    logger:info(nil)
    logger:info(12)
    logger:info({ 1 })
    logger:info("x", "a text")
    assert.equal("nil", lines()[1].message)
    assert.equal("12", lines()[2].message)
    assert.truthy(lines()[3].message:find("^table: "))
    assert.equal("a text", lines()[4].value)
  end)

  it("is right for names of all kinds, and for thousands of them", function()
    local logger, lines = kit.json()
    for i = 1, 5000 do logger:info("n", { ["k" .. i] = i, [i] = "x" }) end
    assert.same({ 5000, "x" }, { lines()[5000].k5000, lines()[5000]["5000"] })
  end)
end)

describe("a line for people", function()
  it("has time, level, logger, message, and fields by name", function()
    local logger, lines = kit.new()
    logger:info("hello", { b = "two words", a = 1, c = { 1, { x = "y" } }, d = "" })
    logger:get("db"):error("down")
    assert.equal('INFO  hello a=1 b="two words" c=[1,{"x":"y"}] d=""', kit.plain(lines()[1]))
    assert.equal("ERROR db: down", kit.plain(lines()[2]))
  end)

  it("cannot be ended, forged or coloured by what it says", function()
    local logger, lines = kit.new()
    logger:info("a\nb\27[31m", { k = "x\n2026", ["n\n"] = "\155" })
    assert.equal(1, #lines())
    assert.equal('INFO  a\\nb\\x1b[31m k="x\\n2026" "n\\n"="\\x9b"', kit.plain(lines()[1]))
  end)

  it("has colours where they are wanted", function()
    local logger, lines = kit.new { colors = true }
    logger:warn("w", { a = 1 })
    assert.equal("\27[33mWARN \27[0m w \27[2ma=\27[0m1", kit.plain(lines()[1]))
  end)

  it("has a traceback below it, set in", function()
    local logger, lines = kit.new()
    logger:error("failed", { traceback = "stack\n\tx\27[0m", n = 1 })
    logger:flush()
    assert.equal("ERROR failed n=1", kit.plain(lines()[1]))
    assert.same({ "    stack", "      x\\x1b[0m" }, { lines()[2], lines()[3] })
  end)
end)

describe("what must not be seen", function()
  it("is hidden by its name, in any case, at any depth", function()
    for _, format in ipairs { "json", "console" } do
      local logger, lines = kit.new { format = format, redact = { "Card Number" } }
      logger:info("r", { password = "S1", Authorization = "S2", ["Set-Cookie"] = "S3",
        deep = { { API_KEY = "S4", ["x-api-key"] = { "S5" } } }, ["card-number"] = 56,
        token = { a = "S6" } })
      logger:bind({ secret = "S7" }):info("b")
      log.with({ cookie = "S8" }, logger.info, logger, "c")
      local all = table.concat(lines(), "\n")
      assert.is_nil(all:find("S%d"))
      assert.is_nil(all:find("56", 30, true) and all:find("number[\"=:]+56"))
      assert.equal(9, select(2, all:gsub("%(hidden%)", "")))
    end
  end)

  it("is hidden however its name is written, and by the end of it", function()
    for _, format in ipairs { "json", "console" } do
      local logger, lines = kit.new { format = format, redact = { "card_no" } }
      logger:info("r", { accessToken = "S1", clientSecret = "S2", ["user.password"] = "S3",
        db_password = "S4", ["password\0"] = "S5", [" Password "] = "S6", PASS_WORD = "S7",
        ["http.request.header.set-cookie"] = "S8", cardNo = "S9", ["x.card-no"] = "S0",
        tokens = 31, passwords_left = 32, secretary = 33, author = 34 })
      local line = lines()[1]
      assert.is_nil(line:find("S%d"), line)
      for _, seen in ipairs { "31", "32", "33", "34" } do
        assert.truthy(line:find("[=:]" .. seen), line)
      end
    end
  end)

  it("is seen with redact = false", function()
    local logger, lines = kit.json { redact = false }
    logger:info("r", { password = "x" })
    assert.equal("x", lines()[1].password)
  end)
end)
