-- No call ends the process. Every export and every method of every class is called
-- with wrong selves and wrong arguments (spec/calls); what it raises must begin with
-- the caller's line, name the function and the argument, and show the value. What is
-- to be called is found out: a new module or class is covered by being there.
-- CALLS_LOG names a file for the whole list of failures, CALLS a pattern of subjects.

local children = require "spec.calls.children"

local MOST = 40 -- failures that are shown
local only = os.getenv("CALLS") or ""

local plan -- lines of the report, once it was made

local function get_plan()
  plan = plan or children.explore()
  return plan
end

--- What stands behind a word in the lines of the plan, told by kind.
local function subjects(kind)
  local list = {}
  for _, line in ipairs(get_plan()) do
    local name = line:match("^" .. kind:upper() .. "\t([^\t]+)")
    local subject = name and kind .. " " .. name
    if subject and subject:find(only) then
      list[#list + 1] = subject
    end
  end
  table.sort(list)
  return list
end

local function failures(lines)
  local list = {}
  for _, line in ipairs(lines) do
    local kind = line:match("^(%u+)\t")
    if kind == "FAIL" or kind == "BROKEN" or kind == "MISSING" then
      list[#list + 1] = (line:gsub("\t", "  "))
    end
  end
  return list
end

local function log(list)
  local path = os.getenv("CALLS_LOG")
  local file = path and io.open(path, "a")
  if file then
    file:write(table.concat(list, "\n"), #list > 0 and "\n" or "")
    file:close()
  end
end

local function assert_none(lines)
  local list = failures(lines)
  log(list)
  local text = table.concat(list, "\n", 1, math.min(#list, MOST))
  assert.equal(0, #list, ("%d wrong:\n%s"):format(#list, text))
end

--- How many calls were made.
local function count(lines)
  local n = 0
  for _, line in ipairs(lines) do
    n = n + (tonumber(line:match("^COUNT\t[^\t]+\t(%d+)")) or 0)
  end
  return n
end

-- -- Is the judge one? ---------------------------------------------------------

local PLACE = "spec/x.lua:7: "

local function verdict(err, more)
  local call = { f = { aliases = { read = true } }, about = { words = { n = true } }, good = true,
    args = { n = 1, "x" }, wrong = { name = "n", value = "x" } }
  for key, value in pairs(more or {}) do call[key] = value end
  return require("spec.calls.judge").judge(err, PLACE, call)
end

describe("what a wrong call raises", function()
  it("is right when it names place, function and argument and shows the value", function()
    assert.is_nil(verdict(PLACE .. 'read: n must be a number, not "x"'))
    assert.is_nil(verdict(PLACE .. "read: unknown family 'x'"))
    assert.is_nil(verdict(require("green.error").new("EINVAL", "read")))
  end)

  it("is wrong when any of that is missing", function()
    local bad = {
      ['read: n must be a number, not "x"'] = "is not the caller's line",
      ['spec/x.lua:8: read: n must be a number, not "x"'] = "is not the caller's line",
      [PLACE .. 'n must be a number, not "x"'] = "does not name the function",
      [PLACE .. 'read: it must be a number, not "x"'] = "does not name the argument (n)",
      [PLACE .. "read: n must be a number"] = "does not show the value",
      [PLACE .. "read: n must be a number, not x"] = "does not show the value",
      [PLACE .. "bad argument #1 to 'read' (number expected, got string)"] = "raised inside",
      [PLACE .. "attempt to index local 'self' (a nil value)"] = "raised inside",
      ["lualib/green/x.lua:1: read: n must be a number"] = "raised inside",
      ["hostile metamethod tostring"] = "ran the value's own __tostring",
    }
    for err, why in pairs(bad) do
      assert.equal(why, verdict(err))
    end
    assert.equal("is a nil", verdict(nil))
    assert.equal("is a table", verdict({}))
  end)
end)

-- -- All calls ----------------------------------------------------------------

describe("a wrong call", function()
  teardown(children.remove_folder)

  it("is tried on an object of every class", function()
    assert_none(get_plan())
    assert.is_true(#subjects("class") > 20 or only ~= "")
    assert.is_true(#subjects("module") > 20 or only ~= "")
  end)

  for _, mode in ipairs { "interpreted", "compiled" } do
    for _, kind in ipairs { "module", "class" } do
      it(("of a %s's function raises in the caller's line, %s"):format(kind, mode), function()
        local list = subjects(kind)
        for _, subject in ipairs(kind == "module" and subjects("holder") or {}) do
          list[#list + 1] = subject
        end
        local lines = children.try(mode, list)
        assert_none(lines)
        assert.is_true(count(lines) > 1000 or only ~= "", "too few calls")
      end)
    end
  end
end)
