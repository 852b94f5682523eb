-- tools/compatibility.lua joins docs/compatibility.md with what the specs cite.

local program = require "spec.support.program"
local tree = require "spec.support.tree"

local PAGE = "docs/compatibility.md"
local LAST = { S = 69, b = 172 }

--- A page of all rows; those in columns have another last column.
local function page(columns)
  local lines = {}
  for _, kind in ipairs { "S", "b" } do
    for n = 1, LAST[kind] do
      local id = kind .. (kind == "S" and ("%02d"):format(n) or n)
      lines[#lines + 1] = ("| %s | A behaviour. | %s |"):format(id, columns[id] or "no spec")
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Put together, lest this file cites the row itself.
local function cites(id)
  return ('it("does so [%s]", print)\n'):format(id)
end

--- What the tool says of a page and specs (path -> row that it cites), and leaves there.
local function run(columns, specs, ...)
  local files, result, left = { [PAGE] = page(columns), ["spec/none.lua"] = "" }, nil, nil
  for path, id in pairs(specs) do files[path] = "\n" .. cites(id) end
  local words = { "luajit", "tools/compatibility.lua", ... }
  tree.with(files, function(root)
    words[#words + 1] = root
    result = program.run(words)
    left = tree.read(root .. "/" .. PAGE)
  end)
  return result, left
end

describe("tools/compatibility.lua", function()
  it("writes which files cite a row, C's among them", function()
    local r, left = run({}, { ["spec/a_spec.lua"] = "b7", ["spec/c/b_test.c"] = "b7" })
    assert.equal("", r.err)
    assert.equal(0, r.status)
    assert.equal(page { b7 = "`spec/a_spec.lua`, `spec/c/b_test.c`" }, left)
  end)

  it("only tells with --check", function()
    local r, left = run({}, { ["spec/a_spec.lua"] = "S01" }, "--check")
    assert.matches("its last column is not what the specs say: run make compatibility", r.err)
    assert.equal(1, r.status)
    assert.equal(page {}, left)
    assert.equal(0, run({ S01 = "`spec/a_spec.lua`" }, { ["spec/a_spec.lua"] = "S01" },
      "--check").status)
  end)

  it("fails for a citation of a row that is not there, with its line", function()
    local r = run({}, { ["spec/a_spec.lua"] = "b999" })
    assert.equal(("spec/a_spec.lua:2: cites [%s], and there is no such row\n"):format "b999", r.err)
    assert.equal(1, r.status)
  end)

  it("fails for a row that has lost its spec, and shows it from then on", function()
    local r, left = run({ b7 = "`spec/gone_spec.lua`" }, {})
    assert.equal(PAGE .. ":76: no spec cites b7 any more\n", r.err)
    assert.equal(1, r.status)
    assert.equal(page {}, left)
  end)

  it("leaves the reason of a row that nothing cites, and counts what there is", function()
    local columns = { b7 = "not built yet", b8 = "does not apply: it is Python's" }
    local r, left = run(columns, { ["spec/a_spec.lua"] = "b9" })
    assert.equal(PAGE .. ": rows: 1 does not apply, 1 not built yet, 1 proved by specs, "
      .. "238 no spec\n", r.out)
    columns.b9 = "`spec/a_spec.lua`"
    assert.equal(page(columns), left)
  end)
end)
