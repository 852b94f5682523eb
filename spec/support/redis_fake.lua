-- Servers that speak Redis as a spec wants it: badly, late, or not at all.
local green = require "green"

local M = {}

--- The words of the next command; nil: the client has gone.
function M.read(conn)
  local head = conn:read_line()
  local n = head and tonumber(head:match "^%*(%d+)$")
  local words = {}
  for i = 1, n or 0 do
    local size = tonumber((conn:read_line() or ""):match "^%$(%d+)$")
    words[i] = size and conn:read(size)
    if not words[i] or not conn:read(2) then
      return nil
    end
  end
  return n and words
end

--- Serve commands on a stream until its peer has gone, with what answer(words) gives.
local function serve(conn, answer)
  for words in function() return M.read(conn) end do
    conn:write(answer(words))
  end
  conn:close()
end

-- What a stream in memory knows.
local canned = {
  HELLO = "-ERR unknown command 'HELLO'\r\n",
  SUBSCRIBE = "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
}

--- A client whose servers are threads that answer each command with OK, without any descriptor.
-- It subscribes to "a".
function M.client()
  return require("green.redis").client { tries = 1, timeout = 0.5, open = function()
    local ours, theirs = require("green.testing").stream_pair()
    green.spawn(serve, theirs, function(words)
      return canned[words[1]] or "+OK\r\n"
    end)
    return ours
  end }
end

--- Run body(address, served) beside a server that calls answer(conn, words, k) for each command but
-- HELLO (which it does not know): what that returns is sent; false: the connection is closed.
-- k: which connection it is; served.count: how many there were.
function M.with(answer, body)
  local listener = assert(green.listen "127.0.0.1:0")
  local host, port = listener:sockname()
  local served = { count = 0, log = {}, conns = {} }
  local function one(conn)
    served.count = served.count + 1
    local k = served.count
    served.conns[k] = conn
    while true do
      local words = M.read(conn)
      if not words then break end
      local text
      if words[1] == "HELLO" then
        text = "-ERR unknown command 'HELLO'\r\n"
      else
        table.insert(served.log, table.concat(words, " "))
        text = answer(conn, words, k)
      end
      if text == false then break end
      if text and not conn:write(text) then break end
    end
    conn:close()
  end
  local server = green.spawn(green.serve, listener, one)
  local ok, err = pcall(body, { host = host, port = port, backoff = 0.001 }, served)
  server:kill()
  listener:close()
  for _, conn in ipairs(served.conns) do
    conn:close()
  end
  green.sleep(0)
  if not ok then
    error(err, 0)
  end
end

return M
