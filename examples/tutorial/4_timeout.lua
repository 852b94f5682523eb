-- Tutorial, step 4: timeouts, killing, and cleaning up.
--
--   greenlua examples/tutorial/4_timeout.lua

local green = require "green"

local function answer(seconds)
  green.sleep(seconds) -- as if it asked a server
  return "42"
end

-- One limit around any number of calls.
print(green.timeout(1, answer, 0.01))
print(green.timeout(0.05, answer, 10))

-- What must be undone is undone: after a return, an error, a timeout, a kill.
local function careful()
  print "lock taken"
  return green.finally(function()
    return answer(10)
  end, function()
    print "lock released"
  end)
end
local value, err = green.timeout(0.05, careful)
print(value, err:is("ETIMEDOUT"))

-- Another thread can be ended too. Who waits for it gets the reason.
local worker = green.spawn(careful)
green.sleep(0.01)
worker:kill()
print(pcall(worker.wait, worker))
