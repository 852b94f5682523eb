-- docs/find-what-blocks.md shows programs and what they write: this runs them.

local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local PAGE = "docs/find-what-blocks.md"

--- The program and the output of each example.
local function examples()
  local file = assert(io.open(PAGE))
  local text = file:read("*a")
  file:close()
  local list = {}
  for code, output in text:gmatch("\n```lua\n(.-)\n```\n.-\n```text\n(.-)\n```\n") do
    list[#list + 1] = { code = code, output = output }
  end
  return list
end

--- What differs from run to run: the durations, the file's name, the library's lines; and a line
-- of the loop is as good as its neighbour.
local function plain(text, path)
  text = text:gsub(path:gsub("%p", "%%%0"), "blocks"):gsub("%d+%.%d+ s", "N s")
  text = text:gsub("checkpoint%.lua:%d+", "checkpoint.lua:N")
  return (text:gsub("blocks:[567]: in function 'checksum'", "blocks:N: in function 'checksum'"))
end

local function run(code, ...)
  local path = program.file(code)
  local result = program.run_greenlua { ..., path }
  os.remove(path)
  return result, path
end

describe("docs/find-what-blocks.md", function()
  it("shows the report of what blocks [S25] [S29] [S30]", function()
    local example = examples()[1]
    local wanted, seen, r, path
    for _ = 1, 10 do -- on a busy machine anything may be slow, and is reported, too
      r, path = run(example.code, "--watchdog=0.1")
      wanted, seen = plain(example.output, path), plain(r.err, path):gsub("\n$", "")
      if wanted == seen then
        break
      end
    end
    assert.are.equal(wanted, seen)
    assert.are.equal(0, r.status)
  end)

  it("shows a report function and the numbers", function()
    local example = examples()[2]
    local r = run(example.code, "--watchdog=0")
    assert.are.equal(example.output .. "\n", r.out)
    assert.are.equal("", r.err)
  end)
end)
