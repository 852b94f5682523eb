-- Lpeg: matches in many threads; a wait in a capture says where it is.
--
-- needs: lpeg
-- prints: 1 2 3
-- prints: false spec/neighbours/lpeg.lua:17: cannot wait inside lpeg.match

local green, lpeg = require "green", require "lpeg"
local words = lpeg.Ct((lpeg.C(lpeg.R "az" ^ 1) * lpeg.P " " ^ 0) ^ 0)
local threads = {}
for i = 1, 3 do
  threads[i] = green.spawn(function()
    green.sleep(0.001)
    return #words:match(("word "):rep(i))
  end)
end
print(threads[1]:wait(), threads[2]:wait(), threads[3]:wait())
print(green.spawn(pcall, lpeg.match, lpeg.P "x" / function() green.sleep(0) end, "x"):wait())
