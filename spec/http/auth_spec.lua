local auth = require "green.http.auth"
local digest = require "green.digest"
local green = require "green"
local peers = require "spec.support.http_peers"
local program = require "spec.support.program"
local testing = require "green.testing"
local wsgi = require "green.wsgi"

local _, it_real = testing.busted()

local function request(target, more)
  local r = { method = "GET", target = target or "/", origin = "http://h.test", attempt = 1 }
  for name, value in pairs(more or {}) do
    r[name] = value
  end
  return r
end

local function params_of(header)
  assert(header:find "^Digest ")
  return assert(require("green.http.challenge").params(header:sub(8)))
end

local function md5(text) return digest.hex(digest.md5(text)) end
local function sha256(text) return digest.hex(digest.sha256(text)) end

-- -- A server that knows joe ------------------------------------------------------

--- What response the server expects.
local function expected(hash, p, method, secret, is_session)
  local a1 = hash("joe:" .. p.realm .. ":" .. secret)
  if is_session then
    a1 = hash(a1 .. ":" .. p.nonce .. ":" .. p.cnonce)
  end
  local a2 = hash(method .. ":" .. p.uri)
  if not p.qop then
    return hash(a1 .. ":" .. p.nonce .. ":" .. a2)
  end
  return hash(table.concat({ a1, p.nonce, p.nc, p.cnonce, p.qop, a2 }, ":"))
end

