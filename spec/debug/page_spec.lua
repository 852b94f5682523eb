-- docs/what-are-my-threads-doing.md shows what the programs of examples/debug really write.

local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local USR2 = 12

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local page = read "docs/what-are-my-threads-doing.md"

--- What differs each time and has no meaning: times, ports, addresses, sizes; and the frames
-- of tracebacks, which the page shortens.
local function normal(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    local is_frame = line:find("stack traceback:", 1, true) or line:find("^%s+%.%.%.$")
      or line:find("^%s+%[C%]:") or line:find("^%s+[%w_/%.]+:%d+: in function")
    if not is_frame then
      line = line:gsub("%d+%.%d s", "T s"):gsub(" for T s", ""):gsub("127%.0%.0%.1:%d+", "ADDRESS")
      line = line:gsub("0x%x+", "0x"):gsub("stack %d+ B", "stack N B")
      lines[#lines + 1] = line:gsub("fd %d+", "fd N"):gsub("socket{%d+", "socket{N")
        :gsub(" %(EDEADLOCK%)", "")
    end
  end
  return lines
end

--- The lines of the page's block that begins with a text, without its first ones.
local function shown(first)
  local from = assert(page:find("\n    " .. first, 1, true), first)
  local block = page:sub(from + 1):match("^(.-)\n\n")
  return normal((block:gsub("^    ", ""):gsub("\n    ", "\n")))
end

describe("docs/what-are-my-threads-doing.md", function()
  it("shows what SIGUSR2 writes", function()
    local p = program.start_greenlua { "examples/debug/leak.lua", "0" }
    p:expect "127.0.0.1:"
    local port = tonumber((p:expect "\n"))
    local conn = assert(green.connect("127.0.0.1", port))
    conn:write("me\n")
    assert.equal("hello me", conn:read_line())
    p:kill(USR2)
    local text = p:expect("greenlua: 3 green threads\n", "err")
    conn:close()
    p:kill(program.TERM)
    p:wait()
    assert.same(shown "greenlua: SIGUSR2", normal(text .. "greenlua: 3 green threads"))
  end)

  it("shows what a deadlock says", function()
    local p = program.run_greenlua { "examples/debug/stuck.lua" }
    assert.equal(1, p.status)
    local want = shown "$ greenlua examples/debug/stuck.lua"
    table.remove(want, 1)
    assert.same(want, normal(p.err))
  end)

  it("shows what is left at the end", function()
    local p = program.run_greenlua { "examples/debug/leak.lua", "0", "2",
      env = { GREENLUA_LEAKS = "1" } }
    assert.equal(0, p.status)
    local want = shown "$ GREENLUA_LEAKS=1"
    table.remove(want, 1)
    assert.same(want, normal(p.out .. p.err))
  end)
end)
