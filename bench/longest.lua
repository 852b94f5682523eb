--- The longest step of a loop that allocates, as in gcpause.lua, in CPU time.
-- @tparam function make what else each step makes
-- @treturn number milliseconds
-- @return what was made last
local STEPS = 3000000

return function(make)
  local clock, longest, keep = os.clock, 0, {}
  collectgarbage()
  local last = clock()
  for i = 1, STEPS do
    keep[i % 1000] = { i, make(i) }
    local now = clock()
    if now - last > longest then longest = now - last end
    last = now
  end
  return longest * 1000, keep
end
