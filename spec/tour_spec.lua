-- docs/contributing-tour.md names files and functions: each is there, or said with its line.

local tree = require "spec.support.tree"

local TOUR = "docs/contributing-tour.md"

--- Does a function's head begin in text at i, with a body behind it? A `;` comes first
-- behind a prototype or a call.
local function has_body(text, i)
  return text:match("^[^{;]*([{;])", i) == "{"
end

local function is_defined_in_c(text, name)
  local i = 0
  repeat
    i = text:find("\n[%w_ *]-%f[%w_]" .. name .. "%(", i + 1)
  until not i or has_body(text, i)
  return i ~= nil
end

local function is_defined_in_lua(text, name)
  local exact = name:gsub("%.", "%%.")
  return text:find("\n%s*function " .. exact .. "%s*%(") ~= nil
    or text:find("\n%s*local function " .. exact .. "%s*%(") ~= nil
    or text:find("\n%s*[%w_ ]-" .. exact .. " = function%(") ~= nil
end

local function is_defined(text, path, name)
  text = "\n" .. text
  if path:find("%.lua$") then return is_defined_in_lua(text, name) end
  return is_defined_in_c(text, name)
end

--- What a page names and the tree has not: "line: what" each. Functions stand behind their
-- file, in the same line or a later one.
local function stale(page)
  local found, n, path, text = {}, 0, nil, nil
  for line in page:gmatch("([^\n]*)\n") do
    n = n + 1
    for word in line:gmatch("`([^`]+)`") do
      local name = word:match("^([%w_.]+)%(%)$")
      if word:find("^[%w_./-]+/[%w_.-]+%.%a+$") then
        path, text = word, tree.read(word)
        if not text then found[#found + 1] = ("%d: no file %s"):format(n, path) end
      elseif name and text and not is_defined(text, path, name) then
        found[#found + 1] = ("%d: %s has no function %s"):format(n, path, name)
      end
    end
  end
  return found
end

describe(TOUR, function()
  it("names files and functions that are there", function()
    local page = assert(tree.read(TOUR))
    assert.same({}, stale(page))
    local _, n = page:gsub("%(%)`", "")
    assert.is_true(n > 60, "and that many of them")
  end)

  it("is told with the line when a name is stale", function()
    local page = "`greenc/base/buf.c`: `green_buf_append()`, `green__alloc()`,\n"
      .. "`green_buf_gone()`.\n`greenc/base/gone.c`: `any()`. `lualib/green/timeout.lua`:\n"
      .. "`M.timeout()`, `scoped()`, `M.gone()`, `current()`\n"
    assert.same({
      "1: greenc/base/buf.c has no function green__alloc", -- it calls that
      "2: greenc/base/buf.c has no function green_buf_gone",
      "3: no file greenc/base/gone.c",
      "4: lualib/green/timeout.lua has no function M.gone",
      "4: lualib/green/timeout.lua has no function current", -- a local that holds one
    }, stale(page))
  end)
end)
