-- Finalizers that loop over a table whose keys and values are of other types than those that
-- the loop was compiled for; see vm/finalizer.h. One LuaJIT never came out of them.

local M = {}

--- Makes `counted`, a function that is compiled, and `others`, which it was not compiled for.
M.text = [[
  local ffi = require "ffi"
  local words, numbers, others = {}, {}, { 1, 2, a = "x", b = true, c = 3 }
  for i = 1, 20 do words["k" .. i], numbers["k" .. i] = "v", i end
  local function counted(t)
    local n = 0
    for key, value in pairs(t) do n = n + 1 end
    return n
  end
  for _ = 1, 500 do counted(words) end
  for _ = 1, 500 do counted(numbers) end
  local function finalizer() io.write(counted(others), "\n") io.flush() end
]]

--- Gives each of what can have finalizers one, in a line of code.
M.owners = {
  newproxy = "getmetatable(newproxy(true)).__gc = finalizer",
  ["ffi.gc"] = "ffi.gc(ffi.new('int[1]'), finalizer)",
  ["ffi.metatype"] = "ffi.metatype('struct { int loops; }', { __gc = finalizer })()",
}

return M
