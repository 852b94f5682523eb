-- A C library that was required in a green thread (in the main chunk, under greenlua)
-- kept that thread's state and called back on it while the thread was parked: its stack
-- was overwritten (luv: a segmentation fault). Under plain luajit the main chunk's state
-- is right, but what a callback on it handed to the waiting main chunk was lost there.
-- The second half runs in spec/neighbours and spec/rock, where luv is installed.

local chunk = require "spec.support.chunk"

local PRELUDE = [[
local raw_running = coroutine.running -- a C function: nil on the main state
local green = require "green"
local function open(name, loader)
  package.preload[name], package.loaded[name] = loader, nil
  return require(name)
end
]]

local PLACES = {
  ["the main chunk"] = "%s",
  ["a green thread"] = "green.spawn(function() %s end):wait()",
  ["a coroutine"] = "coroutine.wrap(function() %s end)()",
  ["a module in Lua"] = "open('outer', function() %s return true end)",
}

for place, code in pairs(PLACES) do
  describe("a C library required in " .. place, function()
    local function prints(expected, text)
      chunk.prints(expected, PRELUDE .. code:gsub("%%s", function() return text end))
    end

    it("is opened on the main state", function()
      prints("true\n", "print(open('probe', raw_running))")
    end)

    it("gives what it returns, and gets its name", function()
      prints("probe\n", "print(open('probe', tostring))")
    end)

    it("raises what it raises, and can be tried again", function()
      prints("false\tprobe\nfalse\tprobe\ntrue\tprobe\n", [[
        for i = 1, 3 do
          local ok, err = pcall(open, "probe", i < 3 and error or tostring)
          print(ok, (tostring(err):gsub("^.*: ", "")))
        end
      ]])
    end)

    it("thousands of times leaves nothing on that state", function()
      prints("done\n", [[
        for i = 1, 5000 do
          pcall(open, "probe", i % 2 == 0 and error or tostring)
        end
        print "done"
      ]])
    end)

    it("does not keep modules in Lua from waiting", function()
      prints("waited\n", [[
        print(open("slow", function() green.sleep(0.001) return "waited" end))
      ]])
    end)
  end)
end
