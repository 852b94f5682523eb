local program = require "spec.support.program"
local testing = require "green.testing"
local url = require "green.url"

local it = testing.busted()

local PARTS = { "scheme", "userinfo", "user", "password", "host", "port", "path", "query",
  "fragment", "authority", "origin" }

--- The parts of a URL that are there.
local function parts_of(u)
  local parts = {}
  for _, name in ipairs(PARTS) do parts[name] = u[name] end
  return parts
end

local function parsed(text, opts)
  return parts_of(assert(url.parse(text, opts)))
end

--- The error of a text that is no URL.
local function refused(text, opts)
  local u, err = url.parse(text, opts)
  assert.is_nil(u, text)
  return err
end

describe("url.parse", function()
  it("takes all parts of a URL apart", function()
    assert.same({
      scheme = "https", userinfo = "me:s%40t", user = "me", password = "s@t",
      host = "example.com", port = 8443, path = "/a/b;c", query = "x=1&y", fragment = "top",
      authority = "me:s%40t@example.com:8443", origin = "https://example.com:8443",
    }, parsed "https://me:s%40t@Example.COM:8443/a/b;c?x=1&y#top")
  end)

  it("leaves out what is not there, and keeps what is empty", function()
    assert.same({ scheme = "http", host = "h", path = "", authority = "h", origin = "http://h" },
      parsed "http://h")
    assert.same({ scheme = "http", host = "h", path = "/", query = "", fragment = "",
      userinfo = "", user = "", authority = "@h", origin = "http://h" }, parsed "http://@h/?#")
    local u = url.parse "http://:@h/"
    assert.equal("", u.user)
    assert.equal("", u.password)
  end)

  it("knows URLs without a host", function()
    assert.same({ scheme = "mailto", path = "a@example.com" }, parsed "mailto:a@example.com")
    assert.same({ scheme = "file", host = "", path = "/etc/hosts", authority = "" },
      parsed "file:///etc/hosts")
    assert.same({ scheme = "urn", path = "a:b" }, parsed "URN:a:b")
  end)

  it("wants a scheme unless told otherwise", function()
    assert.equal("EINVAL", refused("example.com/x").code)
    assert.same({ path = "a/b", query = "c" }, parsed("a/b?c", { relative = true }))
    assert.same({ path = "/x", host = "h", authority = "h" }, parsed("//h/x", { relative = true }))
    assert.same({ path = "" }, parsed("", { relative = true }))
    assert.matches("no scheme", refused("1a:b", { relative = true }).message)
  end)

  it("gives texts that are read as the same URL", function()
    for _, text in ipairs { "http://h", "http://h/", "http://h?", "http://h/#", "http://h/?#",
      "http://u@h:0/a//b", "http://u:@h/", "http://:p@h/", "ftp://[::1]:2121/x", "a:", "a:/b",
      "file:///x", "http://[fe80::1%25eth0]/", "http://a_b.example./", "x://a!$&'()*+,;=b/",
      "http://h/%00%ff?a=b&c#/?" } do
      assert.equal(text, tostring(assert(url.parse(text))))
    end
  end)

  it("is equal to what has the same text, and joins texts", function()
    assert.is_true(url.parse("HTTP://H/") == url.parse("http://h/"))
    assert.is_false(url.parse("http://h/") == url.parse("http://h"))
    assert.equal("GET http://h/", "GET " .. url.parse("http://h/"))
  end)

  it("leaves the scheme's own port out of the origin", function()
    assert.equal("http://h", url.parse("http://h:80/").origin)
    assert.equal("https://h:80", url.parse("https://h:80/").origin)
    assert.equal("x://h:80", url.parse("x://h:80/").origin)
    assert.equal(80, url.parse("http://h:80/").port)
    assert.equal(443, url.parse("wss://h/"):default_port())
    assert.is_nil(url.parse("x://h/"):default_port())
  end)

  it("says what an HTTP server is asked for", function()
    assert.equal("/", url.parse("http://h"):target())
    assert.equal("/?x", url.parse("http://h?x#y"):target())
    assert.equal("/a/?", url.parse("http://h/a/?"):target())
  end)
end)

describe("a port of url.parse", function()
  it("is a number from 0 to 65535, without zeros before it, or is left out", function()
    assert.equal(65535, url.parse("http://h:65535/").port)
    assert.equal(0, url.parse("http://h:0/").port)
    assert.is_nil(url.parse("http://h:/").port)
    assert.equal("http://h/", tostring(url.parse("http://h:/")))
    for _, text in ipairs { "65536", "99999999999999999999", "080", "00", "-1", "+1", "8x", "%38",
      " 80", "80 ", "0x50", ":80" } do
      assert.equal("EINVAL", refused("http://h:" .. text .. "/").code, text)
    end
  end)
end)

