-- docs/where-does-the-time-go.md shows programs and what they write: this runs them.

local doc_page = require "spec.support.doc_page"
local testing = require "green.testing"

local _, it = testing.busted()

local examples = doc_page.examples "docs/where-does-the-time-go.md"

local function run(code)
  local r = doc_page.run(code, "program")
  assert.equal("", r.err)
  assert.equal(0, r.status)
  return r.out
end

--- The names of the rows, in their order, without numbers; and a line of a loop is as good as its
-- neighbour.
local function names(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do
    local name = line:match("^ *[%d.]+%% +[%d.]+%%  (.*)$")
    list[#list + 1] = name and name:gsub("checksum program:1[3456]", "checksum program:N")
      :gsub("join program:[567]", "join program:N") or nil
  end
  return list
end

--- Has a row that share at least?
local function has_share(text, name, least)
  local share = text:match("([%d.]+)%%  " .. name)
  return share and tonumber(share) >= least
end

describe("docs/where-does-the-time-go.md", function()
  it("shows where CPU time goes", function()
    local example = examples[1]
    local seen = run(example.code)
    assert.equal(names(example.output)[1], names(seen)[1])
    assert(has_share(seen, "checksum", 70), seen)
    assert.matches("^[%d.]+ m?s in %d+ samples, [%d.]+ s: compiled ", seen)
    assert.matches("^[%d.]+ m?s in %d+ samples, [%d.]+ s: compiled ", example.output)
  end)

  it("shows who makes garbage", function()
    local example = examples[2]
    local seen = run(example.code)
    assert.same(names(example.output), names(seen))
    assert(has_share(seen, "join", 90), seen)
  end)

  it("shows where threads wait", function()
    local example = examples[3]
    local seen, wanted = {}, {}
    for line in run(example.code):gmatch("[^\n]+") do seen[#seen + 1] = line end
    for line in example.output:gmatch("[^\n]+") do wanted[#wanted + 1] = line end
    assert.equal(wanted[1], seen[1])
    table.sort(seen)
    table.sort(wanted)
    assert.same(wanted, seen)
  end)
end)
