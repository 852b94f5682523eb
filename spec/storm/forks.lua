-- The part `forks`: children made behind greenlua's back, in any thread, while
-- others wait. In the child the forking thread goes on alone; the parent loses
-- nothing; nobody spins.

local child = require "spec.storm.child"
local green = require "green"
local program = require "spec.support.program"
local signal = require "green.signal"
local socket = require "green.socket"
local storm = require "spec.storm.storm"

local random = math.random

local LIMIT = 10 -- seconds for what takes milliseconds

-- -- What must go on in both --------------------------------------------------

local function naps()
  for _ = 1, random(3) do green.sleep(random() * 0.003) end
  return true
end

local function lookups()
  for _ = 1, random(3) do
    local list, err = socket.getaddrinfo("localhost", 80, { timeout = LIMIT, resolver = "system" })
    if not list then return nil, err end
  end
  return true
end

local function ping_pong()
  local a, b = assert(socket.pair())
  local echo = green.spawn(function()
    for line in b:lines() do b:write(line .. "\n") end
  end)
  for i = 1, random(5) do
    a:write(i .. "\n")
    local line, err = a:read_line({ timeout = LIMIT })
    if line ~= tostring(i) then return nil, err or line end
    green.sleep(random() * 0.001)
  end
  a:close()
  echo:wait()
  b:close()
  return true
end

local function queues()
  local q = green.Queue(1)
  local t = green.spawn(function()
    for i = 1, 5 do q:put(i) green.sleep(0) end
  end)
  for i = 1, 5 do
    local got, err = q:get(LIMIT)
    if got ~= i then return nil, err or got end
  end
  t:wait()
  return true
end

local calm = {
  { name = "fork_naps", run = naps },
  { name = "fork_sockets", run = ping_pong },
  { name = "fork_queues", run = queues },
}
local works = storm.only { { name = "fork_lookups", run = lookups }, unpack(calm) }

--- What may go on in a parent that forks: native threads may, but for sanitizers.
local beside = program.is_sanitized and storm.only(calm) or works

local function work(where)
  local one = storm.any(where == "forking parent" and beside or works)
  local ok, done, err = pcall(one.run)
  return storm.rule(ok and done, "%s in the %s: %s", one.name, where, tostring(err or done))
end

-- -- Children -----------------------------------------------------------------

--- In the child: work, then end; what is wrong goes to the pipe.
local function live(out)
  for _ = 1, random(3) do
    if not work("child") then break end
  end
  green.sleep(0.005) -- would others run?
  if storm.failure then
    child.write(out, storm.failure .. "\n")
  end
  os.exit(storm.failure and 1 or 0)
end

--- Wait for its end by looking; the loop of the parent goes on.
local function reap(pid)
  local due = green.now() + LIMIT
  repeat
    green.sleep(0.002)
    local status = child.status(pid)
    if status then return status end
  until green.now() > due
  child.kill(pid)
  return "hangs"
end

local function fork_one(out)
  local pid = child.fork()
  if pid == 0 then
    child.limit(3 * LIMIT)
    live(out)
  end
  local status = reap(pid)
  storm.rule(status == 0, "a child ended with %s", tostring(status))
end

--- Threads of the parent, which a child may not run.
local function bystander(out, parent)
  for _ = 1, random(3, 10) do
    if child.getpid() ~= parent then
      child.write(out, "a thread of the parent runs in the child\n")
    end
    green.sleep(random() * 0.002)
  end
end

local function behind_its_back()
  local into, out = child.pipe()
  local parent, threads = child.getpid(), {}
  for _ = 1, random(0, 5) do
    threads[#threads + 1] = green.spawn(bystander, out, parent)
    threads[#threads + 1] = green.spawn(work, "forking parent")
  end
  local handler = signal.handler("USR2", function() end)
  for _ = 1, random(3) do
    threads[#threads + 1] = green.spawn_after(random() * 0.003, fork_one, out)
  end
  for _, t in ipairs(threads) do
    local ok, err = pcall(t.wait, t)
    storm.rule(ok, "in the parent: %s", tostring(err))
  end
  handler:cancel()
  work("parent")
  local said = child.read(into)
  storm.rule(said == "", "%s", said:match("[^\n]*"))
  child.close(into)
  child.close(out)
end

-- -- Idle ---------------------------------------------------------------------

--- Neither process may spin after a fork: both sleep, and use no processor.
local function idle()
  local pid = child.fork()
  if pid == 0 then
    child.limit(LIMIT)
    green.sleep(0.6)
    os.exit(0)
  end
  local ours = os.clock()
  green.sleep(0.4)
  local theirs = child.cpu(pid)
  storm.rule(os.clock() - ours < 0.3, "the parent spins: %.2f s of 0.4", os.clock() - ours)
  storm.rule(theirs < 0.3, "the child spins: %.2f s of 0.4", theirs)
  storm.rule(reap(pid) == 0, "an idle child")
end

-- -- green.fork ---------------------------------------------------------------

local has_fork, green_fork = pcall(function() return green.fork end)
local has_process, process = pcall(require, "green.process")

--- The way of greenlua: 0, 1 when the function raised, or the signal.
local function fork_fn()
  local how = storm.any { "return", "raise", "exit", "kill" }
  local pid = assert(green_fork(function()
    naps()
    if how == "raise" then error("raised on purpose", 0) end
    if how == "exit" then os.exit(7) end
    if how == "kill" then green.sleep(LIMIT) end
  end))
  work("parent")
  if how == "kill" then process.kill(pid, "KILL") end
  local what, code = process.wait(pid, LIMIT)
  local wanted = ({ ["return"] = 0, raise = 1, exit = 7, kill = 9 })[how]
  storm.rule(what == (how == "kill" and "signal" or "exit") and code == wanted,
    "green.fork, %s: %s %s", how, tostring(what), tostring(code))
end

local acts = {
  { name = "fork", run = behind_its_back },
  { name = "fork_idle", run = idle },
}
if has_fork and green_fork and has_process then
  acts[#acts + 1] = { name = "green_fork", run = fork_fn }
end
local SLOW = 20 -- one of so many waits to see who spins
acts = storm.only(acts)

return function()
  storm.acts = storm.acts + 1
  local act = storm.any(acts)
  if act.run == idle and random(SLOW) > 1 then
    act = acts[1]
  end
  act.run()
end
