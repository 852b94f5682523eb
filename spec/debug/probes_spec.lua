-- The probes for perf and bpftrace, as they stand in the binary: nothing where it was built
-- without <sys/sdt.h>.

local program = require "spec.support.program"
local testing = require "green.testing"

local it, pending = testing.busted(), pending

--- Was the header there when the hub was compiled, and nothing said against it? Its ctime is
-- when it was installed. An installed binary has no objects beside it.
local function is_built_with_sdt()
  local header = program.run { "find", "/usr/include", "-path", "*/sys/sdt.h" }.out:match("[^\n]+")
  for _, folder in ipairs { program.build .. "/release", program.build } do
    local flags = io.open(folder .. "/.flags")
    if header and flags then
      local hub = folder .. "/greenc/hub/hub.o"
      local is_meant = not flags:read("*a"):find("GREEN_NO_PROBES", 1, true)
      flags:close()
      return is_meant and program.run { "find", hub, "-newermc", header }.out ~= ""
    end
  end
  return false
end

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

-- Sleeps, then asks its own server twice.
local SCRIPT = [[
  local green, http = require "green", require "green.http"
  local server = assert(require("green.wsgi").new("127.0.0.1:0", function()
    return 204, {}, ""
  end, { log = false, error_log = false })):start()
  green.sleep(0.001)
  for i = 1, 2 do http.get(server.url .. "/probed?n=" .. i) end
  http.close_idle()
  server:stop()
]]

local WATCH = [[
  usdt:@:greenlua:request { printf("%s %s\n", str(arg1, arg2), str(arg3, arg4)); }
  usdt:@:greenlua:switch /arg2 != 0/ { printf("status %d of %d\n", arg2, arg1); }
  usdt:@:greenlua:park /arg1 == 0/ { printf("sleep %d\n", arg2); }
]]

describe("the binary's probes", function()
  local args, places = notes_of(program.greenlua)
  if not next(args) and not is_built_with_sdt() then
    return pending("built without <sys/sdt.h>")
  end

  it("are those of the page, with their arguments", function()
    assert.same({ switch = 3, park = 4, wake = 3, io = 3, timer = 3, spawn = 1, ["end"] = 1,
      request = 5 }, args)
    for name, n in pairs(places) do
      assert.is_true(n >= 1, name)
    end
  end)

  it("say to bpftrace what happens", function()
    local script = program.file(SCRIPT)
    local r = program.run { "bpftrace", "-e", (WATCH:gsub("@", program.greenlua)), "-c",
      program.greenlua .. " " .. script }
    os.remove(script)
    if r.status ~= 0 then
      return pending("bpftrace cannot be used here: " .. (r.err:match("[^\n]+") or r.status))
    end
    assert.matches("\nGET /probed%?n=1\n.*GET /probed%?n=2\n", r.out)
    assert.matches("\nsleep %-1\n.*status %-110 of 1\n", r.out)
  end)
end)
