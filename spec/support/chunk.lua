-- Runs chunks in a greenlua of their own: for what would take this process along.

local assert = require "luassert"
local program = require "spec.support.program"

local M = {}

--- How it ended, fit to be read in a report.
function M.describe(r)
  local how = r.signal and "signal " .. r.signal or "status " .. tostring(r.status)
  return ("%s\nout: %s\nerr: %s"):format(how, r.out, r.err)
end

--- Run a chunk to its end. opts as program.run's, and `words` behind the chunk.
function M.run(code, opts)
  opts = opts or {}
  opts[1], opts[2] = "-e", code
  return program.run_greenlua(opts)
end

--- Run a chunk that must end by itself, with status 0. Returns what it printed.
function M.output(code, opts)
  local r = M.run(code, opts)
  assert.is_nil(r.signal, M.describe(r))
  assert.equal(0, r.status, M.describe(r))
  return r.out
end

--- Run a chunk that must print exactly that.
function M.prints(expected, code, opts)
  assert.equal(expected, M.output(code, opts))
end

return M
