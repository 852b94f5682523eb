-- Luv: timers, a server and coroutines in its loop, turned by a green thread.
--
-- needs: luv
-- prints: HELLO
-- prints: 1 2 3
-- prints: spec/neighbours/luv.lua:21: cannot wait in a coroutine that greenlua did not resume woke

local green, uv = require "green", require "luv"
local q, n = green.Queue(), 0
local timer = uv.new_timer()
timer:start(1, 1, function()
  n = n + 1
  q:put(n)
  if n == 3 then timer:close() end
end)
local server, refused = uv.new_tcp(), nil
server:bind("127.0.0.1", 0)
server:listen(16, function()
  local client = uv.new_tcp()
  server:accept(client)
  refused = select(2, pcall(green.sleep, 1))
  client:read_start(function(_, data)
    if data then client:write(data:upper()) else client:close() server:close() end
  end)
end)
local sleeper
coroutine.wrap(function()
  local me, one = coroutine.running(), uv.new_timer()
  one:start(2, 0, function() coroutine.resume(me) end)
  coroutine.yield()
  sleeper = "woke"
  one:close()
end)()
local loop = green.spawn(function()
  while uv.run "nowait" do
    local ms = uv.backend_timeout()
    local ok, err = green.trampoline(uv.backend_fd(), { timeout = ms >= 0 and ms / 1000 or nil })
    assert(ok or err:is "ETIMEDOUT", err)
  end
end)
local conn = assert(green.connect("127.0.0.1", server:getsockname().port))
conn:write "hello"
print((conn:read_some()))
conn:close()
print(q:get(), q:get(), q:get())
loop:wait()
print(refused, sleeper)
