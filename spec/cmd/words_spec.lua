-- The words that the command knows, and the variables that it asks for, are in its usage, on its
-- page and on its manual page.

local fs = require "green.fs"
local program = require "spec.support.program"

local page = assert(fs.read_file("docs/cli.md"))
local manual = assert(fs.read_file("docs/greenlua.1")):gsub("\\%-", "-"):gsub("\\fR", "")

--- The names of GREENLUA_... that stand in quotes in a source, into a set.
local function add_variables(found, path)
  for name in assert(fs.read_file(path)):gmatch '"(GREENLUA_[%u%d_]+)"' do
    found[name] = true
  end
end

describe("the command's pages", function()
  it("have all variables that the sources ask for", function()
    local found, n = {}, 0
    for _, folder in ipairs { "greenc", "vm", "lualib" } do
      for path in fs.walk(folder) do
        if path:find "%.[ch]$" or path:find "%.lua$" then
          add_variables(found, path)
        end
      end
    end
    for name in pairs(found) do
      n = n + 1
      assert.truthy(page:find("`" .. name .. "`", 1, true), "docs/cli.md has no " .. name)
      assert.truthy(manual:find(name, 1, true), "docs/greenlua.1 has no " .. name)
    end
    assert.is_true(n >= 15)
  end)

  it("have all options of the usage, and its commands", function()
    local usage, n = program.run_greenlua({ "--help" }).out, 0
    for word in usage:gmatch "%f[^%s](%-%-?%a[%a%-]*)" do
      n = n + 1
      assert.truthy(page:find("`" .. word, 1, true), "docs/cli.md has no " .. word)
      assert.truthy(manual:find(word, 1, true), "docs/greenlua.1 has no " .. word)
    end
    assert.is_true(n >= 15)
    for _, word in ipairs { "attach", "top", "dump" } do
      assert.matches("greenlua " .. word .. " PID", usage, 1, true)
      assert.matches("`greenlua " .. word .. " PID`", page, 1, true)
      assert.matches(word .. " PID", manual, 1, true)
      assert.equal(0, program.run_greenlua({ word, "--help" }).status)
    end
  end)
end)
