local args = require "green.args"
local class = require "green.args.class"
local green = require "green"
local socket = require "green.socket"

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

local HERE = "spec/args/init_spec.lua"

describe("a misuse", function()
  it("begins with the file and the line of the caller", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local err = message(function() green.Queue(-1) end)
    assert.equal((HERE .. ":%d: Queue: maxsize must be a whole number of at least 0, "
      .. "not -1"):format(line), err)
  end)

  it("blames the caller however deep in the library it was found", function()
    local a, b = socket.pair()
    local line = debug.getinfo(1, "l").currentline + 1
    local err = message(function() for _ in a:lines { timeout = "5" } do error "never" end end)
    assert.equal((HERE .. ":%d: lines: timeout must be a number of seconds, at least 0, "
      .. 'not "5"'):format(line), err)
    a:close()
    b:close()
  end)

  it("blames whoever calls pcall, when the function was handed to that", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local err = select(2, pcall(green.spawn_after, "x", print))
    assert.equal((HERE .. ":%d: spawn_after: seconds must be a number of at least 0, "
      .. 'not "x"'):format(line), err)
  end)

  it("blames the spawner, when a green thread begins with it", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local t = green.spawn(green.spawn_after, "x", print)
    assert.equal((HERE .. ":%d: spawn_after: seconds must be a number of at least 0, "
      .. 'not "x"'):format(line), message(t.wait, t))
  end)

  it("tells of a dot where a colon belongs", function()
    local q = green.Queue()
    assert.matches('put: self must be a green%.Queue, not "item"; call it with a colon',
      message(q.put, "item"))
    assert.matches("get: self must be a green%.Queue, not nil; call it with a colon, "
      .. "object:get%(%.%.%.%)", message(q.get))
    assert.matches("wait: self must be a green%.thread, not 5", message(green.getcurrent().wait, 5))
  end)

  it("tells of an object of another kind", function()
    local a, b = socket.pair()
    assert.matches("read_line: self must be a green%.socket, not a green%.Queue",
      message(a.read_line, green.Queue()))
    assert.matches("read_line: self must be a green%.socket, not a userdata",
      message(a.read_line, io.stdout))
    a:close()
    b:close()
  end)
end)

describe("green.args", function()
  it("shows strings in quotes, their control bytes as numbers, their ends cut off", function()
    assert.equal('"a\\"b\\\\c"', args.shown 'a"b\\c')
    assert.equal('"\\0001\\027\\127"', args.shown "\0001\27\127")
    assert.equal('"é"', args.shown "é")
    assert.equal('"' .. ("x"):rep(60) .. '"...', args.shown(("x"):rep(1000)))
  end)

  it("shows numbers and what is no text by its kind, and calls no metamethod", function()
    local angry = setmetatable({}, setmetatable({ __tostring = error, __name = 5 }, {
      __index = function() error "asked" end,
    }))
    assert.same({ "1.5", "-0", "nan", "inf", "nil", "true", "a table", "a function" }, {
      args.shown(1.5), args.shown(-0), args.shown(0 / 0):gsub("^%-", ""), args.shown(1 / 0),
      args.shown(nil), args.shown(true), args.shown(angry), args.shown(print),
    })
    assert.equal("a coroutine", args.shown(coroutine.create(print)))
    assert.equal("a green.thread", args.shown(green.getcurrent()))
    assert.equal("a userdata", args.shown(newproxy()))
  end)

  it("takes for a number of bytes what a buffer can hold", function()
    assert.equal(0, args.size(0, 0, "read", "n"))
    assert.equal(2 ^ 31 - 1, args.size(math.huge, 0, "read", "n"))
    for _, bad in ipairs { -1, 1.5, 2 ^ 31, 1e300, 0 / 0, "1", false } do
      assert.matches("read: n must be a whole number of at least 0 and below 2%^31, not ",
        message(args.size, bad, 0, "read", "n"))
    end
  end)

  it("takes for a timeout what is no time before now", function()
    assert.is_nil(args.timeout(nil, "get"))
    assert.equal(math.huge, args.timeout(math.huge, "get"))
    for _, bad in ipairs { -1, 0 / 0, "1", {}, false } do
      assert.matches("get: timeout must be a number of seconds, at least 0, not ",
        message(args.timeout, bad, "get"))
    end
  end)

  it("knows what can be called, also what has __call", function()
    local callable = setmetatable({}, { __call = function() end })
    assert.equal(callable, args.callable(callable, "spawn", "fn"))
    for _, bad in ipairs { 1, "x", {}, io.stdout } do
      assert.matches("spawn: fn must be a function, not ",
        message(args.callable, bad, "spawn", "fn"))
    end
  end)
end)

describe("a class", function()
  local methods, mt

  before_each(function()
    methods = { _own = function(self) return self end }
    function methods.one(self) return self end
    function methods.two(self, a) return self, a end
    function methods.three(self, a, b) return self, a, b end
    function methods.four(self, a, b, c) return self, a, b, c end
    function methods.five(self, a, b, c, d) return self, a, b, c, d end
    function methods.any(self, ...) return self, select("#", ...), ... end
    mt = class.seal { __name = "spec.thing", __index = setmetatable(methods,
      { __index = { older = function(_, a) return a end, two = error } }) }
  end)

  it("hands every argument on, and nothing more", function()
    local thing = setmetatable({}, mt)
    assert.same({ thing }, { thing:one(1, 2) })
    assert.same({ thing, 1 }, { thing:two(1, 2) })
    assert.same({ thing, 1, 2 }, { thing:three(1, 2, 3) })
    assert.same({ thing, 1, 2, 3 }, { thing:four(1, 2, 3, 4) })
    assert.same({ thing, 1, 2, 3, 4 }, { thing:five(1, 2, 3, 4, 5) })
    assert.equal(3, select("#", thing:any(nil)))
    assert.same({ thing, 2, nil, nil }, { thing:any(nil, nil) })
    assert.equal(7, thing:older(7))
  end)

  it("guards what it inherits, and what is the library's own", function()
    local thing = setmetatable({}, mt)
    assert.matches("older: self must be a spec%.thing, not a table", message(thing.older, {}))
    assert.matches("_own: self must be a spec%.thing, not 5", message(thing._own, 5))
    assert.equal(5, methods.one(5), "the table that was given has changed")
  end)
end)

describe("a method that somebody's object should have", function()
  it("is found on tables and objects in C, and on nothing else", function()
    local called = setmetatable({}, { __call = function() end })
    assert.equal(print, args.method({ go = print }, "go"))
    assert.is_function(args.method({ go = called }, "go"))
    assert.is_function(args.method(setmetatable({}, { __index = { go = print } }), "go"))
    assert.is_function(args.method(green.Queue(), "put"))
    assert.is_function(args.method(green.getcurrent(), "kill"))
    assert.is_function(args.method(io.stdout, "write"))
    for _, value in ipairs { {}, { go = 5 }, "go", 5, 5LL, print, newproxy(), newproxy(true),
      io.stdout, require("ffi").new "int[1]" } do
      assert.is_nil(args.method(value, "go"))
    end
    assert.is_nil(args.method("go", "rep"))
    assert.is_nil(args.method(nil, "go"))
  end)
end)
