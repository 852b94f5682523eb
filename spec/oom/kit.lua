--- Lets a piece of work run with its n-th allocation failing, for every n, in one
-- process, and looks each time whether the library is as it was. For scripts that
-- spec/oom/host.c runs (arm, disarm and mark are its own).
--
-- Work may fail, and may leave its own threads parked: an error of a green thread
-- can keep it from what others wait for. They are killed then. Nothing else may be
-- left: no thread that a kill does not end, no deadline, no wait, no scope, no
-- Timeout, no running hub; and everything must work in those who come after.
--
-- Variables: OOM_ONLY is a part of the names of the works to try; OOM_FROM, OOM_TO
-- and OOM_STEP choose the n; OOM_COUNT is how many allocations fail in a row;
-- OOM_GO_ON=1 goes on after a fault; OOM_V=1 tells of each n.

local core = require "green.core"
local green = require "green"

local M = {}

-- luacheck: read globals arm disarm mark

local CAP = 400 -- the most allocations of one work that are tried

local function number(name, default)
  return tonumber(os.getenv(name)) or default
end

local verbose, only = os.getenv("OOM_V"), os.getenv("OOM_ONLY")

-- -- What a failure may look like ---------------------------------------------

local memory_words = { "not enough memory", "out of memory", "no memory", "ENOMEM", "of memory" }

--- Does the error say that memory was short? tostring of an error object may not
-- fail: nothing is armed any more.
local function is_memory(err)
  local text = type(err) == "table" and err.code or tostring(err)
  for _, word in ipairs(memory_words) do
    if text:find(word, 1, true) then
      return true
    end
  end
  return false
end
M.is_memory = is_memory

