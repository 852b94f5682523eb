-- A TCP echo: greenlua bench/echo.lua PORT
local green = require "green"

local listener = assert(green.listen("127.0.0.1:" .. (arg[1] or "7000")))

green.serve(listener, function(conn)
  while true do
    local data = conn:read_some()
    if not data or not conn:write(data) then break end
  end
  conn:close()
end)
