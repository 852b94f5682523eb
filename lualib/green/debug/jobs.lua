--- Jobs in native threads that go on for longer than they should: each is told of once it is
-- over the limit, and once more if its line is seen only later. Private to green.debug.
--
-- The hub looks (vm/jobwatch.c), and calls this in a green thread while a job is over it.
-- @module green.debug.jobs

local core = require "green.core"
local natives = require "green.debug.natives"
local threads = require "green.debug.threads"
local waits = require "green.thread.waits"

local PATIENCE = 0.25 -- seconds that its line may take

local M = {}

local limit, tell -- seconds, function(stall)
local seen = {} -- number -> { jobs = which one, asked = when, is_said =, is_done = }

--- The table that a report gets.
local function stall_of(n, traceback, is_late)
  local caller = n.by and threads.of_id(n.by, false)
  local wait = caller and waits.look(caller)
  return {
    is_job = true,
    job = n.job,
    tid = n.tid,
    seconds = n.seconds,
    thread = caller and core.expose(caller),
    name = n.name,
    site = n.spawned_at,
    called_at = wait and wait.at,
    syscall = n.syscall,
    traceback = traceback,
    is_late = is_late and not traceback and not n.syscall or nil,
  }
end

--- In a green thread of its own: who is told may wait, or raise.
local function say(n, mark, traceback)
  local stall = stall_of(n, traceback, mark.asked ~= nil)
  stall.is_again = mark.is_said
  mark.is_said = true
  core.spawn_n(tell, stall)
end

--- It was asked: its answer comes at once, or when it is back in Lua, or never.
local function hear(n, mark)
  local traceback = core.native_answer(n.number, n.jobs)
  if traceback then
    mark.is_done = true
    say(n, mark, traceback)
  elseif not mark.is_said and core.now() - mark.asked > PATIENCE then
    say(n, mark)
  end
end

--- One that sleeps in a system call is asked when it runs again, if it is no loop of its own
-- that does.
local function look_at(n, mark)
  if mark.asked then
    hear(n, mark)
  elseif core.native_ask(n.number, n.jobs, n.syscall ~= nil) == 1 then
    mark.asked = core.now()
  elseif not mark.is_said then
    say(n, mark)
  end
end

local function look()
  if not limit then -- it was turned off meanwhile
    return
  end
  local marks = {}
  for n in natives.each(limit) do
    local mark = seen[n.number]
    if n.is_ours and n.state == "at work" and n.seconds >= limit then
      mark = mark and mark.jobs == n.jobs and mark or { jobs = n.jobs }
      if not mark.is_done then
        look_at(n, mark)
      end
    end
    marks[n.number] = mark
  end
  seen = marks
end

--- Tell of jobs of this runtime that are at work for longer than so many seconds; nil: no
-- more. Does not park.
function M.watch(seconds, fn)
  core.watch_jobs(seconds, look)
  limit, tell = seconds, fn
end

return M
