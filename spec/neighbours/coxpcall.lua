-- Coxpcall: protected calls that wait.
--
-- needs: coxpcall
-- prints: true 1 nil 3
-- prints: false x
-- prints: false handled x
-- prints: true

local green, cox = require "green", require "coxpcall"
print(cox.pcall(function() green.sleep(0.001) return 1, nil, 3 end))
print(cox.pcall(function() green.sleep(0.001) error("x", 0) end))
print(cox.xpcall(function() green.sleep(0.001) error("x", 0) end,
  function(err) return "handled " .. err end))
print(green.spawn(function() return cox.pcall(green.sleep, 0.001) end):wait())
