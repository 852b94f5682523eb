-- docs/find-what-blocks.md shows programs and what they write: this runs them.

local doc_page = require "spec.support.doc_page"
local testing = require "green.testing"

local _, it = testing.busted()

local examples = doc_page.examples "docs/find-what-blocks.md"

--- What differs from run to run: the durations, the library's lines; and a line of the loop is
-- as good as its neighbour.
local function plain(text)
  text = text:gsub("%d+%.%d+ s", "N s"):gsub("checkpoint%.lua:%d+", "checkpoint.lua:N")
  return (text:gsub("blocks:[567]: in function 'checksum'", "blocks:N: in function 'checksum'"))
end

describe("docs/find-what-blocks.md", function()
  it("shows the report of what blocks [S25] [S29] [S30]", function()
    local wanted, seen, r = plain(examples[1].output), nil, nil
    for _ = 1, 10 do -- on a busy machine anything may be slow, and is reported, too
      r = doc_page.run(examples[1].code, "blocks", "--watchdog=0.1")
      seen = plain(r.err):gsub("\n$", "")
      if wanted == seen then
        break
      end
    end
    assert.are.equal(wanted, seen)
    assert.are.equal(0, r.status)
  end)

  it("shows a report function and the numbers", function()
    local r = doc_page.run(examples[2].code, "blocks", "--watchdog=0")
    assert.are.equal(examples[2].output .. "\n", r.out)
    assert.are.equal("", r.err)
  end)
end)
