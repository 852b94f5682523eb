-- The probes for perf and bpftrace, as they stand in the binary: nothing where it was built
-- without <sys/sdt.h>.

local program = require "spec.support.program"
local testing = require "green.testing"

local it, pending = testing.busted(), pending

--- The probes of the binary with how many arguments they have, and how many places each has.
local function notes_of(path)
  local r = program.run { "readelf", "-n", "-W", path }
  local args, places, name = {}, {}, nil
  for line in r.out:gmatch("[^\n]+") do
    if line:find("Provider:", 1, true) then
      name = nil
    end
    if line:find("Provider: greenlua", 1, true) then
      name = ""
    elseif name == "" then
      name = line:match("Name: ([%w_]+)")
    elseif name and line:find("Arguments:", 1, true) then
      local _, n = line:match("Arguments: (.*)"):gsub("%-?%d@", "")
      args[name], places[name] = n, (places[name] or 0) + 1
    end
  end
  return args, places
end

describe("the binary's probes", function()
  local args, places = notes_of(program.greenlua)
  if not next(args) then
    return pending("built without <sys/sdt.h>")
  end

  it("are those of the page, with their arguments", function()
    assert.same({ switch = 3, park = 4, wake = 3, io = 3, timer = 3, spawn = 1, ["end"] = 1,
      request = 5 }, args)
    for name, n in pairs(places) do
      assert.is_true(n >= 1, name)
    end
  end)
end)
