-- Whose pages may open a websocket, and under which names the server may be called.

local handshake = require "green.websocket.handshake"
local web = require "spec.support.websocket"

require("green.testing").busted()

local function options(opts)
  return handshake.options(opts, "handler")
end

--- May a page of that origin connect?
local function may(origin, opts, env)
  local changes = { HTTP_ORIGIN = origin }
  for key, value in pairs(env or {}) do
    changes[key] = value
  end
  local shake, refusal = handshake.read(web.env_of(changes), options(opts))
  if not shake then
    assert.equal(403, refusal[1])
    assert.same({ Connection = "close", ["Content-Type"] = "text/plain" }, refusal[2])
  end
  return shake ~= nil
end

local TLS = { ["wsgi.url_scheme"] = "https" }

local function called(host, scheme)
  return { HTTP_HOST = host, ["wsgi.url_scheme"] = scheme }
end

describe("an Origin", function()
  it("is the server's own unless told otherwise", function()
    assert.is_true(may("http://server.example.com", {}))
    assert.is_true(may("http://SERVER.example.COM", {}))
    assert.is_true(may("http://server.example.com:80", {}))
    assert.is_false(may("http://server.example.com:81", {}))
    assert.is_false(may("http://example.com", {}))
    assert.is_false(may("http://evil.server.example.com", {}))
    assert.is_false(may("http://server.example.com.evil.org", {}))
  end)

  it("is not asked for: who is no browser has none", function()
    assert.is_true(may(false, {}))
    assert.is_true(may(false, { origins = { "https://a.example" } }))
  end)

  it("has a port, which its scheme says if it does not", function()
    assert.is_true(may("http://a:8080", {}, called("a:8080")))
    assert.is_false(may("http://a", {}, called("a:8080")))
    assert.is_true(may("http://a", {}, called("a:80")))
    assert.is_true(may("https://a", {}, called("a:443")))
    assert.is_false(may("https://a", {}, called("a:80")))
    assert.is_true(may("http://[::1]:8080", {}, called("[::1]:8080")))
    assert.is_false(may("http://[::2]:8080", {}, called("[::1]:8080")))
  end)

  it("has the scheme of the server, or is behind a proxy that speaks TLS for it", function()
    assert.is_true(may("https://server.example.com", {}, TLS))
    assert.is_false(may("http://server.example.com", {}, TLS))
    assert.is_false(may("http://server.example.com:443", {}, TLS))
    assert.is_true(may("https://server.example.com", {}))
    assert.is_false(may("ftp://server.example.com", {}))
    assert.is_false(may("chrome-extension://server.example.com", {}))
  end)

  it("that is none is nobody's", function()
    for _, text in ipairs { "null", "", "server.example.com", "//server.example.com",
      "http://", "http://server.example.com/", "http://u@server.example.com",
      "http://server.example.com:", "http://server.example.com:x",
      "http://server.example.com:70000",
      "http://server.example.com, http://server.example.com", "http://server.example.com\0",
      "http://server.example.com http://server.example.com" } do
      local good = text == "http://server.example.com:" -- an empty port is the scheme's
      assert.equal(good, may(text, {}), text)
    end
  end)

  it("may be one of a list, and then no other", function()
    local opts = { origins = { "https://a.example", "http://b.example:8080" } }
    assert.is_true(may("https://a.example", opts))
    assert.is_true(may("https://a.example:443", opts))
    assert.is_true(may("HTTPS://A.example", opts))
    assert.is_true(may("http://b.example:8080", opts))
    assert.is_false(may("http://a.example", opts))
    assert.is_false(may("https://a.example:444", opts))
    assert.is_false(may("http://b.example", opts))
    assert.is_false(may("http://server.example.com", opts))
    opts.origins[3] = "same"
    assert.is_true(may("http://server.example.com", opts))
    assert.is_false(may("https://a.example", { origins = {} }))
  end)

  it("may be of any subdomain or port", function()
    local opts = { origins = { "https://*.a.example", "http://localhost:*" } }
    assert.is_true(may("https://b.a.example", opts))
    assert.is_true(may("https://c.b.a.example", opts))
    assert.is_false(may("https://a.example", opts))
    assert.is_false(may("https://.a.example", opts))
    assert.is_false(may("https://evila.example", opts))
    assert.is_false(may("https://b.a.example.org", opts))
    assert.is_true(may("http://localhost", opts))
    assert.is_true(may("http://localhost:3000", opts))
    assert.is_false(may("https://localhost:3000", opts))
  end)

  it("may be any, or nobody's, if that is said", function()
    for _, text in ipairs { "http://x", "null", "whatever it says" } do
      assert.is_true(may(text, { origins = "*" }))
      assert.is_true(may(text, { origins = { "*" } }))
    end
    assert.is_true(may("null", { origins = { "null" } }))
    assert.is_false(may("http://x", { origins = { "null" } }))
  end)

  it("may be judged by a function, which gets env", function()
    local seen
    local opts = { origins = function(origin, env)
      seen = { origin, env.HTTP_HOST }
      return origin == "http://x"
    end }
    assert.is_true(may("http://x", opts))
    assert.same({ "http://x", "server.example.com" }, seen)
    assert.is_false(may("http://y", opts))
    seen = nil
    assert.is_true(may(false, opts))
    assert.is_nil(seen)
    assert.has_error(function()
      may("http://x", { origins = function() error("of the function", 0) end })
    end, "of the function")
  end)

  it("stands in a field of its own in draft 8", function()
    local env = { HTTP_SEC_WEBSOCKET_VERSION = "8",
      HTTP_SEC_WEBSOCKET_ORIGIN = "http://evil.example" }
    assert.is_false(may(false, { legacy = true }, env))
    env.HTTP_SEC_WEBSOCKET_ORIGIN = "http://server.example.com"
    assert.is_true(may(false, { legacy = true }, env))
  end)
end)

