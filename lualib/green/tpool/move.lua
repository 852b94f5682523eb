--- Open streams and files that go to another native thread. Private to green.tpool.
--
-- Each kind has a module with
--
--   * `describe(x)`: what there is to know of x besides its descriptor, as a table that
--     crosses. Raises misuse where x cannot go; x stays as it is
--   * `leave(x)`: the descriptor, x being closed from then on; and the box of what goes along
--     that is C's. May raise where memory is short, before that alone
--   * `arrive(what, fd, pointer)`: the new object. Where it raises, the descriptor and what is
--     behind the pointer are still not its own
-- @module green.tpool.move

local args = require "green.args"
local class = require "green.args.class"
local core = require "green.core"

-- Scripts may put their own in their places.
local io_type, getmetatable, pairs, require = io.type, getmetatable, pairs, require
local select, type = select, type

local M = {}

-- The class of an object -> the module of its kind.
local kinds = {
  ["green.socket"] = "green.socket.move",
  ["green.socket.datagram"] = "green.socket.move",
  ["green.tls"] = "green.tls.move",
  ["green.pipe"] = "green.pipe.move",
  ["green.file"] = "green.fs.move",
}

local function kind_of(x)
  local mt = type(x) == "table" and getmetatable(x)
  for name, module in pairs(kinds) do
    if mt and mt == class.all[name] then
      return module
    end
  end
  return args.wrong("move", "x", "an open socket, TLS connection, pipe or file", x)
end

--- Take an open stream or file from here, to hand it to a native thread: a token, which is
-- what x was there. x is closed here from now on. Does not park.
-- @param x a socket of green.socket, a connection of green.tls over one, a pipe or a process's
-- stream of green.pipe, a file of green.fs or io.open, a pipe of io.popen
-- @return the token, an argument or a part of one; or a result, on the way back. It arrives
-- once; one that never does is closed when it is collected. Raises where a green thread waits
-- for x, and ENOMEM
function M.move(x)
  if type(x) == "userdata" and io_type(x) == "file" then
    return core.move_file(x)
  end
  local module = kind_of(x)
  local kind = require(module)
  local what = kind.describe(x)
  what.kind = module
  local token = core.move_begin(what)
  core.move_give(token, kind.leave(x))
  return token
end

--- What a token arrives as: vm calls this. Where it raises, what it has is the token's still.
function M.arrive(what, fd, pointer)
  return require(what.kind).arrive(what, fd, pointer)
end

local function land(n, x, ...)
  if n > 0 then
    return type(x) == "userdata" and core.move_land(x) or x, land(n - 1, ...)
  end
end

--- fn(...) in this thread: tokens among the arguments and results arrive all the same. In
-- tables, which are not copied here, they stay what they are.
function M.call(fn, ...)
  local function back(...)
    return land(select("#", ...), ...)
  end
  return back(fn(land(select("#", ...), ...)))
end

return M
