-- green.args.chunks: long texts, of many pieces.

local chunks = require "green.args.chunks"

local function of(ending, pieces, head)
  local out = chunks.new(ending)
  for _, piece in ipairs(pieces) do
    out:put(piece)
  end
  return out:finish(head)
end

describe("green.args.chunks", function()
  it("puts small pieces together, each with its ending", function()
    assert.same({ "abc" }, of(nil, { "a", "", "bc" }))
    assert.same({ "a\nb\n" }, of("\n", { "a", "b" }))
    assert.same({ "2 of them:\n", "a\nb\n" }, of("\n", { "a", "b" }, "2 of them:\n"))
  end)

  it("is an empty text without a piece", function()
    assert.same({ "" }, of("\n", {}))
    assert.same({ "none" }, of("\n", {}, "none"))
  end)

  it("has chunks of some KB of a long text, and all of it", function()
    local pieces = {}
    for i = 1, 30000 do
      pieces[i] = "piece " .. i
    end
    local list = of("\n", pieces)
    assert.is_true(#list > 5)
    for _, chunk in ipairs(list) do
      assert.is_true(#chunk < 64 * 1024)
    end
    assert.equal(table.concat(pieces, "\n") .. "\n", table.concat(list))
  end)

  it("leaves a large piece as it is", function()
    local large = ("x"):rep(100000)
    assert.same({ large, "y" }, of(nil, { large, "y" }))
  end)
end)
