-- green.fork and green.process: a child with a loop of its own that runs one function.
-- What a fork did without it is told in 016_fork_spec.lua.

local forks = require "spec.support.forks"

local cases = {}

cases["gives the pid, and wait tells how the child ended"] = { [[
  local pid = assert(green.fork(function() tell("child", C.getpid() ~= 0) end))
  tell(type(pid))
  tell(process.wait(pid))
]], { "number", "child true", "exit 0" } }

cases["of a function that waits lets it wait"] = { [[
  lookups(1)
  local pid = assert(green.fork(function()
    green.sleep(0.01)
    tell("child", lookups(5), echo(socket.pair()))
  end))
  tell("parent", lookups(5), echo(socket.pair()))
  tell(process.wait(pid, 5))
]], { "child 0 fine", "parent 0 fine", "exit 0" } }

cases["of a function that calls os.exit gives that status"] = { [[
  for _, status in ipairs { 0, 1, 7, 255 } do
    tell(process.wait(assert(green.fork(function() os.exit(status) end)), 5))
  end
]], { "exit 0", "exit 1", "exit 7", "exit 255" } }

cases["does not let the child go on behind the function"] = { [[
  local pid = assert(green.fork(function() end))
  tell("once")
  tell(process.wait(pid, 5))
]], { "once", "exit 0" } }

cases["leaves the other threads to the parent"] = { [[
  local me = C.getpid()
  local t = green.spawn(function()
    green.finally(function()
      while true do
        green.sleep(0.001)
        if C.getpid() ~= me then tell "ran in the child" end
      end
    end, function() if C.getpid() ~= me then tell "finally in the child" end end)
  end)
  green.sleep(0.002)
  local pid = assert(green.fork(function()
    green.sleep(0.02)
    tell("alive", not t:dead())
  end))
  tell(process.wait(pid, 5))
  tell("parent's", t:dead())
  t:kill()
]], { "alive false", "exit 0", "parent's false" } }

cases["with inherit lets them go on in both"] = { [[
  local ticks = 0
  local t = green.spawn(function() while true do green.sleep(0.001) ticks = ticks + 1 end end)
  green.sleep(0.005)
  local pid = assert(green.fork(function()
    local before = ticks
    green.sleep(0.05)
    tell("child ticks", ticks > before)
  end, { inherit = true }))
  local before = ticks
  green.sleep(0.05)
  tell("parent ticks", ticks > before)
  tell(process.wait(pid, 5))
  t:kill()
]], { "child ticks true", "parent ticks true", "exit 0" } }

cases["by a thread, in a scope, leaves its waiters alone"] = { [[
  local t = green.spawn(function()
    return green.timeout(5, function()
      local pid = assert(green.fork(function() green.sleep(0.01) tell "child" end))
      return process.wait(pid)
    end)
  end)
  tell(t:wait())
]], { "child", "exit 0" } }

cases["process.kill sends a signal, by name or number"] = { [[
  for _, name in ipairs { "TERM", "SIGKILL", 15 } do
    local pid = assert(green.fork(function() green.sleep(60) end))
    green.sleep(0.02)
    tell(process.kill(pid, name))
    tell(process.wait(pid, 5))
  end
]], { "true", "signal 15", "true", "signal 9", "true", "signal 15" } }

cases["a child handles its signals"] = { [[
  local ready, wait_ready = handshake()
  local pid = assert(green.fork(function()
    local t = green.spawn(signal.wait, "TERM", 10)
    green.sleep(0)
    ready()
    tell("got", t:wait())
    os.exit(3)
  end))
  wait_ready()
  process.kill(pid, "TERM")
  tell(process.wait(pid, 5))
]], { "got 1", "exit 3" } }

cases["process.wait gives ETIMEDOUT, and can be called again"] = { [[
  local go, wait_go = handshake()
  local pid = assert(green.fork(function() wait_go() os.exit(4) end))
  local value, err = process.wait(pid, 0.01)
  tell(value, err:is("ETIMEDOUT"))
  value, err = process.wait(pid, 0)
  tell(value, err:is("ETIMEDOUT") or err:is("EAGAIN"))
  go()
  tell(process.wait(pid, 5))
]], { "nil true", "nil true", "exit 4" } }

cases["process.wait of what is no child gives ECHILD"] = { [[
  local value, err = process.wait(1)
  tell(value, err:is("ECHILD"))
  local pid = assert(green.fork(function() end))
  tell(process.wait(pid, 5))
]], { "nil true", "exit 0" } }

