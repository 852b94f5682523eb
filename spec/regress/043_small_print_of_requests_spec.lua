-- What HTTP asks for in its small print: answers to HEAD, 100 Continue, stray line ends,
-- early answers; and what an env says of a request, whichever way it is asked.

local testing = require "green.testing"
local wsgi = require "green.wsgi"

local http = dofile("spec/support/http.lua")
local kit = dofile("spec/support/wsgi_kit.lua")
local virtual_it, it = testing.busted()
local timed_it, advance = http.its(virtual_it, testing.advance), testing.advance

local function plain()
  return 200, nil, "hello"
end

describe("a HEAD that is refused", function()
  local heads = {
    [400] = "HEAD / HTTP/1.1\r\n\r\n",
    [413] = "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n",
    [414] = "HEAD /" .. ("x"):rep(9000) .. " HTTP/1.1\r\n",
    [417] = "HEAD / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n",
    [431] = "HEAD / HTTP/1.1\r\nHost: a\r\nX: " .. ("x"):rep(9000) .. "\r\n\r\n",
    [501] = "HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    [505] = "HEAD / HTTP/2.0\r\n\r\n",
  }
  for status, head in pairs(heads) do
    it("with " .. status .. " has no body", function()
      kit.with(plain, function(client)
        local answer = client:raw(head)
        assert.equal(tostring(status), answer:match("^HTTP/1.1 (%d+)"))
        assert.equal("", answer:match("\r\n\r\n(.*)$"))
        assert.truthy(client:raw((head:gsub("^HEAD", "GET"))):match("\r\n\r\n.+$"))
      end)
    end)
  end

  timed_it("with 408 has none", function(serve)
    local conn = serve(plain, { header_timeout = 1 }):connect("HEAD / HTTP/1.1\r\nHost: a\r\n")
    testing.settle()
    advance(2)
    local answer = conn:read_all()
    assert.truthy(answer:find("^HTTP/1.1 408 "))
    assert.equal("", answer:match("\r\n\r\n(.*)$"))
  end)
end)

describe("100 Continue", function()
  local expects = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
    .. "Connection: close\r\n\r\n"

  for capitalize, name in pairs { [true] = "X-Go-On", [false] = "x-go-on" } do
    it("has its names as capitalize_response_headers says: " .. name, function()
      kit.with(function(env)
        env.input:set_hundred_continue_response_headers { { "x-go-on", "yes please" } }
        return 200, { ["x-other-name"] = "1" }, env.input:read()
      end, { capitalize_response_headers = capitalize }, function(client)
        local conn = client:connect(expects)
        local head = conn:read_until("\r\n\r\n")
        conn:write("ab")
        local rest = conn:read_all()
        conn:close()
        assert.equal("HTTP/1.1 100 Continue\r\n" .. name .. ": yes please", head)
        assert.truthy(rest:find(capitalize and "X-Other-Name" or "x-other-name", 1, true))
      end)
    end)
  end

  it("that is not sent is not told to be", function()
    local said = {}
    kit.with(function(env)
      said[1] = env.input:send_hundred_continue_response()
      said[2] = env.input:send_hundred_continue_response()
      local text = env.input:read()
      said[3] = env.input:send_hundred_continue_response()
      return 200, nil, text
    end, function(client)
      client:get("/", nil, "ab")
      assert.same({ false, false, false }, said)
      local conn = client:connect(expects)
      conn:read_until("\r\n\r\n")
      conn:write("ab")
      conn:read_all()
      conn:close()
      assert.same({ true, true, false }, said)
    end)
  end)
end)

