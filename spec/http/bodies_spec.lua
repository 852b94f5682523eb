-- Bodies of green.http: kinds that are sent, codings, files, JSON; and handlers that are called
-- without a network.

local digest = require "green.digest"
local green = require "green"
local http = require "green.http"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local kit_raw = dofile("spec/support/http_client.lua")
local it_virtual, it_real = testing.busted()
local it = kit.its(it_real)

local function with_session(opts, fn)
  local session = http.session(opts)
  local ok, err = pcall(fn, session)
  session:close()
  if not ok then
    error(err, 0)
  end
end

local function url_of(server, path)
  return "http://127.0.0.1:" .. server.port .. (path or "/")
end

local function with_file(text, fn)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, err = pcall(fn, path)
  os.remove(path)
  if not ok then
    error(err, 0)
  end
end

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local TEXT = ("all work and no play "):rep(20000)

local function packed(command)
  local result
  with_file(TEXT, function(path)
    result = program.run { "sh", "-c", command .. " <" .. path }.out
  end)
  return result
end

describe("green.http", function()
  it("sends files, streams and functions", function(serve)
    local server = serve(function(env)
      return 200, nil, (env.CONTENT_LENGTH or env.HTTP_TRANSFER_ENCODING) .. " "
        .. digest.md5(env.input:read() or "")
    end)
    with_session({}, function(session)
      local function post(body)
        return assert(session:post(url_of(server), { body = body })):text()
      end
      with_file(TEXT, function(path)
        local file = assert(io.open(path, "rb"))
        assert.equal(#TEXT .. " " .. digest.md5(TEXT), post(file))
        file:seek("set", 10)
        assert.equal(#TEXT - 10 .. " " .. digest.md5(TEXT:sub(11)), post(file))
        file:close()
      end)
      local ours, theirs = socket.pair()
      theirs:write(("z"):rep(1000))
      theirs:close()
      assert.equal("chunked " .. digest.md5(("z"):rep(1000)), post(ours))
      ours:close()
      assert.equal("5 " .. digest.md5("12345"), assert(session:post(url_of(server), {
        headers = { ["Content-Length"] = 5 }, body = coroutine.wrap(function()
          coroutine.yield("123")
          coroutine.yield("")
          coroutine.yield("45")
        end) })):text())
    end)
  end)

  it("raises what a body's function raises, and when it gives too much or too little",
    function(serve)
      local server = serve(function() return 200, nil, "x" end)
      with_session({}, function(session)
        local function post(fn)
          return pcall(session.post, session, url_of(server), {
            headers = { ["Content-Length"] = 5 }, body = fn })
        end
        assert.same({ false, "mine" }, { post(function() error("mine", 0) end) })
        assert.matches("fewer bytes", select(2, post(function() end)))
        assert.matches("more bytes", select(2, post(function() return "1234567" end)))
        assert.equal(0, session:stats().open)
      end)
    end)

  for name, command in pairs { gzip = "gzip -c", br = "brotli -c", deflate =
    "python3 -c 'import sys,zlib;sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read()))'"
  } do
    it("decodes " .. name .. ", whole and in pieces", function(serve)
      local coded = packed(command)
      local asked
      local server = serve(function(env)
        asked = env.HTTP_ACCEPT_ENCODING
        local body = env.PATH_INFO == "/cut" and coded:sub(1, -10) or coded
        return 200, { ["content-encoding"] = name }, body
      end)
      with_session({}, function(session)
        assert.equal(TEXT, assert(session:get(url_of(server))):text())
        assert.truthy(asked:find(name, 1, true))
        local n = 0
        for piece in assert(session:get(url_of(server), { stream = true })):chunks(1000) do
          assert.is_true(#piece <= 1000)
          n = n + #piece
        end
        assert.equal(#TEXT, n)
        assert.equal(coded, session:get(url_of(server), { decompress = false }):text())
        local resp, err = session:get(url_of(server, "/cut"), { stream = true })
        assert.is_nil(err)
        resp, err = resp:text()
        assert.is_nil(resp)
        assert.equal("EEOF", err.code)
        assert.equal("body", err.phase)
        resp, err = session:get(url_of(server), { max_body = 1000 })
        assert.is_nil(resp)
        assert.equal("ETOOBIG", err.code)
      end)
    end)
  end

  it("refuses a body that is no gzip", function(serve)
    local server = serve(function()
      return 200, { ["content-encoding"] = "gzip" }, "no gzip at all"
    end)
    with_session({}, function(session)
      local resp, err = session:get(url_of(server))
      assert.is_nil(resp)
      assert.equal("EPROTO", err.code)
      assert.equal("body", err.phase)
    end)
  end)

  it("gives the trailers that were asked for", function(serve)
    local head, asked
    local raw = kit_raw.serve(function(conn)
      while true do
        head = kit_raw.read_head(conn)
        if not head then
          return
        end
        asked = head:match("\r\nTE: ([^\r]*)")
        conn:write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n",
          "3\r\nabc\r\n0\r\nX-Sum:  12 \r\nx-sum: 34\r\nX-Empty:\r\nContent-Le")
        green.sleep(0)
        conn:write("ngth: 7\r\nSet-Cookie: a=b\r\nHost: x\r\n\r\n")
      end
    end)
    with_session({}, function(session)
      local resp = assert(session:get(raw.url, { trailers = true, stream = true }))
      assert.equal("trailers", asked)
      assert.matches("\r\nConnection: TE\r\n", head)
      assert.is_nil(resp.trailers)
      assert.equal("abc", resp:text())
      assert.equal("12, 34", resp.trailers["x-sum"])
      local names = {}
      for name, value in resp.trailers:each() do
        names[#names + 1] = name .. "=" .. value
      end
      assert.same({ "X-Sum=12", "x-sum=34", "X-Empty=" }, names)
      resp = assert(session:get(raw.url))
      assert.equal("abc", resp:text())
      assert.is_nil(resp.trailers)
      assert.is_nil(asked)
      assert.equal(1, session:stats().idle)
      resp = assert(session:get(raw.url, { trailers = true, headers = { Connection = "close" } }))
      assert.equal("12", resp.trailers:all("x-sum")[1])
      assert.is_nil(asked)
    end)
    raw.close()
    local server = serve(function() return 200, nil, "plain" end)
    with_session({ trailers = true }, function(session)
      for _ = 1, 3 do
        local resp = assert(session:get(url_of(server)))
        assert.equal("plain", resp:text())
        assert.is_nil(resp.trailers:get "x-sum")
        assert.same({}, resp.trailers:all "x-sum")
      end
      assert.is_not_nil(session:head(url_of(server)).trailers)
    end)
  end)

  it("reads and sends JSON", function(serve)
    local server = serve(function(env)
      return 200, { ["content-type"] = env.CONTENT_TYPE }, env.input:read() or "{"
    end)
    with_session({}, function(session)
      local resp = assert(session:post(url_of(server), { json = { a = { 1, 2 } } }))
      assert.equal("application/json", resp.headers.content_type)
      assert.same({ a = { 1, 2 } }, resp:json())
      local _, err = session:get(url_of(server), { headers = { ["Content-Type"] = "x" } }):json()
      assert.equal("EPROTO", err.code)
    end)
  end)

  it("checks the status", function(serve)
    local server = serve(function() return "418 Teapot", nil, "short" end)
    with_session({}, function(session)
      local resp, err = session:get(url_of(server)):check()
      assert.is_nil(resp)
      assert.equal("EHTTPSTATUS", err.code)
      assert.equal(418, err.status)
      assert.equal("short", err.response:text())
      assert.matches("the server answered 418 Teapot", tostring(err))
    end)
  end)

  it("saves a body, and goes on where a file ends", function(serve)
    local ranges = {}
    local server = serve(function(env)
      local from = (env.HTTP_RANGE or ""):match("^bytes=(%d+)%-$")
      ranges[#ranges + 1] = env.HTTP_RANGE or "-"
      if from and env.HTTP_IF_RANGE == '"v1"' then
        return 206, { etag = '"v1"', ["content-range"] = ("bytes %d-%d/%d"):format(from,
          #TEXT - 1, #TEXT) }, TEXT:sub(from + 1)
      end
      return 200, { etag = '"v1"' }, TEXT
    end)
    with_session({}, function(session)
      with_file("", function(path)
        assert.is_true(session:get(url_of(server)):save(path))
        assert.equal(TEXT, read_file(path))
        assert.is_true(session:get(url_of(server)):save(path, { resume = true }))
        assert.same({ "-", "-" }, ranges)
      end)
      with_file(TEXT:sub(1, 1000), function(path)
        assert.is_true(session:get(url_of(server)):save(path, { resume = true }))
        assert.equal(TEXT, read_file(path))
        assert.same({ "-", "-", "-", "bytes=1000-" }, ranges)
      end)
      local ok, err = session:get(url_of(server)):save("/no/such/folder/x")
      assert.is_nil(ok)
      assert.equal("ENOENT", err.code)
    end)
  end)

  it("goes on with no file with what is no answer to that", function(serve)
    local answer
    local session = http.session()
    local server = serve(function() return answer[1], answer[2], "a page" end)
    local function fails(path, code)
      local ok, err = session:get(url_of(server)):save(path, { resume = true })
      assert.is_nil(ok)
      assert.equal(code, err.code)
      assert.equal(answer[1], err.status)
    end
    with_file(TEXT:sub(1, 1000), function(path)
      for code, answers in pairs {
        EHTTPSTATUS = { { 404, {} }, { 404, { etag = '"v1"' } }, { 416, {} }, { 500, {} } },
        EPROTO = { { 206, { ["content-range"] = "bytes 7-12/13" } }, { 206, {} }, { 202, {} } },
      } do
        for i = 1, #answers do
          answer = answers[i]
          fails(path, code)
          assert.equal(TEXT:sub(1, 1000), read_file(path))
        end
      end
      os.remove(path)
      answer = { 404, {} }
      fails(path, "EHTTPSTATUS")
      assert.is_nil(io.open(path))
      answer = { 203, {} }
      assert.is_true(session:get(url_of(server)):save(path, { resume = true }))
      assert.equal("a page", read_file(path))
    end)
    session:close()
  end)

  it("says so when the rest that it gets does not fit to a file", function(serve)
    local rest = { 206, { etag = '"v1"', ["content-range"] = "bytes 7-9/10" }, "789" }
    local server = serve(function(env)
      if env.HTTP_RANGE then
        return rest[1], rest[2], rest[3]
      end
      return 200, { etag = '"v1"' }, TEXT
    end)
    with_session({}, function(session)
      with_file(TEXT:sub(1, 1000), function(path)
        for _ = 1, 2 do
          local ok, err = session:get(url_of(server)):save(path, { resume = true })
          assert.is_nil(ok)
          assert.equal("EPROTO", err.code)
          assert.equal(rest[1], err.status)
          assert.equal(TEXT:sub(1, 1000), read_file(path))
          rest = { 204, {} }
        end
      end)
    end)
  end)

  it_virtual("calls a handler without a network", function()
    local session = http.session { base_url = "https://shop.test/api/", app = function(env)
      if env.PATH_INFO == "/api/old" then
        return 301, { Location = "new?a=1" }
      end
      return 201, { ["Content-Type"] = "text/plain", ["X-A"] = { "1", "2" } }, { env.REQUEST_METHOD,
        " ", env.PATH_INFO, "?", env.QUERY_STRING or "", " ", env.HTTP_HOST, " ",
        env.HTTP_X_B or "-", " ", env.input:read() or "-" }
    end }
    local resp = assert(session:post("things", { body = "b", headers = { ["X-B"] = "c" } }))
    assert.equal(201, resp.status)
    assert.same({ "1", "2" }, resp.headers:all "x-a")
    assert.equal("POST /api/things? shop.test c b", resp:text())
    assert.equal("GET /api/new?a=1 shop.test - -", session:get("old"):text())
    assert.equal("", session:head("x"):text())
    assert.has_error(function()
      http.session({ app = function() error("mine", 0) end }):get("http://x/")
    end, "mine")
  end)
end)
