-- An HTTP server on all cores: a master that forks workers, which share its port. One
-- that dies is replaced. TERM or Ctrl-C: the workers finish what they have in hand.
--
--   greenlua examples/prefork.lua [PORT [WORKERS]]     then: curl http://127.0.0.1:8080/

local green = require "green"
local process = require "green.process"
local signal = require "green.signal"
local wsgi = require "green.wsgi"

local PAUSE = 0.5 -- seconds until a worker that died is replaced

local listener = assert(green.listen("127.0.0.1", arg[1] or 8080))
local n_workers = assert(tonumber(arg[2] or 4), "WORKERS is a number")

local function app()
  local text = ("hello from process %d\n"):format(process.getpid())
  return 200, { ["Content-Type"] = "text/plain" }, text
end

local function work()
  assert(wsgi.server(listener, app, { signals = true }))
end

local workers = {} -- pid -> true
local stopping = false

--- Start a worker and wait for its end: how that came.
local function run_worker()
  local pid, problem = green.fork(work)
  if not pid then
    return tostring(problem)
  end
  workers[pid] = true
  local how, number = process.wait(pid)
  workers[pid] = nil
  return ("worker %d ended: %s %s"):format(pid, tostring(how), tostring(number))
end

--- Have a worker for as long as the server runs.
local function keep_worker()
  while not stopping do
    local text = run_worker()
    green.sleep(PAUSE) -- a Ctrl-C may have come to the worker first
    if not stopping then
      io.stderr:write(text, "; the next one comes\n")
    end
  end
end

--- A second signal comes to the workers, too: they stop then without waiting.
local function stop()
  stopping = true
  listener:close() -- the workers have it still
  for pid in pairs(workers) do
    process.kill(pid, "TERM")
  end
end

signal.handler("TERM", stop)
signal.handler("INT", stop)
local keepers = {}
for i = 1, n_workers do
  keepers[i] = green.spawn(keep_worker)
end
print(("prefork: serving on http://127.0.0.1:%d"):format(select(2, listener:sockname())))
green.joinall(keepers)
