-- A fork behind the library's back among websockets: the child has none of them, and says no word
-- to their peers.

local forks = require "spec.support.forks"

local PRELUDE = [[
  local websocket, wsgi = require "green.websocket", require "green.wsgi"

  --- A server, and two connections to it; a message "fork" is answered by a fork.
  local function serve(make)
    local server = assert(wsgi.new("127.0.0.1:0", websocket.handler(make(function(ws, text)
      if text ~= "fork" then return ws:send(text) end
      local pid = in_child(function()
        local ok, err = ws:send "from the child"
        tell("child", ok, err.code, ws.closed, (ws:recv()))
      end)
      ws:send(reap(pid))
    end)), { log = false })):start()
    local url = server.url:gsub("^http", "ws")
    local one, other = assert(websocket.connect(url)), assert(websocket.connect(url))
    for _ = 1, 2 do
      one:send "fork"
      tell(one:recv(10))
      other:send "still"
      tell(other:recv(10))
    end
    one:close()
    other:close()
    tell(other.close_code, server:stop())
  end
]]

local forms = {
  ["with a thread"] = [[
    serve(function(deal)
      return function(ws)
        for text in ws:messages() do deal(ws, text) end
      end
    end)
  ]],
  ["of the light form"] = [[
    serve(function(deal) return { message = deal } end)
  ]],
}

describe("a fork in a handler of websockets", function()
  for name, code in pairs(forms) do
    it("leaves the parent's alone: " .. name, function()
      local child = "child nil ECLOSED true nil"
      forks.check("epoll", PRELUDE .. code, { child, child, "exit 0 false", "exit 0 false",
        "still false", "still false", "1000 true" })
    end)
  end
end)
