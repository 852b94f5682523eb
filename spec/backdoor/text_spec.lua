-- What a backdoor shows of values, and what it proposes for a word.

local completion = require "green.backdoor.completion"
local pretty = require "green.backdoor.pretty"

describe("a value as text", function()
  it("is itself, if it is a string; quoted and escaped inside of a table", function()
    assert.equal("a\nb", pretty.text "a\nb")
    assert.equal('{ "a\\nb\\027\\"" }', pretty.text { "a\nb\27\"" })
    assert.equal("nil", pretty.text(nil))
    assert.equal("1.5", pretty.text(1.5))
  end)

  it("has the list first, then the keys in order", function()
    assert.equal('{ 1, 2, [10] = 3, a = 4, ["b c"] = 5, [true] = 6 }',
      pretty.text { 1, 2, [10] = 3, a = 4, ["b c"] = 5, [true] = 6 })
    assert.equal("{}", pretty.text {})
  end)

  it("breaks what does not fit into a line", function()
    local long = ("x"):rep(50)
    assert.equal('{\n  a = "' .. long .. '",\n  b = { c = "' .. long:sub(1, 30) .. '" }\n}',
      pretty.text { a = long, b = { c = long:sub(1, 30) } })
  end)

  it("is bounded in depth, width and length, and knows circles", function()
    local circle = {}
    circle.me = circle
    assert.is_truthy(pretty.text(circle):find("me = <the same table: 0x%x+>"))
    local deep = {}
    for _ = 1, 100 do
      deep = { deep }
    end
    assert.is_true(#pretty.text(deep) < 200)
    local wide = {}
    for i = 1, 1000 do
      wide[i], wide["k" .. i] = i, i
    end
    assert.is_truthy(pretty.text(wide):find("... 1900 more", 1, true))
    assert.is_truthy(pretty.text({ ("x"):rep(10000) }):find("... (10000 bytes)", 1, true))
  end)

  it("counts no table to its end that is very large, however often it stands there", function()
    local large = {}
    for i = 1, 60000 do
      large[i], large["k" .. i] = i, i
    end
    local text = pretty.text(large)
    assert.matches("%f[%d]100,%s+%.%.%. and more%s}$", text)
    text = pretty.text { large, large, { 1, 2, x = 3 } }
    assert.matches("%.%.%. and more%s+},%s+table: 0x%x+,%s+table: 0x%x+%s}$", text)
    assert.equal("{ 1, 2 }", pretty.text { 1, 2 }) -- the next text begins anew
  end)

  it("survives values that raise", function()
    local mean = setmetatable({}, { __tostring = function() error "no" end })
    assert.is_truthy(pretty.text(mean):find("^table: 0x"))
    local no_text = setmetatable({}, { __tostring = function() return 5 end })
    assert.is_truthy(pretty.text { no_text }:find("table: 0x", 1, true))
    local trap = setmetatable({ 1 }, { __index = error, __pairs = error, __len = error })
    assert.equal("{ 1 }", pretty.text(trap))
  end)
end)

describe("completion", function()
  local env = { abc = 1, abd = { x1 = 1, x2 = print }, ["not a name"] = 1,
    object = setmetatable({ own = 1 }, { __index = { method = print, value = 2 } }) }

  it("finds globals, fields, methods and keywords", function()
    assert.same({ "abc", "abd" }, (completion.words("print(ab", env)))
    assert.same({ "x1", "x2" }, (completion.words("abd.", env)))
    assert.same({ "x2" }, (completion.words("abd:x", env)))
    assert.same({ "method" }, (completion.words("object:", env)))
    assert.same({ "method", "own", "value" }, (completion.words("object.", env)))
    assert.same({ "while" }, (completion.words("whi", env)))
  end)

  it("gives the word as it is", function()
    assert.equal("ab", select(2, completion.words("print(ab", env)))
    assert.equal("", select(2, completion.words("abd.", env)))
  end)

  it("proposes nothing for nothing, and for what is not there", function()
    assert.same({}, (completion.words("", env)))
    assert.same({}, (completion.words("nothing.x", env)))
    assert.same({}, (completion.words("abc.x", env)))
    assert.same({}, (completion.words("f().x", env)))
  end)

  it("knows the methods of strings and runs nothing", function()
    local trap = setmetatable({}, { __index = function() error "ran" end })
    assert.same({ "upper" }, (completion.words("s:upp", { s = "text" })))
    assert.same({}, (completion.words("trap.x", { trap = trap })))
    local circle = {}
    setmetatable(circle, { __index = circle })
    assert.same({}, (completion.words("circle.x", { circle = circle })))
  end)

  it("is bounded", function()
    local many = {}
    for i = 1, 5000 do
      many["name" .. i] = i
    end
    assert.equal(200, #(completion.words("name", many)))
  end)
end)
