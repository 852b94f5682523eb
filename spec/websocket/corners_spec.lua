-- What websockets do that is seldom asked for: what objects show, wrong calls in the middle of a
-- connection, small waits, and functions of the light form that fail.

local green = require "green"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local kit = require "spec.support.websocket_kit"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

--- body(url, log) while a handler is served; log has the lines of the error log.
local function serve(handler, opts, body)
  local log = {}
  local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(handler, opts),
    { access_log = false, error_log = function(line) log[#log + 1] = line end })):start()
  local ok, err = xpcall(body, debug.traceback, (server.url:gsub("^http", "ws")), log)
  server:stop { grace = 0.2, force_after = 0.1 }
  if not ok then error(err, 0) end
end

--- Both ends of one.
local function pair(options)
  local a, b = testing.stream_pair()
  return assert(websocket.attach(a, options)), assert(websocket.attach(b, { client = true }))
end

--- Run fn(ws) in a handler, of whichever form, and give what it gives.
local function inside(is_light, opts, fn)
  local result
  local function run(ws)
    result = { pcall(fn, ws) }
  end
  serve(is_light and { open = run, message = function() end } or run, opts, function(url)
    local ws = assert(websocket.connect(url))
    testing.settle_io(function() return result end)
    ws:abort()
  end)
  assert(result[1], result[2])
  return unpack(result, 2)
end

describe("a websocket's objects", function()
  it("show what they are", function()
    local shown = inside(false, nil, function(ws)
      local writer = ws:writer(true)
      local list = { tostring(ws), tostring(writer), tostring(websocket.frame "four") }
      writer:close()
      list[4] = tostring(writer)
      ws:abort()
      list[5] = tostring(ws)
      return list
    end)
    assert.same({ "green.websocket{/, open}", "green.websocket.writer{binary}",
      "green.websocket.frame{text, 4 bytes}", "green.websocket.writer{binary, closed}",
      "green.websocket{/, closed, 1006}" }, shown)
    local ours, theirs = pair()
    theirs:send "text"
    local reader = ours:reader()
    assert.equal("text", reader:read())
    assert.equal("green.websocket.reader{text, read}", tostring(reader))
    ours:abort()
    theirs:abort()
  end)

  it("are told apart from what is none", function()
    local ours, theirs = pair()
    assert.error_matches(function() ours:send_frame "text" end,
      "send_frame: frame must be what websocket.frame gave")
    assert.error_matches(function() ours:send(7) end, "send: the message must be a string, not 7")
    assert.error_matches(function() websocket.attach {} end, "attach: stream must be a stream")
    for _, code in ipairs { 0, 999, 1005, 1006, 1015, 2000 } do
      assert.error_matches(function() ours:close(code) end, "there is no close with code " .. code)
    end
    assert.is_false(ours.closed)
    ours:abort()
    theirs:abort()
  end)
end)

describe("a websocket", function()
  it("waits as long as it is told, for whatever it is", function()
    local ours, theirs = pair()
    for _, name in ipairs { "recv", "reader" } do
      local value, err = ours[name](ours, 0.001)
      assert.is_nil(value)
      assert.equal("ETIMEDOUT", err.code)
    end
    for _ in ours:messages(0.001) do error "nothing was sent" end
    assert.is_false(ours.closed)
    assert.is_true(theirs:send "late")
    assert.equal("late", (ours:messages(10)()))
    ours:abort()
    theirs:abort()
  end)

  it("does not wait for room where no time is given", function()
    local big = ("x"):rep(2 ^ 23)
    assert.equal("ETIMEDOUT", inside(false, { max_buffered = 1000, compression = false },
      function(ws)
        local ok, err
        repeat ok, err = ws:send(big, 0) until not ok
        return err.code
      end))
  end)

  it("may say that it is there, unasked", function()
    serve(function(ws) ws:pong "here" ws:recv() end, nil, function(url)
      local peer = shake.open((url:gsub("^ws://", "")))
      local f = peer:read()
      assert.same({ kit.PONG, "here" }, { f.op, f.payload })
      peer.stream:close()
    end)
  end)

  it("is lost where its stream fails", function()
    local broken = testing.stream_pair()
    function broken:read_some() return nil, { code = "EIO", is = function() return false end } end
    local ws = assert(websocket.attach(broken))
    assert.is_nil((ws:recv()))
    assert.same({ true, 1006 }, { ws.closed, ws.close_code })
  end)
end)

describe("the light form", function()
  it("has one message in parts at a time, and nothing between its parts", function()
    local codes = inside(true, nil, function(ws)
      local writer = ws:writer()
      assert(writer:write "part")
      local _, of_writer = ws:writer()
      local _, of_send = ws:send "between"
      local _, of_frame = ws:send_frame(websocket.frame "between")
      assert(writer:close())
      assert(writer:close())
      return { of_writer.code, of_send.code, of_frame.code, (ws:send "behind") }
    end)
    assert.same({ "EBUSY", "EBUSY", "EBUSY", true }, codes)
  end)

  it("refuses what is too much for the peer, whatever it was made for", function()
    assert.same({ "ENOBUFS", "ENOBUFS" }, inside(true, { max_buffered = 1000,
      compression = false }, function(ws)
      local big = ("x"):rep(2 ^ 20)
      local ok, err
      repeat ok, err = ws:send(big) until not ok
      return { err.code, select(2, ws:send_frame(websocket.frame "small")).code }
    end))
  end)

  it("does not wait for the peer's close", function()
    assert.same({ true, true }, inside(true, nil, function(ws)
      return { ws:close(1000, "bye"), (ws:close()) }
    end))
  end)

  it("goes on when the function of the end raises, and reports it", function()
    local heard = {}
    green.on_error(function(err) heard[#heard + 1] = tostring(err) end)
    serve({ message = function(ws, text) ws:send(text) end,
      close = function() error("on purpose", 0) end }, nil, function(url)
      for _ = 1, 2 do
        local ws = assert(websocket.connect(url))
        ws:send "hello"
        assert.equal("hello", (ws:recv()))
        ws:close()
        testing.settle_io()
      end
    end)
    green.on_error(nil)
    assert.same({ "on purpose", "on purpose" }, heard)
  end)
end)

describe("what accept returns", function()
  --- What a client is told, and what the log has.
  local function told(value, protocols)
    local status, lines
    serve(function(ws) ws:close() end, { accept = function() return value end }, function(url, log)
      local ws, err = websocket.connect(url, { protocols = protocols })
      status = ws and 101 or err.status
      if ws then ws:close() end
      lines = table.concat(log, "\n")
    end)
    return status, lines
  end

  it("may be true", function()
    assert.equal(101, (told(true)))
  end)

  it("has headers with names, and a sub-protocol that was asked for", function()
    for want, value in pairs {
      ["a header's name must be a token"] = { headers = { ["no name"] = "x" } },
      ["must be a string on one line"] = { headers = { name = "two\r\nlines" } },
      ["has not asked for the sub-protocol \"chat\""] = { protocol = "chat" },
    } do
      local status, log = told(value, { "other" })
      assert.equal(500, status)
      assert.matches(want, log, 1, true)
    end
  end)
end)
