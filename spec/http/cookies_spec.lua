local cookies = require "green.http.cookies"
local suffix = require "green.http.suffix"
local url = require "green.url"

local NOW = 1791072000

--- A jar whose clock stands still; jar.now moves it.
local function new(opts)
  local jar = cookies.new(opts)
  jar.now = NOW
  jar._now = function() return jar.now end
  return jar
end

--- A jar with what that URL set.
local function with(target, ...)
  local jar = new()
  jar:store(target, { ... })
  return jar
end

local HTTPS, HTTP = "https://www.example.org/a/b", "http://www.example.org/a/b"

describe("green.http.cookies", function()
  it("brings back what was set", function()
    local jar = with(HTTPS, "sid=31d4d96e407aad42; Path=/; Secure; HttpOnly", "lang=en-US")
    assert.equal("lang=en-US; sid=31d4d96e407aad42", jar:header(HTTPS))
    assert.is_nil(jar:header "https://other.example.org/")
    assert.equal("green.http.cookies{2}", tostring(jar))
  end)

  it("takes a URL or its text, and one header or a list of them", function()
    local jar = new()
    assert.equal(1, jar:store(url.parse(HTTPS), "a=1"))
    assert.equal(2, jar:store(HTTPS, { "b=2", "c=3", "" }))
    assert.equal("a=1; b=2; c=3", jar:header(url.parse(HTTPS)))
    assert.equal("a=1; b=2; c=3", jar:header "wss://www.example.org/a/x")
  end)

  -- Set-Cookie, and what the next request brings ("" for nothing).
  local READ = {
    { "a=b", "a=b" }, { "a=b;", "a=b" }, { " a = b ", "a=b" }, { "\ta\t=\tb\t", "a=b" },
    { "a=b=c", "a=b=c" }, { "a=", "a=" }, { "=b", "b" }, { "b", "b" }, { "=", "" }, { "", "" },
    { ";", "" }, { "; Path=/", "" }, { 'a="b c"', 'a="b c"' }, { "a=b, c=d", "a=b, c=d" },
    { "a=b;c=d", "a=b" }, { "a b=c d", "a b=c d" }, { "a=\195\188", "a=\195\188" },
    { "a=b\tc", "a=b\tc" }, { "a=b\0", "" }, { "a=b\1", "" }, { "a=b\rc", "" }, { "a=b\nc", "" },
    { "a=b\127", "" }, { "a=b; Path=/\1", "" }, { "a=b; unknown=x; ; =; ;=y", "a=b" },
    { "a=b; Max-Age=10", "a=b" }, { "a=b; Max-Age=0", "" }, { "a=b; Max-Age=-1", "" },
    { "a=b; Max-Age=", "a=b" }, { "a=b; Max-Age=x", "a=b" }, { "a=b; Max-Age=1x", "a=b" },
    { "a=b; Max-Age=+1", "a=b" }, { "a=b; Max-Age=--1", "a=b" },
    { "a=b; Max-Age=" .. ("9"):rep(400), "a=b" },
    { "a=b; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "" },
    { "a=b; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "a=b" }, { "a=b; Expires=never", "a=b" },
    { "a=b; Expires=Wed, 09 Jun 2021 10:18:14 GMT; Max-Age=10", "a=b" },
    { "a=b; Max-Age=10; Expires=Wed, 09 Jun 2021 10:18:14 GMT", "a=b" },
    { "a=b; Max-Age=0; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "" },
    { "a=b; EXPIRES=Wed, 09 Jun 2021 10:18:14 GMT", "" }, { "a=b; secure", "a=b" },
    { "a=b; SameSite=None", "" }, { "a=b; SameSite=None; Secure", "a=b" },
    { "a=b; SameSite=Other", "a=b" }, { "a=b; Domain=", "a=b" }, { "a=b; Domain", "a=b" },
    { "a=b; Domain=.", "a=b" }, { "a=b; Domain=x.\195\188", "" },
    { "a=b; Path=/x; Path=/a", "a=b" }, { "a=b; Path=/a; Path=/x", "" },
    { "a=b; Path=x", "a=b" }, { "a=b; Path=", "a=b" },
    { "a=b; Path=/" .. ("x"):rep(1024), "a=b" }, -- too long: passed over
    { "__Secure-a=b; Secure", "__Secure-a=b" }, { "__Secure-a=b", "" }, { "__secURE-a=b", "" },
    { "__Host-a=b; Secure; Path=/", "__Host-a=b" }, { "__Host-a=b; Secure", "" },
    { "__Host-a=b; Path=/", "" }, { "__Host-a=b; Secure; Path=/a", "" },
    { "__Host-a=b; Secure; Path=/; Domain=www.example.org", "" },
    { "__hoST-a=b; Secure", "" }, { "__Host-a", "" }, { "=__Secure-a=b; Secure", "" },
    { "=__host-", "" }, { "__Secure-=b; Secure", "__Secure-=b" },
    { "a=" .. ("x"):rep(4095), "a=" .. ("x"):rep(4095) }, { "a=" .. ("x"):rep(4096), "" },
    { ("x"):rep(4096), ("x"):rep(4096) }, { ("x"):rep(4097), "" },
    { "a=b;" .. (" "):rep(20000), "" },
  }
  for _, case in ipairs(READ) do
    it(("reads %q"):format(#case[1] > 80 and case[1]:sub(1, 60) .. "..." or case[1]), function()
      assert.equal(case[2] ~= "" and case[2] or nil, with(HTTPS, case[1]):header(HTTPS))
    end)
  end

  describe("domains", function()
    -- Who sets it, which Domain, and who gets it.
    local DOMAINS = {
      { "www.example.org", nil, { "www.example.org" }, { "example.org", "x.www.example.org" } },
      { "www.example.org", "example.org", { "example.org", "a.b.example.org" },
        { "badexample.org", "org", "example.org.evil" } },
      { "www.example.org", ".Example.ORG", { "example.org", "www.example.org" },
        { "example.com" } },
      { "www.example.org", "www.example.org", { "x.www.example.org" }, { "example.org" } },
      { "www.example.org", "x.www.example.org", {}, { "x.www.example.org", "www.example.org" } },
      { "www.example.org", "other.org", {}, { "other.org", "www.example.org" } },
      { "www.example.org", "ample.org", {}, { "ample.org", "www.example.org" } },
      { "www.example.org", "org", {}, { "www.example.org", "org" } },
      { "localhost", "localhost", { "localhost" }, { "x.localhost" } },
      { "localhost", nil, { "localhost" }, { "x.localhost" } },
      { "127.0.0.1", nil, { "127.0.0.1" }, { "1.127.0.0.1" } },
      { "127.0.0.1", "127.0.0.1", { "127.0.0.1" }, {} },
      { "127.0.0.1", "0.0.1", {}, { "127.0.0.1" } },
      { "[::1]", nil, { "[::1]" }, {} },
    }
    if suffix.is_public "co.uk" then -- the list is there
      DOMAINS[#DOMAINS + 1] = { "www.example.co.uk", "co.uk", {},
        { "www.example.co.uk", "a.co.uk" } }
      DOMAINS[#DOMAINS + 1] = { "me.github.io", "github.io", {}, { "me.github.io" } }
      DOMAINS[#DOMAINS + 1] = { "github.io", "github.io", { "github.io" }, { "me.github.io" } }
    end
    for _, case in ipairs(DOMAINS) do
      local host, domain, theirs, others = unpack(case, 1, 4)
      it(("are kept apart: %s sets one for %s"):format(host, tostring(domain)), function()
        local jar = with("http://" .. host .. "/",
          "a=b" .. (domain and "; Domain=" .. domain or ""))
        for _, name in ipairs(theirs) do
          assert.equal("a=b", jar:header("http://" .. name .. "/"), name)
        end
        for _, name in ipairs(others) do
          assert.is_nil(jar:header("http://" .. name .. "/"), name)
        end
      end)
    end
  end)

  describe("paths", function()
    -- The path of the request, what the cookie says, and paths that get it and do not.
    local PATHS = {
      { "/a/b", nil, { "/a", "/a/", "/a/x" }, { "/", "/ab", "/A" } },
      { "/a", nil, { "/", "/x" }, {} },
      { "/a/", nil, { "/a", "/a/x" }, { "/b" } },
      { "", nil, { "/", "/x" }, {} },
      { "/x", "/a/", { "/a/", "/a/b" }, { "/a", "/ab" } },
      { "/x", "/a", { "/a", "/a/", "/a/b", "/a?q" }, { "/ab", "/" } },
      { "/x", "/", { "/", "/a/b/c" }, {} },
    }
    for _, case in ipairs(PATHS) do
      local path, says, theirs, others = unpack(case, 1, 4)
      it(("are kept apart: %q sets one for %s"):format(path, tostring(says)), function()
        local jar = with("http://h.test" .. path, "a=b" .. (says and "; Path=" .. says or ""))
        for _, name in ipairs(theirs) do
          assert.equal("a=b", jar:header("http://h.test" .. name), name)
        end
        for _, name in ipairs(others) do
          assert.is_nil(jar:header("http://h.test" .. name), name)
        end
      end)
    end
  end)

  describe("secure cookies", function()
    it("are not sent in plain, nor set", function()
      local jar = with(HTTPS, "a=b; Secure")
      assert.is_nil(jar:header(HTTP))
      assert.equal("a=b", jar:header(HTTPS))
      assert.equal(0, jar:store(HTTP, "c=d; Secure"))
    end)

    it("are not replaced nor hidden by what comes in plain", function()
      local jar = with(HTTPS, "a=b; Secure; Domain=example.org; Path=/a")
      assert.equal(0, jar:store(HTTP, { "a=evil; Domain=example.org; Path=/a", "a=evil; Path=/a/b",
        "a=evil", "a=evil; Max-Age=0; Domain=example.org; Path=/a" }))
      assert.equal(0, jar:store("http://example.org/a/x", "a=evil"))
      assert.equal(2, jar:store(HTTP, { "a=other; Path=/", "b=c" }))
      assert.equal("a=b; b=c; a=other", jar:header(HTTPS))
    end)
  end)

  it("sends longer paths first, then what was there before", function()
    local jar = new()
    local target = "https://www.example.org/a/b/c"
    jar:store(target, { "one=1; Path=/", "two=2; Path=/a/b", "three=3; Path=/", "four=4; Path=/a",
      "five=5; Path=/a/b; Domain=example.org" })
    jar:store(target, "one=new; Path=/") -- keeps its place
    assert.equal("two=2; five=5; four=4; one=new; three=3", jar:header(target))
  end)

  it("forgets what has expired", function()
    local jar = with(HTTPS, "a=1; Max-Age=10", "b=2; Max-Age=20", "c=3")
    jar.now = NOW + 10
    assert.equal("b=2; c=3", jar:header(HTTPS))
    jar.now = NOW + 500 * 86400
    assert.equal("c=3", jar:header(HTTPS))
    assert.equal(1, #jar:list())
    assert.equal("green.http.cookies{1}", tostring(jar))
  end)

  it("keeps none for more than 400 days", function()
    local jar = with(HTTPS, "a=1; Max-Age=999999999999",
      "b=2; Expires=Wed, 09 Jun 2100 10:18:14 GMT")
    for _, cookie in ipairs(jar:list()) do
      assert.equal(NOW + 400 * 86400, cookie.expires)
    end
  end)

  it("takes away the one that an expired one names", function()
    local jar = with(HTTPS, "a=1", "b=2")
    assert.equal(1, jar:store(HTTPS, "a=; Max-Age=0"))
    assert.equal("b=2", jar:header(HTTPS))
  end)

  describe("limits", function()
    it("hold for a domain: what was not used for longest goes", function()
      local jar = new { max_domain = 3 }
      jar:store(HTTPS, { "a=1; Path=/", "b=2; Path=/b", "c=3; Path=/" })
      jar:header "https://www.example.org/b" -- all but none
      jar:header "https://www.example.org/" -- a and c
      jar:store(HTTPS, "d=4; Path=/")
      assert.equal("a=1; c=3; d=4", jar:header "https://www.example.org/b")
    end)

    it("hold for a domain: secure ones stay longer", function()
      local jar = new { max_domain = 2 }
      jar:store(HTTPS, { "a=1; Secure", "b=2", "c=3; Secure" })
      assert.equal("a=1; c=3", jar:header(HTTPS))
    end)

    it("hold for a domain: expired ones go first", function()
      local jar = new { max_domain = 2 }
      jar:store(HTTPS, { "a=1", "b=2; Max-Age=5" })
      jar.now = NOW + 6
      jar:store(HTTPS, "c=3")
      assert.equal("a=1; c=3", jar:header(HTTPS))
    end)

    it("hold for all together", function()
      local jar = new { max = 3 }
      for i = 1, 5 do
        jar:store(("https://h%d.test/"):format(i), "a=" .. i)
      end
      assert.is_nil(jar:header "https://h2.test/")
      assert.equal("a=3", jar:header "https://h3.test/")
      assert.equal(3, #jar:list())
      jar:store("https://h6.test/", "a=6")
      assert.equal("a=3", jar:header "https://h3.test/") -- it had been used
      assert.is_nil(jar:header "https://h4.test/")
    end)

    it("are 50 and 3,000 where nothing is said", function()
      local jar = new()
      for i = 1, 100 do
        jar:store(HTTPS, ("c%d=x"):format(i))
      end
      assert.equal(50, #jar:list())
      for i = 1, 3100 do
        jar:store(("https://h%d.test/"):format(i), "a=b")
      end
      assert.equal(3000, #jar:list())
    end)
  end)

  it("lists what it has, as copies", function()
    local jar = with(HTTPS, "a=1; Path=/; Secure; HttpOnly; SameSite=lax; Domain=example.org;"
      .. " Max-Age=10", "b=2")
    local list = jar:list()
    assert.same({
      { name = "a", value = "1", path = "/", domain = "example.org", host_only = false,
        secure = true, http_only = true, same_site = "Lax", created = NOW, expires = NOW + 10 },
      { name = "b", value = "2", path = "/a", domain = "www.example.org", host_only = true,
        secure = false, http_only = false, created = NOW },
    }, list)
    list[1].value = "changed"
    assert.equal("b=2; a=1", jar:header(HTTPS))
    assert.same({ list[2] }, jar:list "http://www.example.org/a")
    assert.same({}, jar:list "http://other.test/")
  end)

  it("takes out what fits all that is said", function()
    local function filled()
      local jar = with(HTTPS, "a=1; Path=/", "b=2; Max-Age=10", "c=3; Domain=example.org")
      jar:store("https://other.test/", "a=4")
      return jar
    end
    local function left(opts)
      local jar, names = filled(), {}
      local n = jar:clear(opts)
      for _, cookie in ipairs(jar:list()) do
        names[#names + 1] = cookie.name .. cookie.value
      end
      assert.equal(4, n + #names)
      return table.concat(names, " ")
    end
    assert.equal("", left())
    assert.equal("", left {})
    assert.equal("b2 c3", left { name = "a" })
    assert.equal("b2 c3 a4", left { name = "a", domain = "example.org" })
    assert.equal("a4", left { domain = ".Example.org" })
    assert.equal("c3 a4", left { domain = "www.example.org" })
    assert.equal("b2", left { session = true })
    assert.equal("a1 a4", left { path = "/a" })
  end)

  describe("saving", function()
    it("brings everything to another jar", function()
      local jar = with(HTTPS, "a=1; Path=/; Secure", "b=2; Max-Age=10; Domain=example.org", "d")
      local other = new()
      other.now = NOW + 5
      assert.is_true(other:import(jar:export()))
      assert.same(jar:list(), other:list())
      assert.equal(jar:header(HTTPS), other:header(HTTPS))
    end)

    it("leaves out what has expired since", function()
      local saved = with(HTTPS, "a=1; Max-Age=10"):export()
      local other = new()
      other.now = NOW + 11
      assert.is_true(other:import(saved))
      assert.same({}, other:list())
    end)

    it("takes nothing where one of them cannot be a cookie", function()
      local good = with(HTTPS, "a=1"):export()[1]
      local BAD = { name = { "a\n", "a;b", "a=b", 5, ("x"):rep(4096) },
        value = { "\r\n", "a;b", 5 },
        domain = { "", ".x", "X", "a\0", 5 }, path = { "", "x", "/;", 5 }, host_only = { 1, "" },
        secure = { "yes" }, http_only = { 0 }, created = { "now", 0 / 0, math.huge },
        expires = { "now", 0 / 0 }, same_site = { 5 } }
      for field, values in pairs(BAD) do
        for _, value in ipairs(values) do
          local bad = {}
          for name, own in pairs(good) do bad[name] = own end
          bad[field] = value
          local jar = new()
          local ok, err = jar:import { good, bad }
          assert.is_nil(ok, field)
          assert.equal("EINVAL", err.code)
          assert.equal(2, err.index)
          assert.same({}, jar:list())
        end
      end
      assert.equal(1, select(2, new():import { "a=b" }).index)
    end)
  end)

  it("says that a URL is none, and raises for other things", function()
    local jar = new()
    for _, name in ipairs { "store", "header", "list" } do
      local result, err = jar[name](jar, "http://a b/", {})
      assert.is_nil(result)
      assert.equal("EINVAL", err.code)
      assert.error_matches(function() jar[name](jar, 5, {}) end, name .. ": target must be a URL")
    end
    assert.error_matches(function() jar:store(HTTPS, { 5 }) end, "store: text 1 must be a string")
    assert.error_matches(function() jar:clear { nme = "x" } end, "unknown option 'nme'")
    assert.error_matches(function() cookies.new { max = 0 } end, "cookies: max must be")
  end)

  it("bears anything, and never sends a control character", function()
    math.randomseed(4)
    local parts = { "a", "=", ";", " ", "Path=/", "Domain=", "example.org", "Max-Age=", "9", "-",
      "Expires=", "Wed, 09 Jun 2027 10:18:14 GMT", "\0", "\r\n", "\t", "\255", "Secure", "__Host-",
      "SameSite=None", "." }
    local jar = new { max = 20, max_domain = 10 }
    for i = 1, 20000 do
      local out = {}
      for k = 1, math.random(0, 10) do
        out[k] = parts[math.random(#parts)]
      end
      jar:store(i % 2 == 0 and HTTP or HTTPS, table.concat(out))
      local header = jar:header(HTTPS)
      assert(not header or not header:find "[%z\1-\8\10-\31\127]", header)
    end
    assert.is_true(#jar:list() <= 20)
  end)
end)
