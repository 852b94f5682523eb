--- Looking into a running program: its green threads, what each waits for and since when;
-- what keeps the loop; what the hub watches; Eventlet's debug functions.
--
-- Nothing of it costs anything while nobody asks.
-- @module green.debug

local core = require "green.core"
local args = require "green.args"
local blocking = require "green.debug.blocking"
local dump = require "green.debug.dump"
local natives = require "green.debug.natives"
local options = require "green.args.options"
local report = require "green.thread.report"
local thread = require "green.thread"
local threads = require "green.debug.threads"

-- Scripts may put their own in their places.
local ipairs, require, type = ipairs, require, type

local M = {
  hub_blocking_detection = blocking.hub_blocking_detection,
  blocking_stats = blocking.blocking_stats,
  format_stall = blocking.format_stall,
}

local native_options = { traceback = true }
local list_options = { traceback = true, at_once = true }

--- Options checked: with_traceback, can_park.
local function read_options(opts, where)
  opts = options.check(opts, list_options, where)
  args.optional(opts.traceback, "boolean", where, "traceback")
  args.optional(opts.at_once, "boolean", where, "at_once")
  local can_park = not opts.at_once and threads.can_park()
  if can_park then
    thread.checkpoint()
  end
  return opts.traceback ~= false, can_park
end

-- -- Threads ------------------------------------------------------------------

--- An iterator over all green threads that live, a table of data for each: see the page. Those
-- that live all the while come once, in no order; of those that begin or end meanwhile some do.
-- The loop parks: every millisecond of work the others have a turn.
-- @tparam[opt] table opts `traceback` false: without tracebacks; `at_once` true: it does not
-- park, and stops the others until it is done
function M.each_thread(opts)
  local with_traceback, can_park = read_options(opts, "each_thread")
  local next_one = threads.handles(can_park)
  return function()
    local t = next_one()
    return t and threads.record(t, with_traceback)
  end
end

