-- Values on their way to another Lua state (vm/parcel.h), here to the same one: what
-- arrives, what is refused and by which name, and bytes that are damaged.

local core = require "green.core"
local errors = require "green.error"
local ffi = require "ffi"
local green = require "green"
local testing = require "green.testing"

local it = testing.busted()

ffi.cdef [[
void __tsan_init(void);
typedef struct parcel_spec_point { int x; double y; } parcel_spec_point;
typedef struct parcel_spec_list { int n; int at[?]; } parcel_spec_list;
]]

-- An error leaves C by unwinding, of which ThreadSanitizer hears nothing: after some thousands
-- its own stack is full.
local FEW = pcall(function() return ffi.C.__tsan_init end) and 40 or 1

local function cross(...)
  return core.unpack(assert(core.pack("values", ...)))
end

--- The text of the refusal.
local function refused(kind, ...)
  local bytes, text = core.pack(kind, ...)
  assert.is_nil(bytes)
  return text
end

--- Run f with a module of that name in package.loaded.
local function with_module(name, module, f)
  package.loaded[name] = module
  local ok, err = pcall(f)
  package.loaded[name] = nil
  assert(ok, err)
end

describe("values that cross", function()
  it("are what they were: nil, booleans, numbers, strings with NULs", function()
    local long = ("x\0y"):rep(1000)
    local function check(n, ...)
      assert.equal(n, select("#", ...))
      local a, b, c, d, e, f, g, h = ...
      assert.is_nil(a)
      assert.is_true(b)
      assert.is_false(c)
      assert.equal(2 ^ 53 + 2, d)
      assert.equal(-math.huge, 1 / e)
      assert.is_true(f ~= f)
      assert.equal("a\0b", g)
      assert.equal(long, h)
    end
    check(9, cross(nil, true, false, 2 ^ 53 + 2, -0.0, 0 / 0, "a\0b", long, nil))
    assert.equal(0, select("#", cross()))
    assert.equal(core.turn(), cross(core.turn())) -- a light userdata
    for _, n in ipairs { 0, 1, 31, 32, 255, 256, 70000 } do
      assert.equal(("z"):rep(n), cross(("z"):rep(n)))
    end
  end)

  it("may be hundreds", function()
    local list = {}
    for i = 1, 240 do list[i] = i end
    assert.same(list, { cross(unpack(list)) })
  end)

  it("keep who is who: shared tables, circles, tables as keys", function()
    local shared, key = { "shared" }, { "key" }
    local t = { shared, shared, [key] = key, list = { 1, 2, nil, 4 } }
    t.self, t.list.up = t, t
    local u, again = cross(t, shared)
    assert.equal(u, u.self)
    assert.equal(u, u.list.up)
    assert.equal(u[1], u[2])
    assert.equal(u[1], again)
    assert.not_equal(shared, again)
    assert.equal(4, u.list[4])
    for k, v in pairs(u) do
      if type(k) == "table" then assert.equal(k, v) end
    end
  end)

  it("keep keys of all kinds, and holes", function()
    local t = { [0] = "zero", [-1] = "minus", [1.5] = "half", [true] = "yes", [""] = "empty",
      [1] = "one", [3] = "three", [2 ^ 40] = "far" }
    assert.same(t, cross(t))
    assert.same({ n = 3, [1] = 1, [3] = 3 }, cross { n = 3, 1, nil, 3 })
  end)

  it("are modules and what stands in them by name", function()
    local a, b, c, d, e = cross(string, string.format, print, io.stdout, _G)
    assert.equal(string, a)
    assert.equal(string.format, b)
    assert.equal(print, c)
    assert.equal(io.stdout, d)
    assert.equal(_G, e)
    assert.equal(green.sleep, cross(green.sleep))
    assert.equal(green, cross(green))
    assert.equal(ffi.C, cross(ffi.C))
    local mine = { run = function() end }
    with_module("parcel_spec.mine", mine, function()
      assert.equal(mine, cross(mine))
      assert.equal(mine.run, cross(mine.run))
    end)
    assert.not_equal(mine, cross(mine)) -- it is a table as any other again
  end)

  it("say which module they miss on the other side", function()
    local bytes
    with_module("parcel_spec.gone", { f = 1 }, function()
      bytes = assert(core.pack("values", package.loaded["parcel_spec.gone"]))
    end)
    local ok, err = pcall(core.unpack, bytes)
    assert.is_false(ok)
    assert.matches("module 'parcel_spec.gone' not found", err)
  end)

  it("are errors of the library's with all their fields, looked at or not", function()
    local err = errors.new("ECONNREFUSED", "connect", nil, { peer = { port = 80 } })
    local again = cross(err)
    assert.is_true(errors.is_error(again, "ECONNREFUSED"))
    assert.equal(tostring(err), tostring(again))
    assert.equal(80, again.peer.port)
    local unheard = require("green.error.unheard").keep(errors.new("EPIPE", "write"))
    assert.equal("write: broken pipe (EPIPE)", tostring(cross(unheard)))
  end)

  it("keep a metatable that is a module, or stands in one", function()
    local Point = { kind = "point" }
    Point.__index = Point
    local mt = { __index = { kind = "other" } }
    with_module("parcel_spec.point", Point, function()
      local p = cross(setmetatable({ x = 1 }, Point))
      assert.equal(Point, getmetatable(p))
      assert.equal("point", p.kind)
    end)
    with_module("parcel_spec.classes", { Other = mt }, function()
      local a = setmetatable({}, mt)
      a.self = a
      a = cross(a)
      assert.equal("other", a.kind)
      assert.equal(a, a.self)
    end)
  end)
end)

