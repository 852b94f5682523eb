-- fs.glob and fs.match.

local fs = require "green.fs"
local testing = require "green.testing"

local folder = require "spec.support.folder"
local dir = folder.each(before_each, after_each)
local _, it = testing.busted()

local function make(list)
  for path in list:gmatch("%S+") do
    path = dir() .. "/" .. path
    fs.mkdir(path:match("^(.*)/"), { parents = true })
    fs.write_file(path, "", { sync = false })
  end
end

--- What a pattern finds, below the folder, as one text.
local function found(pattern, opts)
  local list = fs.glob(dir() .. "/" .. pattern, opts)
  for i = 1, #list do
    list[i] = list[i]:sub(#dir() + 2)
  end
  return table.concat(list, " ")
end

describe("fs.glob", function()
  it("finds names", function()
    make "a.lua b.lua c.txt .hidden.lua sub/d.lua sub/.e.lua"
    assert.equal("a.lua b.lua", found "*.lua")
    assert.equal("a.lua", found "a.lua")
    assert.equal("", found "none")
    assert.equal("a.lua b.lua c.txt", found "?.*")
    assert.equal("b.lua c.txt", found "[!a].*")
    assert.equal(".hidden.lua", found ".*.lua")
    assert.equal(".hidden.lua a.lua b.lua", found("*.lua", { hidden = true }))
    assert.equal("sub", found "*/")
    assert.equal("sub/d.lua", found "*/*.lua")
    assert.equal("sub/d.lua", found "sub/d.lua")
    assert.equal("", found "a.lua/*")
    assert.equal("a.lua c.txt", found "{a,c}.*")
    assert.equal("a.lua c.txt sub/d.lua", found "{{a,b,x}.lua,c.txt,sub/*}":gsub(" b.lua", ""))
    assert.same({}, fs.glob(""))
    assert.same({ "/" }, fs.glob("/"))
  end)

  it("finds at any depth, without following links", function()
    make "a/b/c/x.lua a/x.lua x.lua a/.h/x.lua"
    fs.symlink("..", dir() .. "/a/up")
    assert.equal("a/b/c/x.lua a/x.lua x.lua", found "**/x.lua")
    assert.equal("a a/b a/b/c a/b/c/x.lua a/up a/x.lua x.lua", found "**")
    assert.equal("a a/b a/b/c", found "**/")
    assert.equal("a/b/c/x.lua", found "a/**/c/*")
    assert.equal("a/b/c/x.lua a/x.lua x.lua", found "**/**/x.lua")
    assert.equal("a/.h/x.lua a/b/c/x.lua a/x.lua x.lua", found("**/x.lua", { hidden = true }))
    assert.equal("a/up/x.lua", found "*/up/x.lua")
  end)

  it("takes what is escaped as it is", function()
    make "* [a] {a,b} a"
    assert.equal("*", found "\\*")
    assert.equal("[a]", found "\\[a]")
    assert.equal("{a,b}", found "\\{a,b}")
    assert.equal("*", found "[*]")
  end)

  it("refuses braces without an end in number", function()
    local ok, err = pcall(fs.glob, ("{a,b}"):rep(20))
    assert.is_false(ok)
    assert.matches("more than 1024", err)
  end)

  it("finds nothing in folders that cannot be read", function()
    assert.same({}, fs.glob("/nonesuch/*"))
  end)

  it("matches a name alone", function()
    assert.is_true(fs.match("*.l?a", "x.lua"))
    assert.is_false(fs.match("*.lua", "x.txt"))
    assert.is_true(fs.match("*", ".x/y"))
    assert.has_error(function() fs.match("*") end)
  end)
end)
