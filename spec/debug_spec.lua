local green = require "green"
local dbg = require "green.debug"
local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

--- Run a chunk as a program: what it wrote to standard output and error.
local function run(code)
  local p = program.run_greenlua { "-", input = code }
  return p.out, p.err, p.status
end

describe("green.debug.hub_exceptions", function()
  it("keeps errors that nobody waits for from standard error", function()
    local out, err, status = run [[
      local green, debug = require "green", require "green.debug"
      print(debug.hub_exceptions(false))
      green.spawn(error, "quiet")
      green.sleep(0)
      green.sleep(0)
      print(debug.hub_exceptions(true))
      green.spawn(error, "loud")
      green.sleep(0)
      green.sleep(0)
      print(debug.hub_exceptions())
    ]]
    assert.equal("true\nfalse\ntrue\n", out)
    assert.not_matches("quiet", err)
    assert.matches("loud", err)
    assert.equal(0, status)
  end)

  it("leaves what on_error has set alone", function()
    local heard
    local old = green.on_error(function(err) heard = err end)
    dbg.hub_exceptions(false)
    green.spawn(error, "told")
    testing.settle()
    dbg.hub_exceptions(true)
    green.on_error(old)
    assert.equal("told", heard)
  end)
end)

describe("green.debug.tpool_exceptions", function()
  it("writes errors of jobs to standard error, too", function()
    local out, err = run [[
      local tpool, debug = require "green.tpool", require "green.debug"
      local function fail(text) error(text) end
      print(debug.tpool_exceptions(true))
      print((pcall(tpool.execute, fail, "first")))
      print(debug.tpool_exceptions())
      print((pcall(tpool.execute, fail, "second")))
    ]]
    assert.equal("false\nfalse\ntrue\nfalse\n", out)
    assert.matches("greenlua: error in a native thread:\n[^\n]*first\nstack traceback:\n", err)
    assert.not_matches("second", err)
  end)
end)

describe("green.debug.hub_prevent_multiple_readers", function()
  it("is always so, and says what to do instead", function()
    assert.is_true(dbg.hub_prevent_multiple_readers())
    assert.is_true(dbg.hub_prevent_multiple_readers(true))
    assert.error_matches(function() dbg.hub_prevent_multiple_readers(false) end,
      "^hub_prevent_multiple_readers: a second reader is always refused")
  end)
end)

describe("green.debug", function()
  it("refuses wrong arguments in the caller's line", function()
    for text, call in pairs {
      ["unknown option 'trace'"] = function() dbg.threads { trace = true } end,
      ["threads: traceback must be true or false, not 1"] = function()
        dbg.threads { traceback = 1 }
      end,
      ["thread: id must be a number"] = function() dbg.thread("x") end,
      ["spew: names must be a text or a list of texts"] = function() dbg.spew(7) end,
      ["spew: a name must be a string"] = function() dbg.spew { 7 } end,
      ["hub_timer_stacks: state must be true or false"] = function() dbg.hub_timer_stacks "yes" end,
      ["dump: title must be a string"] = function() dbg.dump(true) end,
    } do
      local ok, err = pcall(call)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
      assert.matches("^spec/debug_spec.lua:%d+: ", tostring(err))
    end
  end)
end)

describe("a deadlock", function()
  it("tells for how long each thread has waited", function()
    local p = program.run_greenlua { "-e", [[
      local green = require "green"
      local queue = green.Queue()
      green.spawn(function() local item = queue:get() return item end):name("worker")
      green.sleep(0.2)
      green.Event():wait()
    ]] }
    assert.equal(1, p.status)
    assert.matches("\n  worker %(parked, spawned at [^\n]-:3%): get of green.Queue{[^}]*} for "
      .. "[%d.]+ s at [^\n]-:3", p.err)
    assert.matches("\n  main %(parked%): wait of green.Event{[^}]*}[^\n]* at [^\n]-:5\n", p.err)
  end)
end)
