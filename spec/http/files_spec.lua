-- green.http: files as bodies of requests, which the system sends past us.

local certs = require "spec.support.certs"
local digest = require "green.digest"
local green = require "green"
local http = require "green.http"
local testing = require "green.testing"

local kit = dofile("spec/support/http.lua")
local raw_kit = dofile("spec/support/http_client.lua")
local _, it_real = testing.busted()

-- Its length is no multiple of a page: what is lost or twice there shows.
local block = {}
for i = 1, 8190 do
  block[i] = ("%08x"):format(i * 2654435761 % 2 ^ 32)
end
block = table.concat(block) .. "!"

local function text_of(size)
  return block:rep(math.ceil(size / #block)):sub(1, size)
end

--- fn(file, path) with an open file of that text. `mode`: how it is opened.
local function with_file(text, fn, mode)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  file = assert(io.open(path, mode or "rb"))
  local ok, err = pcall(fn, file, path)
  if io.type(file) == "file" then
    file:close()
  end
  os.remove(path)
  if not ok then
    error(err, 0)
  end
end

--- How often fn() reads from files.
local function reads(fn)
  local methods, n = debug.getmetatable(io.stdout).__index, 0
  local read = methods.read
  function methods.read(...)
    n = n + 1
    return read(...)
  end
  local ok, err = pcall(fn)
  methods.read = read
  if not ok then
    error(err, 0)
  end
  return n
end

--- How long the body was, and what.
local function digested(env)
  local text = env.input:read() or ""
  return 200, nil, (env.CONTENT_LENGTH or "-") .. " " .. #text .. " " .. digest.md5(text)
end

local function expected(text)
  return #text .. " " .. #text .. " " .. digest.md5(text)
end

--- A server of connections that says so, and a session.
local function with_server(fn, body)
  local server, session = raw_kit.serve(fn), http.session()
  local ok, err = pcall(body, server, session)
  session:close()
  server.close()
  if not ok then
    error(err, 0)
  end
end

describe("green.http: files as bodies", function()
  local its = kit.its(it_real)

  --- An `it` whose body gets a function that serves, and a session.
  local function it(title, fn)
    its(title, function(serve)
      local session = http.session()
      local ok, err = pcall(fn, serve, session)
      session:close()
      if not ok then
        error(err, 0)
      end
    end)
  end

  it("are sent by the system, of any length, from where they stand", function(serve, session)
    local url = "http://127.0.0.1:" .. serve(digested).port .. "/"
    for _, size in ipairs { 0, 1, 65536, 65537, 262145, 3000000 } do
      local text = text_of(size)
      with_file(text, function(file)
        for _, from in ipairs { 0, 1, size - 1 } do
          if from >= 0 and from <= size then
            file:seek("set", from)
            -- One that seems to be empty is asked whether it is.
            assert.equal(size == 0 and 1 or 0, reads(function()
              local resp = assert(session:put(url, { body = file }))
              assert.equal(expected(text:sub(from + 1)), resp:text())
            end))
            assert.equal(size, file:seek())
          end
        end
      end)
    end
    assert.same({ open = 1, idle = 1, waiting = 0 }, session:stats())
  end)

  it("have what was written to them before", function(serve, session)
    local url = "http://127.0.0.1:" .. serve(digested).port .. "/"
    with_file("", function(file)
      file:write("written")
      file:seek("set", 2)
      assert.equal(expected "itten", assert(session:put(url, { body = file })):text())
    end, "w+b")
  end)

  it("are read by TLS", function(serve, session)
    local server, text = serve(digested, { tls = certs.server "a" }), text_of(300000)
    with_file(text, function(file)
      assert.equal(5, reads(function()
        assert.equal(expected(text), assert(session:put("https://127.0.0.1:" .. server.port .. "/",
          { body = file, tls = { ca = certs.path "ca.pem" } })):text())
      end))
    end)
  end)

  it("are sent again from their beginning: redirects, stale connections", function(serve, session)
    local text = text_of(400000)
    local server = serve(function(env)
      if env.PATH_INFO == "/" then
        env.input:read()
        return 307, { Location = "/there" }
      end
      return digested(env)
    end)
    local url = "http://127.0.0.1:" .. server.port
    with_file("before" .. text, function(file)
      file:seek("set", 6)
      assert.equal(expected(text), assert(session:put(url, { body = file })):text())
    end)
    with_server(function(conn, number)
      for _ = 1, number == 1 and 1 or 9 do
        local head = raw_kit.read_head(conn)
        if not head then
          return
        end
        local body = conn:read(tonumber(head:match "Length: (%d+)"))
        conn:write("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" .. digest.md5(body))
      end
    end, function(other)
      with_file("before" .. text, function(file)
        for _ = 1, 2 do
          file:seek("set", 6)
          assert.equal(digest.md5(text), assert(session:put(other.url, { body = file })):text())
        end
      end)
    end)
  end)

  -- What happens to a file when much of it has come.
  for title, case in pairs {
    ["are no longer than they were"] = { function(_, path)
      local more = assert(io.open(path, "ab"))
      more:write("more")
      more:close()
    end },
    ["raise when they become shorter"] = { function(_, path)
      io.open(path, "wb"):close()
    end, "the body has fewer bytes than its length of 20000000" },
    ["raise when they are closed"] = { function(file)
      file:close()
    end, "closed file" },
  } do
    it(title, function()
      local text = text_of(20000000)
      with_file(text, function(file, path)
        with_server(function(conn)
          raw_kit.read_head(conn)
          local got = conn:read(100000)
          case[1](file, path)
          got = got .. (conn:read(#text - #got) or "")
          conn:write("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" .. digest.md5(got))
        end, function(server, client)
          local ok, resp = pcall(client.put, client, server.url, { body = file })
          if case[2] then
            assert.is_false(ok)
            assert.matches(case[2], tostring(resp))
            assert.equal(0, client:stats().open)
          else
            assert.equal(digest.md5(text), resp:text())
          end
        end)
      end)
    end)
  end

  it("leave nothing when their time is up, or their thread is killed", function()
    local done = green.Event()
    with_server(function(conn)
      raw_kit.read_head(conn)
      conn:read(100000)
      done:wait()
    end, function(server, client)
      with_file(text_of(20000000), function(file)
        local resp, err = client:put(server.url, { body = file, timeout = 0.05 })
        assert.is_nil(resp)
        assert.equal("ETIMEDOUT", err.code)
        assert.equal("send", err.phase)
        assert.equal(0, client:stats().open)
        file:seek("set", 0)
        local thread = green.spawn(client.put, client, server.url, { body = file })
        testing.settle_io()
        thread:kill()
        assert.equal(0, client:stats().open)
      end)
      done:send(true)
    end)
  end)

  it("are cut short by an answer that makes them useless", function()
    local done = green.Event()
    with_server(function(conn)
      raw_kit.read_head(conn)
      conn:write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
      done:wait()
    end, function(server, client)
      with_file(text_of(20000000), function(file)
        local resp = assert(client:put(server.url, { body = file }))
        assert.equal(413, resp.status)
        assert.equal("big", resp:text())
        assert.equal(0, client:stats().open)
      end)
      done:send(true)
    end)
  end)

  -- A file of which the system sends the first parts alone: from the third on it cannot.
  local function sends_little(fn)
    local methods, sent = require("green.http.conn").mt.__index, 0
    local send_file = methods.send_file
    function methods.send_file(...)
      sent = sent + 1
      if sent > 2 then
        return nil
      end
      return send_file(...)
    end
    local ok, err = pcall(fn)
    methods.send_file = send_file
    if not ok then
      error(err, 0)
    end
    return sent
  end

  it("are read from where the system stops sending them", function(serve, session)
    local url, text = "http://127.0.0.1:" .. serve(digested).port .. "/", text_of(3000000)
    with_file("before" .. text, function(file)
      file:seek("set", 6)
      assert.is_true(reads(function()
        assert.equal(3, sends_little(function()
          assert.equal(expected(text), assert(session:put(url, { body = file })):text())
        end))
      end) > 10)
      assert.equal(#text + 6, file:seek())
      file:seek("set", 6) -- and the next one is sent again
      assert.equal(0, reads(function()
        assert.equal(expected(text), assert(session:put(url, { body = file })):text())
      end))
    end)
  end)

  it("that became shorter raise there, too", function(serve, session)
    local url = "http://127.0.0.1:" .. serve(digested).port .. "/"
    with_file(text_of(3000000), function(file, path)
      sends_little(function()
        local methods = debug.getmetatable(io.stdout).__index
        local read = methods.read
        function methods.read(...)
          io.open(path, "wb"):close()
          methods.read = read
          return read(...)
        end
        local ok, err = pcall(session.put, session, url, { body = file })
        methods.read = read
        assert.is_false(ok)
        assert.matches("the body has fewer bytes than its length of 3000000", tostring(err))
      end)
      assert.equal(0, session:stats().open)
    end)
  end)

  it("are sent again with retries, whole", function(serve)
    local text, calls = text_of(1000000), 0
    local server = serve(function(env)
      calls = calls + 1
      if calls < 3 then
        if calls == 2 then
          env.input:read(1000) -- and no more
        end
        return 503
      end
      return digested(env)
    end)
    local session = http.session { retries = { tries = 5, base = 0.001 } }
    with_file("before" .. text, function(file)
      file:seek("set", 6)
      local resp = assert(session:put("http://127.0.0.1:" .. server.port .. "/", { body = file }))
      assert.equal(expected(text), resp:text())
      assert.equal(3, calls)
    end)
    session:close()
  end)

  it("that are pipes and devices come as long as they come", function(serve, session)
    local url = "http://127.0.0.1:" .. serve(digested).port .. "/"
    local text = ("0123456789"):rep(20000)
    local pipe = assert(io.popen("for i in $(seq 20000); do printf 0123456789; done"))
    assert.equal("- 200000 " .. digest.md5(text), assert(session:put(url, { body = pipe })):text())
    pipe:close()
    local null = assert(io.open("/dev/null", "rb"))
    assert.matches(" 0 ", assert(session:put(url, { body = null })):text())
    null:close()
    local state = assert(io.open("/proc/self/status", "rb"))
    assert.is_nil((session:put(url, { body = state })):text():match("^0 0 "))
    state:close()
  end)
end)
