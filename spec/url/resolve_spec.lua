local testing = require "green.testing"
local url = require "green.url"

local it = testing.busted()

local BASE = "http://a/b/c/d;p?q"

-- RFC 3986, 5.4.1 and 5.4.2: reference, what it means at BASE.
local NORMAL = [[
  g:h g:h
  g http://a/b/c/g
  ./g http://a/b/c/g
  g/ http://a/b/c/g/
  /g http://a/g
  //g http://g
  ?y http://a/b/c/d;p?y
  g?y http://a/b/c/g?y
  #s http://a/b/c/d;p?q#s
  g#s http://a/b/c/g#s
  g?y#s http://a/b/c/g?y#s
  ;x http://a/b/c/;x
  g;x http://a/b/c/g;x
  g;x?y#s http://a/b/c/g;x?y#s
  . http://a/b/c/
  ./ http://a/b/c/
  .. http://a/b/
  ../ http://a/b/
  ../g http://a/b/g
  ../.. http://a/
  ../../ http://a/
  ../../g http://a/g
]]

local ABNORMAL = [[
  ../../../g http://a/g
  ../../../../g http://a/g
  /./g http://a/g
  /../g http://a/g
  g. http://a/b/c/g.
  .g http://a/b/c/.g
  g.. http://a/b/c/g..
  ..g http://a/b/c/..g
  ./../g http://a/b/g
  ./g/. http://a/b/c/g/
  g/./h http://a/b/c/g/h
  g/../h http://a/b/c/h
  g;x=1/./y http://a/b/c/g;x=1/y
  g;x=1/../y http://a/b/c/y
  g?y/./x http://a/b/c/g?y/./x
  g?y/../x http://a/b/c/g?y/../x
  g#s/./x http://a/b/c/g#s/./x
  g#s/../x http://a/b/c/g#s/../x
  http:g http:g
]]

local function check(rows)
  for ref, meant in rows:gmatch("(%S+) (%S+)") do
    assert.equal(meant, tostring(assert(url.join(BASE, ref))), ref)
  end
end

describe("url.join", function()
  it("resolves the normal examples of RFC 3986, 5.4.1", function()
    check(NORMAL)
    assert.equal(BASE, tostring(url.join(BASE, "")))
  end)

  it("resolves the abnormal examples of RFC 3986, 5.4.2", function()
    check(ABNORMAL)
  end)

  it("takes URLs as well as texts", function()
    local base = url.parse(BASE)
    assert.equal("http://a/b/c/g", tostring(url.join(base, "g")))
    assert.equal("http://x/y", tostring(url.join(base, url.parse("http://x/y"))))
    assert.equal("http://a/y", tostring(url.join(base, url.parse("/y", { relative = true }))))
  end)

  it("gives a whole URL, with what follows from its parts", function()
    local u = url.join("http://u:p@h:81/x", "/y")
    assert.equal("http://h:81", u.origin)
    assert.equal("u:p@h:81", u.authority)
    assert.equal("p", u.password)
    local other = url.join("http://u:p@h:81/x", "//i/y")
    assert.equal("http://i", other.origin)
    assert.is_nil(other.password)
  end)

  it("puts a slash between a host without a path and the reference", function()
    assert.equal("http://a/g", tostring(url.join("http://a", "g")))
    assert.equal("http://a?x", tostring(url.join("http://a", "?x")))
  end)

  it("resolves at bases without a host", function()
    assert.equal("urn:b", tostring(url.join("urn:a", "b")))
    assert.equal("a:/b/d", tostring(url.join("a:/b/c", "d")))
    assert.equal("a:/.//c", tostring(url.join("a:/b", "/..//c")))
    assert.is_nil(url.join("a:/b", "/..//c").host)
  end)

  it("refuses a base without a scheme, and what is no URL", function()
    local _, err = url.join("/a", "b")
    assert.equal("EINVAL", err.code)
    assert.matches("scheme", err.message)
    _, err = url.join(BASE, "a b")
    assert.equal("url.join", err.op)
    assert.equal(2, err.at)
    _, err = url.join("http://a b/", "c")
    assert.equal("EINVAL", err.code)
  end)
end)

describe("url.normalise", function()
  local function normal(text)
    return tostring(assert(url.normalise(text)))
  end

  it("gives one text for URLs that mean the same (RFC 3986, 6.2)", function()
    assert.equal("example://a/b/c/%7Bfoo%7D", normal "eXAMPLE://a/./b/../b/%63/%7bfoo%7d")
    assert.equal("http://example.com/", normal "http://example.com")
    assert.equal("http://example.com/", normal "http://example.com:80/")
    assert.equal("http://example.com/", normal "http://example.com:/")
    assert.equal("http://example.com:8080/~x?~#~", normal "HTTP://Example.com:8080/%7ex?%7e#%7E")
    assert.equal("http://h/?%26", normal "http://h?%26")
    assert.equal("http://u~@h/", normal "http://u%7e@h")
    assert.equal("http://h/a%2Fb/c", normal "http://h/a%2fb/x/%2e%2E/c")
    assert.equal("mailto:A@b", normal "mailto:A@b")
    assert.equal("a:/.//b", normal "a:/.//b")
  end)

  it("is at its end when done once", function()
    for _, text in ipairs { "http://h/a/..//b", "a:/..//b", "http://h/%2e%2e/%2f", "x:./a" } do
      assert.equal(normal(text), normal(normal(text)))
    end
  end)
end)
