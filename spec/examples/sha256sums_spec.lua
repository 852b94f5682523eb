-- examples/sha256sums.lua beside the program whose manners it has.

local program = require "spec.support.program"

local EXAMPLE = "examples/sha256sums.lua"

--- A temporary folder with these files: its path.
local function folder_of(files)
  local folder = program.run({ "mktemp", "-d" }).out:gsub("%s+$", "")
  for name, text in pairs(files) do
    local file = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  return folder
end

--- Run body(folder), and remove it.
local function with(files, body)
  return function()
    local folder = folder_of(files)
    local ok, err = pcall(body, folder)
    program.run { "rm", "-rf", folder }
    assert(ok, err)
  end
end

--- What a program says about these: its output, its errors under one name, its status.
local function said(run)
  return { run.out, (run.err:gsub("sha256sums:", "sha256sum:")), run.status }
end

local function ours(input, ...)
  return said(program.run_greenlua { EXAMPLE, input = input, ... })
end

local function theirs(input, ...)
  return said(program.run { "sha256sum", input = input, ... })
end

local FILES = {
  empty = "", short = "abc", long = ("0123456789abcdef"):rep(200000), -- more than one piece
  ["two\nlines"] = "x", ["a\\b"] = "y", ["a\rb"] = "z", [" blank "] = "b",
}

describe("examples/sha256sums.lua", function()
  it("says what sha256sum says", with(FILES, function(folder)
    local names = {}
    for name in pairs(FILES) do names[#names + 1] = folder .. "/" .. name end
    names[#names + 1] = "-"
    assert.same(theirs("from a pipe", unpack(names)), ours("from a pipe", unpack(names)))
    assert.same(theirs("and without a name"), ours "and without a name")
  end))

  it("says which files cannot be read, and does the others", with(FILES, function(folder)
    local names = { folder .. "/short", folder .. "/missing", folder, folder .. "/long" }
    assert.same(theirs(nil, unpack(names)), ours(nil, unpack(names)))
    assert.equal(1, ours(nil, unpack(names))[3])
  end))

  it("checks a list, and says what differs", with(FILES, function(folder)
    local odd = theirs(nil, folder .. "/a\\b", folder .. "/a\rb")[1]
    assert.equal(0, theirs(odd, "-c")[3]) -- how it shows these has changed over the years
    assert.same({ ("\\%s/a\\\\b: OK\n\\%s/a\\rb: OK\n"):format(folder, folder), "", 0 },
      ours(odd, "-c"))
    local list = theirs(nil, folder .. "/two\nlines", folder .. "/long", folder .. "/ blank ")[1]
    assert.same({ theirs(list, "-c")[1], "", 0 }, ours(list, "-c"))
    local wrong = ("0"):rep(64)
    for _, text in ipairs { list .. "no sum\n", list .. wrong .. "  " .. folder .. "/short\n",
      list .. wrong .. "  " .. folder .. "/missing\n", "none at all\n", "", "abc  short\n",
      list .. wrong .. " *" .. folder .. "/short\n" .. wrong:sub(2) .. "  x\n\n# a word\n" } do
      assert.same(theirs(text, "-c", "-")[3], ours(text, "-c", "-")[3], text)
      if text:find(folder, 1, true) then
        assert.same(theirs(text, "-c", "-"), ours(text, "-c", "-"))
      end
    end
  end))

  it("goes on with the next list where one cannot be read", with(FILES, function(folder)
    local list = folder_of { sums = theirs(nil, folder .. "/short")[1] }
    local words = { "-c", list .. "/missing", list .. "/sums" }
    local expected, got = theirs(nil, unpack(words)), ours(nil, unpack(words))
    program.run { "rm", "-rf", list }
    assert.same(expected, got)
    assert.equal(1, got[3])
  end))

  it("shows a bar on a terminal, and only there", with(FILES, function(folder)
    local command = ("exec %s %s %s/short %s/long >%s/SUMS"):format(program.greenlua, EXAMPLE,
      folder, folder, folder)
    local run = program.start { "sh", "-c", command, tty = true }
    run:expect "[###############...............] 1 of 2 files"
    run:expect "[##############################] 2 of 2 files"
    run:expect "\r\27[K"
    run:wait()
    assert.equal(0, run.status)
    local file = assert(io.open(folder .. "/SUMS"))
    local sums = file:read "*a"
    file:close()
    assert.equal(theirs(nil, folder .. "/short", folder .. "/long")[1], sums)
  end))
end)
