-- A limit for each client, over all worker processes: so many requests in a minute, whichever
-- worker they come to. Workers share a dictionary, which the master has made before it forks.
--
--   greenlua examples/rate_limit.lua [PORT [WORKERS [LIMIT]]]
--   then: for i in 1 2 3 4 5 6; do curl -i http://127.0.0.1:8080/; done

local green = require "green"
local process = require "green.process"
local shared = require "green.shared"
local signal = require "green.signal"
local wsgi = require "green.wsgi"

local WINDOW = 60 -- seconds that requests are counted together

local listener = assert(green.listen("127.0.0.1", arg[1] or 8080))
local n_workers = assert(tonumber(arg[2] or 2), "WORKERS is a number")
local limit = assert(tonumber(arg[3] or 5), "LIMIT is a number")

-- A megabyte knows about 8,000 clients. When there are more, those that were not here for the
-- longest time are forgotten.
local clients = assert(shared.dict("clients", 2 ^ 20))
local served = assert(shared.counter "served")

--- Requests that a client has left in its window (below 0: none), and when that ends.
local function count(client)
  local n, err = clients:incr(client, 1, 0, WINDOW)
  if not n then -- better too much served than nothing
    io.stderr:write("rate_limit: ", tostring(err), "\n")
    return 0, WINDOW
  end
  return limit - n, clients:ttl(client) or WINDOW
end

local function app(env)
  local left, seconds = count(env.REMOTE_ADDR)
  if left < 0 then
    return 429, { ["Retry-After"] = ("%d"):format(math.ceil(seconds)) }, "too many requests\n"
  end
  return 200, { ["X-RateLimit-Remaining"] = tostring(left) },
    ("request %d of all, by process %d\n"):format(served:add(1), process.getpid())
end

local pids = {}
for i = 1, n_workers do
  pids[i] = assert(green.fork(function()
    assert(wsgi.server(listener, app, { signals = true }))
  end))
end

--- TERM or Ctrl-C: the workers finish what they have in hand.
local function stop()
  for _, pid in ipairs(pids) do
    process.kill(pid, "TERM")
  end
end

signal.handler("TERM", stop)
signal.handler("INT", stop)
print(("rate_limit: serving on http://127.0.0.1:%d"):format(select(2, listener:sockname())))
listener:close() -- the workers have it
for _, pid in ipairs(pids) do
  process.wait(pid)
end
