-- Documents, and comments in the code, name no file that is not there.

local tree = require "spec.support.tree"

-- Names that stand for any file, or for one of the reader's, and headers of others.
local EXAMPLES = {}
for name in ([[ script.lua a.h b.h ev.h table.md a/lualib/green/queue.lua
  mutual.lua alice.lua nobody.lua service.lua clock.lua ]]):gmatch("%S+") do
  EXAMPLES[name] = true
end

--- The paths of all files that are not generated.
local function find_all()
  local paths = {}
  local pipe = assert(io.popen("find . -path ./build -prune -o -path ./.git -prune -o "
    .. "-path ./spec/fuzz/corpus -prune -o -type f -print"))
  for path in pipe:lines() do paths[#paths + 1] = path:sub(3) end
  pipe:close()
  return paths
end

--- Every path of the tree, and every end of one behind a slash.
local function known_names()
  local known = {}
  for _, path in ipairs(find_all()) do
    repeat
      known[path] = true
      path = path:match("/(.*)$")
    until not path
  end
  return known
end

-- What of a file is text for people: line -> its text.
local readers = {}

function readers.md(lines) return lines end

function readers.lua(lines)
  local texts = {}
  for n, line in ipairs(lines) do
    texts[n] = (" " .. line):match("%s(%-%-.*)") or ""
  end
  return texts
end

function readers.c(lines)
  local texts, is_inside = {}, false
  for n, line in ipairs(lines) do
    local opens, closes = line:find("/*", 1, true), line:find("*/", 1, true)
    local from = is_inside and 1 or opens
    texts[n] = from and line:sub(from, closes) or ""
    is_inside = from ~= nil and not closes
  end
  return texts
end
readers.h = readers.c

function readers.sh(lines)
  local texts = {}
  for n, line in ipairs(lines) do texts[n] = line:match("^%s*(#.*)") or "" end
  return texts
end
readers.awk = readers.sh

local EXTENSIONS = { c = true, h = true, lua = true, md = true, awk = true }

--- Call fn with each word that could be a file of ours. What stands behind < or a letter of
-- a pattern, or is written in capitals, is none.
local function each_name(text, fn)
  for before, word in (" " .. text):gmatch("([^%w_./-])([%w_./-]+)") do
    local name = word:gsub("%.+$", "")
    local extension = name:match("[%w_]%.(%a+)$")
    if EXTENSIONS[extension] and not before:find("[<*%%$>}{~]") and not name:find("%u%u")
      and not name:find("^/") and not name:find("^[_-]") then
      fn(name)
    end
  end
end

local function is_there(name, path, known)
  local plain = name:gsub("^%./", "")
  if known[plain] or EXAMPLES[plain] or plain:find("^build/") then return true end
  local folder = path:match("^(.*)/") or "."
  return tree.read(folder .. "/" .. name) ~= nil
end

--- "path:line: no file NAME" for each in lines, a file's at path.
local function stale(path, lines, known, found)
  local read = readers[path:match("%.(%a+)$")] or readers.sh
  for n, text in ipairs(read(lines)) do
    each_name(text, function(name)
      if not is_there(name, path, known) then
        found[#found + 1] = ("%s:%d: no file %s"):format(path, n, name)
      end
    end)
  end
  return found
end

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  return lines
end

describe("documents and comments", function()
  local known = known_names()

  it("name files that are there", function()
    local found, n = {}, 0
    for _, path in ipairs(find_all()) do
      local extension = path:match("%.(%a+)$")
      if readers[extension] or path:find("^tools/[^.]+$") or path == "Makefile" then
        n = n + 1
        stale(path, lines_of(tree.read(path)), known, found)
      end
    end
    assert.same({}, found)
    assert.is_true(n > 300)
  end)

  it("are told with the line when they name one that is gone", function()
    local found = {}
    stale("docs/x.md", lines_of "see [design](design.md)\nand `hub/lost.c`, `<uuid.h>`", known,
      found)
    stale("greenc/hub/x.c", lines_of "int a; /* as in lost.c\n** and fd.c */ int b = c.h;", known,
      found)
    local lua = ('f "lost.lua" %s as event.lua\n%s and wsgi/lost_too.lua'):format("--", "--")
    stale("lualib/green/x.lua", lines_of(lua), known, found)
    assert.same({ "docs/x.md:2: no file hub/lost.c", "greenc/hub/x.c:1: no file lost.c",
      "lualib/green/x.lua:2: no file wsgi/lost_too.lua" }, found)
  end)
end)
