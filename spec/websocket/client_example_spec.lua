-- examples/websocket/client.lua against a server in this process.

local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"
local websocket = require "green.websocket"
local wsgi = require "green.wsgi"

local _, it = testing.busted()

--- Let a program that writes and reads go on until it has ended. Parks.
local function await(child)
  while not child:poll() do
    green.sleep(0.02) -- between two looks; the condition is its end
  end
  return child:wait()
end

local function run(...)
  local child = program.start { program.greenlua, "examples/websocket/client.lua", ... }
  return child
end

describe("examples/websocket/client.lua", function()
  it("sends lines and prints messages, over one connection after the other", function()
    local count = 0
    local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(function(ws)
      count = count + 1
      ws:send("connection " .. count)
      if count == 1 then
        return
      end
      ws:send_binary "\0\1\2"
      for text in ws:messages() do
        ws:send("you said " .. text)
      end
    end), { log = false })):start()
    local child = run((server.url:gsub("^http", "ws")))
    while not child.out:find "3 bytes" do
      child:listen(1)
      green.sleep(0.01)
    end
    child:write "hello\n"
    child:close_stdin()
    await(child)
    server:stop { grace = 2, force_after = 0.1 }
    assert.equal("connection 1\nconnection 2\n3 bytes\nyou said hello\n", child.out)
    assert.equal("connected\nconnected\n", child.err)
    assert.equal(0, child.status)
  end)

  it("says how it is called, and what is wrong with a URL", function()
    local child = program.run { program.greenlua, "examples/websocket/client.lua" }
    assert.same({ 2, "usage: client.lua ws://HOST:PORT/PATH\n" }, { child.status, child.err })
    child = program.run { program.greenlua, "examples/websocket/client.lua", "http:/x",
      input = "" }
    assert.equal(1, child.status)
    assert.matches("EINVAL", child.err, 1, true)
  end)
end)
