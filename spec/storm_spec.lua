-- Every part of the storm for a short time, each in a process of its own. `make
-- storm STORM=1800` goes on for longer, STORM and SEED change what runs here.

local program = require "spec.support.program"

local SECONDS = os.getenv("STORM") or "1.5" -- for each part
local SEED = tonumber(os.getenv("SEED")) or os.time() % 100000

local TSAN_OPTIONS = os.getenv("TSAN_OPTIONS") or ""

local function run(argv)
  local ok, r = pcall(program.run, argv)
  assert.is_true(ok, ("seed %d: %s"):format(SEED, tostring(r):sub(-4000)))
  local last = r.err:match("(round %d+)\n[^\n]*$") or ""
  local said = r.out .. r.err:gsub("round %d+\n", "")
  assert.is_true(r.status == 0, ("seed %d: status %s, signal %s, %s\n%s"):format(SEED,
    tostring(r.status), tostring(r.signal), last, said))
end

describe("a storm", function()
  for _, part in ipairs { "things", "waits", "ends", "forks" } do
    it("over " .. part .. " breaks no rule", function()
      run {
        env = { STORM_TRACE = "1", TSAN_OPTIONS = "die_after_fork=0:" .. TSAN_OPTIONS },
        program.greenlua, "spec/storm/run.lua", part, tostring(SEED), SECONDS,
      }
    end)
  end

  it("over several runtimes in one process breaks no rule", function()
    local path = program.build .. "/spec/storm/runtimes"
    local file = io.open(path)
    if not file then
      pending(path .. " was not built")
      return
    end
    file:close()
    run { path, tostring(SEED), SECONDS }
  end)
end)
