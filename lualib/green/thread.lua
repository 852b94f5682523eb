--- Green threads: what `green.spawn` returns.
--
-- The names of green.thread.checkpoint (how waits end) and green.thread.report stand
-- here, too.
-- @module green.thread

local core = require "green.core"
local args = require "green.args"
local class = require "green.args.class"
local exits = require "green.thread.exits"
local kill = require "green.thread.kill"
local links = require "green.thread.links"
local checkpoint = require "green.thread.checkpoint"
local report = require "green.thread.report"
local show = require "green.args.show"
local watchers = require "green.thread.watchers"

-- Scripts may put their own in their places.
local error, ipairs, pairs, pcall, select, tostring, type, unpack =
  error, ipairs, pairs, pcall, select, tostring, type, unpack

local core_data, core_peek, core_park = core.data, core.peek, core.park
local core_silence = core.silence
local failed, kill_error = checkpoint.failed, checkpoint.kill_error

local methods = {}
local mt = core.thread_mt
mt.__name = "green.thread"
mt.__index = methods

local M = { mt = mt, methods = methods }
for _, part in ipairs { checkpoint, report } do
  for name, value in pairs(part) do
    M[name] = value
  end
end

-- -- Ends ---------------------------------------------------------------------

local function run_link(fn, thread, given)
  fn(thread, unpack(given, 1, given.n))
end

--- Each in a green thread of its own; where there is no memory for one, in this.
local function run_links(thread, all)
  local link = all.first
  while link do
    if not pcall(core.spawn, run_link, link.fn, thread, link.args) then
      pcall(run_link, link.fn, thread, link.args)
    end
    link = link.newer
  end
end

--- Runs in a green thread of its own when a linked or failed thread has died.
local function after_end(thread, unheard)
  local data = core_data(thread)
  local linked, watching = data.links, data.watchers
  data.links, data.watchers = nil, nil
  if watching then
    watchers.tell(watching)
  end
  if linked then
    run_links(thread, linked)
  end
  if unheard then
    report.report(data.error, thread, report.describe(thread))
  end
end

-- What the core calls when it must. Told at load, and not by green's install: all that
-- waits stands on this module, and a program may require a part of the library alone.
core.on_raise(checkpoint.raise)
core.on_exit(exits.unwind)
core.on_end(after_end)
core.on_describe(report.describe)
core.on_deadlock(report.note_deadlock)

-- -- Methods ------------------------------------------------------------------

show.kind(mt, report.label)

--- It was dropped without a word: its parent, or its process, has gone.
local function fill_error(thread)
  local data = core_data(thread)
  if data.error == nil and not data.error_is_nil then
    data.error = kill_error(thread)
  end
end

local function results_of(thread)
  local silence = core_silence(thread)
  if silence == "memory" then
    error("not enough memory", 0)
  elseif silence then
    fill_error(thread)
  end
  local data = core_peek(thread)
  if not data then
    return
  end
  if data.error ~= nil or data.error_is_nil then
    core_data(core.current()).cause = { error = data.error, thread = thread }
    error(data.error, 0)
  end
  local results = data.results
  if results then
    return unpack(results, 1, results.n)
  end
end

--- Wait for the end. Any number of threads may, any number of times. Parks.
-- @tparam[opt] number timeout seconds
-- @return what the function returned; nil, ETIMEDOUT if it still runs. Raises
-- the error it ended with, ECANCELED (an error object) if it was killed.
function methods:wait(timeout)
  args.timeout(timeout, "wait")
  if core.is_dead(self) then
    M.checkpoint()
    return results_of(self)
  end
  if self == core.current() then
    args.misuse("wait: a green thread cannot wait for itself")
  end
  local status = core_park(self, M.deadline(timeout))
  if status ~= 0 then
    return failed(status, "wait")
  end
  return results_of(self)
end

for name, method in pairs(kill) do
  methods[name] = method
