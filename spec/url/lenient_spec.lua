local testing = require "green.testing"
local url = require "green.url"

local it = testing.busted()

local LENIENT = { lenient = true }

local function read(text)
  return tostring(assert(url.parse(text, LENIENT)))
end

local function joined(base, ref)
  return tostring(assert(url.join(base, ref, LENIENT)))
end

describe("url.parse with lenient", function()
  it("takes blanks and line ends away, at the ends and inside", function()
    assert.equal("http://h/x", read " \t\r\n\0http://h/x\n ")
    assert.equal("http://h/ab", read "ht\ntp://h\t/a\r\nb")
    assert.equal("http://h/a%20b", read " http://h/a b ")
  end)

  it("takes backslashes for slashes where there are such schemes", function()
    assert.equal("http://h/a/b?c%5Cd#e%5Cf", read [[http:\\h\a\b?c\d#e\f]])
    assert.equal("x:%5Ca", read [[x:\a]])
  end)

  it("finds the host behind any number of slashes", function()
    for _, text in ipairs { "http:h/x", "http:/h/x", "http:///h/x", "HTTP:\\\\/\\h/x" } do
      assert.equal("http://h/x", read(text))
    end
    assert.equal("x:h/y", read "x:h/y")
    assert.equal("x:///h/y", read "x:///h/y")
  end)

  it("codes what a URL may not have", function()
    assert.equal("http://h/%C3%BC%22%3C%3E%60%7B%7C%7D%5E%5B%5D", read 'http://h/ü"<>`{|}^[]')
    assert.equal("http://h/?%C3%BC%20%22#%C3%BC%20%22", read 'http://h/?ü "#ü "')
    assert.equal("http://h/%25zz/%254/%41/%25", read "http://h/%zz/%4/%41/%")
    assert.equal("http://h/%00%FF", read "http://h/\0\255")
    assert.equal("http://u%40v:%22%3C@h/", read 'http://u@v:"<@h/')
    assert.equal("http://h/#a%23b", read "http://h/#a#b")
  end)

  it("resolves dots, and escapes for them", function()
    assert.equal("http://h/b/", read "http://h/a/%2e%2E/./b/.")
    assert.equal("http://h/", read "http://h/../..")
    assert.equal("http://h/...", read "http://h/...")
    assert.equal("http://h/.a/b..", read "http://h/.a/b..")
    assert.equal("http://h/", read "http://h")
    assert.equal("x:a/../b", read "x:a/../b")
    assert.equal("x://h/b", read "x://h/a/../b")
  end)

  it("reads hosts as strictly as ever", function()
    for _, host in ipairs { "0x7f.1", "127.1", "2130706433", "a b", "a%2fb", "a<b", "[::1", "",
      "h:99999", "h:8x", "a..b", "%31.2.3.4" } do
      local u, err = url.parse("http://" .. host .. "/", LENIENT)
      assert.is_nil(u, host)
      assert.equal("EINVAL", err.code)
    end
    assert.equal("u", url.parse("http:\\\\u\\@h/", LENIENT).host)
    assert.equal("e", url.parse("http://a@b@c:d@e/", LENIENT).host)
  end)

  it("shows no password in errors", function()
    for _, text in ipairs { "http:joe:hunter2@h:x/", "http:\\\\joe:hun\tter2@h:x",
      " //joe:hunter2@h" } do
      local _, err = url.parse(text, LENIENT)
      assert.is_nil(tostring(err):find("hun", 1, true), tostring(err))
    end
  end)

  it("takes references without a scheme when told so", function()
    local u = url.parse(" /a b?ü ", { lenient = true, relative = true })
    assert.equal("/a%20b?%C3%BC", tostring(u))
  end)
end)

describe("url.join with lenient", function()
  local BASE = "http://a/b/c/d;p?q"

  it("takes what browsers take", function()
    local rows = {
      ["http:g"] = "http://a/b/c/g", ["http:/g"] = "http://a/g", ["http://g"] = "http://g/",
      ["https:g"] = "https://g/", ["HTTP:?y"] = "http://a/b/c/d;p?y", ["\\\\g\\x"] = "http://g/x",
      ["///g/x"] = "http://g/x", ["\\g/x"] = "http://a/g/x", [" g h "] = "http://a/b/c/g%20h",
      ["%2e%2e/g"] = "http://a/b/g", ["ü"] = "http://a/b/c/%C3%BC", [""] = BASE,
      ["x:\\g"] = "x:%5Cg", ["http:x:g"] = "http://a/b/c/x:g", ["g\n/h"] = "http://a/b/c/g/h",
    }
    for ref, meant in pairs(rows) do
      assert.equal(meant, joined(BASE, ref), ref)
    end
    assert.equal("http://a/b/g", joined(" http:a\\b\\c", "g"))
  end)

  it("leaves a base of another kind as it is", function()
    assert.equal("x://a/g", joined("x://a/b", "g"))
    assert.equal("x://a/%5Cg", joined("x://a/b", "\\g"))
  end)
end)
