-- Loops over tables that compiled code comes to where a coroutine's stack must grow; see
-- vm/pairs.h. One LuaJIT went on behind them.

local M = {}

local locals = ("_, "):rep(59) .. "_" -- slots that a stack of 40 has not

--- A program's text. It gives `wrong`, the number of 2,000 loops that have not seen all of a
-- table, each in a coroutine of its own.
M.text = [[
  local function counted(t)
    local n, ]] .. locals .. [[ = 0
    for _ in ITERATOR do n = n + 1 end
    return n
  end
  local function body(t)
    collectgarbage("count") -- is called, and compiled code goes on behind it
    return counted(t)
  end
  local t = { 4, 5, a = 1, b = 2, c = 3 }
  for _ = 1, 200 do counted(t) end
  local wrong = 0
  for _ = 1, 2000 do
    if coroutine.wrap(body)(t) ~= 5 then wrong = wrong + 1 end
  end
]]

M.iterators = { "pairs(t)", "next, t" }

--- The text with that iterator.
function M.text_of(iterator)
  return (M.text:gsub("ITERATOR", iterator))
end

return M
