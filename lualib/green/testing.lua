--- For specs: a virtual clock, leak checks, in-memory streams.
--
-- Works with any test framework; `busted` gives busted an `it` of its own:
--
--    local it = require("green.testing").busted()
--    it("sleeps for a day in no time", function()
--      green.sleep(86400)
--    end)
-- @module green.testing

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local leaks = require "green.testing.leaks"
local settle = require "green.testing.settle"
local thread = require "green.thread"
local timeout = require "green.timeout"

local REAL_SECONDS = 30 -- what a body on the real clock may take

local M = { settle = settle.settle, settle_io = settle.settle_io }

--- How many descriptors the process has open. Does not park.
function M.open_fds()
  return #settle.descriptors()
end

-- -- Letting others run -------------------------------------------------------

--- Move the virtual clock on, in one step, and let the others run. Needed only
-- while a real descriptor is waited for: else sleeping moves it. Parks.
-- @tparam number seconds
function M.advance(seconds)
  args.number(seconds, 0, "advance", "seconds")
  core.advance(seconds)
  M.settle()
end

-- -- Running bodies -----------------------------------------------------------

local is_virtual = false

local function clock_on()
  if core.set_virtual(true) ~= 0 then
    args.misuse("testing.virtual: deadlines are pending on the real clock")
  end
  is_virtual = true
end

local function clock_off()
  is_virtual = false
  if core.set_virtual(false) ~= 0 then
    error("testing.virtual: deadlines are left on the virtual clock", 0)
  end
end

local function pack(...)
  return { n = select("#", ...), ... }
end

--- Run the body in a green thread; errors that nobody waits for come back in a
-- list of texts.
local function run_body(fn, given)
  local unheard = {}
  local old = thread.on_error(function(err, t, trace)
    unheard[#unheard + 1] = ("green thread %s: %s\n%s"):format(
      thread.label(t), thread.text_of(err), trace or "")
  end)
  local body = thread.spawn(fn, unpack(given, 1, given.n))
  local outcome = pack(pcall(body.wait, body))
  outcome.trace = body:traceback()
  body:kill_soon() -- alive still if the wait ended by a deadlock
  return outcome, unheard, old
end

--- What else went wrong, in the order in which it is told: what was left behind
-- comes first, for it harms more than this body.
local function besides(left, unheard)
  local parts = { left }
  if #unheard > 0 then
    parts[#parts + 1] = "errors that nobody waited for:\n" .. table.concat(unheard, "\n")
  end
  return parts[1] and table.concat(parts, "\n")
end

local function run_checked(fn, ...)
  local given = pack(...)
  local before = leaks.snapshot()
  local outcome, unheard, old = run_body(fn, given)
  local left = leaks.report(before)
  thread.on_error(old)
  outcome.besides = besides(left, unheard)
  return outcome
end

--- Return or raise what came of a body. Its own error stays what it is: only a text
-- can have something put before it.
local function finish(outcome, level)
  local more, err = outcome.besides, outcome[2]
  if outcome[1] and not more then
    return unpack(outcome, 2, outcome.n)
  elseif outcome[1] then
    error(more, level or 0)
  elseif more and type(err) == "string" then
    error(more .. "\nand the error: " .. err, 0)
  elseif more then
    io.stderr:write("green.testing: besides the error: ", more, "\n")
  end
  error(err, 0)
end

local function run_virtual(fn, ...)
  if is_virtual then
    return run_checked(fn, ...)
  end
  clock_on()
  local outcome = run_checked(fn, ...)
  clock_off()
  return outcome
end

local function with_limit(fn, ...)
  timeout.Timeout(REAL_SECONDS)
  return fn(...)
end

local function run_real(fn, ...)
  return run_checked(with_limit, fn, ...)
end

--- Run fn(...) in a green thread on a virtual clock, which jumps to the next
-- deadline when all threads wait. Raises fn's error; an error that nobody
-- waited for; and when fn leaves green threads, deadlines or descriptors
-- behind. Of several, what was left behind is told first: before the text that
-- fn raised, or on standard error if that is no text, for it is raised as it is.
-- Printing leaves nothing behind. Parks.
-- @return what fn returned
function M.virtual(fn, ...)
  args.callable(fn, "virtual", "fn")
  return finish(run_virtual(fn, ...))
end

--- The same on the real clock, for what talks to the world outside. fn gets
-- 30 s. Parks.
function M.real(fn, ...)
  args.callable(fn, "real", "fn")
  return finish(run_real(fn, ...))
end

--- Run fn(...) in this green thread, on the clock there is, and raise if it
-- leaves green threads, deadlines or descriptors behind; together with an error of
-- fn's as `virtual` does. Parks.
-- @return what fn returned
function M.assert_no_leaks(fn, ...)
  args.callable(fn, "assert_no_leaks", "fn")
  local before = leaks.snapshot()
  local outcome = pack(pcall(fn, ...))
  outcome.besides = leaks.report(before)
  return finish(outcome, 2)
end

-- -- busted -------------------------------------------------------------------

--- A failed assertion of busted's with a text before its own.
local function failure_with(text, failure)
  local copy = {}
  for key, value in pairs(failure) do
    copy[key] = value
  end
  copy.message = text .. "\nand the failure: " .. failure.message
  return setmetatable(copy, getmetatable(failure))
end

-- An error object does not say where it was raised; a test report should.
local function explain(outcome)
  local err, more = outcome[2], outcome.besides
  if not outcome[1] and errors.is_error(err) and outcome.trace then
    outcome[2] = tostring(err) .. "\n" .. outcome.trace
  elseif not outcome[1] and more and type(err) == "table" and type(err.message) == "string" then
    outcome[2], outcome.besides = failure_with(more, err), nil
  end
  return outcome
end

--- Two functions like busted's `it`, whose bodies run in `virtual` and `real`.
-- Call it in a spec file. Does not park.
function M.busted()
  local it = getfenv(2).it
  if not it then
    args.misuse("testing.busted: there is no busted here")
  end
  local function made(run)
    return function(title, fn)
      return it(title, function()
        return finish(explain(run(fn)))
      end)
    end
  end
  return made(run_virtual), made(run_real)
end

local lazy = { stream_pair = "green.testing.stream", check_stream = "green.testing.check_stream" }

return setmetatable(M, {
  __index = function(self, name)
    if lazy[name] then
      rawset(self, name, require(lazy[name])[name])
      return rawget(self, name)
    end
  end,
})
