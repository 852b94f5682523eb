-- What Lua functions in native threads cost: greenlua bench/tpool.lua CASE N
--
--   empty    a function that does nothing, there and back
--   loop     one with a loop of 10,000, sent anew each time; loop_here: called here
--   rows     a table of 1,000 rows of 6 fields, there and back; rows_cjson: the same by cjson,
--            encoded and decoded on both sides, without a thread
--   state    a native thread's Lua state with `require "green"`: CPU, and memory
--   queue    N jobs in line that block for 100 us: how late a green thread is that sleeps for
--            a millisecond again and again; queue_none: for a second, without jobs
--
-- Prints fields: cpu_ns, CPU time of all threads of the process for each; wall_ns.

local ffi = require "ffi"
local green = require "green"
local tpool = require "green.tpool"

ffi.cdef "int clock_gettime(int clock, long *time);"

local MONOTONIC, PROCESS = 1, 2

local function clock(id)
  local t = ffi.new("long[2]")
  ffi.C.clock_gettime(id, t)
  return tonumber(t[0]) * 1e9 + tonumber(t[1])
end

--- n calls; a tenth as many before are not counted.
local function measure(n, fn)
  for _ = 1, n / 10 do fn() end
  local cpu, wall = clock(PROCESS), clock(MONOTONIC)
  for _ = 1, n do fn() end
  print(("cpu_ns=%.0f wall_ns=%.0f"):format((clock(PROCESS) - cpu) / n,
    (clock(MONOTONIC) - wall) / n))
end

local function nothing() end

local function loop()
  local s = 0
  for i = 1, 10000 do s = s + i * 2 % 7 end
  return s
end

local function identity(...)
  return ...
end

local function new_rows()
  local rows = {}
  for i = 1, 1000 do
    rows[i] = { id = i, name = "name " .. i, price = i * 1.25, active = i % 2 == 0,
      city = "Berlin", note = "some text of row " .. i % 7 }
  end
  return rows
end

local function state()
  local time = require "ffi"
  time.cdef "int clock_gettime(int clock, long *time);"
  require "green"
  local t = time.new("long[2]")
  time.C.clock_gettime(3, t) -- CLOCK_THREAD_CPUTIME_ID: all that this thread has done
  collectgarbage()
  collectgarbage()
  return tonumber(t[0]) * 1e9 + tonumber(t[1]), collectgarbage("count")
end

local cases = {}

function cases.empty(n)
  measure(n, function() tpool.execute(nothing) end)
end

function cases.loop(n)
  measure(n, function() tpool.execute(loop) end)
end

function cases.loop_here(n)
  measure(n, loop)
end

function cases.rows(n)
  local rows = new_rows()
  measure(n, function() tpool.execute(identity, rows) end)
end

function cases.rows_cjson(n)
  local cjson = require "cjson"
  local rows = new_rows()
  measure(n, function() cjson.decode(cjson.encode(cjson.decode(cjson.encode(rows)))) end)
end

function cases.state(n)
  local sum, kb = 0, nil
  for _ = 1, n do
    local pool = tpool.pool { threads = 1 }
    local ns, size = pool:execute(state)
    sum, kb = sum + ns, size
    pool:close()
  end
  print(("cpu_ns=%.0f kb=%.0f"):format(sum / n, kb))
end

--- Sleep a millisecond at a time while going() is true, and say how late that was.
local function tick(going)
  local gaps, before = {}, clock(MONOTONIC)
  while going() do
    green.sleep(0.001)
    local now = clock(MONOTONIC)
    gaps[#gaps + 1] = now - before - 1e6
    before = now
  end
  table.sort(gaps)
  print(("p99_ns=%.0f max_ns=%.0f ticks=%d"):format(gaps[math.ceil(#gaps * 0.99)], gaps[#gaps],
    #gaps))
end

function cases.queue(n)
  local left = n
  local pool = tpool.pool { init = function()
    require("ffi").cdef "int usleep(unsigned us);"
  end }
  local function block() require("ffi").C.usleep(100) end
  for _ = 1, n do
    green.spawn_n(function()
      pool:execute(block)
      left = left - 1
    end)
  end
  green.sleep(0) -- all are in line
  tick(function() return left > 0 end)
end

function cases.queue_none()
  local due = green.now() + 1
  tick(function() return green.now() < due end)
end

cases[arg[1]](tonumber(arg[2]))
