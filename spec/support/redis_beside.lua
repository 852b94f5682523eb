-- A redis-server of a spec's own beside its body, and questions to it over a bare stream.

local green = require "green"
local redis_server = require "spec.support.redis_server"

local M = {}

--- Start it again, after a crash: what it kept is read when this returns. Parks.
local function start(self)
  getmetatable(self).__index.start(self)
  local conn = assert(green.connect("unix:" .. self.unix))
  while M.ask(conn, "PING") ~= "PONG" do
    green.sleep(0.01) -- between two looks; the condition is the answer
  end
  conn:close()
end

--- Run body(server) beside one; `server.url` is where it is, `server.path` its socket.
-- server:stop() is a crash, server:start() makes it come back. Parks.
-- @tparam function body
-- @tparam[opt] boolean is_kept what it holds survives a crash
function M.with(body, is_kept)
  local server = redis_server.new { words = is_kept and { "--appendonly", "yes", "--appendfsync",
    "always" } or nil }
  server.path, server.start = server.unix, start
  server.url = "unix://" .. server.unix
  local ok, err = pcall(body, server)
  server:remove()
  if not ok then
    error(err, 0)
  end
end

local function command(list)
  local parts = { "*", #list, "\r\n" }
  for _, word in ipairs(list) do
    parts[#parts + 1] = ("$%d\r\n%s\r\n"):format(#word, word)
  end
  return table.concat(parts)
end

local function read_reply(conn)
  local line = assert(conn:read_line())
  local kind, rest = line:sub(1, 1), line:sub(2):gsub("\r$", "")
  if kind == "$" then
    local text = conn:read(tonumber(rest))
    conn:read(2)
    return text
  elseif kind ~= "*" then
    return rest
  end
  local list = {}
  for i = 1, tonumber(rest) do
    list[i] = read_reply(conn)
  end
  return list
end

--- Ask over a bare stream: for what must not depend on a client of ours. Parks.
function M.ask(conn, ...)
  assert(conn:write(command { ... }))
  return read_reply(conn)
end

return M
