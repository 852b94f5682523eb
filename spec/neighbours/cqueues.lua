-- Cqueues: timers and sockets in its loop, green threads beside it.
--
-- needs: cqueues
-- prints: line 1,line 2,line 3 true

local green = require "green"
local cqueues, csocket = require "cqueues", require "cqueues.socket"
local drive = require "spec.neighbours.drive"

local ticks, done, lines = 0, false, {}
local ticker = green.spawn(function()
  while not done do ticks = ticks + 1 green.sleep(0.001) end
end)
local cq = cqueues.new()
local a, b = csocket.pair()
cq:wrap(function()
  for i = 1, 3 do
    cqueues.sleep(0.01)
    a:write("line " .. i .. "\n")
    a:flush()
  end
  a:close()
end)
cq:wrap(function()
  for line in b:lines() do lines[#lines + 1] = line end
end)
drive(cq)
done = true
ticker:wait()
print(table.concat(lines, ","), ticks > 3)
