-- An HTTP client under load: client.lua PORT REQUESTS CONNECTIONS WARMUP
--
-- So many green threads ask one after the other, each answer's body is read and checked.
-- Prints its own CPU time for a request, those of the warm-up not counted.
local green = require "green"
local http = require "green.http"

local port, count, threads, warmup = arg[1], tonumber(arg[2]), tonumber(arg[3]), tonumber(arg[4])
local url = "http://127.0.0.1:" .. port .. "/"

local left, errors = 0, 0

local function ask()
  while left > 0 do
    left = left - 1
    local resp = http.get(url)
    if not resp or resp.status ~= 200 or resp:text() ~= "hello\n" then
      errors = errors + 1
    end
  end
end

local function run(n)
  left = n
  local list = {}
  for i = 1, threads do
    list[i] = green.spawn(ask)
  end
  for i = 1, threads do
    list[i]:wait()
  end
end

run(warmup)
local wall, cpu = green.now(), os.clock()
run(count)
print(("requests=%d errors=%d seconds=%.3f cpu_ns=%.0f"):format(count, errors, green.now() - wall,
  (os.clock() - cpu) * 1e9 / count))
os.exit(errors == 0 and 0 or 1)
