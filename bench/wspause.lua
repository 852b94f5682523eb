-- What LuaJIT alone does beside as many tables as there are idle websockets of the light form:
-- luajit bench/wspause.lua N. Prints light_pause_ms= and light_tables_ms=, as the row wsidle.
local longest_step = dofile "bench/longest.lua"

local live = {}
for i = 1, tonumber(arg[1]) do
  live[i] = { live, i, "/", nil, nil, true } -- as green.websocket.conn makes it
end

local function new_table()
  return {}
end

print(("light_pause_ms=%.3f light_tables_ms=%.3f beside=%d"):format((longest_step(tostring)),
  (longest_step(new_table)), #live))
