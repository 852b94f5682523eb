-- Jobs in native threads that go on for longer than a limit. What is to be found is at work
-- until it is told of: no spec depends on how fast that is.

local core = require "green.core"
local debugging = require "green.debug"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, real = testing.busted()

local HERE = "spec/debug/jobs_spec.lua:"
local LIMIT = 0.02

local function mark()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local function touch(path)
  assert(io.open(path, "w")):close()
end

local it = require("spec.support.pool_kit").with_pool(real, function()
  debugging.hub_blocking_detection(false)
end)

-- -- Jobs ---------------------------------------------------------------------

local function is_there(path)
  local file = io.open(path)
  if file then
    file:close()
  end
  return file ~= nil
end

local function crunch(path)
  repeat
    local x = 0
    for i = 1, 1e4 do
      x = x + i
    end
  until is_there(path)
end

local function wait(path)
  local sleep = require("green").sleep
  repeat
    sleep(0.005)
  until is_there(path)
end

local function has_line(stalls)
  return stalls[#stalls].traceback
end

local function has_call(stalls)
  return stalls[#stalls].syscall
end

--- fn(path) is at work until a stall is told that has what is looked for; the stalls.
local function watch(pool, fn, until_told, arg)
  local path, stalls = mark(), {}
  assert.is_true(debugging.hub_blocking_detection(true, 5, {
    jobs = LIMIT,
    report = function(stall) stalls[#stalls + 1] = stall end,
  }))
  local t = green.spawn(function()
    local results = { pool:execute(fn, arg and arg(path) or path) }
    return unpack(results)
  end):name("caller")
  repeat
    green.sleep(0.002)
  until #stalls > 0 and (not until_told or until_told(stalls))
  green.sleep(LIMIT) -- more looks, which are to find nothing new
  touch(path)
  local results = { t:wait() }
  os.remove(path)
  return stalls, t, results
end

describe("hub_blocking_detection's jobs", function()
  it("tells once of a job, with the line of its Lua", function(pool)
    local stalls, t = watch(pool, crunch, has_line)
    local stall, info = stalls[#stalls], debug.getinfo(crunch, "S")
    assert.equal(#stalls > 1, stall.is_again or false) -- on a busy machine its line comes late
    assert.is_true(stall.is_job)
    assert.equal("function <" .. HERE .. info.linedefined .. ">", stall.job)
    assert.is_true(stall.seconds >= LIMIT)
    assert.equal("caller", stall.name)
    assert.equal(t, stall.thread)
    assert.matches("^" .. HERE:gsub("%.", "%%.") .. "%d+$", stall.site)
    assert.matches("^" .. HERE:gsub("%.", "%%.") .. "%d+$", stall.called_at)
    local line = tonumber(stall.traceback:match(HERE:gsub("%.", "%%.") .. "(%d+): in function <"
      .. HERE:gsub("%.", "%%.") .. info.linedefined .. ">"))
    assert.is_true(line >= info.linedefined and line <= info.lastlinedefined)
  end)

  -- What has no Lua of its own is told of at the first look.
  for what, report in pairs {
    ["waits"] = function() green.sleep(0.1) end,
    ["raises"] = function() error("of the report", 0) end,
  } do
    it("tells once though the report " .. what, function(pool)
      local path, n = mark(), 0
      local unheard = {}
      local old = require("green.thread").on_error(function(err) unheard[#unheard + 1] = err end)
      debugging.hub_blocking_detection(true, 5, { jobs = LIMIT, report = function(stall)
        n = n + 1
        report(stall)
      end })
      local t = green.spawn(pool.execute, pool, os.execute,
        "until [ -e " .. path .. " ]; do sleep 0.01; done")
      repeat green.sleep(0.002) until n > 0
      green.sleep(10 * LIMIT)
      touch(path)
      t:wait()
      os.remove(path)
      require("green.thread").on_error(old)
      assert.equal(1, n)
      assert.same(what == "raises" and { "of the report" } or {}, unheard)
    end)
  end

  it("tells of the system call that a job sleeps in", function(pool)
    local stalls = watch(pool, os.execute, has_call, function(path)
      return "until [ -e " .. path .. " ]; do sleep 0.01; done"
    end)
    assert.equal("function os.execute", stalls[1].job)
    assert.matches("^wait", stalls[#stalls].syscall)
  end)

  it("does not cut a system call short", function(pool)
    local _, _, results = watch(pool, function(path)
      local ffi = require "ffi"
      ffi.cdef "int jobs_spec_usleep(unsigned us) __asm__(\"usleep\");"
      local worst = 0
      repeat
        local file = io.open(path)
        worst = math.min(worst, ffi.C.jobs_spec_usleep(100000))
      until file and file:close()
      return worst
    end)
    assert.equal(0, results[1])
  end)

  it("tells where a job waits that has a loop of its own", function(pool)
    local stalls = watch(pool, wait, has_line)
    assert.matches(HERE:gsub("%.", "%%.") .. "%d+: in function <", stalls[#stalls].traceback)
    assert.matches("in function 'sleep'", stalls[#stalls].traceback)
  end)

  it("leaves the job's own hook where it was", function(pool)
    local _, _, results = watch(pool, function(path)
      jit.off()
      local function hook() end
      debug.sethook(hook, "", 1000)
      local file
      repeat
        file = io.open(path)
      until file
      file:close()
      local now, mask, count = debug.gethook()
      debug.sethook()
      return now == hook, mask, count
    end)
    assert.same({ true, "", 1000 }, results)
  end)

  it("tells of each job of a thread", function(pool)
    local one = watch(pool, crunch, has_line)
    local other = watch(pool, crunch, has_line)
    assert.is_nil(one[1].is_again)
    assert.is_nil(other[1].is_again)
    assert.is_true(#one <= 2 and #other <= 2)
  end)

  it("is no more when it is turned off", function(pool)
    local path, stalls = mark(), 0
    local function on(jobs)
      assert.is_true(debugging.hub_blocking_detection(true, 5, {
        jobs = jobs,
        report = function() stalls = stalls + 1 end,
      }))
    end
    on(LIMIT)
    on(nil)
    local t = green.spawn(function() pool:execute(crunch, path) end)
    local seconds
    repeat
      green.sleep(LIMIT)
      local n = debugging.native_threads()[1]
      seconds = n and n.state == "at work" and n.seconds or 0
    until seconds > 8 * LIMIT
    touch(path)
    t:wait()
    os.remove(path)
    assert.equal(0, stalls)
  end)

  real("is checked", function()
    for _, case in ipairs {
      { "x", "jobs must be a number of at least 0.01" },
      { 0, "jobs must be a number of at least 0.01" },
      { 1e9, "jobs must be a number of at most 86400" },
    } do
      local ok, err = pcall(debugging.hub_blocking_detection, true, 1, { jobs = case[1] })
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(case[2], 1, true), tostring(err))
    end
    assert.is_false(core.watchdog_state().limit ~= nil)
  end)

  real("goes to standard error where no function hears of it, in a child of a fork, too", function()
    local path = mark()
    local p = program.start_greenlua { "-e", [[
      local green, tpool = require "green", require "green.tpool"
      local debugging = require "green.debug"
      debugging.hub_blocking_detection(true, 5, { jobs = 0.05 })
      tpool.execute(function() end)
      local child = green.fork(function()
        tpool.execute(function(name)
          local file
          repeat
            file = io.open(name)
          until file
        end, os.getenv "JOBS_PATH")
      end)
      require("green.process").wait(child)
      print "over"
    ]], env = { JOBS_PATH = path } }
    local text = p:expect("stack traceback:\n", "err")
    assert.matches("greenlua: native thread %d+ has been at work for %d+%.%d%d s: function "
      .. "<%(command line%):%d+>, for green thread main, called at %(command line%):%d+:\n", text)
    touch(path)
    p:expect "over"
    p:wait()
    os.remove(path)
  end)
end)