--- All green threads that live, as a list of tables. Parks, in steps as each_thread does, and
-- where the caller cannot wait (a finalizer) it does not.
-- @tparam[opt] table opts as of each_thread
function M.threads(opts)
  local with_traceback, can_park = read_options(opts, "threads")
  local list = {}
  for t in threads.handles(can_park) do
    list[#list + 1] = threads.record(t, with_traceback)
  end
  return list
end

--- The same as an iterator over texts, for what is written piece by piece; then those of the
-- native threads, if there are any. Parks, as each_thread.
-- @tparam[opt] table opts as of each_thread
function M.each_text(opts)
  return threads.texts(read_options(opts, "each_text"))
end

--- The same as one text: a line for each thread, and its traceback below; and a line for each
-- native thread. Parks, as threads; the
-- pieces are put together in one go: of very many threads take each_text or dump.
-- @tparam[opt] table opts as of each_thread
function M.format_threads(opts)
  return threads.format(read_options(opts, "format_threads"))
end

--- Write that text to standard error, piece by piece, as SIGUSR2 does in a program of the
-- command's. Parks.
-- @tparam[opt] string title the first line
function M.dump(title)
  args.optional(title, "string", "dump", "title")
  thread.checkpoint()
  dump(title or "green threads:")
end

--- The native threads of the process's pools, and what each is at, as a list of tables: see the
-- page. There are none before a pool's first job. Does not park; with tracebacks it parks.
-- @tparam[opt] table opts `traceback` true: where functions of Lua stand, as far as that comes
-- at once
function M.native_threads(opts)
  opts = options.check(opts, native_options, "native_threads")
  args.optional(opts.traceback, "boolean", "native_threads", "traceback")
  if opts.traceback then
    thread.checkpoint()
  end
  return natives.list(opts.traceback)
end

--- The live thread that has that id, to be killed or asked; nil: there is none. Parks, in steps
-- as threads does.
-- @tparam number id as in the data and the texts
function M.thread(id)
  args.number(id, 1, "thread", "id")
  local can_park = threads.can_park()
  if can_park then
    thread.checkpoint()
  end
  local found = threads.of_id(id, can_park)
  return found and core.expose(found) or nil
end

-- -- Tracing ------------------------------------------------------------------

--- Call functions with what the hub does, after each turn that did some of it, in a green thread
-- of the library's; they replace those that were there. See the page for what they get. Does not
-- park.
-- @tparam[opt] table hooks `switch`, `park`, `wake`, `io`: each a function(event); nil: none
function M.instrument(hooks)
  require "green.debug.instrument"(hooks)
end

-- -- Eventlet's ---------------------------------------------------------------

local stacks = { timer = false, listener = false }

local function switch(name, where)
  return function(state)
    args.optional(state, "boolean", where, "state")
    local was = stacks[name]
    stacks[name] = state or false
    return was
  end
end

--- Shall format_hub_timers show the traceback of each thread? Stacks are not copied for this
-- when a timer is set: a thread with a deadline stands where it waits. Does not park.
-- @tparam[opt=false] boolean state
-- @treturn boolean whether it did
M.hub_timer_stacks = switch("timer", "hub_timer_stacks")

--- The same of format_hub_listeners. Does not park.
M.hub_listener_stacks = switch("listener", "hub_listener_stacks")

--- All deadlines, the earliest first: sleeps, timeouts of waits, threads that are to start,
-- scopes (green.timeout, Timeout, shield). Parks, as threads.
-- @tparam[opt] table opts `at_once`; `traceback`, which hub_timer_stacks sets otherwise
-- @treturn string a line for each
function M.format_hub_timers(opts)
  local _, can_park = read_options(opts, "format_hub_timers")
  local with = opts and opts.traceback
  return require("green.debug.hub").format_timers(with == nil and stacks.timer or with, can_park)
end

--- All descriptors that the loop knows, what they are, and which threads read, write or watch
-- them. Parks, as threads.
-- @tparam[opt] table opts `at_once`; `traceback`, which hub_listener_stacks sets otherwise
-- @treturn string some lines for each
function M.format_hub_listeners(opts)
  local _, can_park = read_options(opts, "format_hub_listeners")
  local with = opts and opts.traceback
  return require("green.debug.hub").format_listeners(with == nil and stacks.listener or with,
    can_park)
end

--- Shall errors that end green threads nobody waits for be written to standard error? They are
-- by default; a function set by green.on_error hears of them in any case. Does not park.
-- @tparam[opt=true] boolean state
-- @treturn boolean whether they were
function M.hub_exceptions(state)
  args.optional(state, "boolean", "hub_exceptions", "state")
  return not report.set_silent(state == false)
end

--- That a second reader of a socket, or a second writer, is refused (EBUSY, with both names)
-- cannot be turned off: bytes would go to whoever comes first, and waiters belong to the socket,
-- so there are no stale ones. Does not park.
-- @tparam[opt=true] boolean state true; anything else raises, and says what to do instead
-- @treturn boolean true
function M.hub_prevent_multiple_readers(state)
  args.optional(state, "boolean", "hub_prevent_multiple_readers", "state")
  if state == false then
    args.misuse("hub_prevent_multiple_readers: a second reader is always refused; let one "
      .. "thread read and hand on by a queue, or use green.wait, which takes nothing")
  end
  return true
end

local function tell_of_job(err, trace)
  core.complain("greenlua: error in a native thread:\n" .. report.text_of(err) .. "\n"
    .. (type(trace) == "string" and trace .. "\n" or ""))
end

--- Shall errors of jobs in native threads be written to standard error as well? They are raised
-- where the job was asked for, in any case; false by default. Does not park.
-- @tparam[opt=false] boolean state
-- @treturn boolean whether they were
function M.tpool_exceptions(state)
  args.optional(state, "boolean", "tpool_exceptions", "state")
  local job = require "green.tpool.job"
  local was = job.on_raise ~= nil
  job.on_raise = state and tell_of_job or nil
  return was
end

--- Write every line of the script's that runs to standard error, before it runs, in all green
-- threads, until unspew. Nothing is compiled meanwhile: all is slow. Lines of the library are
-- left out. Does not park.
-- @param[opt] names a text, or a list of such: only files whose names have one of them in it
-- @tparam[opt=false] boolean show_values with the values of the locals that stand in the line
function M.spew(names, show_values)
  args.optional(show_values, "boolean", "spew", "show_values")
  if names ~= nil and type(names) ~= "string" then
    if type(names) ~= "table" then
      args.wrong("spew", "names", "a text or a list of texts", names)
    end
    args.list(names, "spew", "names", "texts")
    for _, name in ipairs(names) do
      args.type(name, "string", "spew", "a name")
    end
  end
  require("green.debug.spew").start(names, show_values)
end

--- No more of spew; a hook that the script had set before is its again. Idempotent. Does not
-- park.
function M.unspew()
  require("green.debug.spew").stop()
end

return M
