-- Posix: fork, exec, pipes and wait beside green threads.
--
-- needs: posix
-- prints: hello
-- prints:  exited 3
-- prints: a
-- prints:  exited 0
-- prints: b
-- prints:  exited 0
-- prints: true
-- prints: 1 exited 0

local green = require "green"
local unistd, wait = require "posix.unistd", require "posix.sys.wait"
local ticks, done = 0, false
local ticker = green.spawn(function()
  while not done do ticks = ticks + 1 green.sleep(0.001) end
end)

local function run(command)
  local r, w = unistd.pipe()
  local pid = assert(unistd.fork())
  if pid == 0 then
    unistd.dup2(w, 1)
    unistd.close(r)
    unistd.close(w)
    unistd.execp("sh", { "-c", command })
    unistd._exit(127)
  end
  unistd.close(w)
  local parts = {}
  repeat
    assert(green.trampoline(r, { timeout = 20 }))
    local text = unistd.read(r, 4096)
    parts[#parts + 1] = text
  until text == ""
  unistd.close(r)
  return table.concat(parts), select(2, wait.wait(pid))
end

print(run "sleep 0.03; echo hello; exit 3")
local a, b = green.spawn(run, "echo a"), green.spawn(run, "echo b")
print(a:wait())
print(b:wait())
done = true
ticker:wait()
print(ticks > 3)
-- A child that goes on in Lua: only the thread that forked is there.
local r, w = unistd.pipe()
green.spawn(green.sleep, 60)
local pid = unistd.fork()
if pid == 0 then
  green.sleep(0.001)
  unistd.write(w, tostring(#green.threads()))
  unistd._exit(0)
end
print(unistd.read(r, 10), select(2, wait.wait(pid)))
