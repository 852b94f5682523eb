local program = require "spec.support.program"
local proxy = require "green.http.proxy"

local function parse(text)
  local p, err = proxy.parse(text)
  return p and { p.scheme, p.host, p.port, p.user, p.password } or nil, err
end

--- The host of the proxy that is chosen, or nil.
local function choose(rules, scheme, host, port)
  local chosen = rules:choose(scheme, host, port or (scheme == "https" and 443 or 80))
  return chosen and chosen.host
end

--- What a child with these variables says of requests, given as "scheme host port".
local function in_child(variables, requests, ...)
  local code = [[
    local proxy = require "green.http.proxy"
    local rules, err = proxy.from_env()
    if not rules then
      print(err.code, err.variable, err.message)
      os.exit(0)
    end
    for _, request in ipairs(arg) do
      local scheme, host, port = request:match "(%S+) (%S+) (%S+)"
      print(tostring(rules:choose(scheme, host, tonumber(port))))
    end
  ]]
  local path = program.file(code)
  local words = { "env", "-u", "http_proxy", "-u", "https_proxy", "-u", "all_proxy", "-u",
    "no_proxy", "-u", "HTTP_PROXY", "-u", "HTTPS_PROXY", "-u", "ALL_PROXY", "-u", "NO_PROXY", "-u",
    "REQUEST_METHOD" }
  for _, word in ipairs(variables) do words[#words + 1] = word end
  words[#words + 1] = program.greenlua
  for _, word in ipairs { ... } do words[#words + 1] = word end
  words[#words + 1] = path
  for _, word in ipairs(requests) do words[#words + 1] = word end
  local run = program.run(words)
  os.remove(path)
  assert.equal("", run.err)
  return run.out
end

describe("green.http.proxy", function()
  describe("parse", function()
    it("reads the URL of a proxy", function()
      assert.same({ "http", "proxy.test", 3128 }, parse "http://proxy.test:3128")
      assert.same({ "http", "proxy.test", 80 }, parse "http://proxy.test/")
      assert.same({ "https", "proxy.test", 443 }, parse "HTTPS://Proxy.Test")
      assert.same({ "socks5", "proxy.test", 1080 }, parse "socks5://proxy.test")
      assert.same({ "socks5", "proxy.test", 9050 }, parse "socks5h://proxy.test:9050")
      assert.same({ "http", "::1", 8080 }, parse "http://[::1]:8080")
    end)

    it("takes one without a scheme for http", function()
      assert.same({ "http", "proxy.test", 3128 }, parse "proxy.test:3128")
      assert.same({ "http", "127.0.0.1", 80 }, parse "127.0.0.1")
    end)

    it("decodes user and password", function()
      assert.same({ "http", "p", 80, "joe", "se:c@ret" }, parse "http://joe:se%3Ac%40ret@p")
      assert.same({ "http", "p", 1, "joe", "secret" }, parse "joe:secret@p:1")
      assert.same({ "http", "p", 80, "joe", "" }, parse "http://joe@p")
      assert.same({ "socks5", "p", 1080, "a:b", "" }, parse "socks5://a%3Ab@p")
    end)

    it("refuses what is none, and shows no password", function()
      for _, text in ipairs { "", "http://", "http://joe:secret@", "ftp://joe:secret@p",
        "socks4://joe:secret@p", "http://joe:secret@p/path", "http://joe:secret@p?q",
        "http://joe:secret@p#f", "http://joe:secret@p:99999", "http://joe:secret@p q",
        "http://joe:secret@p\r\nx", "joe:secret",
        "http://j%3Ae:secret@p", "http://joe%0A:secret@p", "http://joe:secret%00@p",
        "socks5://:secret@p", "socks5://joe:secret" .. ("x"):rep(255) .. "@p" } do
        local p, err = proxy.parse(text)
        assert.is_nil(p, text)
        assert.equal("EINVAL", err.code, text)
        assert.is_nil(tostring(err):find("secret", 1, true), tostring(err))
      end
      assert.is_nil(tostring(proxy.parse "http://joe:secret@p"):find("secret", 1, true))
      assert.equal("green.http.proxy{http://[::1]:3128}", tostring(proxy.parse "[::1]:3128"))
    end)
  end)

  describe("rules", function()
    local rules = proxy.option({ http = "http://plain", https = "http://tls",
      all = "socks5://any" }, "get")

    it("choose by scheme", function()
      assert.equal("plain", choose(rules, "http", "a.test"))
      assert.equal("tls", choose(rules, "https", "a.test"))
      assert.equal("plain", choose(rules, "ws", "a.test"))
      assert.equal("tls", choose(rules, "wss", "a.test"))
      assert.equal("any", choose(proxy.option("socks5://any", "get"), "https", "a.test"))
      assert.is_nil(choose(proxy.option({ http = "p" }, "get"), "https", "a.test"))
      assert.is_nil(choose(proxy.option(false, "get"), "http", "a.test"))
    end)

    -- An entry, what it is for, what it is not for ("host" or "host port").
    local EXCEPTIONS = {
      { "*", { "a.test", "127.0.0.1", "::1" }, {} },
      { "a.test", { "a.test", "A.TEST", "a.test.", "x.a.test", "a.test 8080" },
        { "ba.test", "test", "a.test.org" } },
      { ".a.test", { "a.test", "x.a.test" }, { "ba.test" } },
      { "*.a.test", { "x.a.test" }, { "ba.test" } },
      { "A.Test.", { "a.test" }, { "b.test" } },
      { "a.test:8080", { "a.test 8080", "x.a.test 8080" }, { "a.test", "a.test 80" } },
      { "127.0.0.1", { "127.0.0.1" }, { "127.0.0.2", "x.127.0.0.1", "::1" } },
      { "127.0.0.1:81", { "127.0.0.1 81" }, { "127.0.0.1" } },
      { "::1", { "::1", "0:0:0:0:0:0:0:1" }, { "::2" } },
      { "[::1]", { "::1" }, { "::2" } },
      { "[::1]:81", { "::1 81" }, { "::1 80" } },
      { "10.0.0.0/8", { "10.0.0.0", "10.255.255.255" }, { "9.255.255.255", "11.0.0.0", "a.test",
        "::a00:1" } },
      { "10.1.2.3/31", { "10.1.2.2", "10.1.2.3" }, { "10.1.2.1", "10.1.2.4" } },
      { "0.0.0.0/0", { "1.2.3.4" }, { "::1", "a.test" } },
      { "fe80::/10", { "febf::1" }, { "fec0::1" } },
      { "a.test,b.test", { "a.test", "b.test" }, { "c.test" } },
      { " a.test  b.test ,, c.test", { "a.test", "b.test", "c.test" }, { "d.test" } },
      { "10.0.0.0/33,a/b,[,:,*x,.", {}, { "10.0.0.1", "a", "a.test" } },
      { "", {}, { "a.test" } },
    }
    for _, case in ipairs(EXCEPTIONS) do
      local no, meant, others = unpack(case)
      it(("have exceptions: %q"):format(no), function()
        local own = proxy.option({ all = "http://p", no = no }, "get")
        for wanted, list in pairs { [true] = meant, [false] = others } do
          for _, text in ipairs(list) do
            local host, port = text:match("^(%S+) ?(%d*)$")
            assert.equal(not wanted and "p" or nil,
              choose(own, "http", host, tonumber(port) or 80), text)
          end
        end
      end)
    end

    it("print without a password", function()
      assert.equal("green.http.proxy_rules{http by plain, https by tls, all by any}",
        tostring(rules))
      assert.equal("green.http.proxy_rules{none}", tostring(proxy.option(false, "get")))
    end)

    it("stay as they are when they are given as the option", function()
      assert.equal(rules, proxy.option(rules, "get"))
    end)
  end)

  describe("option", function()
    it("raises for what is none, and shows no password", function()
      local function raises(value, text)
        local ok, err = pcall(proxy.option, value, "get")
        assert.is_false(ok)
        assert.matches(text, err)
        assert.is_nil(err:find("secret", 1, true))
      end
      raises(5, "get: proxy must be false, the URL of a proxy or a table, not 5")
      raises("ftp://joe:secret@p", "get: proxy must be the URL of a proxy, but its scheme")
      raises({ http = { "secret" } }, "get: http must be the URL of a proxy, not a table")
      raises({ htp = "secret" }, "get: proxy: unknown option 'htp'; did you mean 'http'")
      raises({ no = 5 }, "get: no must be a string")
    end)
  end)

  describe("from_env", function()
    it("reads the variables, the small ones first", function()
      assert.equal("green.http.proxy{http://a:80}\ngreen.http.proxy{http://b:81}\n",
        in_child({ "http_proxy=http://a", "HTTP_PROXY=http://x", "HTTPS_PROXY=b:81" },
          { "http h 80", "https h 443" }))
      assert.equal("green.http.proxy{socks5://c:1080}\n",
        in_child({ "ALL_PROXY=socks5://c" }, { "https h 443" }))
      assert.equal("nil\n", in_child({}, { "http h 80" }))
      assert.equal("nil\n", in_child({ "HTTP_PROXY=" }, { "http h 80" }))
    end)

    it("reads exceptions", function()
      assert.equal("nil\nnil\ngreen.http.proxy{http://a:80}\n",
        in_child({ "http_proxy=http://a", "NO_PROXY=localhost,10.0.0.0/8" },
          { "http localhost 80", "http 10.2.3.4 80", "http h 80" }))
      assert.equal("nil\n", in_child({ "http_proxy=a", "no_proxy=h", "NO_PROXY=x" },
        { "http h 80" }))
    end)

    it("believes no header of a CGI request", function()
      assert.equal("nil\n", in_child({ "REQUEST_METHOD=GET", "HTTP_PROXY=http://evil" },
        { "http h 80" }))
      assert.equal("green.http.proxy{http://a:80}\n", in_child({ "REQUEST_METHOD=GET",
        "http_proxy=http://a", "HTTP_PROXY=http://evil" }, { "http h 80" }))
      assert.equal("green.http.proxy{http://a:80}\n", in_child({ "REQUEST_METHOD=GET",
        "HTTPS_PROXY=http://a" }, { "https h 443" }))
    end)

    it("says which variable is wrong, and not what it has", function()
      local out = in_child({ "HTTPS_PROXY=ftp://joe:secret@p" }, { "http h 80" })
      assert.matches("^EINVAL\tHTTPS_PROXY\tthe variable HTTPS_PROXY: its scheme must be", out)
      assert.is_nil(out:find("secret", 1, true))
    end)

    it("is deaf after -E", function()
      assert.equal("nil\n", in_child({ "http_proxy=http://a" }, { "http h 80" }, "-E"))
    end)
  end)

  it("bears anything", function()
    math.randomseed(2)
    local parts = { "http", "://", ":", "@", "a", "[", "]", "::1", "/", "10.0.0.1", "8", ",", " ",
      "*", ".", "\0", "%41", "%", "\255" }
    for _ = 1, 5000 do
      local out = {}
      for i = 1, math.random(0, 8) do
        out[i] = parts[math.random(#parts)]
      end
      local text = table.concat(out)
      proxy.parse(text)
      proxy.option({ all = "p", no = text }, "get"):choose("http", "a.b", 80)
    end
  end)
end)
