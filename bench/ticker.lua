-- How late a ticker of 1 ms is while others shake hands:
--   greenlua bench/ticker.lua PORT CERT KEY SECONDS PREFIX
-- First for a second with nobody there, then from the first request on for that many seconds;
-- prints a line of fields, and ends.
local green = require "green"
local wsgi = require "green.wsgi"

local seconds, prefix = tonumber(arg[4]), arg[5]
local begun = green.Event()

--- Microseconds by which ticks are late, those too that were missed meanwhile.
local function tick(name, for_seconds)
  local late, due = {}, green.now()
  for i = 1, for_seconds * 1000 do
    due = due + 0.001
    local left = due - green.now()
    if left > 0 then green.sleep(left) end
    late[i] = (green.now() - due) * 1e6
  end
  table.sort(late)
  return ("%s_p50_us=%.1f %s_p99_us=%.1f %s_max_us=%.1f"):format(name, late[#late / 2], name,
    late[math.floor(#late * 0.99)], name, late[#late])
end

local quiet = tick("quiet", 1)

green.spawn(function()
  begun:wait()
  print(quiet, tick(prefix, seconds))
  os.exit(0)
end)

wsgi.serve("127.0.0.1:" .. arg[1], function()
  if not begun:ready() then begun:send() end
  return 200, { ["Content-Type"] = "text/plain" }, "hello\n"
end, { tls = { cert = arg[2], key = arg[3] }, access_log = false, error_log = false })
