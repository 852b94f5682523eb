-- The forms of a profile: from stacks that are known to files that other tools read.

local folded = require "green.profile.folded"
local pprof = require "green.profile.pprof"
local profile = require "green.profile"
local program = require "spec.support.program"
local svg = require "green.profile.svg"
local testing = require "green.testing"
local tree = require "green.profile.tree"
local xml = require "green.profile.xml"

local _, it = testing.busted()

local STACKS = {
  { "thread a", "main chunk app.lua:9", "work app.lua:3", count = 2, value = 20e6 },
  { "thread a", "main chunk app.lua:9", "work app.lua:4", count = 1, value = 10e6 },
  { "thread b (spawned at app.lua:1)", "run my app.lua:7", "work app.lua:3", "work app.lua:3",
    count = 1, value = 10e6 },
}

local ABOUT = { title = "CPU", subtitle = "some", show = function(value)
  return ("%d ns"):format(value)
end }

describe("green.profile's tree", function()
  it("adds up what frames stand for", function()
    local root, depth = tree.of(STACKS)
    assert.equal(40e6, root.total)
    assert.equal(4, root.count)
    assert.equal(5, depth)
    local a = root.children[1]
    assert.same({ "thread a", 30e6, 0 }, { a.name, a.total, a.self })
    local work = a.children[1].children
    assert.same({ "work app.lua:3", 20e6, 20e6 }, { work[1].name, work[1].total, work[1].self })
    assert.equal("work app.lua:4", work[2].name)
  end)

  it("counts a frame once a stack", function()
    local flat = tree.flat(STACKS)
    assert.same({ name = "work app.lua:3", self = 30e6, total = 30e6 }, flat[1])
    assert.same({ name = "work app.lua:4", self = 10e6, total = 10e6 }, flat[2])
    assert.same({ name = "main chunk app.lua:9", self = 0, total = 30e6 }, flat[3])
  end)
end)

describe("green.profile's folded text", function()
  it("has a line for each stack", function()
    assert.equal("thread a;main chunk app.lua:9;work app.lua:3 20000\n"
      .. "thread a;main chunk app.lua:9;work app.lua:4 10000\n"
      .. "thread b (spawned at app.lua:1);run my app.lua:7;work app.lua:3;work app.lua:3 10000\n",
      folded(STACKS, 1000))
  end)

  it("keeps names from being more than that", function()
    assert.equal("a,b c 1\n", folded({ { "a;b\nc", value = 1 } }, 1))
    assert.equal("", folded({ { "too little", value = 0.4 } }, 1))
    assert.equal("", folded({}, 1))
  end)
end)

-- -- pprof -------------------------------------------------------------------------

