--- The green threads of a hub: each is there only while it has something to do.
-- @module green.pubsub.crew

local background = require "green.thread.background"
local core = require "green.core"
local exits = require "green.thread.exits"

local methods = {}
local mt = { __index = methods }

local function new()
  return setmetatable({ by_name = {} }, mt)
end

local function ends(record, thread)
  if record.crew.by_name[record.name] == thread then
    record.crew.by_name[record.name] = nil
  end
end

--- Have one thread of that name, which runs fn(arg). Does not park.
-- @tparam[opt] boolean is_quiet green.wait does not wait for it
function methods:need(name, fn, arg, is_quiet)
  if self.by_name[name] then
    return
  end
  local record = { _exit = ends, crew = self, name = name }
  local thread = exits.make(2, record, false, fn, arg)
  if is_quiet then
    background[thread] = true
  end
  self.by_name[name] = thread
  core.start(thread)
end

--- End the thread of that name, if there is one. Does not park.
function methods:dismiss(name)
  local thread = self.by_name[name]
  if thread then
    self.by_name[name] = nil
    thread:kill_soon()
  end
end

local function run_and_say(record, fn, arg)
  fn(arg)
  record.is_done = true
end

local function gone(record)
  record.gone(record.arg, record.is_done)
end

--- Run fn(arg) in a thread, and gone(arg, is_done) when that has ended, however it did.
-- Does not park.
function methods:run(fn, arg, when_gone)
  local record = { _exit = gone, gone = when_gone, arg = arg, is_done = false }
  core.start(exits.make(2, record, false, run_and_say, record, fn, arg))
end

return { new = new }
