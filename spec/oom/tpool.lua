-- Functions that native threads call, in their own states.

local kit = require "spec.oom.kit"
local socket = require "green.socket"
local tpool = require "green.tpool"

tpool.execute(function() end)

kit.run("a call in a native thread", function()
  local n = 0
  local function add(t)
    n = n + t[1]
    return n, t
  end
  for i = 1, 3 do
    local sum, t = tpool.execute(add, { i })
    assert(sum == i and t[1] == i and n == 0)
  end
end)

kit.run("an error in a native thread", function()
  local ok, err = pcall(tpool.execute, function() error { code = 5 } end)
  assert(not ok)
  if type(err) ~= "table" then error(err, 0) end
  assert(err.code == 5)
end)

kit.run("a socket that is moved there and back", function()
  local a, b = socket.pair()
  if not a then error(b, 0) end
  local c = tpool.execute(function(s)
    s:write("x\n")
    return require("green.tpool").move(s)
  end, tpool.move(b))
  assert(a:read_line() == "x")
  a:close()
  c:close()
end)

kit.finish()
