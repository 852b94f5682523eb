-- What a wrong call of green.websocket is told: what is wanted, in the caller's line.

local green = require "green"
local http = require "green.http"
local testing = require "green.testing"
local websocket = require "green.websocket"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local with_kit = kit.its(it_real)

--- it(name, function(serve)): serve(app) is a server of green.wsgi.
local function it(name, fn)
  with_kit(name, function(serve, ...)
    return fn(function(...) return serve(...).server end, ...)
  end)
end

local function connect(server, opts)
  return websocket.connect((server.url:gsub("^http", "ws")) .. "/", opts)
end

local function echo(ws)
  for text in ws:messages() do
    ws:send(text)
  end
end

--- fn raises a text that begins with this file's name and has what is wanted in it.
local function raises(wanted, fn)
  local ok, err = pcall(fn)
  err = tostring(err)
  assert.is_false(ok, "it should have raised: " .. wanted)
  assert.truthy(err:find("mistakes_spec.lua:%d+: "), err)
  assert.truthy(err:find(wanted, 1, true), err)
end

local function refuses(wanted, opts)
  raises(wanted, function() websocket.handler(echo, opts) end)
end

describe("A wrong use of green.websocket", function()
  it("as a handler is told what one is", function()
    raises("a function(ws), or a table of functions, not nil", function() websocket.handler() end)
    raises("call it with a dot", function() websocket:handler(echo) end)
    raises("env must be what green.wsgi gives", function() websocket.handler(echo)() end)
  end)

  it("with others' names of options is told ours", function()
    for name, ours in pairs {
      supported_protocols = "protocols", origin_checker = "origins",
      support_legacy_versions = "legacy", max_frame_length = "max_message",
    } do
      refuses(("it is '%s' here"):format(ours), { [name] = {} })
    end
    refuses("send_timeout, ping_timeout and close_timeout", { timeout = 5 })
    raises("it is 'origins' here", function()
      websocket.WebSocketWSGI(echo, { origin_checker = echo })
    end)
  end)

  it("with lists of the wrong things is told at which place", function()
    refuses("protocols[1] must be a string, not 5", { protocols = { 5 } })
    refuses('origins must be "*", an origin, a list of them or a function', { origins = true })
    refuses("origins[1] must be an origin such as", { origins = { "wss://example.com" } })
  end)

  it("of sending has no second meaning", function(serve)
    local ws = assert(connect(serve(websocket.handler(echo))))
    for _, value in ipairs { true, "binary", { binary = true } } do
      raises("ws:send_binary bytes", function()
        local ok = ws:send("x", value)
        return ok
      end)
    end
    raises("data must be a string, not a table", function() ws:ping {} end)
    raises("is_binary must be true or false", function() ws:writer("binary") end)
    raises("is_binary must be true or false", function() websocket.frame("x", "binary") end)
    assert.is_nil((ws:recv(0)))
    ws:close()
  end)

  it("of a client that connects again is told before it connects", function()
    local client = websocket.reconnecting("ws://127.0.0.1:1/")
    raises("text must be a string, not nil", function() client:send() end)
    raises("tries must be", function()
      websocket.reconnecting("ws://127.0.0.1:1/", { tries = 1.5 })
    end)
    raises("max_delay must be at least delay", function()
      websocket.reconnecting("ws://127.0.0.1:1/", { delay = 2, max_delay = 1 })
    end)
  end)

  it("of a URL is told what one of a websocket looks like", function()
    local none, err = websocket.connect("127.0.0.1:8080")
    assert.is_nil(none)
    assert.truthy(err.message:find("such as ws://", 1, true), err.message)
  end)
end)

describe("accept", function()
  it("says no by nil, why", function(serve)
    local server = serve(websocket.handler(echo, {
      accept = function() return nil, "I know no such user" end,
    }))
    local none, err = connect(server)
    assert.same({ nil, 403 }, { none, err.status })
  end)

  it("cannot give the handshake's own headers, nor cookies by name", function(serve)
    local said
    local server = serve(websocket.handler(echo, { accept = function() return said end }),
      { error_log = function() end })
    for _, value in ipairs { { headers = { upgrade = "h2c" } },
      { headers = { ["Sec-WebSocket-Protocol"] = "chat" } }, { cookies = { a = "1" } } } do
      said = value
      local none, err = connect(server)
      assert.same({ nil, 500 }, { none, err.status })
    end
  end)
end)

describe("ws.env", function()
  local function tell(ws)
    local env = ws.env
    ws:send(("%s %s %s %s"):format(env.QUERY_STRING, env.HTTP_X_A, env.HTTP_COOKIE,
      env.REMOTE_ADDR))
  end

  it("has the query and all headers, whoever reads them when [S44]", function(serve)
    for _, app in ipairs {
      websocket.handler(tell),
      websocket.handler({ open = tell, message = echo }, { keep_env = true }),
    } do
      local server = serve(app)
      local ws = assert(websocket.connect((server.url:gsub("^http", "ws")) .. "/?a=1&b=%20",
        { headers = { ["X-A"] = "q" }, cookies = { k = "v" } }))
      assert.equal("a=1&b=%20 q k=v 127.0.0.1", (ws:recv()))
      ws:close()
    end
  end)
end)

describe("What is no handshake", function()
  it("is told that this is a WebSocket", function(serve)
    local server = serve(websocket.handler(echo))
    local answer = http.get(server.url)
    assert.equal(400, answer.status)
    assert.truthy(answer:text():find "This is a WebSocket")
    local none, err = connect(server, { origin = "https://elsewhere.example" })
    assert.is_nil(none)
    assert.same({ 403, true }, { err.status, err.body:find "Origin" ~= nil })
  end)
end)

describe("An open writer", function()
  it("makes others wait as long as they like, and its own thread not at all", function(serve)
    local ws = assert(connect(serve(websocket.handler(echo))))
    local writer = assert(ws:writer())
    assert(writer:write "a")
    local none, err = ws:send("b")
    assert.same({ nil, "EBUSY" }, { none, err.code })
    local other = green.spawn(function() return ws:send("c", 0) end)
    none, err = other:wait()
    assert.same({ nil, "ETIMEDOUT" }, { none, err.code })
    assert(writer:close())
    assert.equal("a", (ws:recv()))
    ws:close()
  end)

  it("that is forgotten keeps nobody when the connection ends", function(serve)
    local ws = assert(connect(serve(websocket.handler(echo))))
    assert(assert(ws:writer()):write "a")
    local other = green.spawn(function() return ws:send("c") end)
    green.sleep(0)
    ws:abort()
    local none, err = other:wait()
    assert.same({ nil, "ECLOSED" }, { none, err.code })
    none, err = ws:writer()
    assert.same({ nil, "ECLOSED" }, { none, err.code })
  end)
end)