cases["process.wait of one that has ended long ago tells how"] = { [[
  local pid = assert(green.fork(function() os.exit(5) end))
  local function is_zombie() -- it has ended, and nobody has asked
    for line in io.lines("/proc/" .. pid .. "/stat") do return line:find(") Z", 1, true) end
  end
  while not is_zombie() do green.sleep(0.001) end
  tell(process.wait(pid, 0))
]], { "exit 5" } }

cases["process.wait lets others run, and several children end in any order"] = { [[
  local pids, ticks = {}, 0
  local t = green.spawn(function() while true do green.sleep(0.001) ticks = ticks + 1 end end)
  for i = 1, 5 do
    pids[i] = assert(green.fork(function() green.sleep(0.01 * (6 - i)) os.exit(i) end))
  end
  for i = 1, 5 do tell(process.wait(pids[i], 5)) end
  tell(ticks > 0)
  t:kill()
]], { "exit 1", "exit 2", "exit 3", "exit 4", "exit 5", "true" } }

cases["a killed or timed out process.wait leaves the child to be waited for"] = { [[
  local go, wait_go = handshake()
  local pid = assert(green.fork(function() wait_go() os.exit(6) end))
  local t = green.spawn(process.wait, pid)
  green.sleep(0.01)
  t:kill()
  tell(t:status())
  tell((green.timeout(0.01, process.wait, pid)))
  go()
  tell(process.wait(pid, 5))
]], { "killed", "nil", "exit 6" } }

cases["process.kill of one that is gone gives nil, err"] = { [[
  local pid = assert(green.fork(function() end))
  tell(process.wait(pid, 5))
  local value, err = process.kill(pid, "TERM")
  tell(value, green.is_error(err))
]], { "exit 0", "nil true" } }

cases["misuse raises"] = { [[
  tell(pcall(green.fork) == false, pcall(green.fork, 1) == false)
  tell(select(2, pcall(green.fork, print, { inherits = true })):find("inherit") ~= nil)
  tell(pcall(process.kill, 1, "NOSUCH") == false, pcall(process.wait, "x") == false)
]], { "true true", "true", "true true" } }

cases["makes a prefork server: fork, serve, TERM [b12]"] = { [[
  local wsgi = require "green.wsgi"
  local listener = green.listen("127.0.0.1:0")
  local port = select(2, listener:sockname())
  local pids, a, b = {}, socket.pair()
  for i = 1, 3 do
    pids[i] = assert(green.fork(function()
      local server = green.spawn(wsgi.server, listener, function()
        return 200, {}, "by " .. i
      end, { log_output = false })
      signal.handler("TERM", function() server:kill() end)
      b:write "!"
      pcall(server.wait, server)
    end))
  end
  a:read(3, { timeout = 5 }) -- they are ready for TERM
  local good = 0
  for _ = 1, 30 do
    local conn = assert(green.connect("127.0.0.1", port))
    conn:write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    if (conn:read_all(nil, { timeout = 8 }) or ""):find("by %d") then good = good + 1 end
    conn:close()
  end
  tell("good", good)
  for _, pid in ipairs(pids) do process.kill(pid, "TERM") end
  for _, pid in ipairs(pids) do tell(process.wait(pid, 5)) end
]], { "good 30", "exit 0", "exit 0", "exit 0" } }

for _, hub in ipairs(forks.hubs) do
  describe("green.fork, with " .. hub .. ",", function()
    for name, case in pairs(cases) do
      it(name, function()
        forks.check(hub, 'local process = require "green.process"\n' .. case[1], case[2])
      end)
    end

    it("prints once what was printed before", function()
      local r = forks.run(hub, [[
        local process = require "green.process"
        print "before"
        io.write "written"
        process.wait(assert(green.fork(function() print "child" end)), 5)
        print "parent"
      ]])
      assert.equal(0, r.status, forks.describe(r))
      for _, word in ipairs { "before", "written", "child", "parent" } do
        local _, n = r.out:gsub(word, "")
        assert.equal(1, n, ("'%s' in:\n%s"):format(word, r.out))
      end
    end)

    it("tells an error of the function on stderr, and exits with 1", function()
      local r = forks.run(hub, [[
        local process = require "green.process"
        local pid = assert(green.fork(function() error("the child's error") end))
        tell(process.wait(pid, 5))
      ]])
      assert.equal("exit 1\n", r.out, forks.describe(r))
      assert.equal(0, r.status)
      local _, n = r.err:gsub("the child's error", "")
      assert.equal(1, n, r.err)
    end)
  end)
end
