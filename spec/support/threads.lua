-- What the specs of green.thread share.

local assert = require "luassert" -- busted's is no global here
local green = require "green"
local testing = require "green.testing"

local M = {}

--- Does nothing.
function M.nothing() end

--- The error of a call that must fail.
function M.raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- A thread that waits for ever, and a list of what its cleanup did.
function M.sleeper()
  local notes = {}
  local t = green.spawn(function()
    local ok, err = pcall(green.sleep, math.huge)
    notes[#notes + 1] = { ok, err }
    error(err, 0)
  end)
  testing.settle()
  return t, notes
end

--- Errors that nobody waits for, while fn runs.
function M.reports_of(fn)
  local reports = {}
  local old = green.on_error(function(err, t, trace)
    reports[#reports + 1] = { err = err, thread = t, trace = trace }
  end)
  fn()
  testing.settle()
  green.on_error(old)
  return reports
end

return M
