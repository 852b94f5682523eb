-- Tutorial, step 1: green threads.
--
--   greenlua examples/tutorial/1_hello.lua

local green = require "green"

local function greet(name, seconds)
  green.sleep(seconds) -- only this thread waits
  print("hello, " .. name)
  return #name
end

local started = green.now()
local ann = green.spawn(greet, "Ann", 0.2)
local bob = green.spawn(greet, "Bob", 0.1)
print("nobody has run yet")

local letters = ann:wait() + bob:wait()
print(("%d letters in %.1f seconds"):format(letters, green.now() - started))