describe("a host of url.parse", function()
  it("is IPv6 in brackets, in its shortest form", function()
    assert.equal("2001:db8::1", url.parse("http://[2001:DB8:0:0::1]/").host)
    assert.equal("[2001:db8::1]:80", url.parse("http://[2001:DB8:0:0::1]:80/").authority)
    assert.equal("::ffff:1.2.3.4", url.parse("http://[::FFFF:1.2.3.4]").host)
    for _, host in ipairs { "[]", "[::1", "::1", "[::1]x", "[::1]]", "[1.2.3.4]", "[:::1]",
      "[::12345]", "[h]", "[::1%31]", "x[::1]", "[[::1]]", "[::1 ]" } do
      assert.equal("EINVAL", refused("http://" .. host .. "/").code, host)
    end
  end)

  it("may have a zone (RFC 6874)", function()
    local u = url.parse "http://[fe80::1%25eth0]:8080/"
    assert.equal("fe80::1%eth0", u.host)
    assert.equal("http://[fe80::1%25eth0]:8080/", tostring(u))
    assert.equal("fe80::1%a:b", url.parse("http://[fe80::1%25a%3ab]/").host)
    assert.equal("http://[fe80::1%25a%3Ab]/", tostring(url.parse("http://[fe80::1%25a%3ab]/")))
    for _, zone in ipairs { "%eth0", "%25", "%25%00", "%25a%2fb", "%25a%25", "%25%20",
      "%25" .. ("x"):rep(400) } do
      assert.equal("EINVAL", refused("http://[fe80::1" .. zone .. "]/").code, zone)
    end
  end)

  it("is no address of the future (RFC 3986, 3.2.2)", function()
    assert.matches("future", refused("http://[v1.fe80::a]/").message)
  end)

  it("is four decimal numbers or does not end in a number", function()
    assert.equal("127.0.0.1", url.parse("http://127.0.0.1/").host)
    assert.equal("1.2.3.com", url.parse("http://1.2.3.com/").host)
    assert.equal("0x7f.com", url.parse("http://0x7f.com/").host)
    for _, host in ipairs { "0x7f.1", "2130706433", "127.1", "0177.0.0.1", "0x7f000001", "1",
      "127.0.0.1.", "0x7f.0.0.0x1", "1.2.3.4.5", "256.0.0.1", "127.0.0.01", "0x", "a.0x",
      "%3127.0.0.1", "127.0.0.%31", "example.1", "127.0.0.1.." } do
      for _, scheme in ipairs { "http", "x" } do
        local err = refused(scheme .. "://" .. host .. "/")
        assert.equal("EINVAL", err.code, host)
      end
    end
  end)

  it("is decoded, and has no byte then that would end it", function()
    assert.equal("example.com", url.parse("http://%65xample.com/").host)
    for _, host in ipairs { "a%2fb", "a%40b", "a%3ab", "a%00b", "a%20b", "a%5cb", "a%23b", "a%25b",
      "a%", "a%4", "a%zz", "a b", "a\\b", "a<b", "a|b", "a^b", "a\0b", "a%5b", "a\"b" } do
      assert.equal("EINVAL", refused("http://" .. host .. "/").code, host)
    end
  end)

  it("has labels of 1 to 63 bytes and 253 in all", function()
    local label = ("a"):rep(63)
    assert.equal(label, url.parse("http://" .. label).host)
    local long = (label .. "."):rep(3) .. ("b"):rep(61)
    assert.equal(long, url.parse("http://" .. long).host)
    assert.equal(long .. ".", url.parse("http://" .. long .. ".").host)
    assert.equal("EINVAL", refused("http://" .. long .. "b").code)
    assert.equal("EINVAL", refused("http://" .. label .. "a").code)
    for _, host in ipairs { "a..b", ".a", ".", "a.." } do
      assert.equal("EINVAL", refused("http://" .. host .. "/").code, host)
    end
  end)

  it("must be there for http and https (RFC 9110, 4.2), and ws and wss", function()
    for _, text in ipairs { "http:", "http:x", "http:/x", "http:///x", "https://:80/", "WS:x",
      "wss://u@/", "http://?" } do
      assert.matches("must have a host", refused(text).message, text)
    end
  end)
end)

