-- green.args.json: JSON of status, debugger and spans.

local cjson = require "cjson"
local json = require "green.args.json"

describe("green.args.json", function()
  it("writes what a parser reads", function()
    local text = json.encode { a = json.list {}, b = json.list { 1, "x", false }, c = {},
      d = 0 / 0, e = math.huge, f = 1.5, g = "\0\1\31\127\"\\/\n", h = 2 ^ 53 }
    local d = cjson.decode(text)
    assert.same({ 1, "x", false }, d.b)
    assert.equal(cjson.null, d.d)
    assert.equal(cjson.null, d.e)
    assert.equal(1.5, d.f)
    assert.equal("\0\1\31\127\"\\/\n", d.g)
    assert.matches('"a":%[%]', text)
    assert.matches('"c":{}', text)
  end)

  it("makes no text of a part, but of the whole alone", function()
    local text, value = ("x"):rep(50000), {}
    value.text = text
    for _ = 1, 40 do value = { inner = value, list = json.list { 1 } } end
    json.encode(value)
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    local out = json.encode(value)
    local made = (collectgarbage "count" - before) * 1024
    collectgarbage "restart"
    assert.is_true(made < 6 * #out, made)
  end)

  it("is valid whatever bytes there are", function()
    for i = 0, 255 do
      assert.is_string(cjson.decode(json.encode { x = string.char(i) .. "a" .. string.char(i) }).x)
    end
  end)

  it("has whole numbers digit by digit", function()
    assert.equal('{"a":-9007199254740991,"b":9007199254740991}',
      json.encode { a = 1 - 2 ^ 53, b = 2 ^ 53 - 1 })
  end)

  it("can stand in a page, and turns no line around", function()
    assert.equal('"\\u003c/script\\u003e\\u0026\\u2028\\u202e\239\191\189"',
      json.encode "</script>&\226\128\168\226\128\174\255")
  end)
end)
