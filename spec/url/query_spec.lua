local testing = require "green.testing"
local url = require "green.url"

local it = testing.busted()

--- What a call raises, without the place.
local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return (err:gsub("^%S+:%d+: ", ""))
end

local function pairs_of(text)
  local list = {}
  for i, pair in ipairs(assert(url.parse_query(text))) do list[i] = { pair[1], pair[2] } end
  return list
end

describe("url.query", function()
  it("writes a list in its order, with repeats", function()
    assert.equal("b=1&a=2&b=3", url.query { { "b", 1 }, { "a", "2" }, { "b", 3 } })
    assert.equal("", url.query {})
  end)

  it("writes a table in the order of its names, and lists as repeats", function()
    assert.equal("a=x&b=1&b=2&c=true&d=false",
      url.query { c = true, b = { 1, 2 }, a = "x", d = false, e = {} })
  end)

  it("codes every byte as forms do", function()
    for code = 0, 255 do
      local c = string.char(code)
      local text = url.query { { c, c } }
      local is_plain = c:find("[%w*%-._]") ~= nil
      local coded = is_plain and c or c == " " and "+" or ("%%%02X"):format(code)
      assert.equal(coded .. "=" .. coded, text)
      assert.same({ { c, c } }, pairs_of(text))
    end
  end)

  it("takes what parse_query has read", function()
    local text = "b=x+y&a=%26&b=&c="
    assert.equal(text, url.query(url.parse_query(text)))
  end)

  it("refuses what is no name or value", function()
    assert.equal("url.query: params[2] must be a table { name, value }, not 5",
      raised(url.query, { { "a", 1 }, 5 }))
    assert.equal("url.query: params[1] must be a string, a number or true or false, not nil",
      raised(url.query, { { "a" } }))
    assert.equal("url.query: params.a must be a string, a number or true or false, not a function",
      raised(url.query, { a = print }))
    assert.matches("params.a must be a list without holes", raised(url.query, { a = { b = 1 } }),
      1, true)
    assert.matches("a name in params must be a string", raised(url.query, { [2] = "x" }), 1, true)
  end)
end)

describe("url.parse_query", function()
  it("gives names and values in order", function()
    assert.same({ { "a", "1" }, { "b", "x y" }, { "a", "&" } }, pairs_of "a=1&b=x+y&a=%26")
    assert.same({}, pairs_of "")
  end)

  it("takes a name without a value, a value without a name, and nothing", function()
    assert.same({ { "a", "" }, { "b", "" }, { "", "c" }, { "", "" }, { "d", "=e" } },
      pairs_of "a&b=&=c&=&d==e")
    assert.same({ { "a", "1" }, { "b", "2" } }, pairs_of "&&a=1&&&b=2&")
  end)

  it("finds values by name", function()
    local query = url.parse_query "a=1&b=2&a=3"
    assert.equal("1", query:get "a")
    assert.is_nil(query:get "A")
    assert.same({ "1", "3" }, query:get_all "a")
    assert.same({}, query:get_all "x")
    assert.equal("green.url.query{3}", tostring(query))
  end)

  it("tells where an escape is none", function()
    for text, at in pairs { ["a=%"] = 1, ["a=1&b=%4"] = 5, ["a&%zz=1"] = 3, ["&&%"] = 3 } do
      local query, err = url.parse_query(text)
      assert.is_nil(query)
      assert.equal("EINVAL", err.code)
      assert.equal(at, err.at)
    end
  end)
end)

describe("url.escape", function()
  local keeps = {
    segment = "[%w%-._~]",
    path = "[%w%-._~/!$&'()*+,;=:@]",
    query = "[%w%-._~/?:@!$'()*,;]",
    fragment = "[%w%-._~/?:@!$&'()*+,;=]",
    form = "[%w%-._*]",
  }

  it("codes what a component may not have", function()
    for component, kept in pairs(keeps) do
      for code = 0, 255 do
        local c = string.char(code)
        local coded = ("%%%02X"):format(code)
        if component == "form" and c == " " then coded = "+" end
        assert.equal(c:find(kept) and c or coded, url.escape(c, component), component)
      end
    end
    assert.equal("a%2Fb", url.escape("a/b"))
  end)

  it("is undone by url.unescape", function()
    local bytes = {}
    for code = 0, 255 do bytes[#bytes + 1] = string.char(code) end
    local text = table.concat(bytes):rep(2)
    for component in pairs(keeps) do
      assert.equal(text, url.unescape(url.escape(text, component), component), component)
    end
  end)

  it("gives what a URL may have there", function()
    for code = 0, 255 do
      local c = string.char(code)
      for _, text in ipairs { "http://h/" .. url.escape(c), "http://h/" .. url.escape(c, "path"),
        "http://h/?" .. url.escape(c, "query"), "http://h/#" .. url.escape(c, "fragment"),
        "http://h/?" .. url.escape(c, "form"), "http://" .. url.escape(c) .. "@h/" } do
        assert.equal(text, tostring(assert(url.parse(text))))
      end
    end
  end)

  it("names the nearest when a component is none", function()
    assert.matches("unknown component 'segmnt'; did you mean 'segment'?",
      raised(url.escape, "x", "segmnt"), 1, true)
    assert.matches("unknown component", raised(url.unescape, "x", "y"))
  end)
end)

describe("url.unescape", function()
  it("takes both cases, and + for a blank only in forms", function()
    assert.equal("\255\255+ ", url.unescape "%ff%FF+%20")
    assert.equal("+ ", url.unescape("%2B+", "form"))
    assert.equal("%41", url.unescape "%2541")
  end)

  it("tells where an escape is none", function()
    for text, at in pairs { ["%"] = 1, ["a%4"] = 2, ["%41%4g"] = 4, ["%%41"] = 1, ["%+1"] = 1 } do
      local plain, err = url.unescape(text)
      assert.is_nil(plain)
      assert.equal("EINVAL", err.code)
      assert.equal(at, err.at)
    end
  end)
end)
