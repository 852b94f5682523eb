-- Starting programs, and reading what they write, beside floor_process.c:
--
--   process.lua start COUNT ATONCE    spawn and wait; run, with its outputs collected
--   process.lua stall MEGABYTES       how long spawn keeps the loop of such a process
--   process.lua read                  1 GB from head
--
-- Prints CPU of this process and those it waited for: cpu_us and run_us a program, cpu_ms.
local green = require "green"
local process = require "green.process"

local ffi = require "ffi"

ffi.cdef [[
struct bench_usage { long user_s, user_us, system_s, system_us, rest[14]; };
int bench_getrusage(int who, struct bench_usage *u) __asm__("getrusage");
]]

local function used(who)
  local u = ffi.new("struct bench_usage[1]")
  ffi.C.bench_getrusage(who, u)
  return tonumber(u[0].user_s + u[0].system_s) + tonumber(u[0].user_us + u[0].system_us) / 1e6
end

--- Seconds of CPU, ours and our children's.
local function cpu()
  return used(0) + used(-1)
end

--- Microseconds of CPU for each of so many.
local function each(count, at_once, fn)
  local pool, before = green.GreenPool(at_once), cpu()
  for _ = 1, count do
    pool:spawn_n(fn)
  end
  pool:waitall()
  return (cpu() - before) * 1e6 / count
end

local acts = {}

function acts.start(count, at_once)
  count, at_once = tonumber(count), tonumber(at_once)
  local spawned = each(count, at_once, function()
    assert(process.spawn { "/bin/true" }):wait()
  end)
  local ran = each(count, at_once, function()
    assert(process.run { "/bin/true" })
  end)
  print(("cpu_us=%.1f run_us=%.1f"):format(spawned, ran))
end

function acts.stall(megabytes)
  local memory, took = {}, {}
  for i = 1, megabytes / 64 do
    memory[i] = ffi.new("char[?]", 64 * 2 ^ 20)
    ffi.fill(memory[i], 64 * 2 ^ 20, 1)
  end
  for i = 1, 41 do
    local before = green.now()
    local child = assert(process.spawn { "/bin/true" })
    took[i] = green.now() - before
    child:wait()
  end
  table.sort(took)
  print(("stall_ms=%.3f"):format(took[21] * 1e3))
  return memory
end

function acts.read()
  local before, n = cpu(), 0
  local out, child = assert(process.popen { "head", "-c", "1G", "/dev/zero" })
  for chunk in out:chunks() do
    n = n + #chunk
  end
  child:wait()
  assert(n == 2 ^ 30)
  print(("cpu_ms=%.0f"):format((cpu() - before) * 1e3))
end

acts[arg[1]](arg[2], arg[3])
