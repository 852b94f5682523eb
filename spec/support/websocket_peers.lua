-- Other people's websocket servers and clients (python3-websockets, Node's ws), which come
-- with tools/install-deps test.

local green = require "green"
local http_peers = require "spec.support.http_peers"
local program = require "spec.support.program"

local M = {}

-- Debian's modules are for its own Python, and not where another Node looks for them.
local PYTHON = "/usr/bin/python3"
local PLACES = "NODE_PATH=/usr/share/nodejs:/usr/lib/nodejs"

--- Name -> the words of a program in spec/websocket/peers, without its ending, and arguments.
M.words = {
  ["python3-websockets"] = function(name, ...)
    return { PYTHON, "spec/websocket/peers/" .. name .. ".py", ... }
  end,
  ["node's ws"] = function(name, ...)
    return { "env", PLACES, "node", "spec/websocket/peers/" .. name .. ".js", ... }
  end,
}

--- Raise if one of them is not there.
function M.need()
  http_peers.need(PYTHON, "python3-websockets")
  http_peers.need("node", "nodejs node-ws")
end

--- Run body(port) beside such a server. Parks.
function M.beside(peer, name, body)
  return http_peers.beside(function(port)
    return M.words[peer](name, tostring(port))
  end, body)
end

--- Run such a program to its end; its output. Parks.
function M.run(peer, name, ...)
  local child = program.start(M.words[peer](name, ...))
  local ok, err = pcall(function()
    while not child:poll() do
      green.sleep(0.02) -- between two looks; the condition is its end
    end
  end)
  if not ok then
    child:kill(program.KILL)
  end
  child:wait()
  if not ok then
    error(err, 0)
  end
  return child.out .. child.err
end

return M
