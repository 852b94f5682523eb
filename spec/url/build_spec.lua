local testing = require "green.testing"
local url = require "green.url"

local it = testing.busted()

local function built(parts)
  return tostring(assert(url.build(parts)))
end

local function refused(parts)
  local u, err = url.build(parts)
  assert.is_nil(u)
  assert.equal("EINVAL", err.code)
  return err
end

describe("url.build", function()
  it("puts parts together", function()
    assert.equal("http://h:81/p?q#f", built { scheme = "http", host = "h", port = 81, path = "/p",
      query = "q", fragment = "f" })
    assert.equal("http://h", built { scheme = "http", host = "h" })
    assert.equal("mailto:a@b", built { scheme = "mailto", path = "a@b" })
    assert.equal("/p?", built { path = "/p", query = "" })
    assert.equal("//h", built { host = "h" })
  end)

  it("gives a URL as url.parse does", function()
    local u = url.build { scheme = "HTTP", host = "H", port = 80 }
    assert.equal("http://h", u.origin)
    assert.is_true(u == url.parse "http://h:80")
  end)

  it("makes a URL anew of its own fields", function()
    for _, text in ipairs { "http://u:p%2f@h:81/x/%2F?y=%26#z", "file:///x", "urn:a",
      "http://[fe80::1%25a%3Ab]/", "http://xn--bcher-kva.example/" } do
      local u = url.parse(text)
      assert.equal(text, built(u))
      local parts = {}
      for name, value in pairs(u) do parts[name] = value end
      assert.equal(text, built(parts))
    end
  end)

  it("codes user, password, segments and the table of a query", function()
    assert.equal("http://a%3A:b%40%2F@h/a%20b/%2F/..%3F?n=1&n=%26",
      built { scheme = "http", host = "h", user = "a:", password = "b@/",
        segments = { "a b", "/", "..?" }, query = { n = { 1, "&" } } })
    assert.equal("http://:p@h", built { scheme = "http", host = "h", password = "p" })
    assert.equal("http://u@h", built { scheme = "http", host = "h", user = "u" })
    assert.equal("/", built { segments = {} })
  end)

  it("brackets IPv6 and writes its zone with %25", function()
    assert.equal("http://[::1]/", built { scheme = "http", host = "::1", path = "/" })
    assert.equal("http://[fe80::1%25a%3Ab]/", built { scheme = "http", host = "fe80::1%a:b",
      path = "/" })
  end)

  it("refuses parts that would be read as others", function()
    for _, parts in ipairs {
      { scheme = "http", host = "h/x" }, { scheme = "http", host = "u@h" },
      { scheme = "http", host = "h:80" }, { scheme = "http", host = "h?x" },
      { scheme = "http", host = "h#x" }, { scheme = "http", host = "h", path = "x" },
      { scheme = "http", host = "h", path = "/x?y" }, { scheme = "http", host = "h", path = "/#" },
      { scheme = "http", host = "h", query = "a#b" }, { scheme = "x", path = "//h/p" },
      { path = "a:b" }, { path = "//h" }, { scheme = "a:b", path = "" },
      { scheme = "", path = "x" }, { scheme = "x", userinfo = "u", path = "/" },
      { scheme = "http", host = "h", userinfo = "a@b" },
      { scheme = "http", host = "h", userinfo = "a/b" }, { scheme = "x", port = 80, path = "/" },
      { scheme = "http", host = "[::1]" }, { scheme = "http", host = "::1%" },
      { scheme = "http", host = "127.1" }, { scheme = "http", host = "h\r\nx" },
      { scheme = "http", host = "h", path = "/a b" }, { scheme = "http" },
    } do
      refused(parts)
    end
    assert.matches("the path would be read as something else", refused({ scheme = "http",
      host = "h", path = "/x?y" }).message, 1, true)
  end)

  it("raises for parts of the wrong type, and unknown ones", function()
    for name, value in pairs { scheme = 1, host = false, path = {}, fragment = 5, user = {},
      port = "80", query = 5, segments = "x" } do
      local ok, err = pcall(url.build, { [name] = value })
      assert.is_false(ok)
      assert.matches("url.build: " .. name .. " must be", err, 1, true)
    end
    local ok, err = pcall(url.build, { shceme = "x" })
    assert.is_false(ok)
    assert.matches("did you mean 'scheme'", err, 1, true)
    ok, err = pcall(url.build, { scheme = "http", authority = "h" })
    assert.is_false(ok)
    assert.matches("authority is made of userinfo, host and port: give these", err, 1, true)
    ok, err = pcall(url.build, { port = 70000 })
    assert.is_false(ok)
    assert.matches("from 0 to 65535, not 70000", err, 1, true)
  end)
end)

describe("u:with", function()
  local u = url.parse "http://a:b@h:81/p?q#f"

  it("is a copy with other parts", function()
    assert.equal("http://a:b@h:81/x?q#f", tostring(u:with { path = "/x" }))
    assert.equal("https://a:b@i/p?n=1#f",
      tostring(u:with { scheme = "https", host = "i", port = false, query = { n = 1 } }))
    assert.equal("http://a:b@h:81/x%20y?q#f", tostring(u:with { segments = { "x y" } }))
    assert.equal("http://a:b@h:81/p?q#f", tostring(u))
  end)

  it("is without what is false", function()
    assert.equal("http://h:81/p?q", tostring(u:with { userinfo = false, fragment = false }))
    assert.is_nil(u:with({ userinfo = false }).password)
    assert.equal("http://a:b@h", tostring(u:with { port = false, path = false, query = false,
      fragment = false }))
  end)

  it("has no old password beside a new user", function()
    assert.equal("http://c@h:81/p?q#f", tostring(u:with { user = "c" }))
    assert.equal("http://c:d@h:81/p?q#f", tostring(u:with { user = "c", password = "d" }))
    assert.equal("http://a:d@h:81/p?q#f", tostring(u:with { password = "d" }))
    assert.equal("http://a@h:81/p?q#f", tostring(u:with { password = false }))
    assert.equal("http://c:%64@h:81/p?q#f", tostring(u:with { userinfo = "c:%64" }))
  end)

  it("fails as url.build does", function()
    local v, err = u:with { path = "x" }
    assert.is_nil(v)
    assert.equal("EINVAL", err.code)
  end)
end)
