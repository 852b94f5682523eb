--- Open sockets and files that go to another native thread. Private to green.tpool.
-- @module green.tpool.move

local core = require "green.core"
local args = require "green.args"
local gate = require "green.stream.gate"
local report = require "green.thread.report"
local socket = require "green.socket"

local buf = require "green.ffi.buf"

-- Scripts may put their own in their places.
local error, io_type, ipairs, pcall, tostring, type = error, io.type, ipairs, pcall, tostring, type

local M = {}

--- Somebody waits for it: who, by name.
local function refuse_held(x)
  for _, side in ipairs { "_reader", "_writer" } do
    if x[side] and gate.is_held(x, side) then
      args.misuse("move: %s has green thread %s waiting for it", tostring(x),
        report.label(x[side]))
    end
  end
end

local function move_socket(x)
  refuse_held(x)
  local fd, rest = x:detach()
  if not fd then
    args.misuse("move: x must be an open socket, not %s", tostring(x))
  end
  local ok, token = pcall(core.move_fd, fd, rest, x._timeout or -1)
  if not ok then
    socket.from_fd(fd):close() -- no memory
    error(token, 0)
  end
  return token
end

--- Take an open socket or file from here, to hand it to a native thread: a token, which is the
-- socket or the file there. x is closed here from now on. Does not park.
-- @param x a socket of green.socket (not of TLS), or a file of io.open
-- @return the token, an argument or a part of one; or a result, on the way back. It arrives
-- once; one that never does is closed when it is collected. Raises where a green thread waits
-- for x
function M.move(x)
  if type(x) == "userdata" and io_type(x) == "file" then
    return core.move_file(x)
  elseif not socket.is_socket(x) then
    args.wrong("move", "x", "an open socket, or an open file of io.open's", x)
  end
  return move_socket(x)
end

local function fill(s, rest, timeout)
  if #rest > 0 then
    buf.append(s._in, rest, #rest)
  end
  if timeout >= 0 then
    s:settimeout(timeout)
  end
end

--- What a token arrives as: vm calls this. Where it raises the descriptor is the token's still.
function M.arrive(fd, rest, timeout)
  local s, err = socket.from_fd(fd)
  if not s then
    error(err, 0)
  end
  local ok, problem = pcall(fill, s, rest, timeout)
  if not ok then
    s:detach()
    error(problem, 0)
  end
  return s
end

return M
