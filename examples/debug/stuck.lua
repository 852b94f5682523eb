-- A program that ends in a deadlock, and says who waits for whom: two threads take two locks,
-- each in an order of its own.
--
--   greenlua examples/debug/stuck.lua

local green = require "green"

local accounts, journal = green.Semaphore(1), green.Semaphore(1)

local function transfer()
  accounts:acquire()
  green.sleep(0.1) -- here the other one runs
  local ok = journal:acquire()
  return ok
end

local function report()
  journal:acquire()
  green.sleep(0.1)
  local ok = accounts:acquire()
  return ok
end

local one = green.spawn(transfer):name("transfer")
green.spawn(report):name("report")
one:wait()
print("never")
