-- Penlight: lists, sequences and maps over what waits.
--
-- needs: pl.List
-- prints: {2,4,6} {1,2} a-b-c
-- prints: 4

local green = require "green"
local List, seq, stringx = require "pl.List", require "pl.seq", require "pl.stringx"
local pretty, tablex = require "pl.pretty", require "pl.tablex"
local doubled = green.spawn(function()
  local slow = coroutine.wrap(function()
    for i = 1, 3 do green.sleep(0.001) coroutine.yield(i) end
  end)
  return List(seq.copy(seq.map(function(x) green.sleep(0.001) return x * 2 end, slow)))
end):wait()
print(doubled, pretty.write({ 1, 2 }, ""), stringx.split("a b c"):join "-")
print(tablex.map(function(x) green.sleep(0.001) return x + 1 end, { 1, 2, 3 })[3])