describe("a CRLF behind a request", function()
  --- What comes to a client who sends that behind an answered request, when the time
  -- for a next one is over.
  local function last_words(serve, behind, together)
    local first = http.get "/"
    local server = serve(plain, { keepalive = 20, header_timeout = 5 })
    local conn = server:connect(together and first .. behind or first)
    kit.read_answer(conn)
    if not together then conn:write(behind) end
    testing.settle()
    advance(15)
    local open = server.server:stats().connections
    advance(10)
    return conn:read_all() or "", open, server.server:stats().refused
  end

  for _, together in ipairs { true, false } do
    timed_it("is none that comes too slowly" .. (together and ", sent with it" or ""),
      function(serve)
        assert.same({ "", 1, 0 }, { last_words(serve, "\r\n", together) })
        assert.equal("", (last_words(serve, "\r", together)))
        assert.truthy(last_words(serve, "G", together):find("^HTTP/1.1 408 "))
        assert.truthy(last_words(serve, "\r\nG", together):find("^HTTP/1.1 408 "))
      end)
  end

  it("is not followed by a second one, however they are cut", function()
    kit.with(plain, function(client)
      local get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      local all = { [get] = 200, ["\r\n" .. get] = 200, ["\r\n\r\n" .. get] = 400 }
      for bytes, status in pairs(all) do
        for cut = 0, 5 do
          local conn = client:connect("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
          kit.read_answer(conn)
          conn:write(bytes:sub(1, cut))
          testing.settle()
          conn:write(bytes:sub(cut + 1))
          assert.equal(status, (kit.parse(conn:read_all())), bytes:sub(1, 5) .. cut)
          conn:close()
        end
      end
    end)
  end)
end)

describe("an early answer to a body", function()
  local post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

  --- What comes for a body that nobody reads, and whether the connection stays.
  local function early(app, body)
    local answer
    kit.with(app, function(client)
      local conn = client:connect(post .. body)
      testing.settle()
      conn:write(http.get "/2")
      conn:shutdown("write")
      answer = conn:read_all() or ""
      conn:close()
    end)
    return answer
  end

  it("says that the connection ends, where the body's framing is bad", function()
    local bad = { "zz\r\n", "3\r\nabcd\r\n", "3\r\nabc\r\n3\r\nabc\r\nx\r\n",
      "0\r\nbad field\r\n\r\n" }
    for _, body in ipairs(bad) do
      local answer = early(plain, body)
      assert.equal(1, http.count(answer, "HTTP/1.1 200"), body)
      assert.truthy(answer:find("\r\nConnection: close\r\n", 1, true), body)
    end
  end)

  it("says so, too, when the handler has read a part of it", function()
    local answer = early(function(env)
      return 200, nil, env.input:read_some(1)
    end, "3\r\nabc\r\n3\r\nabcd\r\n")
    assert.truthy(answer:find("\r\nConnection: close\r\n", 1, true))
  end)

  it("keeps the connection where the body is good, and leaves it to be read", function()
    local read = "nothing"
    local answer = early(function(env)
      if env.PATH_INFO == "/2" then
        return 200, nil, "two"
      end
      local calls = 0
      return 200, nil, function()
        calls = calls + 1
        if calls == 2 then
          read = env.input:read()
        end
        return calls < 3 and "piece" or nil
      end
    end, "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
    assert.equal("abcdef", read)
    assert.equal(2, http.count(answer, "HTTP/1.1 200"))
    assert.is_nil(answer:find("Connection: close", 1, true))
  end)
end)

describe("an env", function()
  local requests = {
    "GET /a%20b?q HTTP/1.1\r\nHost: a:80\r\n",
    "GET http://user.example:81/x HTTP/1.1\r\nHost: other\r\n",
    "GET http://absolute.example/ HTTP/1.0\r\n",
    "GET / HTTP/1.0\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nX_A: 3\r\nProxy: p\r\nCookie: a\r\n"
      .. "Cookie: b\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Type: t/x\r\nX.~Y: 1\r\n",
  }
  for _, wsapi in ipairs { false, true } do
    it("says the same by fill and by plain reads" .. (wsapi and ", for WSAPI" or ""), function()
      local filled, keys = nil, nil
      kit.with(function(env)
        if env.PATH_INFO == "/take" then
          return 200
        elseif not filled then
          filled, keys = {}, {}
          for key, value in pairs(wsgi.fill(env)) do
            filled[key] = value
            keys[key] = true
          end
        else
          for key in pairs(keys) do
            local value = env[key]
            if type(value) ~= "function" and type(value) ~= "table" and key ~= "REMOTE_PORT"
              and key ~= "green.connection" then
              assert(value == filled[key], key .. " is " .. tostring(value))
            end
            assert(type(value) == type(filled[key]), key)
          end
          for _, key in ipairs { "HTTP_HOST", "QUERY_STRING", "CONTENT_LENGTH", "HTTP_X_A",
            "HTTP_PROXY", "HTTP_CONTENT_TYPE", "CONTENT_TYPE", "PATH_INFO" } do
            assert((filled[key] or "") == (env[key] or ""), key .. " is " .. tostring(env[key]))
          end
          filled = nil
        end
        return 200, nil, "same"
      end, { wsapi = wsapi }, function(client)
        for _, request in ipairs(requests) do
          for _ = 1, 2 do
            assert.equal("same", (select(3, kit.parse(
              client:raw(request .. "Connection: close\r\n\r\n")))), request)
          end
        end
      end)
    end)
  end

  it("shows keys that are strings, and no others", function()
    local others = {}
    kit.with(function(env)
      local input = env.input
      assert(input == env["wsgi.input"] and input == env["green.input"])
      for key in pairs(wsgi.fill(env)) do
        if type(key) ~= "string" then others[#others + 1] = tostring(key) end
      end
      return 200, nil, "seen"
    end, { handler_timeout = 10, environ = { MORE = "1" } }, function(client)
      assert.equal("seen", (select(3, client:get("/"))))
      assert.same({}, others)
    end)
  end)

  it("that was copied by pairs can still take the connection over", function()
    kit.with(function(env)
      local copy = {}
      for key, value in pairs(env) do copy[key] = value end
      local stream = assert(wsgi.take_over(setmetatable(copy, getmetatable(env))))
      stream:write("mine")
      stream:close()
    end, { handler_timeout = 10 }, function(client)
      assert.equal("mine", client:raw("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    end)
  end)
end)