-- Errors of green threads that nobody waits for: they must be of memory, too.
local unheard = {}
green.on_error(function(err)
  unheard[#unheard + 1] = err
end)

-- -- Faults -------------------------------------------------------------------

local faults, order = {}, {}
local now_n = 0

local function fault(text, ...)
  text = text:format(...)
  if not faults[text] then
    faults[text] = {}
    order[#order + 1] = text
  end
  table.insert(faults[text], now_n)
end
M.fault = fault

local function tell(name)
  for _, text in ipairs(order) do
    local list = faults[text]
    io.stderr:write(("%s: %s\n    n = %s%s (%d)\n"):format(name, text,
      table.concat(list, " ", 1, math.min(#list, 12)), #list > 12 and " ..." or "", #list))
  end
end

-- -- Is everything as it was? -------------------------------------------------

local known_blocks = 1 -- of 64 scopes each, as scope.c makes them

--- How many scopes are held. A scope's number is its place in blocks of 64: take
-- all that are free, until a new block has to be made.
local function scopes_held()
  local ids, size = {}, 64 * known_blocks
  repeat
    local id = core.scope_push(0, nil)
    ids[#ids + 1] = id
  until id % 2 ^ 24 >= size
  for _, id in ipairs(ids) do
    core.scope_pop(id)
  end
  known_blocks = known_blocks + 1
  return size + 1 - #ids
end

local has_server = false

--- There are threads of the library's own: a work does not end those that it finds
-- at its end, and deadlines and waits come and go.
function M.keep_threads()
  has_server = true
end

local function check_left(base)
  local s = has_server and base or core.stats()
  if s.timers ~= base.timers then
    fault("%d deadlines are left", s.timers - base.timers)
  end
  if s.waits ~= base.waits then
    fault("%d waits for descriptors are left", s.waits - base.waits)
  end
  if s.threads > base.threads then -- fewer: what was left early before has ended
    fault("the hub counts %d more threads", s.threads - base.threads)
  end
  local held = scopes_held()
  if held ~= base.scopes then
    fault("%d scopes are left", held - base.scopes)
    base.scopes = held
  end
end

--- What the main thread's table may keep from one work to the next.
local function check_main()
  local data = core.peek(core.main())
  for _, name in ipairs { "thrown", "kill_error", "links" } do
    if data and data[name] ~= nil then
      fault("the main thread has kept its %s", name)
      data[name] = nil
    end
  end
end

--- End what the work has left. Every thread must be one, and must end.
local function kill_rest()
  for round = 1, 6 do
    local rest = 0
    for i, t in ipairs(core.threads()) do
      if not green.is_thread(t) then
        fault("threads()[%d] is a %s", i, type(t))
      elseif t ~= core.main() and not has_server then
        rest = rest + 1
        if round == 1 or round == 5 then
          t:kill_soon()
        end
      end
    end
    if rest == 0 then
      return
    end
    green.sleep(round < 3 and 0 or 0.002)
  end
  for _, t in ipairs(core.threads()) do
    if t ~= core.main() then
      fault("a thread does not end: it is %s", core.state(t))
      core.drop(t)
    end
  end
end

--- New threads, timers, queues, semaphores and sockets work.
local function check_works()
  local t = {}
  for i = 1, 5 do
    t[i] = green.spawn(function(a, b)
      green.sleep(i % 2 == 0 and 0 or 0.0001)
      return a, nil, b
    end, i, -i)
  end
  for i = 1, 5 do
    local a, b, c = t[i]:wait(1)
    assert(a == i and b == nil and c == -i, "wrong results of a thread")
  end
  local _, err = green.timeout(0.0001, green.sleep, 1)
  assert(err and err.is_timeout, "no timeout")
  local q, sem = green.Queue(), green.Semaphore(0)
  green.spawn_n(function()
    q:put("item")
    sem:release()
  end)
  assert(q:get(1) == "item" and sem:acquire(1), "a queue or a semaphore has failed")
  local victim = green.spawn(green.sleep, 3600)
  green.sleep(0)
  victim:kill()
  assert(victim:dead(), "a kill did not end a thread")
end

--- Text of an error in which nothing differs from run to run.
local function plain(err, most)
  return (tostring(err):gsub("0x%x+", "ADDRESS"):sub(1, most))
end

--- The errors of the work and of its threads. A thread that was hit may keep the
-- work from what it waits for; anything else that is raised is a fault.
local function check_raised(ok, err, failed)
  local hit = failed > 1
  for _, e in ipairs(unheard) do
    if is_memory(e) then
      hit = true
    elseif not green.is_error(e, "ECANCELED") then
      fault("a thread raised %s", plain(e, 300))
    end
  end
  unheard = {}
  if not ok and not is_memory(err) and not (hit and err ~= nil) then
    fault("the work raised %s", plain(err, 300))
  end
end

local function check_all(base, check, clean)
  if clean then
    clean()
  end
  kill_rest()
  check_left(base)
  check_main()
  check_works()
  if check then
    check()
  end
  kill_rest()
end

-- -- The loop -----------------------------------------------------------------

--- Let the errors be told that nobody waits for.
local function green_turns()
  for _ = 1, 3 do
    if not pcall(green.sleep, 0) then
      return -- the check will say more
    end
  end
end

--- One run of the work in which allocations fail. Whether to go on.
local function try(name, work, check, clean, base, n, count)
  now_n = n
  local before = #order
  mark(("%s n=%d count=%d"):format(name, n, count))
  collectgarbage()
  arm(n, count)
  local ok, err = pcall(work)
  local made, failed = disarm()
  if verbose then
    io.stderr:write(("%s n=%d: %d allocations, %d failed, %s\n"):format(name, n, made, failed,
      ok and "ok" or tostring(err)))
  end
  green_turns()
  check_raised(ok, err, failed)
  -- A stale pointer is found when what it points to has been collected.
  collectgarbage()
  collectgarbage()
  local fine, problem = xpcall(check_all, debug.traceback, base, check, clean)
  if not fine then
    fault("the check failed: %s", plain(problem, 700))
  end
  unheard = {}
  return os.getenv("OOM_GO_ON") or #order == before
end

--- How many allocations the work does when all goes well.
local function measure(name, work, check)
  local made
  for i = 1, 4 do
    mark(name .. " warming up " .. i)
    collectgarbage()
    arm(0)
    work()
    made = disarm()
    kill_rest()
    if check then
      check()
    end
  end
  return made
end

--- Try one piece of work.
-- @param work a function; errors of memory may leave it, its asserts must hold
-- @param[opt] check a function that must succeed after each try
-- @param[opt] clean undoes, before that, what the work's own code has not come to
function M.run(name, work, check, clean)
  if only and not name:find(only, 1, true) then
    return
  end
  local made = measure(name, work, check)
  check_works()
  collectgarbage()
  local s = core.stats()
  local base = { timers = s.timers, waits = s.waits, threads = s.threads, scopes = scopes_held() }
  assert(base.scopes == 0, "scopes were held before it began")
  local before = #order
  local count = number("OOM_COUNT", 1)
  for n = number("OOM_FROM", 1), math.min(number("OOM_TO", CAP), made), number("OOM_STEP", 1) do
    if not try(name, work, check, clean, base, n, count) then
      break
    end
  end
  if verbose or #order > before then
    io.stderr:write(("%s: %d allocations\n"):format(name, made))
  end
  tell(name)
  if #order > before then
    M.failed = true
  end
  faults, order = {}, {}
end

--- Try one piece of work at its first run, when tables of the library's have yet to
-- grow. Only for n = OOM_FROM: the next n needs a process of its own.
function M.run_first(name, work)
  local s = core.stats()
  local base = { timers = s.timers, waits = s.waits, threads = s.threads, scopes = scopes_held() }
  try(name, work, nil, nil, base, number("OOM_FROM", 1), number("OOM_COUNT", 1))
  tell(name)
  M.failed = M.failed or #order > 0
end

--- The end of a script.
function M.finish()
  if M.failed then
    os.exit(1)
  end
end

return M
