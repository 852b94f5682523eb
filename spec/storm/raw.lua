-- Lua's own coroutine functions, as a program has them that took them before
-- `require "green"`.

local M = {}

function M.keep()
  for name, fn in pairs(coroutine) do
    M[name] = fn
  end
end

return M
