-- A client of Redis under load: redis.lua PORT COMMANDS CONNECTIONS DEPTH WARMUP
--
-- So many green threads SET and GET 64 bytes in turn, DEPTH commands in one pipeline if that is
-- more than 1, each answer is checked. Prints its own CPU time for a command, those of the
-- warm-up not counted.
local green = require "green"
local redis = require "green.redis"

local port, count, threads = arg[1], tonumber(arg[2]), tonumber(arg[3])
local depth, warmup = tonumber(arg[4]), tonumber(arg[5])
local db = assert(redis.connect("redis://127.0.0.1:" .. port, { max_size = threads }))
local value = ("%064d"):format(7)

local left, errors = 0, 0

local function note(fine)
  errors = errors + (fine and 0 or 1)
end

local function one_by_one()
  while left > 0 do
    left = left - 2
    note(db:set("key", value) == "OK")
    note(db:get("key") == value)
  end
end

local function queue(p)
  for _ = 1, depth / 2 do
    p:set("key", value)
    p:get("key")
  end
end

local function piped()
  while left > 0 do
    left = left - depth
    local replies = db:pipeline(queue)
    for i = 1, depth, 2 do
      note(replies and replies[i] == "OK" and replies[i + 1] == value)
    end
  end
end

local function run(n)
  left = n
  local list = {}
  for i = 1, threads do
    list[i] = green.spawn(depth == 1 and one_by_one or piped)
  end
  for i = 1, threads do
    list[i]:wait()
  end
end

run(warmup)
local wall, cpu = green.now(), os.clock()
run(count)
print(("commands=%d errors=%d seconds=%.3f cpu_ns=%.0f"):format(count, errors, green.now() - wall,
  (os.clock() - cpu) * 1e9 / count))
db:close()
os.exit(errors == 0 and 0 or 1)
