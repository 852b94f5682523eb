--- User coroutines inside green threads.
--
-- A wait inside a coroutine that the script made parks the whole green thread:
-- core.park yields a sentinel, which the patched resume and wrap pass on to the
-- next level, and the result comes back down the same way. Generators that
-- never wait pay for one comparison.
--
-- Coroutines that others resume (a scheduler in C, functions kept from before the
-- library was loaded) are as in plain Lua: their yields go to whoever resumed them.
-- A wait would have to park that one, too, which knows nothing of it: it raises.
-- @module green.patch.coroutine

local core = require "green.core"
local thread = require "green.thread"

-- Scripts may put their own in their places.
local error, setmetatable, type = error, setmetatable, type
local getinfo, getlocal = debug.getinfo, debug.getlocal

local raw = {
  create = coroutine.create,
  resume = coroutine.resume,
  running = coroutine.running,
  status = coroutine.status,
  wrap = coroutine.wrap,
  yield = coroutine.yield,
}
local raw_create, raw_resume, raw_yield = raw.create, raw.resume, raw.yield
local sentinel, relay, is_own = core.sentinel, core.relay, core.is_own
local levels = core.levels -- depth -> the coroutine there; the core asks it who can wait
local turn = thread.turn

-- Coroutines that resume must refuse: those that a green thread is parked in,
-- meanwhile, and the own ones of green threads that have asked for theirs.
local taken = setmetatable({}, { __mode = "k" })

local resumed -- forward

local function relayed(co, ...)
  local depth = turn.depth + 1
  taken[co] = nil
  turn.depth = depth
  levels[depth] = co
  return resumed(co, raw_resume(co, ...))
end

-- The wait belongs to the whole green thread: hand it up, come back down.
local function hand_up(co)
  taken[co] = "cannot resume a coroutine that is parked in a green thread"
  return relayed(co, relay(co))
end

--- The coroutine that a parked one waits for, which it has resumed; nil: none. Does not
-- park.
local function inner_of(co)
  local info = getinfo(co, 1, "f") -- 0 is relay
  if info and info.func == hand_up then
    local _, inner = getlocal(co, 1, 1)
    return inner
  end
end

function resumed(co, ok, first, ...)
  turn.depth = turn.depth - 1
  if first == sentinel and ok then
    return hand_up(co)
  end
  return ok, first, ...
end

--- As Lua's, and waits inside of the coroutine park the green thread around it.
local function resume(co, ...)
  if taken[co] then
    return false, taken[co]
  elseif type(co) ~= "thread" then
    error("bad argument #1 to 'resume' (coroutine expected)", 2)
  end
  local depth = turn.depth + 1
  levels[depth] = co -- first: it may fail for want of memory
  turn.depth = depth
  return resumed(co, raw_resume(co, ...))
end

local function unwrap(co, ok, ...)
  if ok then
    return ...
  end
  thread.note_traceback((...), co)
  error((...), 0)
end

--- As Lua's; an error keeps the traceback of the coroutine.
local function wrap(fn)
  local co = raw_create(fn)
  return function(...)
    return unwrap(co, resume(co, ...))
  end
end

--- As Lua's; at the top of a green thread it is a turn for the others.
local function yield(...)
  if turn.depth == 0 and is_own() then
    return thread.sleep(0)
  end
  return raw_yield(...)
end

--- As Lua's; a green thread's own coroutine cannot be resumed by scripts.
local function running()
  local co = raw.running()
  if co and turn.depth == 0 and is_own() then
    taken[co] = "cannot resume the coroutine of a green thread"
    core.expose_current()
  end
  return co
end

--- Put resume, wrap and yield into the coroutine library. Idempotent.
local function install()
  coroutine.resume, coroutine.wrap, coroutine.yield = resume, wrap, yield
  coroutine.running = running
end

return { install = install, resume = resume, wrap = wrap, yield = yield, raw = raw,
  inner_of = inner_of }
