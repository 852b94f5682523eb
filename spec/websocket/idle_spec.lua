-- What a connection that does nothing keeps: few bytes, and all that its handler may ask for.

local conns = require "green.websocket.conn"
local envs = require "green.websocket.env"
local Event = require("green.event").Event
local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"

local kit = dofile("spec/support/http.lua")
local _, it_real = testing.busted()
local with_kit = kit.its(it_real)

--- it(name, function(open)): open(handler, opts, client_opts) is a client of such a server.
local function it(name, fn)
  with_kit(name, function(serve)
    return fn(function(handler, opts, client_opts)
      local server = serve(websocket.handler(handler, opts)).server
      return assert(websocket.connect(server.url:gsub("^http", "ws") .. "/room/7?a=b", client_opts))
    end)
  end)
end

--- Bytes of Lua's memory that each of n calls keeps.
local function bytes_of_each(n, make)
  local kept = {}
  for i = 1, n do kept[i] = false end
  make(0)
  collectgarbage()
  collectgarbage("stop")
  local before = collectgarbage("count")
  for i = 1, n do kept[i] = make(i) end
  local bytes = (collectgarbage("count") - before) * 1024 / n
  collectgarbage("restart")
  return bytes, kept
end

local function names_of(ws)
  local names = {}
  for key in pairs(ws) do
    if type(key) == "string" then names[#names + 1] = key end
  end
  return names
end

local browser = { REQUEST_METHOD = "GET", PATH_INFO = "/chat", RAW_PATH_INFO = "/chat",
  REQUEST_URI = "/chat", QUERY_STRING = "", SERVER_PROTOCOL = "HTTP/1.1", SCRIPT_NAME = "",
  GATEWAY_INTERFACE = "CGI/1.1", SERVER_SOFTWARE = "greenlua", SERVER_NAME = "a", APP_PATH = ".",
  SERVER_PORT = "80", REMOTE_ADDR = "127.0.0.1", REMOTE_PORT = "4", HTTP_HOST = "a",
  HTTP_UPGRADE = "websocket", HTTP_CONNECTION = "Upgrade", HTTP_ORIGIN = "http://a",
  HTTP_USER_AGENT = "x", HTTP_COOKIE = "u=1", HTTP_ACCEPT_LANGUAGE = "de",
  ["wsgi.url_scheme"] = "http", ["wsgi.multithread"] = true, ["wsgi.multiprocess"] = false }

describe("the object of an idle websocket", function()
  it_real("takes 120 bytes of Lua's memory", function()
    local set, known = { keep = function() end }, { path = "/", origin = "http://a" }
    jit.off(true, true)
    local bytes = bytes_of_each(1000, function(i) return conns.new(set, i, known) end)
    assert.is_true(bytes <= 128, tostring(bytes))
  end)

  it_real("takes its values more, where the request is kept", function()
    local shape = envs.pack(browser)[1]
    local packed = envs.pack(browser)
    assert.equal(shape, packed[1]) -- what others have in common with it stands once
    assert.equal(14, #packed)
  end)

  it("has no fields with names in the light form", function(open)
    local seen = Event()
    local ws = open { open = function(ws) seen:send(ws) end, message = function() end }
    local object = seen:wait()
    assert.same({}, names_of(object))
    assert.equal("/room/7", object.path)
    assert.is_nil(object.env)
    assert.is_nil(object.protocol)
    assert.is_true(object.compressed)
    assert.same({}, names_of(object))
    ws:close()
  end)

  it("has no more with a thread, which stands in a place as well", function(open)
    local seen = Event()
    local ws = open(function(ws)
      assert.equal(green.getcurrent(), ws._exit_thread)
      seen:send(names_of(ws))
      ws:recv()
    end)
    assert.same({}, seen:wait())
    ws:close()
  end)

  it("says what was agreed on", function(open)
    local seen = Event()
    local ws = open({ open = function(ws) seen:send(ws) end, message = function() end },
      { protocols = { "chat" }, origins = "*" },
      { protocols = { "chat" }, headers = { Origin = "http://elsewhere" } })
    local object = seen:wait()
    assert.equal("chat", object.protocol)
    assert.equal("http://elsewhere", object.origin)
    assert.equal(13, object.version)
    ws:close()
  end)

  it("is the same in each call, and keeps what scripts put into it", function(open)
    local notes = setmetatable({}, { __mode = "k" })
    local ws = open {
      open = function(ws)
        ws.name = "x"
        notes[ws] = "y"
      end,
      message = function(ws) ws:send(tostring(ws.name) .. tostring(notes[ws])) end,
    }
    collectgarbage()
    collectgarbage()
    ws:send("?")
    assert.equal("xy", (ws:recv()))
    ws:close()
  end)

  it("is garbage when the connection has ended, and the server goes on", function(open)
    local seen, gone = Event(), Event()
    local objects = setmetatable({}, { __mode = "k" })
    local function note(ws)
      objects[ws] = true
      seen:send()
    end
    local ws = open { open = note, message = function() end, close = function() gone:send() end }
    seen:wait()
    assert.is_truthy(next(objects))
    ws:close()
    gone:wait()
    green.sleep(0.01)
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(objects))
  end)
end)

describe("the env of a websocket", function()
  it("is a table of its own, the same each time", function(open)
    local seen = Event()
    local ws = open(function(ws)
      local env = ws.env
      env.mine = 1
      seen:send { env, ws.env, names_of(ws) }
      ws:recv()
    end, { accept = function(env) env.user, env.id, env.object = "me", 7, {} end })
    local got = seen:wait()
    assert.equal(got[1], got[2])
    assert.equal("a=b", got[1].QUERY_STRING)
    assert.equal("GET", got[1].REQUEST_METHOD)
    assert.equal("127.0.0.1", got[1].REMOTE_ADDR)
    assert.equal(false, got[1]["wsgi.run_once"])
    assert.same({ "me", 7, 1 }, { got[1].user, got[1].id, got[1].mine })
    assert.is_nil(got[1].object)
    ws:close()
  end)

  it("may be given up, before it was looked at and afterwards", function(open)
    for _, looked_at in ipairs { false, true } do
      local seen = Event()
      local ws = open({
        open = function(ws)
          local before = looked_at and ws.env.PATH_INFO
          ws.env = nil
          seen:send { before, ws.env, #names_of(ws), rawget(ws, 7) }
        end,
        message = function() end,
      }, { keep_env = true })
      assert.same({ looked_at and "/room/7", nil, 0, nil }, seen:wait())
      ws:close()
    end
  end)
end)

describe("a packed env", function()
  it_real("says the same when it is opened", function()
    for _, env in ipairs { {}, browser, { "a", [2.5] = "b", [true] = "c" },
      { ["a\0b"] = "", a = 1 }, { SCRIPT_NAME = "x" }, { ["SCRIPT_NAME=x"] = "y" },
      { SCRIPT_NAME = true }, { SCRIPT_NAME = "true" }, { a = "1", b = "2" },
      { ["a\0b"] = "3" } } do
      assert.same(env, envs.open(envs.pack(env)))
    end
  end)

  it_real("has neither objects nor the connection's number", function()
    local packed = envs.pack { a = "b", input = {}, f = print, ["green.connection"] = 7 }
    assert.same({ a = "b" }, envs.open(packed))
  end)

  it_real("leaves nothing behind", function()
    local shape = setmetatable({ envs.pack({ only = "here" })[1] }, { __mode = "v" })
    collectgarbage()
    collectgarbage()
    assert.is_nil(shape[1])
  end)
end)
