local lfs = require "lfs"
local suffix = require "green.http.suffix"
local testing = require "green.testing"

local it = testing.busted()

local RULES = [[
// A comment names.com
// ===BEGIN ICANN DOMAINS===
com
biz
jp
ac.jp
kyoto.jp
ide.kyoto.jp
*.kobe.jp
!city.kobe.jp
*.ck
!www.ck
us
ak.us
k12.ak.us
cn
公司.cn
中国
// ===END ICANN DOMAINS===
blogspot.com
*.compute.example.com]]

--- A list with these rules, in a file of its own.
local function list_of(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local list = suffix.new(path)
  assert.is_true(list:is_there())
  os.remove(path)
  return list
end

--- Each domain has the registrable part that stands beside it; "-": it is public itself.
local function check(list, rows)
  for domain, wanted in rows:gmatch("(%S+)%s+(%S+)") do
    local found = list.registrable and list:registrable(domain)
    assert.equal(wanted, found or "-", domain)
    assert.equal(wanted == "-", list:is_public(domain), domain)
  end
end

describe("the public suffix list", function()
  local list = list_of(RULES)

  it("has top-level domains, and domains in these", function()
    check(list, [[
      com -  a.com a.com  x.a.com a.com  x.y.a.com a.com
      blogspot.com -  me.blogspot.com me.blogspot.com  x.me.blogspot.com me.blogspot.com
      jp -  test.jp test.jp  ac.jp -  b.ac.jp b.ac.jp  x.b.ac.jp b.ac.jp
      kyoto.jp -  ide.kyoto.jp -  b.ide.kyoto.jp b.ide.kyoto.jp  ide2.kyoto.jp ide2.kyoto.jp
      us -  ak.us -  k12.ak.us -  test.ak.us test.ak.us  www.test.k12.ak.us test.k12.ak.us
    ]])
  end)

  it("has rules for all domains in one, with exceptions", function()
    check(list, [[
      c.kobe.jp -  b.c.kobe.jp b.c.kobe.jp  a.b.c.kobe.jp b.c.kobe.jp
      kobe.jp kobe.jp  city.kobe.jp city.kobe.jp  www.city.kobe.jp city.kobe.jp
      ck -  test.ck -  b.test.ck b.test.ck  www.ck www.ck  www.www.ck www.ck
      x.compute.example.com -  y.x.compute.example.com y.x.compute.example.com
      compute.example.com example.com
    ]])
  end)

  it("takes a top-level domain that it does not have for public", function()
    check(list, "local -  example.local example.local  a.example.local example.local")
  end)

  it("knows names in other scripts by what DNS has of them", function()
    check(list, [[
      xn--55qx5d.cn -  a.xn--55qx5d.cn a.xn--55qx5d.cn  x.a.xn--55qx5d.cn a.xn--55qx5d.cn
      xn--fiqs8s -  a.xn--fiqs8s a.xn--fiqs8s  b.cn b.cn
    ]])
  end)

  it("looks at no case and at no dot behind the name", function()
    check(list, "COM -  WwW.Example.COM example.com  com. -  www.example.com. example.com")
  end)

  it("has no comment for a rule", function()
    check(list, "names.com names.com  a.names.com names.com")
  end)

  it("is the same with other line ends", function()
    check(list_of((RULES:gsub("\n", "\r\n"))), "com -  a.com a.com  test.ck -  www.ck www.ck")
  end)

  it("has no addresses, and nothing that is no name", function()
    check(list, "127.0.0.1 -  ::1 -  2001:db8::1 -  1.2 -  0x7f.1 -  .com -  a..com -  . -")
    assert.is_true(list:is_public "")
    assert.is_nil(list:registrable "")
  end)

  it("keeps only so many top-level domains", function()
    local own = list_of(RULES)
    for i = 1, 4500 do own:is_public("a.made-up" .. i) end
    local n = 0
    for _ in pairs(own._rules) do n = n + 1 end
    assert.is_true(n <= 2000)
    check(own, "a.com a.com  test.ck -")
  end)
end)

describe("without the list", function()
  it("a name without dots is a public suffix, and an address, and nothing else", function()
    local none = suffix.new "/nonexistent/list"
    assert.is_false(none:is_there())
    check(none, [[
      com -  localhost -  127.0.0.1 -  ::1 -  example.com example.com  co.uk co.uk
      a.b.co.uk co.uk  x.test.ck test.ck
    ]])
  end)
end)

describe("the system's list", function()
  it("is Debian's", function()
    if not lfs.attributes "/usr/share/publicsuffix/public_suffix_list.dat" then
      pending "the package publicsuffix is not installed"
    end
    assert.is_true(suffix.is_public "co.uk")
    assert.equal("example.co.uk", suffix.registrable "www.example.co.uk")
    assert.is_true(suffix.is_public "github.io")
    assert.is_false(suffix.is_public "example.com")
    assert.equal("www.ck", suffix.registrable "www.ck")
  end)

  it("serves many threads at once", function()
    local green = require "green"
    local threads = {}
    for i = 1, 20 do
      threads[i] = green.spawn(function() return suffix.registrable("a.b.c" .. i .. ".com") end)
    end
    for i = 1, 20 do assert.equal("c" .. i .. ".com", threads[i]:wait()) end
  end)
end)
