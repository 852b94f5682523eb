-- Programs that fork: what the specs of forks share.

local assert = require "luassert"
local chunk = require "spec.support.chunk"
local program = require "spec.support.program"

-- tell() writes at once and by itself, so that nothing is told twice or lost.
local PRELUDE = [[
local ffi = require "ffi"
ffi.cdef "int fork(void); int waitpid(int, int *, int); int getpid(void); int kill(int, int);"
ffi.cdef "long write(int, const void *, size_t);"
local C = ffi.C
local green, socket = require "green", require "green.socket"
local core, signal = require "green.core", require "green.signal"

local function tell(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  local line = table.concat(words, " ") .. "\n"
  C.write(1, line, #line)
end

--- Fork behind the library's back; fn is the child's, which then exits.
local function in_child(fn)
  local pid = C.fork()
  if pid == 0 then
    local ok, err = pcall(fn)
    if not ok then tell("child failed:", err) end
    os.exit(ok and 0 or 1)
  end
  return pid
end

--- Two ends: ready() in the child lets wait_ready() return in the parent.
local function handshake()
  local a, b = socket.pair()
  return function() b:write("x") end, function() return a:read(1, { timeout = 10 }) end
end

--- How it ended, without stopping our loop.
local function reap(pid)
  local status = ffi.new("int[1]")
  for _ = 1, 2000 do
    if C.waitpid(pid, status, 1) == pid then
      local signo = bit.band(status[0], 127)
      return signo == 0 and "exit " .. bit.rshift(status[0], 8) or "signal " .. signo
    end
    green.sleep(0.005)
  end
  C.kill(pid, 9)
  C.waitpid(pid, status, 0)
  return "it does not end"
end

local function lookups(n)
  local lost = 0
  for _ = 1, n do
    if not socket.getaddrinfo("localhost", 80, { timeout = 10, resolver = "system" }) then
      lost = lost + 1
      if lost > 1 then break end
    end
  end
  return lost
end

local function echo(a, b, n)
  n = n or 10
  local t = green.spawn(function()
    for _ = 1, n do b:write(b:read(1, { timeout = 10 }) or "") end
  end)
  for i = 1, n do
    a:write("x")
    if a:read(1, { timeout = 10 }) ~= "x" then return "lost the " .. i .. "th" end
  end
  t:wait()
  return "fine"
end
]]

local M = { describe = chunk.describe }

M.hubs = { "epoll", "poll", "select" }

--- Run code behind the prelude, with a backend.
function M.run(hub, code)
  return program.run { "timeout", "-k", "1", "25", program.greenlua, "-e", PRELUDE .. code,
    env = { GREENLUA_HUB = hub } }
end

--- The same; it must tell these lines, in any order, and end well.
function M.check(hub, code, lines)
  local r = M.run(hub, code)
  local got = {}
  for line in r.out:gmatch("[^\n]+") do
    got[#got + 1] = line
  end
  local wanted = { unpack(lines) }
  table.sort(got)
  table.sort(wanted)
  assert.same(wanted, got, chunk.describe(r))
  assert.equal(0, r.status, chunk.describe(r))
  assert.equal("", r.err)
end

return M