describe("cdata that crosses", function()
  it("is copied: integers, structs, arrays", function()
    local a, b, c = cross(-5LL, 2 ^ 63 + 0ULL, ffi.new("uint8_t", 7))
    assert.equal(-5LL, a)
    assert.equal(0x8000000000000000ULL, b)
    assert.equal(7, tonumber(c))
    local p = ffi.new("parcel_spec_point", 3, 4.5)
    local q = cross(p)
    assert.equal(3, q.x)
    assert.equal(4.5, q.y)
    q.x = 1
    assert.equal(3, p.x)
    local array, free = cross(ffi.new("int[3]", { 1, 2, 3 }), ffi.new("int[?]", 4, { 1, 2, 3, 4 }))
    assert.equal(3, array[2])
    assert.equal(16, ffi.sizeof(free))
    assert.equal(4, free[3])
    local list = ffi.new("parcel_spec_list", 2, { 2, { 5, 6 } })
    assert.equal(6, cross(list).at[1])
  end)

  it("is a type by its name, and stays one thing where it is one", function()
    assert.equal("ctype<struct parcel_spec_point>",
      tostring(cross(ffi.typeof("parcel_spec_point"))))
    local p = ffi.new("parcel_spec_point")
    local t = cross { p, p }
    t[1].x = 9
    assert.equal(9, t[2].x)
  end)

  it("does not ask the text that a script gives a struct", function()
    for i, text in ipairs { "ctype<int>", false } do
      local name = "parcel_spec_text_" .. i
      ffi.cdef("typedef struct " .. name .. " { int n; } " .. name)
      local type = ffi.metatype(name, { __tostring = function() return text or error "no" end })
      assert.equal(5, cross(type(5)).n)
      assert.equal(("ctype<struct %s>"):format(name), tostring(cross(type)))
    end
  end)

  it("is no address, and has a name", function()
    local array = ffi.new("parcel_spec_point[2]")
    assert.matches("arg%[1%] is a cdata 'void %*', an address, which no other",
      refused("values", ffi.new("void *")))
    assert.matches("arg%[1%]%.p is a cdata .*an address",
      refused("values", { p = ffi.cast("int *", array) }))
    assert.matches("an address", refused("values", array[1])) -- a reference
    assert.matches("an address", refused("values", ffi.new("int (*)[3]")))
    assert.matches("arg%[1%] is a cdata 'struct %d+', whose type has no name",
      refused("values", ffi.new("struct { int x; }")))
  end)
end)

