-- Cqueues: its own loop, in the main chunk and in green threads.
--
-- needs: cqueues
-- prints: true main main a a b b
-- prints: false cannot wait in a coroutine that greenlua did not resume

local green, cqueues = require "green", require "cqueues"
local auxlib = require "cqueues.auxlib"
local list = {}
local function loop(text)
  local cq = cqueues.new()
  cq:wrap(function()
    cqueues.sleep(0.001)
    list[#list + 1] = text
    list[#list + 1] = auxlib.wrap(function() -- runs on the patched functions
      cqueues.sleep(0.001)
      coroutine.yield(text)
    end)()
  end)
  return cq:loop()
end
local ok = loop "main"
for _, name in ipairs { "a", "b" } do assert(green.spawn(loop, name):wait()) end
print(ok, table.concat(list, " "))
local cq, refused, why = cqueues.new(), nil, nil
cq:wrap(function() refused, why = pcall(green.sleep, 1) end)
assert(cq:loop())
print(refused, why:match "[^:]*$":sub(2)) -- without its place