describe("the names of a server", function()
  local function meets(host, hosts, scheme)
    return may(false, { hosts = hosts }, called(host, scheme))
  end

  it("are all unless told otherwise", function()
    assert.is_true(may(false, {}, called "evil.example"))
  end)

  it("are those of a list, at any port or a certain one", function()
    local hosts = { "a.example", "b.example:8080", "[::1]", "127.0.0.1" }
    for _, host in ipairs { "a.example", "A.Example", "a.example:1", "b.example:8080", "[::1]",
      "[::1]:8080", "127.0.0.1:5000" } do
      assert.is_true(meets(host, hosts), host)
    end
    for _, host in ipairs { "evil.example", "b.example", "b.example:8081", "x.a.example",
      "a.example.evil.org", "[::2]", "127.0.0.2", "a.example.", "a.example:x", "a example" } do
      assert.is_false(meets(host, hosts), host)
    end
  end)

  it("may be subdomains, and have the scheme's port", function()
    assert.is_true(meets("x.a.example", { "*.a.example" }))
    assert.is_false(meets("a.example", { "*.a.example" }))
    assert.is_true(meets("a", "a:443", "https"))
    assert.is_false(meets("a", "a:443", "http"))
    assert.is_true(meets("a", "a:80", "http"))
  end)

  it("are asked for before the page: one who rebinds a name has an Origin that fits it", function()
    assert.is_false(may("http://evil.example", { hosts = { "a.example" } },
      called "evil.example"))
  end)
end)

describe("rules that make no sense", function()
  it("raise, and say what is wanted", function()
    local function says(opts, pattern)
      local ok, err = pcall(options, opts)
      assert.is_false(ok)
      assert.truthy(tostring(err):find(pattern, 1, true), tostring(err))
    end
    says({ origins = 1 },
      'handler: origins must be "*", an origin, a list of them or a function, not 1')
    says({ origins = { "example.com" } }, 'handler: origins[1] must be an origin such as')
    says({ origins = { "http://a", "http://*" } }, "origins[2]")
    says({ origins = { "http://*x.example" } }, "origins[1]")
    says({ origins = { "http://a.*.example" } }, "origins[1]")
    says({ origins = { "http://*.*.example" } }, "origins[1]")
    says({ origins = { "http://*." } }, "origins[1]")
    says({ origins = { "http://a/" } }, "origins[1]")
    says({ origins = { 1 } }, "origins[1] must be a string, not 1")
    says({ origins = { nil, "*" } }, "origins must be a list without holes")
    says({ hosts = 1 }, "handler: hosts must be a list")
    says({ hosts = { "*" } }, "hosts[1] must be a host such as")
    says({ hosts = { "http://a" } }, "hosts[1]")
    says({ hosts = { "a:b" } }, "hosts[1]")
  end)
end)
