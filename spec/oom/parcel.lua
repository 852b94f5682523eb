-- Values that are packed for another state, and read again.

local core = require "green.core"
local errors = require "green.error"
local kit = require "spec.oom.kit"

local function must(ok, ...)
  if not ok then error((...), 0) end
  return ok, ...
end

kit.run("tables and strings cross", function()
  local t = { 1, 2, { deep = { "x" } }, long = ("y"):rep(1000) }
  t.self, t.again = t, t[3]
  for i = 10, 60 do t[i] = { i } end
  local u = core.unpack((must(core.pack("values", t))))
  assert(u.self == u and u.again == u[3] and u[60][1] == 60 and #u.long == 1000)
end)

kit.run("functions, cdata and errors cross", function()
  local n, f = 0, nil
  function f(k)
    n = n + 1LL
    return k == 0 and n or f(k - 1)
  end
  local g, err, format = core.unpack((must(core.pack("values", f, errors.new("EPIPE", "x"),
    string.format))))
  assert(g(3) == 4LL and n == 0 and err:is("EPIPE") and format == string.format)
end)

kit.run("what cannot cross", function()
  local bytes, text = core.pack("values", { { conn = coroutine.create(print) } })
  assert(not bytes)
  if not text:find("arg[1][1].conn is a coroutine", 1, true) then error(text, 0) end
end)

kit.finish()
