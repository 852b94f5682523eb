-- docs/modules has a page for every public module, and its code is Lua.

local lfs = require "lfs"
local program = require "spec.support.program"
local testing = require "green.testing"

local _, it = testing.busted()

local PAGES = "docs/modules/"

--- Names without the ending of the files in a folder that have it, sorted.
local function names_in(folder, ending)
  local names = {}
  for file in lfs.dir(folder) do
    names[#names + 1] = file:match("^([%w_]+)%." .. ending .. "$")
  end
  table.sort(names)
  return names
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

--- The blocks of Lua code in a page; each comes with the number of its first line.
local function blocks_of(page)
  local text = read(PAGES .. page .. ".md")
  local next_block = text:gmatch("\n```lua\n()(.-)\n```\n")
  return function()
    local at, code = next_block()
    if at then
      return code, select(2, text:sub(1, at - 1):gsub("\n", "")) + 1
    end
  end
end

describe("docs/modules", function()
  for _, name in ipairs(names_in("lualib/green", "lua")) do
    local module, page = "green." .. name, name
    if name == "init" then
      module, page = "green", "green"
    end
    it("has a page for " .. module, function()
      assert.are.equal("# " .. module, read(PAGES .. page .. ".md"):match("^[^\n]*"))
    end)
  end

  for _, page in ipairs(names_in(PAGES, "md")) do
    it(page .. ".md has code that compiles", function()
      for code, line in blocks_of(page) do
        assert(loadstring(code, ("=%s.md, block at line %d"):format(page, line)))
      end
    end)
  end

  -- The pages about the core are programs too.
  for _, page in ipairs { "green", "thread", "timeout", "error", "group", "trampoline", "url",
    "shared", "backdoor", "debug", "metrics", "status", "log", "tracing", "zmq", "zmq_auth",
    "zmq_options", "zmq_poll", "profile", "../zmq-from-python" } do
    it(page .. ".md has examples that run" .. (page == "zmq" and " [S12]" or ""), function()
      local n = 0
      for code in blocks_of(page) do
        local p = program.run_greenlua { "-", input = code }
        assert.are.equal("", p.err, code)
        assert.are.equal(0, p.status, code)
        for line in code:gmatch("%-%->%s*([^\n]*)") do
          assert.is_truthy(p.out:gsub("\t", "  "):find(line, 1, true), line .. "\n" .. p.out)
        end
        n = n + 1
      end
      assert.is_true(n > 0)
    end)
  end
end)
