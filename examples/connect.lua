-- Connects to many servers at once and says how long each took, the fastest
-- first: the slow ones hold up nobody.
--
--   greenlua examples/connect.lua example.org:80 example.net:80 localhost:22

local green = require "green"

local targets = #arg > 0 and arg or { "example.org:80", "example.net:80", "localhost:22" }
local results = green.Queue()

local function try(target)
  local started = green.now()
  local conn, err = green.connect(target, { timeout = 5 })
  results:put({ target = target, seconds = green.now() - started, err = err })
  if conn then conn:close() end
end

for _, target in ipairs(targets) do
  green.spawn(try, target)
end
for _ = 1, #targets do
  local r = results:get()
  print(("%-30s %s"):format(r.target, r.err and tostring(r.err)
    or ("%.1f ms"):format(r.seconds * 1000)))
end
