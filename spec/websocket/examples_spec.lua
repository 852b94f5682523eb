-- examples/websocket, as they are run.

local green = require "green"
local testing = require "green.testing"

local cases = require "spec.support.websocket_cases"
local deflate = require "spec.support.websocket_deflate"
local kit = require "spec.support.websocket_kit"
local program = require "spec.support.program"
local shake = require "spec.support.websocket_shake"

local _, it = testing.busted()

--- Run body(target) beside an example that serves. Parks.
local function beside(example, body)
  local p = program.start_greenlua { example, "0" }
  p:expect "http://127.0.0.1:"
  local port = p:expect "\n"
  local ok, err = pcall(body, "127.0.0.1:" .. port)
  p:kill(program.TERM)
  p:wait()
  if not ok then error(err, 0) end
end

describe("examples/websocket/echo.lua", function()
  it("sends 16 MiB back, and no byte more", function()
    beside("examples/websocket/echo.lua", function(target)
      local peer = shake.open(target)
      for _, size in ipairs { 0, 5, 2 ^ 24 } do
        local text = ("x"):rep(size)
        assert(peer:send(kit.text(text)))
        cases.same("the echo", text, cases.expect(peer, kit.TEXT, "the echo").payload)
      end
      peer:send(kit.binary("", { form = 64, says = 2 ^ 24 + 1 }))
      cases.same("the code", 1009, kit.code_of(cases.expect(peer, kit.CLOSE, "a close")))
      peer.stream:close()
    end)
  end)

  it("compresses", function()
    beside("examples/websocket/echo.lua", function(target)
      local peer, headers = shake.open(target,
        { lines = { "Sec-WebSocket-Extensions: permessage-deflate" } })
      assert.matches("^permessage%-deflate", headers["sec-websocket-extensions"])
      peer.deflate = deflate.new()
      local text = ("the same again, "):rep(1000)
      assert(peer:send(kit.text(text)))
      local f = cases.expect(peer, kit.TEXT, "the echo")
      cases.same("the echo", text, f.payload)
      assert.is_true(f.compressed)
      peer:goodbye()
    end)
  end)
end)

-- The first requires what the second uses.
local ECHO = [[
local wsgi, websocket = require "green.wsgi", require "green.websocket"
wsgi.serve(arg[1], websocket.handler { message = function(ws, text) ws:send(text) end })
]]

describe("a websocket echo", function()
  it("is two statements [S58]", function()
    local path = program.file(ECHO)
    local listener = assert(green.listen("127.0.0.1:0"))
    local _, port = listener:sockname()
    listener:close()
    local p = program.start_greenlua { path, "127.0.0.1:" .. port }
    testing.settle_io(function()
      local conn = green.connect("127.0.0.1", port)
      return conn and (conn:close() or true)
    end)
    local peer = shake.open("127.0.0.1:" .. port)
    assert(peer:send(kit.text "hello"))
    cases.same("the echo", "hello", cases.expect(peer, kit.TEXT, "the echo").payload)
    peer:goodbye()
    p:kill(program.KILL):wait()
    os.remove(path)
  end)
end)