--- An application that wants digest, and notes each request's parameters.
local function digest_app(algorithm, hash, seen)
  return function(env)
    local header = env.HTTP_AUTHORIZATION
    local p = header and params_of(header)
    local query = env.QUERY_STRING or ""
    local target = env.PATH_INFO .. (query ~= "" and "?" .. query or "")
    seen[#seen + 1] = p or false
    if p and p.uri == target and (p.username == "joe" or p.username == hash "joe:r")
      and p.response == expected(hash, p, env.REQUEST_METHOD, "secret",
        algorithm and algorithm:lower():find "sess") then
      return 200, nil, "welcome"
    end
    return 401, { { "WWW-Authenticate", ('Basic realm="r", Digest realm="r", nonce="abc%d", '
      .. 'opaque="o\\"p", qop="auth,auth-int", userhash=%s%s'):format(#seen,
      algorithm == "SHA-256" and "true" or "false",
      algorithm and ", algorithm=" .. algorithm or "") } }, "no"
  end
end

local function with_server(app, body)
  local server = assert(wsgi.new("127.0.0.1:0", app, { access_log = false }))
  local thread = green.spawn(server.serve_forever, server)
  local ok, err = pcall(body, server.port)
  server:stop()
  thread:wait()
  if not ok then
    error(err, 0)
  end
end

describe("green.http.auth", function()
  describe("basic", function()
    it("sends the bytes of name and password", function()
      assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        auth.basic("Aladdin", "open sesame"):header(request()))
      assert.equal("Basic dGVzdDoxMjPCow==", auth.basic("test", "123£"):header(request()))
      assert.equal("Basic Og==", auth.basic("", ""):header(request()))
      assert.equal("Basic dTphOmI=", auth.basic("u", "a:b"):header(request()))
    end)

    it("gives up when that is refused", function()
      assert.is_false(auth.basic("u", "p"):challenged(request(), { 'Basic realm="x"' }))
    end)

    it("refuses a colon in the name and control characters, and shows nothing", function()
      for _, given in ipairs { { "a:secret", "p" }, { "a", "secret\n" }, { "secret\0", "p" },
        { "a", 5 }, { { "secret" }, "p" } } do
        local ok, err = pcall(auth.basic, given[1], given[2])
        assert.is_false(ok)
        assert.matches("auth.basic: ", err)
        assert.is_nil(err:find("secret", 1, true))
      end
    end)
  end)

  describe("bearer", function()
    it("sends the token", function()
      assert.equal("Bearer mF_9.B5f-4.1JqM", auth.bearer("mF_9.B5f-4.1JqM"):header(request()))
    end)

    it("refuses what is none, and does not show it", function()
      for _, token in ipairs { "", "sec ret", "secret\r\n", "=secret", "sec\"ret" } do
        local ok, err = pcall(auth.bearer, token)
        assert.is_false(ok)
        assert.matches("auth.bearer: token", err)
        assert.is_nil(err:find("sec", 1, true))
      end
    end)
  end)

  describe("custom", function()
    it("asks the function each time", function()
      local n = 0
      local own = auth.custom(function(r)
        n = n + 1
        return n < 3 and r.method .. " " .. n or nil
      end)
      assert.equal("GET 1", own:header(request()))
      assert.equal("GET 2", own:header(request()))
      assert.is_nil(own:header(request()))
    end)

    it("refuses a value that would be two headers, and does not show it", function()
      for _, value in ipairs { "secret\r\nX: y", "secret\0", 5, false } do
        local own = auth.custom(function() return value end)
        local ok, err = pcall(own.header, own, request())
        assert.is_false(ok)
        assert.equal("auth: the function must return a string without CR, LF and NUL, or nil", err)
      end
    end)
  end)

  describe("option", function()
    it("takes what there is", function()
      local own = auth.digest("u", "p")
      assert.equal(own, auth.option(own, "get"))
      assert.is_nil(auth.option(nil, "get"))
      assert.equal("basic", auth.option({ "u", "p" }, "get").kind)
      assert.equal("custom", auth.option(print, "get").kind)
    end)

    it("raises for anything else, and does not show it", function()
      for _, value in ipairs { "secret", { "secret" }, { user = "secret" }, 5,
        { "u", "p", "secret" } } do
        local ok, err = pcall(auth.option, value, "get")
        assert.is_false(ok)
        assert.matches("get: auth must be { user, password }, a function, or what", err)
        assert.is_nil(err:find("secret", 1, true))
      end
    end)
  end)

  it("prints and shows no secret", function()
    for _, own in ipairs { auth.basic("u", "secret"), auth.digest("u", "secret"),
      auth.bearer "secret" } do
      assert.equal(("green.http.auth{%s}"):format(own.kind), tostring(own))
      local seen = {}
      local function look(value)
        if type(value) == "table" and not seen[value] then
          seen[value] = true
          for key, field in pairs(value) do
            look(key)
            look(field)
          end
        elseif type(value) == "string" then
          assert.is_nil(value:find("secret", 1, true))
        end
      end
      look(own)
    end
  end)

  describe("digest", function()
    local RFC = 'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, '
      .. 'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
      .. 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'

    local function answer(own, texts, target, more)
      local r = request(target, more)
      assert.is_true(own:challenged(r, texts))
      return params_of(own:header(r))
    end

    it("sends nothing until it is asked", function()
      assert.is_nil(auth.digest("u", "p"):header(request()))
    end)

    it("answers as RFC 7616 has it", function()
      for algorithm, hash in pairs { MD5 = md5, ["SHA-256"] = sha256 } do
        local own = auth.digest("Mufasa", "Circle of Life")
        local p = answer(own, { RFC:format(algorithm) }, "/dir/index.html")
        assert.equal("Mufasa", p.username)
        assert.equal("/dir/index.html", p.uri)
        assert.equal("auth", p.qop)
        assert.equal("00000001", p.nc)
        assert.equal(algorithm, p.algorithm)
        assert.equal("FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", p.opaque)
        assert.is_nil(p.userhash)
        assert.matches("^%x+$", p.cnonce)
        assert.equal(32, #p.cnonce)
        assert.equal(hash(hash "Mufasa:http-auth@example.org:Circle of Life" .. ":" .. p.nonce
          .. ":00000001:" .. p.cnonce .. ":auth:" .. hash "GET:/dir/index.html"), p.response)
      end
    end)

    it("answers with the RFC's own numbers", function()
      local own = auth.digest("Mufasa", "Circle of Life")
      local random = digest.random
      digest.random = function() -- the cnonce of the RFC's example is no hexadecimal text
        return "x"
      end
      local hex = digest.hex
      digest.hex = function(bytes)
        return bytes == "x" and "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ" or hex(bytes)
      end
      local ok, failure = pcall(function()
        local p = answer(own, { RFC:format "MD5" }, "/dir/index.html")
        assert.equal("8ca523f5e9506fed4657c9700eebdbec", p.response)
        p = answer(own, { RFC:format "SHA-256" }, "/dir/index.html")
        assert.equal("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", p.response)
      end)
      digest.random, digest.hex = random, hex
      assert(ok, failure)
    end)

    it("counts the uses of a nonce, for each server apart", function()
      local own = auth.digest("u", "p")
      answer(own, { RFC:format "MD5" })
      for i = 2, 20 do
        assert.equal(("%08x"):format(i), params_of(own:header(request())).nc)
      end
      assert.is_nil(own:header(request("/", { origin = "http://other.test" })))
      assert.equal("00000001", answer(own, { 'Digest realm="r", nonce="n", qop="auth"' }, "/",
        { origin = "http://other.test" }).nc)
      assert.equal("00000015", params_of(own:header(request())).nc)
    end)

    it("takes the first challenge that it can answer", function()
      local own = auth.digest("u", "p")
      local p = answer(own, { 'Basic realm="b", Digest realm="r", nonce="1", algorithm=SHA-512-256',
        'Digest realm="r", nonce="2", qop="auth-int"', 'Digest realm="r", qop="auth"',
        'Digest realm="r", nonce="4", qop="auth", algorithm=SHA-256, Digest realm="r", nonce="5"' })
      assert.equal("4", p.nonce)
      for _, text in ipairs { 'Basic realm="b"', 'Digest realm="r", nonce="n", qop="auth-int"',
        'Digest realm="r", nonce="n", algorithm=X', 'Digest nonce="n"', 'Digest realm="r"' } do
        assert.is_false(auth.digest("u", "p"):challenged(request(), { text }), text)
      end
    end)

    it("is told when a challenge is malformed", function()
      local again, err = auth.digest("u", "p"):challenged(request(), { 'Digest realm="r' })
      assert.is_false(again)
      assert.equal("EPROTO", err.code)
    end)

    it("answers again when the nonce was too old, not when the password was wrong", function()
      local own = auth.digest("u", "p")
      local fresh = 'Digest realm="r", nonce="%s", qop="auth"%s'
      answer(own, { fresh:format("1", "") })
      local sent = own:header(request())
      assert.is_true(own:challenged(request("/", { sent = sent }),
        { fresh:format("2", ", stale=TRUE") }))
      assert.equal("00000001", params_of(own:header(request())).nc)
      assert.equal("2", params_of(own:header(request())).nonce)
      assert.is_false(own:challenged(request("/", { sent = sent }), { fresh:format("3", "") }))
      assert.is_true(own:challenged(request("/", { sent = sent }),
        { 'Digest realm="other", nonce="4", qop="auth"' }))
    end)

    it("does not go on for ever with a server that does", function()
      local own, n = auth.digest("u", "p"), 0
      repeat
        n = n + 1
        local r = request("/", { attempt = n, sent = own:header(request()) })
      until not own:challenged(r, { 'Digest realm="r", nonce="n", qop="auth", stale=true' })
      assert.equal(4, n)
    end)

    it("takes the next nonce when it is given one", function()
      local own = auth.digest("u", "p")
      local p = answer(own, { 'Digest realm="r", nonce="1", qop="auth"' })
      own:answered(request(), 'rspauth="x", nextnonce="2"')
      local q = params_of(own:header(request()))
      assert.equal("2", q.nonce)
      assert.equal("00000001", q.nc)
      assert.is_true(p.cnonce ~= q.cnonce)
      own:answered(request(), 'nextnonce="')
      own:answered(request(), "")
      assert.equal("00000002", params_of(own:header(request())).nc)
    end)

    it("hides the name where the server wants that", function()
      local own = auth.digest("Jäsøn Doe", "Secret, or not?")
      local p = answer(own, { 'Digest realm="api@example.org", qop="auth", algorithm=SHA-256, '
        .. 'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCi'
        .. 'GPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true' }, "/doe.json")
      assert.equal(sha256 "Jäsøn Doe:api@example.org", p.username)
      assert.equal("true", p.userhash)
    end)

    it("quotes what has quotes in it", function()
      local own = auth.digest([[a"b\c]], "p")
      local p = answer(own, { [[Digest realm="r\"s", nonce="n\\m", qop="auth"]] })
      assert.same({ [[a"b\c]], [[r"s]], [[n\m]] }, { p.username, p.realm, p.nonce })
    end)

    for _, case in ipairs { { nil, md5 }, { "MD5", md5 }, { "MD5-sess", md5 },
      { "SHA-256", sha256 }, { "SHA-256-sess", sha256 } } do
      local algorithm, hash = case[1], case[2]
      local title = algorithm or "no algorithm"

      it_real("is what a server expects: " .. title, function()
        local seen = {}
        with_server(digest_app(algorithm, hash, seen), function(port)
          local own = auth.digest("joe", "secret")
          for i, target in ipairs { "/a", "/b?x=1", "/c" } do
            local status, sent = peers.fetch(port, own, target)
            assert.equal(200, status)
            assert.equal(i == 1 and 2 or 1, sent)
            assert.equal(("%08x"):format(i), seen[#seen].nc)
          end
          local status, sent = peers.fetch(port, auth.digest("joe", "wrong"), "/")
          assert.equal(401, status)
          assert.equal(2, sent)
        end)
      end)

      it_real("and so that server lets curl in: " .. title, function()
        local seen = {}
        with_server(digest_app(algorithm, hash, seen), function(port)
          local function curl(password)
            local at = program.file ""
            local shell = ("curl -s --digest -u joe:%s http://127.0.0.1:%d/x?y=z >%s"):format(
              password, port, at)
            local child = program.start { "sh", "-c", shell }
            repeat
              green.sleep(0.02) -- between two looks at the child
            until child:poll()
            child:close()
            local file = assert(io.open(at))
            local text = file:read "*a"
            file:close()
            os.remove(at)
            return text
          end
          assert.equal("welcome", curl "secret")
          assert.equal("no", curl "wrong")
        end)
      end)
    end
  end)
end)
