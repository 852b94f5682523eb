-- After a fork (by the FFI, luaposix, a C library) parent and child shared the kernel's
-- side of one loop: wake-ups were lost or came to the wrong one, lookups in the child
-- never ended, and either could spin. The child gets a loop of its own, in which only the
-- thread that forked goes on; green.fork does it properly.

local forks = require "spec.support.forks"
local program = require "spec.support.program"

--- name -> { code, the lines that it must tell, in any order }
local cases = {}

cases["timers go on in both"] = { [[
  local early = 0
  green.spawn_after(0.005, function() early = early + 1 end)
  local function timers(who)
    local n = 0
    for i = 1, 5 do green.spawn_after(0.002 * i, function() n = n + 1 end) end
    green.sleep(0.03)
    tell(who, n, early)
  end
  local pid = in_child(function() timers "child" end)
  timers "parent"
  tell(reap(pid))
]], { "child 5 0", "parent 5 1", "exit 0" } }

cases["lookups go on in both"] = { [[
  lookups(3)
  local pid = in_child(function() tell("child", lookups(30)) end)
  tell("parent", lookups(30))
  tell(reap(pid))
]], { "child 0", "parent 0", "exit 0" } }

cases["the first lookup may be in the child"] = { [[
  local pid = in_child(function() tell("child", lookups(5)) end)
  tell(reap(pid))
  tell("parent", lookups(5))
]], { "child 0", "parent 0", "exit 0" } }

cases["a fork amidst lookups loses none of the parent's"] = { native_threads = true, [[
  local list = {}
  for i = 1, 10 do list[i] = green.spawn(lookups, 5) end
  green.sleep(0)
  local pid = in_child(function() tell("child", lookups(10)) end)
  local lost = 0
  for i = 1, 10 do lost = lost + list[i]:wait() end
  tell("parent", lost)
  tell(reap(pid))
]], { "child 0", "parent 0", "exit 0" } }

cases["new sockets work in both"] = { [[
  local a, b = socket.pair()
  echo(a, b, 3)
  local pid = in_child(function() tell("child", echo(socket.pair())) end)
  tell("parent", echo(socket.pair()))
  tell("old", echo(a, b, 20))
  tell(reap(pid))
]], { "child fine", "parent fine", "old fine", "exit 0" } }

cases["the child may close what the parent waits on"] = { [[
  local a, b = socket.pair()
  local listener = green.listen("127.0.0.1:0")
  local reader = green.spawn(a.read, a, 1, { timeout = 8 })
  local accepter = green.spawn(listener.accept, listener, { timeout = 8 })
  green.sleep(0.005)
  local pid = in_child(function()
    a:close() b:close() listener:close()
    green.sleep(0.01)
    tell("child", echo(socket.pair()))
  end)
  tell(reap(pid))
  b:write("x")
  tell("read", reader:wait())
  local conn = green.connect("127.0.0.1", select(2, listener:sockname()))
  tell("accepted", accepter:wait() ~= nil)
]], { "child fine", "exit 0", "read x", "accepted true" } }

cases["the child may read what the parent was waiting on"] = { [[
  local a, b = socket.pair()
  local reader = green.spawn(a.read, a, 1)
  green.sleep(0.005)
  local pid = in_child(function()
    local t = green.spawn(a.read, a, 1, { timeout = 8 })
    green.sleep(0.005)
    b:write("c")
    tell("child", t:wait())
  end)
  reader:kill()
  tell(reap(pid))
  b:write("p")
  tell("parent", a:read(1, { timeout = 8 }))
]], { "child c", "exit 0", "parent p" } }

cases["a socket given to the child works there"] = { [[
  local a, b = socket.pair()
  local pid = in_child(function()
    a:close()
    for line in b:lines { timeout = 8 } do b:write(line:upper(), "\n") end
  end)
  b:close()
  a:write("one\ntwo\n")
  tell(a:read_line { timeout = 8 }, a:read_line { timeout = 8 })
  a:close()
  tell(reap(pid))
]], { "ONE TWO", "exit 0" } }

cases["connections go on in both"] = { [[
  local listener = green.listen("127.0.0.1:0")
  local port = select(2, listener:sockname())
  local function serve_one(who)
    local conn = listener:accept { timeout = 8 }
    if conn then conn:write(who) conn:close() end
  end
  local child = in_child(function() serve_one "child" end)
  local first = green.connect("127.0.0.1", port)
  tell("from", first:read_all(nil, { timeout = 8 }))
  tell(reap(child))
  green.spawn(serve_one, "parent")
  local second = green.connect("127.0.0.1", port)
  tell("from", second:read_all(nil, { timeout = 8 }))
]], { "from child", "exit 0", "from parent" } }