describe("functions that cross", function()
  it("take their upvalues along, which they share among themselves", function()
    local n = 0
    local function add(by) n = n + by return n end
    local function get() return n end
    local add2, get2 = cross(add, get)
    assert.equal(5, add2(5))
    assert.equal(5, get2())
    assert.equal(0, n)
  end)

  it("may call themselves, each other, and what is nested in them", function()
    local even, odd
    function even(k) return k == 0 or odd(k - 1) end
    function odd(k) return k ~= 0 and even(k - 1) end
    assert.is_true(cross(even)(100))
    local function make(start)
      return function(step)
        return function() start = start + step return start end
      end
    end
    local next_one = cross(make(10))(5)
    assert.equal(15, next_one())
    assert.equal(20, next_one())
  end)

  it("are other ones each time", function()
    local n = 0
    local function count() n = n + 1 return n end
    local bytes = assert(core.pack("values", count))
    local a, b = core.unpack(bytes), core.unpack(bytes)
    assert.not_equal(a, b)
    a() a()
    assert.equal(1, b())
    local function made(k) return function() return k end end
    local one, two = cross(made(1), made(2))
    assert.equal(1, one())
    assert.equal(2, two())
  end)

  it("have the upvalues of this time in compiled loops, too", function()
    for k = 1, 100 do
      local function sum()
        local s = 0
        for _ = 1, 200 do s = s + k end
        return s
      end
      assert.equal(200 * k, cross(sum)())
    end
  end)

  it("know varargs, constants of all kinds, the FFI's, and many upvalues", function()
    local function f(...) return select("#", ...), 5LL, "text", 1.5, { 1, 2, x = "y" }, ... end
    local n, int, text, half, t, last = cross(f)(nil)
    assert.same({ 1, "text", 1.5, { 1, 2, x = "y" } }, { n, text, half, t })
    assert.equal(5LL, int)
    assert.is_nil(last)
    local text2 = { "return function() return 0" }
    for i = 1, 55 do table.insert(text2, 1, ("local v%d = %d "):format(i, i)) end
    for i = 1, 55 do text2[#text2 + 1] = (" + v%d"):format(i) end
    text2[#text2 + 1] = " end"
    assert.equal(1540, cross(assert(loadstring(table.concat(text2)))())())
  end)

  it("may have been loaded from bytecode without debug information", function()
    local k = 7
    local plain = loadstring(string.dump(function(a) return a * 2 end, true))
    assert.equal(6, cross(plain)(3))
    local inner = cross(function(a) return plain(a) + k end)
    assert.equal(13, inner(3))
  end)

  it("keep their names and lines in errors", function()
    local function fails() error("here") end
    local ok, err = pcall(cross(fails))
    assert.is_false(ok)
    assert.matches("parcel_spec.lua:%d+: here", err)
  end)

  it("find the globals of the other side", function()
    local function f() return _G, math.abs end
    assert.equal(_G, (cross(setfenv(f, { math = {} }))()))
  end)

  it("stand by hundreds in a state, and the oldest are forgotten", function()
    for i = 1, 600 do
      assert.equal(i, cross(assert(loadstring("return " .. i)))())
    end
  end)
end)

describe("what cannot cross", function()
  it("is named by its path", function()
    local co = coroutine.create(print)
    assert.equal("arg[2].conn.socket is a coroutine, which no other thread can be given",
      refused("values", 1, { conn = { socket = co } }))
    assert.equal("arg[1][3] is a userdata, which no other thread can be given",
      refused("values", { 1, 2, newproxy() }))
    assert.equal('arg[1]["a b"][a table].x is a coroutine, which no other thread can be given',
      refused("values", { ["a b"] = { [{}] = { x = co } } }))
  end)

  it("is named as an upvalue", function()
    local db = newproxy()
    local conf = { deep = { db = db } }
    local function f() return db end
    assert.matches("^upvalue 'db' is a userdata", refused("call", f))
    assert.matches("^upvalue 'conf'%.deep%.db is a userdata",
      refused("call", function() return conf end))
    assert.matches("^upvalue 'f' upvalue 'db' is a userdata",
      refused("call", function() return f end))
    assert.matches("^arg%[1%] upvalue 'db' is a userdata", refused("call", print, f))
    assert.matches("^arg%[1%]%.cb upvalue 'db' is", refused("call", print, { cb = f }))
  end)

  it("is a table whose metatable has no name", function()
    assert.matches("arg%[1%]%.o is a Thing with a metatable that no module has",
      refused("values", { o = setmetatable({}, { __name = "Thing" }) }))
    assert.matches("arg%[1%].* is a green.queue", refused("values", green.Queue()):lower())
    assert.matches("arg%[1%] is a green.thread", refused("values", green.getcurrent()))
  end)

  it("is a function of C's that no module has", function()
    local f = coroutine.wrap(function() end)
    assert.matches("arg%[1%]%.f .*no other thread", refused("values", { f = f }))
    f()
  end)

  it("is any function where none may be, but those that go by name", function()
    assert.equal("arg[1].f is a function, which is refused here",
      refused("plain", { f = function() end }))
    assert.equal(print, core.unpack(assert(core.pack("plain", print))))
  end)

  it("is what is too deep, and says so", function()
    local deep = {}
    local at = deep
    for _ = 1, 199 do
      at.next = {}
      at = at.next
    end
    assert.is_table(cross(deep))
    at.next = {}
    assert.matches("^arg%[1%]%.%.%..*%.next is too deep: 200 levels can cross",
      refused("values", deep))
  end)
end)

-- -- Random graphs --------------------------------------------------------------

--- Random values, which know of each other.
local function new_graph(random, size)
  local tables = { {} }
  local function leaf()
    local kind = random(9)
    if kind == 1 then return random() < 0.5
    elseif kind == 2 then return random(-1e9, 1e9)
    elseif kind == 3 then return random() * 1e300
    elseif kind == 4 then return ("s\0"):rep(random(0, 40)) .. random(10)
    elseif kind == 5 then return ("long"):rep(random(60, 90))
    elseif kind == 6 then return ffi.new("int64_t", random(1e9))
    elseif kind == 7 then return string.format
    elseif kind == 8 then return errors.new("EPIPE", "op" .. random(3))
    end
    return tables[random(#tables)]
  end
  for _ = 1, size do
    local t = {}
    for i = 1, random(0, 6) do t[i] = leaf() end
    for _ = 1, random(0, 4) do
      local key = leaf()
      if key == key then t[key] = leaf() end
    end
    tables[#tables + 1] = t
  end
  local list = tables[#tables]
  list.all = tables
  return list
end

local function is_equal(a, b, seen)
  if type(a) == "cdata" then
    return type(b) == "cdata" and a == b
  elseif type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  elseif seen[a] then
    return seen[a] == b
  end
  seen[a] = b
  local plain, n = true, 0
  for k, v in pairs(a) do
    n = n + 1
    if type(k) == "table" or type(k) == "cdata" then
      plain = plain and true
    elseif not is_equal(v, b[k], seen) then
      return false
    end
  end
  for _ in pairs(b) do n = n - 1 end
  return plain and n == 0 and getmetatable(a) == getmetatable(b)
end

--- Numbers of a generator of our own: a seed gives the same ones everywhere.
local function generator(seed)
  return function(low, high)
    seed = (seed * 1103515245 + 12345) % 2147483648
    local r = math.floor(seed / 65536) % 32768 / 32768
    if not low then return r end
    if not high then low, high = 1, low end
    return low + math.floor(r * (high - low + 1))
  end
end

describe("random graphs", function()
  it("arrive as they were", function()
    for seed = 1, 200 do
      local graph = new_graph(generator(seed), 30)
      assert.is_true(is_equal(graph, cross(graph), {}), "seed " .. seed)
    end
  end)

  it("cut off anywhere are an error", function()
    for seed = 1, 6 do
      local graph = new_graph(generator(seed), 8)
      graph.f = function() return graph end
      local bytes = assert(core.pack("values", graph))
      for n = 0, #bytes - 1, FEW do
        local ok, err = pcall(core.unpack, bytes:sub(1, n))
        if n > 0 then
          assert.is_false(ok)
          assert.matches("damaged", err)
        end
      end
    end
  end)

  it("that call a text a function, or give it upvalues that it has not, are damaged", function()
    local n = 0
    local bytes = assert(core.pack("values", function() n = n + 1 return n end))
    local count = bytes:find("\1", #bytes - 12, true) -- upvalues, CELL, NUMBER, 8 bytes
    assert.equal(#bytes - 10, count)
    assert.equal(1, core.unpack(bytes)())
    local ok, err = pcall(core.unpack, bytes:sub(1, count - 1) .. "\2" .. bytes:sub(count + 1)
      .. bytes:sub(count + 1))
    assert.is_false(ok)
    assert.matches("damaged", err)
    for _, text in ipairs { "", "return", "x" } do
      ok, err = pcall(core.unpack, "\1\0\0\0\9\5" .. string.char(#text) .. text .. "\0")
      assert.is_false(ok)
      assert.matches("damaged", err)
    end
  end)

  it("with any byte changed are other values or an error", function()
    local random = generator(1)
    local changed = 0
    for seed = 1, 20 do
      local bytes = assert(core.pack("values", new_graph(generator(seed), 6)))
      for _ = 1, 300 / FEW do
        local at = random(#bytes)
        local byte = string.char(random(0, 255))
        pcall(core.unpack, bytes:sub(1, at - 1) .. byte .. bytes:sub(at + 1))
        changed = changed + 1
      end
    end
    assert.is_true(changed >= 20 * 7)
  end)
end)
