-- Finalizers that run inside of what makes an object: a call that allocates may find, when it
-- has got its memory, that the world is another.
--
-- LuaJIT's collector calls one finalizer in a step when a step is to do next to nothing, and it
-- takes a step wherever something is made while it owes some: so between the first finalizer of
-- a cycle and the last one runs wherever one can.

local M = {}

--- Call body() while fn() is called by finalizers in most places that make an object, n times
-- at most (10,000). fn is called with the traceback of where that is.
-- @return what body returned
function M.amidst(n, fn, body)
  local has_begun, is_over = false, false
  local function finalize()
    has_begun = true
    if not is_over then fn(debug.traceback("", 2)) end
  end
  collectgarbage()
  for _ = 1, n do
    getmetatable(newproxy(true)).__gc = finalize
  end
  local multiplier = collectgarbage("setstepmul", 100)
  while not has_begun do
    collectgarbage("step", 1)
  end
  collectgarbage("setstepmul", 1)
  local owed = {} -- a step for each KB; in blocks that are not large (vm/blocks.h)
  for i = 1, n / 32 do
    owed[i] = ("%07d\n"):format(i):rep(4096)
  end
  local results = { pcall(body) }
  is_over = owed ~= nil
  collectgarbage("setstepmul", multiplier)
  collectgarbage()
  if not results[1] then error(results[2], 0) end
  return unpack(results, 2)
end

return M
