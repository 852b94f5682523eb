-- A temporary folder for each test of a file of specs.
--
--    local dir = require("spec.support.folder").each(before_each, after_each)
--    it("...", function() fs.write_file(dir() .. "/a", "x") end)

local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local M = {}

--- Of busted's before_each and after_each: a function that gives the path.
function M.each(before_each, after_each)
  local path
  before_each(function()
    path = os.tmpname()
    os.remove(path)
    assert(program.run { "mkdir", path })
  end)
  after_each(function()
    program.run { "chmod", "-R", "u+rwX", path }
    program.run { "rm", "-rf", path }
  end)
  return function()
    return path
  end
end

--- Let what killed threads have left behind end: as many descriptors are open as before.
function M.settle_fds(count)
  testing.settle_io(function()
    return testing.open_fds() <= count
  end)
end

--- Assert that these results are a failure with that code; the error.
function M.fails(code, value, err)
  assert(value == nil, "it did not fail")
  assert(green.is_error(err, code), tostring(err))
  return err
end

--- Call fn(i) in a green thread and kill it, now sooner, now later: whatever happened, a kill
-- is what comes out, or what fn returned.
function M.kill_all_over(times, fn)
  local fds = testing.open_fds()
  for i = 1, times do
    local thread = green.spawn(fn, i)
    for _ = 1, i % 6 do
      green.sleep(0)
    end
    thread:kill()
    local ok, err = pcall(thread.wait, thread)
    assert(ok or green.is_error(err, "ECANCELED"), tostring(err))
  end
  M.settle_fds(fds)
end

return M
