--- Green threads for Lua: plain, synchronous-looking code, a million at once.
--
-- `require "green"` gives the names below; the larger parts are loaded when
-- first named (`green.Queue` loads green.queue).
-- @module green

if not rawget(_G, "jit") then
  error("greenlua needs LuaJIT 2.1, this is " .. _VERSION, 0)
end

local core = require "green.core"
local thread = require "green.thread"
local timeout = require "green.timeout"
local errors = require "green.error"
local args = require "green.args"
local ending = require "green.ending"

local patch_require = require "green.patch.require"

--- Put what is ours into Lua's own places. Idempotent.
local function install()
  require("green.patch.jit").install()
  require("green.patch.coroutine").install()
  patch_require.install(thread.note_traceback)
  require("green.stdio").install()
  ending.install()
end
install()

local green = {
  version = core.version,
  spawn = thread.spawn,
  spawn_n = thread.spawn_n,
  spawn_after = thread.spawn_after,
  spawn_after_local = thread.spawn_after_local,
  sleep = thread.sleep,
  getcurrent = thread.current,
  is_thread = thread.is_thread,
  on_error = thread.on_error,
  timeout = timeout.timeout,
  with_timeout = timeout.with_timeout,
  Timeout = timeout.Timeout,
  shield = timeout.shield,
  finally = timeout.finally,
  at_exit = ending.at_exit,
  is_timeout = errors.is_timeout,
  is_error = errors.is_error,
  now = core.now,
  stats = core.stats,
}

--- A list of the green threads that live. Does not park.
function green.threads()
  return core.threads(true)
end

--- See green.thread's kill. Parks.
function green.kill(target, opts)
  args.thread(target, "kill", "target")
  return target:kill(opts)
end

--- See green.thread's kill_soon. Does not park.
function green.kill_soon(target, opts)
  args.thread(target, "kill_soon", "target")
  return target:kill_soon(opts)
end

--- Choose the backend of the loop: "epoll", "poll", "select"; nil: the best.
-- Everything that waits goes on waiting. Does not park.
-- @return true; or nil, err: EINVAL (no such backend), ENOSYS (not on this
-- system), EBUSY (the loop is a host program's)
function green.use_hub(name)
  args.optional(name, "string", "use_hub", "name")
  if name == "" then
    args.misuse("use_hub: the name of a backend must not be empty")
  end
  local err = core.use_hub(name)
  if err ~= 0 then
    return nil, errors.new(err, "use_hub " .. tostring(name))
  end
  return true
end

--- The name of the present backend.
function green.get_hub()
  return core.backend()
end

-- What is loaded when first named: name -> module.
local lazy = {
  GreenPool = "green.greenpool",
  GreenPile = "green.greenpool",
  Queue = "green.queue",
  LightQueue = "green.queue",
  PriorityQueue = "green.queue",
  LifoQueue = "green.queue",
  Event = "green.event",
  Semaphore = "green.semaphore",
  BoundedSemaphore = "green.semaphore",
  CappedSemaphore = "green.semaphore",
  RLock = "green.semaphore",
  metaphore = "green.semaphore",
  Pool = "green.pools",
  TokenPool = "green.pools",
  DAGPool = "green.dagpool",
  thread_local = "green.locals",
  wait = "green.wait",
  iwait = "green.wait",
  joinall = "green.wait",
  killall = "green.wait",
  trampoline = "green.trampoline",
  group = "green.group",
  listen = "green.server",
  connect = "green.server",
  serve = "green.server",
  StopServe = "green.server",
  fork = "green.process",
  workers = "green.workers",
}

setmetatable(green, {
  lazy = lazy, -- for green.thread.hint
  __index = function(self, name)
    local module = lazy[name]
    if not module then
      return nil
    end
    local value = require(module)[name]
    rawset(self, name, value)
    return value
  end,
})

patch_require.keep("green", green, install)
return green
