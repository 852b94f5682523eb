--- The conformance suite for streams: run it over every kind of stream.
-- @module green.testing.check_stream

local args = require "green.args"
local options = require "green.args.options"
local testing = require "green.testing"

local known = { it = true, clock = true, half_close = true }
local clocks = { virtual = true, real = true }

local parts = {
  "green.testing.check_read",
  "green.testing.check_write",
  "green.testing.check_end",
  "green.testing.check_cancel",
}

local function all_checks(opts)
  local checks = {}
  local function add(title, fn, needs)
    if not needs or opts[needs] ~= false then
      checks[#checks + 1] = { title = title, fn = fn }
    end
  end
  for _, name in ipairs(parts) do
    require(name)(add)
  end
  return checks
end

--- A body for one check: a fresh pair, closed at the end whatever happens.
local function body_of(check, make_pair)
  return function()
    local a, b = make_pair()
    local ok, err = pcall(check.fn, a, b)
    a:close()
    b:close()
    if not ok then
      error(err, 0)
    end
  end
end

local function run_now(checks, make_pair, run)
  local failures = {}
  for _, check in ipairs(checks) do
    local ok, err = pcall(run, body_of(check, make_pair))
    if not ok then
      failures[#failures + 1] = ("it %s\n    %s"):format(check.title, tostring(err))
    end
  end
  if #failures > 0 then
    error(("check_stream: %d of %d checks failed\n  %s"):format(
      #failures, #checks, table.concat(failures, "\n  ")), 0)
  end
  return #checks
end

--- Run the checks, each over a fresh pair and followed by the leak checks of
-- `testing.real`. Parks.
-- @tparam function make_pair returns two connected streams, which take at
-- least 1 KB while nobody reads
-- @tparam[opt] table opts `it`: busted's: then each check becomes a test of its
-- own and nothing runs yet; `clock` "virtual" for streams without descriptors
-- ("real"); `half_close` false: shutting down one direction ends both
-- @treturn number how many checks there are; raises what failed
local function check_stream(make_pair, opts)
  opts = options.check(opts, known, "check_stream")
  args.callable(make_pair, "check_stream", "make_pair")
  if opts.it ~= nil then
    args.callable(opts.it, "check_stream", "it")
  end
  local clock = opts.clock or "real"
  if not clocks[clock] then
    options.unknown("clock", clock, clocks, "check_stream")
  end
  local run = testing[clock]
  local checks = all_checks(opts)
  if not opts.it then
    return run_now(checks, make_pair, run)
  end
  for _, check in ipairs(checks) do
    opts.it(check.title, function()
      run(body_of(check, make_pair))
    end)
  end
  return #checks
end

return { check_stream = check_stream }