cases["signals come to the one they were sent to"] = { [[
  local got = 0
  local handler = signal.handler("USR1", function(_, n) got = got + n end)
  local ready, wait_ready = handshake()
  local pid = in_child(function()
    local t = green.spawn(signal.wait, "USR2", 10)
    green.sleep(0)
    ready()
    tell("child USR2", t:wait())
  end)
  wait_ready()
  C.kill(pid, 12)
  tell(reap(pid))
  C.kill(C.getpid(), 10)
  while got == 0 do green.sleep(0.001) end
  tell("parent USR1", got)
  handler:cancel()
]], { "child USR2 1", "exit 0", "parent USR1 1" } }

cases["a signal for the child does not wake the parent's waiter"] = { [[
  local t = green.spawn(signal.wait, "USR1", 0.3)
  green.sleep(0.005)
  local ready, wait_ready = handshake()
  local pid = in_child(function()
    local t = green.spawn(signal.wait, "USR1", 10)
    green.sleep(0)
    ready()
    tell("child", t:wait())
  end)
  wait_ready()
  C.kill(pid, 10)
  tell(reap(pid))
  tell("parent", (t:wait()))
]], { "child 1", "exit 0", "parent nil" } }

cases["only the thread that forked goes on in the child"] = { [[
  local me = C.getpid()
  local a, b = socket.pair()
  local event, queue = green.Event(), green.Queue()
  local function trace(name) if C.getpid() ~= me then tell("child ran", name) end end
  local threads = {
    green.spawn(function() while true do green.sleep(0.001) trace "ticker" end end),
    green.spawn(function() while true do green.sleep(0) trace "spinner" end end),
    green.spawn(function() a:read(1) trace "reader" end),
    green.spawn(function() event:wait() trace "waiter" end),
    green.spawn(function() queue:get() trace "getter" end),
    green.spawn(function() lookups(1000) trace "lookup" end),
    green.spawn(function() green.finally(function() green.sleep(100) end,
      function() trace "finally" end) end),
    green.spawn(function() pcall(green.sleep, 100) trace "pcall" error("x") end),
    green.spawn_after(0.01, function() trace "late" end),
  }
  green.sleep(0.005)
  threads[#threads + 1] = green.spawn(function() trace "unstarted" end)
  local pid = in_child(function()
    b:write("x")
    pcall(event.send, event, 1)
    queue:put_nowait(1)
    green.sleep(0.03)
    local alive = 0
    for _, t in ipairs(threads) do if not t:dead() then alive = alive + 1 end end
    tell("alive", alive)
    tell("waits for none:", green.wait(nil, 2))
    tell("new ones", green.spawn(function() green.sleep(0.001) return "run" end):wait())
  end)
  tell(reap(pid))
  green.killall(threads)
]], { "alive 0", "waits for none: true", "new ones run", "exit 0" } }

cases["a thread may fork, and goes on alone"] = { [[
  local me = C.getpid()
  local t = green.spawn(function()
    local pid = in_child(function()
      green.sleep(0.01)
      tell("child", lookups(3))
    end)
    tell(reap(pid))
    return "parent's"
  end)
  green.sleep(0.02)
  if C.getpid() ~= me then tell "the child's main went on" end
  tell(t:wait())
]], { "child 0", "exit 0", "parent's" } }

cases["a coroutine of a thread may fork"] = { [[
  local gen = coroutine.wrap(function()
    local pid = in_child(function() green.sleep(0.01) tell("child", lookups(3)) end)
    coroutine.yield(pid)
  end)
  tell(reap(gen()))
]], { "child 0", "exit 0" } }

cases["scopes of the thread that forked go on in both"] = { [[
  local pid
  local value, err = green.timeout(0.05, function()
    pid = C.fork()
    green.sleep(3)
  end)
  if pid == 0 then
    tell("child", value, err:is("ETIMEDOUT"))
    os.exit(0)
  end
  tell("parent", value, err:is("ETIMEDOUT"))
  tell(reap(pid))
]], { "child nil true", "parent nil true", "exit 0" } }

cases["the end of main in the child ends it, as ever"] = { [[
  local reaper = C.getpid()
  green.spawn(function() while true do green.sleep(0.001) end end)
  local pid = C.fork()
  if pid ~= 0 then
    tell(reap(pid))
  else
    green.sleep(0.01)
    tell("child's end")
  end
]], { "child's end", "exit 0" } }

cases["a child of the child, too"] = { [[
  lookups(2)
  local pid = in_child(function()
    local inner = in_child(function()
      green.sleep(0.005)
      tell("grandchild", lookups(5), echo(socket.pair()))
    end)
    tell("child", lookups(5), reap(inner))
  end)
  tell("parent", lookups(5), reap(pid))
]], { "grandchild 0 fine", "child 0 exit 0", "parent 0 exit 0" } }

cases["many children, one after the other and at once"] = { [[
  local pids, bad = {}, 0
  local a, b = socket.pair()
  green.spawn(function() while a:read(1) do b:write("x") end end)
  for i = 1, 12 do
    pids[i] = in_child(function()
      if lookups(3) > 0 or echo(socket.pair()) ~= "fine" then os.exit(1) end
      green.sleep(0.002)
    end)
    if lookups(1) > 0 then bad = bad + 1 end
    if i % 3 == 0 and reap(table.remove(pids)) ~= "exit 0" then bad = bad + 1 end
    pids[i] = pids[i] or false
  end
  for _, pid in pairs(pids) do
    if pid and reap(pid) ~= "exit 0" then bad = bad + 1 end
  end
  tell("bad", bad)
]], { "bad 0" } }

cases["neither spins while it waits"] = { [[
  local a, b = socket.pair()
  lookups(2)
  local reader = green.spawn(a.read, a, 1)
  green.sleep(0.005)
  local function idle(who)
    local before = os.clock()
    green.sleep(0.4)
    tell(who, os.clock() - before < 0.2)
  end
  local pid = in_child(function()
    local c = socket.pair()
    green.spawn(c.read, c, 1)
    lookups(2)
    idle "child"
  end)
  b:write("x")
  reader:wait()
  local again = green.spawn(a.read, a, 1)
  lookups(2)
  idle "parent"
  again:kill()
  tell(reap(pid))
]], { "child true", "parent true", "exit 0" } }

cases["use_hub works in the child"] = { [[
  local pid = in_child(function()
    for _, name in ipairs { "select", "poll", "epoll" } do
      assert(green.use_hub(name))
      assert(echo(socket.pair()) == "fine" and lookups(2) == 0)
    end
    tell "child fine"
  end)
  tell("parent", echo(socket.pair()), lookups(5))
  tell(reap(pid))
]], { "child fine", "parent fine 0", "exit 0" } }

cases["a killed child is no matter to the parent"] = { [[
  lookups(1)
  local pid = in_child(function() green.sleep(60) end)
  green.sleep(0.01)
  C.kill(pid, 9)
  tell(reap(pid))
  tell("parent", lookups(5), echo(socket.pair()))
]], { "signal 9", "parent 0 fine" } }

--- In the child the first wait is for what a thread of the parent's holds.
local holders = {
  ["a lock"] = { "local l = green.RLock() green.spawn(function() l:acquire() nap() end)",
    "tostring(l:acquire(2))", "true" },
  ["a permit"] = { "local s = green.Semaphore(1) green.spawn(s.with, s, nap)",
    "tostring(s:acquire(2))", "true" },
  ["a pool's place"] = { "local p = green.GreenPool(1) p:spawn(nap)",
    "tostring(green.timeout(2, function() return p:spawn(print) ~= nil end))", "true" },
  ["a pool's item"] = {
    "local p = require('green.pools').TokenPool { max_size = 1 } green.spawn(p.with, p, nap)",
    "tostring(p:get(2) ~= nil)", "true" },
  ["an end"] = { "local t = green.spawn(nap)", "tostring(select(2, pcall(t.wait, t, 2)))",
    "green thread was killed (ECANCELED)" },
  ["everything"] = { "green.spawn(nap)", "tostring(green.timeout(2, green.wait) ~= nil)", "true" },
}

for what, h in pairs(holders) do
  for where, call in pairs { main = "fn()", ["a thread"] = "green.spawn(fn):wait()" } do
    cases["the first wait of a child may be for " .. what .. ", in " .. where] = {
      "local function nap() pcall(green.sleep, 4) end\n" .. h[1] .. [[
        local function fn()
          local pid = in_child(function() tell(]] .. h[2] .. [[) end)
          tell(reap(pid))
        end
        green.sleep(0)
      ]] .. call .. "\nos.exit(0)", { h[3], "exit 0" } }
  end
end

cases["what the thread that forked returns is no matter"] = { [[
  local pid
  green.spawn(function()
    pid = C.fork()
    return "text"
  end):wait()
  tell(reap(pid))
]], { "exit 0" } }

for _, hub in ipairs(forks.hubs) do
  describe("a fork behind the library's back, with " .. hub .. ":", function()
    for name, case in pairs(cases) do
      it(name, function()
        if case.native_threads and program.is_sanitized then
          pending("sanitizers do not bear a fork beside a native thread at work")
          return
        end
        forks.check(hub, case[1], case[2])
      end)
    end
  end)
end