--- The fields of a message: a list of { number, value }, values being numbers or bytes.
local function fields_of(bytes)
  local list, i = {}, 1
  local function varint()
    local n, scale = 0, 1
    repeat
      local b = bytes:byte(i)
      n, scale, i = n + b % 128 * scale, scale * 128, i + 1
    until b < 128
    return n
  end
  while i <= #bytes do
    local key = varint()
    local kind, value = key % 8, varint()
    if kind == 2 then
      i = i + value
      value = bytes:sub(i - value, i - 1)
    else
      assert.equal(0, kind)
    end
    list[#list + 1] = { (key - kind) / 8, value }
  end
  return list
end

local function all(fields, number)
  local list = {}
  for _, field in ipairs(fields) do
    if field[1] == number then
      list[#list + 1] = field[2]
    end
  end
  return list
end

local function numbers_of(packed)
  local list, n, scale = {}, 0, 1
  for i = 1, #packed do
    local b = packed:byte(i)
    n, scale = n + b % 128 * scale, scale * 128
    if b < 128 then
      list[#list + 1] = n
      n, scale = 0, 1
    end
  end
  return list
end

describe("green.profile's pprof", function()
  local bytes = pprof(STACKS, { kind = "cpu", unit = "nanoseconds", period = 5e6,
    began = 1700000000, seconds = 2.5 })
  local fields = fields_of(bytes)
  local texts = all(fields, 6)

  --- function's name, file and line of a location.
  local function place_of(id)
    for _, one in ipairs(all(fields, 4)) do
      local location = fields_of(one)
      if all(location, 1)[1] == id then
        local line = fields_of(all(location, 4)[1])
        for _, fn in ipairs(all(fields, 5)) do
          local of = fields_of(fn)
          if all(of, 1)[1] == all(line, 1)[1] then
            return { texts[all(of, 2)[1] + 1], texts[(all(of, 4)[1] or 0) + 1], all(line, 2)[1] }
          end
        end
      end
    end
  end

  it("has stacks with the innermost first, and lines of functions", function()
    local samples = all(fields, 2)
    assert.equal(3, #samples)
    local first = fields_of(samples[1])
    local places = {}
    for i, id in ipairs(numbers_of(all(first, 1)[1])) do
      places[i] = place_of(id)
    end
    assert.same({ { "work", "app.lua", 3 }, { "main chunk", "app.lua", 9 }, { "thread a", "" } },
      places)
    assert.same({ 2, 20e6 }, numbers_of(all(first, 2)[1]))
    assert.same({ "run", "my app.lua", 7 },
      place_of(numbers_of(all(fields_of(samples[3]), 1)[1])[3]))
    assert.equal(5, #all(fields, 5)) -- work is one, with two lines
  end)

  it("says what the numbers are", function()
    assert.equal("", texts[1])
    local function type_of(message)
      local f = fields_of(message)
      return texts[all(f, 1)[1] + 1] .. "/" .. texts[all(f, 2)[1] + 1]
    end
    local types = all(fields, 1)
    assert.same({ "samples/count", "cpu/nanoseconds" }, { type_of(types[1]), type_of(types[2]) })
    assert.equal("cpu/nanoseconds", type_of(all(fields, 11)[1]))
    assert.same({ 5e6, 2.5e9, 1.7e18 }, { all(fields, 12)[1], all(fields, 10)[1],
      all(fields, 9)[1] })
  end)

  it("is what protobuf's own tool reads", function()
    local found = program.run { "sh", "-c", "command -v protoc || true" }
    if found.out == "" then
      return pending "protoc is not installed"
    end
    local r = program.run { "protoc", "--decode_raw", input = bytes }
    assert.equal(0, r.status)
    assert.equal("", r.err)
  end)
end)

-- -- SVG ---------------------------------------------------------------------------

--- Every element is closed, and every name in an attribute or a text is escaped.
local function check_xml(text)
  local open = {}
  text = text:gsub("^<%?xml.-%?>", ""):gsub("<!%[CDATA%[.-%]%]>", "")
  for closing, name, rest in text:gmatch "<(/?)([%a]+)([^<>]*)>" do
    if closing == "/" then
      assert.equal(name, table.remove(open))
    elseif not rest:find("/$") then
      open[#open + 1] = name
    end
  end
  assert.same({}, open)
  for entity in text:gmatch "&[^;]*;?" do
    assert(entity:find "^&[a-z]+;$", entity)
  end
  assert.is_nil(text:find "[%z\1-\8\11\12\14-\31\127]")
end

describe("green.profile's flame graph", function()
  it("has a frame for each, as wide as what it stands for", function()
    local text = svg(STACKS, ABOUT)
    check_xml(text)
    local _, n = text:gsub('<g class="f"', "")
    assert.equal(9, n)
    assert(text:find("<title>work app.lua:4 (10000000 ns, 25.00%)</title>", 1, true), text)
    assert(text:find('data-w="0.7500000" data-d="1"><title>thread a ', 1, true), text)
  end)

  it("is whole with no samples, and with deep stacks", function()
    check_xml(svg({}, ABOUT))
    local deep = { count = 1, value = 1 }
    for i = 1, 500 do
      deep[i] = "level " .. i
    end
    check_xml(svg({ deep }, ABOUT))
  end)

  it("takes hostile names as texts", function()
    local names = { "<script>alert(1)</script>", '"><rect onclick="x"', "a&b", "\0\1\27[31m\127",
      "\255\254\192\175", "]]>", "gr\195\188n", ("\228\184\173"):rep(300), "\237\160\128",
      "\239\191\191" }
    local stacks = {}
    for i, name in ipairs(names) do
      stacks[i] = { name, count = 1, value = 1 }
    end
    local text = svg(stacks, { title = "<t>\255", subtitle = "<s>\1", show = ABOUT.show })
    check_xml(text)
    assert.is_nil(text:find("<script>alert", 1, true))
    assert(text:find("gr\195\188n (1 ns", 1, true))
    assert(text:find("???? (1 ns", 1, true)) -- four bytes that are no characters
    local r = program.run { "sh", "-c", "command -v xmllint || true" }
    if r.out ~= "" then
      r = program.run { "xmllint", "--noout", "-", input = text }
      assert.equal("", r.err)
    end
  end)

  it("cuts no character in two", function()
    assert.equal("gr", xml.cut("gr\195\188n", 3))
    assert.equal("gr\195\188", xml.cut("gr\195\188n", 4))
    assert.equal("gr", xml.cut("gr", 9))
  end)

  it("mends bytes wherever they are split", function()
    for a = 0, 255 do
      for b = 0, 255, 5 do
        local clean = xml.clean(string.char(a, b, a, 191, 128))
        assert.is_nil(clean:find "[%z\1-\31\127]")
        assert.equal(clean, xml.clean(clean))
      end
    end
  end)
end)

-- -- Files ---------------------------------------------------------------------------

describe("a profile's files", function()
  local function some()
    assert.is_true(profile.start())
    local t = os.clock() + 0.05
    repeat until os.clock() > t
    return assert(profile.stop())
  end

  it("are new ones, of the kind that the name says, and the user's alone", function()
    local seen = some()
    local base = os.tmpname()
    for ending, what in pairs { svg = seen:svg(), folded = seen:folded(), txt = seen:folded(),
      pb = seen:pprof() } do
      local path = base .. "." .. ending
      assert.is_true(seen:save(path))
      local file = assert(io.open(path, "rb"))
      assert.equal(what, file:read "*a")
      file:close()
      assert.matches("^600", program.run { "stat", "-c", "%a", path }.out)
      local ok, err = seen:save(path)
      assert.is_nil(ok)
      assert.is_true(err:is "EEXIST")
      assert(tostring(err):find("a profile replaces none", 1, true))
      os.remove(path)
    end
    os.remove(base)
    local ok, err = seen:save "/nowhere/at/all.svg"
    assert.is_nil(ok)
    assert.is_true(err:is "ENOENT")
    for _, wrong in ipairs { "out.png", "out", "", "a\0.svg" } do
      assert.is_false(pcall(seen.save, seen, wrong))
    end
  end)

  it("follow no link that somebody has put there", function()
    local seen, base = some(), os.tmpname()
    local link = base .. ".svg"
    assert.equal(0, program.run { "ln", "-s", base .. ".victim", link }.status)
    local ok, err = seen:save(link)
    assert.is_nil(ok)
    assert.is_true(err:is "EEXIST")
    assert.is_nil(io.open(base .. ".victim"))
    os.remove(link)
    os.remove(base)
  end)

  it("print, and have a text", function()
    local seen = some()
    assert.matches("^green%.profile%.result{cpu, %d+ samples", tostring(seen))
    assert.matches("^[%d.]+ ms in %d+ samples, 0%.%d s: ", seen:text(3))
    assert.is_false(pcall(seen.text, seen, 0))
    assert.is_false(pcall(seen.svg, seen, 1))
    assert.is_false(pcall(seen.flat))
  end)
end)