end

--- Call fn(thread, ...) in a green thread of its own when the thread has ended,
-- at once if it has. Links do not disturb each other. Does not park.
function methods:link(fn, ...)
  args.callable(fn, "link", "fn")
  local given = { n = select("#", ...), ... }
  if core.is_dead(self) then
    core.spawn(run_link, fn, self, given)
    return
  end
  local data = core_data(self)
  data.links = data.links or links.new()
  links.add(data.links, fn, given)
  core.set_linked(self, true)
end

local function set_linked(thread, data)
  local linked, watching = data.links, data.watchers
  core.set_linked(thread, linked and linked.n > 0 or watching and watching.n > 0 or false)
end

--- Take back a link made with the same arguments. Returns whether there was one.
function methods:unlink(fn, ...)
  local given = { n = select("#", ...), ... }
  local data = core_peek(self)
  if not (data and data.links and links.remove(data.links, fn, given)) then
    return false
  end
  set_linked(self, data)
  return true
end

--- For green.wait: call fn() at the thread's end, if it is taken back not before
-- then. It must not park.
function methods:_watch(fn)
  local data = core_data(self)
  data.watchers = data.watchers or watchers.new()
  watchers.add(data.watchers, fn)
  core.set_linked(self, true)
end

function methods:_unwatch(fn)
  local data = core_peek(self)
  if data and data.watchers then
    watchers.remove(data.watchers, fn)
    set_linked(self, data)
  end
end

function methods:_ready()
  return core.is_dead(self)
end

--- Has it ended?
function methods:dead()
  return core.is_dead(self)
end

--- "new" "ready" "running" "parked" "returned" "raised" or "killed".
function methods:status()
  return core.state(self)
end

--- The thread's name; with an argument, set it and return the thread.
-- @tparam[opt] string name or a number
function methods:name(name)
  if name == nil then
    local data = core_peek(self)
    return data and data.name
  elseif type(name) ~= "string" and type(name) ~= "number" then
    args.wrong("name", "name", "a string", name)
  end
  core_data(self).name = tostring(name)
  core.label(self, tostring(name))
  return self
end

--- Where it stands now, or stood when it raised; nil for one that returned.
function methods:traceback()
  if core.is_dead(self) then
    local data = core_peek(self)
    return data and data.traceback
  end
  return core.traceback(self)
end

--- What it waits for: the call it is in and on what ("get of green.Queue{...}",
-- "sleep"), and "file:line" of the code that made the call, nil where that left no
-- trace. Does not park.
-- @return nil when it does not wait, or in nothing that has a name
function methods:waits_for()
  if core.state(self) == "parked" then
    return require("green.thread.where").look(self)
  end
end

--- "file:line" of the call that spawned it.
function methods:spawn_site()
  return core.site(self)
end

-- -- Making threads -----------------------------------------------------------

M.spawn = core.spawn
M.spawn_n = core.spawn_n
M.current = core.expose_current -- for scripts; the library asks core.current
M.is_thread = args.is_thread

--- A thread that starts after that many seconds; cancel it until then. Does not park.
-- @tparam number seconds at least 0
-- @tparam function fn called with the arguments that follow
-- @param ...
-- @return the thread
function M.spawn_after(seconds, fn, ...)
  args.number(seconds, 0, "spawn_after", "seconds")
  args.callable(fn, "spawn_after", "fn")
  local thread = core.make(2, false, fn, ...)
  core.start(thread, seconds)
  return thread
end

--- The same, but it never starts if the spawner has ended by then.
function M.spawn_after_local(seconds, fn, ...)
  args.number(seconds, 0, "spawn_after_local", "seconds")
  args.callable(fn, "spawn_after_local", "fn")
  local thread = core.make(2, true, fn, ...)
  core_data(thread).parent = core.expose_current()
  core.start(thread, seconds)
  return thread
end

class.seal(mt, "thread")

return M
