-- Debian's python3-zmq as a peer of specs of ZeroMQ: run beside us, while the loop goes on.

local green = require "green"
local luassert = require "luassert"
local process = require "green.process"

local M = {}

local PYTHON = "/usr/bin/python3" -- the one that Debian's packages are for
local has

--- Is it here?
function M.has_pyzmq()
  if has == nil then
    local run = process.run { PYTHON, "-c", "import zmq" }
    has = run ~= nil and run.status == 0
  end
  return has
end

--- The test ends here, as pending, where there is no python3-zmq.
function M.need_pyzmq()
  if not M.has_pyzmq() then
    pending "python3-zmq is not installed"
  end
end

local BEGIN = [[
import sys, zmq
ctx = zmq.Context()
ctx.linger = 0
args = sys.argv[1:]
def say(*words):
    print(*words, flush=True)
]]

--- What a script of Python's says, without the last line end; `args`, `ctx` and `say` are there.
-- It must end well. Parks.
function M.python(script, ...)
  local run = process.run { PYTHON, "-c", BEGIN .. script, timeout = 60,
    ... }
  luassert.are.equal("", run.stderr)
  luassert.are.equal(0, run.status)
  return (run.stdout:gsub("\n$", ""))
end

--- The same as a thread: its wait() gives what was said.
function M.beside(script, ...)
  return green.spawn(M.python, script, ...)
end

return M