describe("a host in another script", function()
  it("is what DNS has, and what people read", function()
    for _, text in ipairs { "http://BÜCHER.example:81/", "http://b%C3%BCcher.example:81/" } do
      local u = url.parse(text)
      if not u then pending "libidn2 is not installed" end
      assert.equal("xn--bcher-kva.example", u.host)
      assert.equal("bücher.example", u.unicode_host)
      assert.equal("http://xn--bcher-kva.example:81", u.origin)
      assert.equal("http://xn--bcher-kva.example:81/", tostring(u))
    end
    assert.equal("bücher.example", url.parse("http://XN--bcher-kva.example/").unicode_host)
    assert.equal("xn--nonsense--", url.parse("http://xn--nonsense--/").unicode_host)
  end)

  it("never turns out to be a number, or to have an end in it", function()
    for _, host in ipairs { "１２７.0.0.1", "127。0。0。1", "１", "a℀b", "a／b", "a：80", "a＠b",
      "a\xe3\x80\x80b", "\xff", "\xed\xa0\x80", "%ff", "ü%00", "ü..de", "ü%20" } do
      assert.is_nil((url.parse("http://" .. host .. "/")), host)
    end
  end)

  it("needs libidn2, and says so; ASCII names do not", function()
    local run = program.run_greenlua { "-e", [[
      local url = require "green.url"
      print(url.parse("http://b\195\188cher.example/"))
      print(url.parse("http://Example.com/"))
      print(url.parse("http://xn--bcher-kva.example/").unicode_host)
    ]], env = { GREENLUA_LIBIDN2 = "/nowhere.so" } }
    assert.matches("nil.*package libidn2%-0.*/nowhere%.so.*%(ENOLIBRARY%)", run.out, run.err)
    assert.matches("\nhttp://example.com/\n", run.out, 1, true)
    assert.matches("\nxn--bcher-kva.example\n", run.out, 1, true)
  end)

  it("is read in a child, and without the compiler", function()
    local run = program.run_greenlua { "-joff", "-e", [[
      local green, url = require "green", require "green.url"
      local host = url.parse("http://b\195\188cher/").host
      local pid = green.fork(function()
        os.exit(url.parse("http://b\195\188cher/").host == host and 7 or 1)
      end)
      print(require("green.process").wait(pid))
    ]] }
    assert.equal("exit\t7\n", run.out, run.err)
  end)
end)

describe("what url.parse refuses", function()
  it("is every byte that a part may not have (RFC 3986, appendix A)", function()
    local plain = "%w%-%._~!$&'()*+,;=" -- unreserved and sub-delims
    local rows = { -- what may stand at "<>"; "/", "?" and "#" end most parts
      ["http://u<>@h/"] = plain .. ":#/?", -- these three make "u" the host
      ["http://h<>x/"] = plain .. "@/?#",
      ["http://h/a<>b"] = plain .. ":@/?#",
      ["http://h/?a<>b"] = plain .. ":@/?#",
      ["http://h/#a<>b"] = plain .. ":@/?",
    }
    for text, legal in pairs(rows) do
      for code = 0, 255 do
        local c = string.char(code)
        local u, err = url.parse((text:gsub("<>", (c:gsub("%%", "%%%%")))))
        local is_legal = c:find("^[" .. legal .. "]$") ~= nil
        assert.equal(is_legal, u ~= nil, ("%q in %s: %s"):format(c, text, tostring(err)))
      end
    end
  end)

  it("is a percent sign without two digits, wherever it stands", function()
    for _, text in ipairs { "http://%@h/", "http://h/%", "http://h/%4", "http://h/%4g",
      "http://h/?%", "http://h/#%1", "http://h/?a=%u1234" } do
      local err = refused(text)
      assert.matches("hexadecimal", err.message)
      assert.equal(text:find("%", 1, true), err.at)
    end
  end)

  it("is told with the place and what stands before it", function()
    local err = refused "http://example.com/a b"
    assert.equal("EINVAL", err.code)
    assert.equal(21, err.at)
    assert.matches('byte 21, behind "http://example.com/a"', err.message, 1, true)
    assert.matches("at the beginning", refused("").message)
  end)

  it("is told without user and password", function()
    for _, text in ipairs { "http://joe:hunter2@h:x/", "http://joe:hun ter2@h/",
      "http://joe:hunter2@h/ ", "http://joe:hun/ter2 @h/", "http://joe:hun#ter2@h:99999/",
      "http://joe:hunter2@h/?%", "//joe:hunter2@h", "joe:hunter2@h/ ", "http:joe:hunter2@h/x y",
      "http:\\\\joe:hunter2@h/", "http://joe:hunter2@[::1/", "http://joe:hun%ter2@h/",
      "http://joe:hunt\0er2@h/",
      "joe:hun://ter2@h/ ", "//joe:hun//ter2@h/ ", "joe/hun//ter2@h: " } do
      local err = refused(text, { relative = false })
      assert.is_nil(tostring(err):find("hun", 1, true), tostring(err))
    end
  end)
end)

describe("a URL", function()
  it("can be shown without user and password", function()
    assert.equal("http://***@h:1/p?q#f", url.parse("http://a:b@h:1/p?q#f"):redacted())
    assert.equal("http://h/", url.parse("http://h/"):redacted())
  end)

  it("is told by its class alone in messages", function()
    local ok, err = pcall(url.escape, url.parse("http://a:hunter2@h/"))
    assert.is_false(ok)
    assert.matches("green.url", err, 1, true)
    assert.is_nil(err:find("hunter2", 1, true))
  end)
end)
