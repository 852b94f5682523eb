local testing = require "green.testing"
local socket = require "green.socket"
local wsgi = require "green.wsgi"

local kit = dofile("spec/support/wsgi_kit.lua")
local sockets = dofile("spec/support/sockets.lua")
local _, it = testing.busted()

local with = kit.with

--- An app that answers with what fn(env) returns, as text.
local function telling(fn)
  return function(env)
    return 200, nil, tostring(fn(env))
  end
end

describe("env", function()
  it("tells an empty query from none [S07]", function()
    with(telling(function(env) return env.QUERY_STRING == nil and "none" or "is " ..
      env.QUERY_STRING end), function(client)
      assert.equal("none", (select(3, client:get("/p"))))
      assert.equal("is ", (select(3, client:get("/p?"))))
      assert.equal("is a=1?", (select(3, client:get("/p?a=1?"))))
    end)
  end)

  it("holds bare addresses, of IPv6 too [S08]", function()
    if not sockets.has_ipv6() then
      pending("this machine has no ::1")
    end
    with(telling(function(env)
      return table.concat({ env.REMOTE_ADDR, env.SERVER_NAME, env.SERVER_PORT }, " ")
    end), { at = "[::1]:0" }, function(client, server, log)
      assert.equal("::1 ::1 " .. server.port, (select(3, client:get("/"))))
      assert.equal("http://[::1]:" .. server.port, server.url)
      testing.settle()
      assert.equal("greenlua: serving on http://[::1]:" .. server.port, log[1])
      assert.truthy(log[2]:find("^::1 %- %- "))
    end)
  end)

  it("has all keys of CGI and WSGI", function()
    local wanted = {
      REQUEST_METHOD = "GET", SCRIPT_NAME = "", PATH_INFO = "/a b", RAW_PATH_INFO = "/a%20b",
      QUERY_STRING = "q=1", SERVER_PROTOCOL = "HTTP/1.1", GATEWAY_INTERFACE = "CGI/1.1",
      REQUEST_URI = "/a%20b?q=1", HTTP_HOST = "x", REMOTE_ADDR = "127.0.0.1",
      CONTENT_TYPE = "text/x", ["wsgi.url_scheme"] = "http", ["wsgi.multithread"] = true,
      ["wsgi.multiprocess"] = false, ["wsgi.run_once"] = false,
    }
    with(function(env)
      for key, value in pairs(wanted) do
        assert(env[key] == value, key .. " is " .. tostring(env[key]))
      end
      assert(env.input == env["wsgi.input"] and env.input == env["eventlet.input"])
      assert(env["wsgi.version"][1] == 1 and env.HTTPS == nil and env.CONTENT_LENGTH == nil)
      assert(env.posthooks == env["eventlet.posthooks"])
      assert(tonumber(env.REMOTE_PORT) and env["wsgi.errors"].write)
      local keys = 0
      for _ in pairs(wsgi.fill(env)) do keys = keys + 1 end
      assert(keys > 25)
      return 200, nil, "all"
    end, function(client)
      assert.equal("all", (select(3, client:get("/a%20b?q=1", { "Content-Type: text/x" }))))
    end)
  end)

  it("keeps the body's reader when env.input is replaced, and it ends with the request",
    function()
      local kept
      with(function(env)
        env.input = "mine"
        kept = env["eventlet.input"]
        return 200, nil, kept:read()
      end, function(client)
        assert.equal("abc", (select(3, client:get("/", nil, "abc"))))
        assert.is_nil(kept:read())
      end)
    end)

  it("strips only blanks from values, and shows them in order as they came [b126] [b128]",
    function()
      with(function(env)
        local list = {}
        for i, pair in ipairs(env.headers_raw) do list[i] = table.concat(pair, "=") end
        return 200, nil, env.HTTP_X_A .. "|" .. table.concat(list, ";")
      end, function(client)
        local _, _, body = client:get("/", { "X-a: \194\160v\t ", "x-A:2", "X_a: evil" })
        assert.equal("\194\160v,2|Host=x;Connection=close;X-a=\194\160v;x-A=2;X_a=evil", body)
      end)
    end)

  it("drops names with an underscore [b127]", function()
    with(telling(function(env) return env.HTTP_X_USER end), function(client)
      assert.equal("nil", (select(3, client:get("/", { "X_User: root" }))))
    end)
  end)

  it("has the path decoded and raw, as bytes [b129]", function()
    with(telling(function(env) return env.PATH_INFO .. "|" .. env.RAW_PATH_INFO end),
      function(client)
        assert.equal("/\255a/b|/%FFa%2fb", (select(3, client:get("/%FFa%2fb"))))
      end)
  end)

  it("may be overwritten in every key [b130]", function()
    with(function(env)
      wsgi.fill(env)
      for key in pairs(env) do
        if type(key) == "string" then env[key] = "gone" end
      end
      env.posthooks = nil
      return 200, nil, "still here"
    end, function(client)
      local conn = client:connect(("GET / HTTP/1.1\r\nHost: x\r\n\r\n"):rep(3))
      for _ = 1, 3 do
        assert.equal("still here", (select(3, kit.read_answer(conn))))
      end
      conn:close()
    end)
  end)

  it("has the server's environ, each server its own [b131]", function()
    local app = telling(function(env) return tostring(env.mine) .. env["x.y"] end)
    with(app, { environ = { ["x.y"] = 1 }, capitalize_response_headers = false }, function(a)
      with(app, { environ = { ["x.y"] = 2, mine = "m" } }, function(b)
        assert.equal("nil1", (select(3, a:get("/"))))
        assert.equal("m2", (select(3, b:get("/"))))
      end)
    end)
  end)

  it("says unix and no port for a client of a UNIX socket [b134]", function()
    local path = sockets.path()
    with(telling(function(env)
      return table.concat({ env.REMOTE_ADDR, env.REMOTE_PORT, env.SERVER_NAME,
        env.SERVER_PORT }, ",")
    end), { at = "unix:" .. path }, function(client, server)
      assert.equal("unix,,unix,", (select(3, client:get("/"))))
      assert.equal("unix:" .. path, server.url)
      assert.equal(path, (server:address()))
    end)
    os.remove(path)
  end)

  it("passes any bytes in bodies, both ways [S65]", function()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    bytes = table.concat(bytes):rep(50)
    with(function(env) return 200, nil, env.input:read():reverse() end, function(client)
      assert.equal(bytes:reverse(), (select(3, client:get("/", nil, bytes))))
      local chunks = {}
      for i = 1, #bytes, 999 do
        local piece = bytes:sub(i, i + 998)
        chunks[#chunks + 1] = ("%x\r\n%s\r\n"):format(#piece, piece)
      end
      local _, _, body = kit.parse(client:raw("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        .. "Transfer-Encoding: chunked\r\n\r\n" .. table.concat(chunks) .. "0\r\n\r\n"))
      assert.equal(bytes:reverse(), body)
    end)
  end)

  it("is served on a socket made by hand", function()
    local listener = assert(socket.tcp())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    with(telling(function() return "hello" end), { at = listener }, function(client)
      assert.equal("hello", (select(3, client:get("/"))))
    end)
  end)
end)
