-- What an attack and a newcomer found in new code: objects printed by hand, hooks that
-- come back, recursion under a hook, dropped failures at os.exit, holes in lists.

local class = require "green.args.class"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local kit = dofile("spec/support/wsgi_kit.lua")
local program = require "spec.support.program"
local it, real_it = testing.busted()

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("an object of any class", function()
  it("does not take another for itself, by whatever function", function()
    for _, name in ipairs { "wsgi", "queue", "greenpool", "semaphore", "pools", "dagpool", "group",
      "signal", "testing" } do
      require("green." .. name)
    end
    local n = 0
    for name, mt in pairs(class.all) do
      local is_given = name ~= "green.wsgi.log" -- no user has one
      for method, fn in pairs(type(mt.__index) == "table" and mt.__index or {}) do
        if is_given and type(fn) == "function" then
          n = n + 1
          assert.matches("self must be an? ", message(fn, "x"), name .. ":" .. method)
        end
      end
      for _, other in ipairs { "x", 5, {}, io.stdout, print } do
        pcall(mt.__tostring or tostring, other)
      end
    end
    assert.is_true(n > 200)
  end)
end)

describe("the hook that watches answers", function()
  real_it("costs no more where a handler is deep, which its client may choose, and goes", function()
    local cost, hooked = {}, nil
    local function leaf() end
    local function parse(k)
      if k > 0 then
        return (parse(k - 1))
      end
      local start = os.clock() -- of the processor's time
      for _ = 1, 500 do leaf() end
      return os.clock() - start
    end
    kit.with(function(env)
      local depth = tonumber(env.QUERY_STRING)
      cost[depth] = parse(depth)
      hooked = debug.gethook()
      return 200, {}, "ok"
    end, {}, function(client)
      client:get "/?100"
      client:get "/?3000"
    end)
    assert.is_true(cost[3000] < 20 * cost[100], cost[3000] / cost[100])
    assert.is_nil(hooked)
  end)

  real_it("does no harm when somebody has kept it and sets it again", function()
    local kept
    kit.with(function()
      kept = kept or debug.gethook()
      return 200, {}, "ok"
    end, {}, function(client)
      assert.equal(200, (client:get "/"))
    end)
    assert.equal("function", type(kept))
    debug.sethook(kept, "r")
    local ok, value = pcall(function() return math.max(1, 2) end)
    assert.is_nil(debug.gethook())
    assert.same({ true, 2 }, { ok, value })
  end)
end)

describe("what was compiled while answers were watched", function()
  real_it("is dropped when that is over: later requests would leave it each time", function()
    local flushed, at = 0, {}
    local function on_trace(what)
      if what == "flush" then
        flushed = flushed + 1
      end
    end
    kit.with(function()
      return 200, {}, "ok"
    end, {}, function(client)
      jit.attach(on_trace, "trace")
      for i = 1, 25 do
        client:get "/"
        at[i] = flushed
      end
      jit.attach(on_trace)
    end)
    assert.same({ 0, 1, 1 }, { at[20], at[21], at[25] })
  end)
end)

describe("a failed serve whose result is dropped", function()
  real_it("is told when os.exit ends the program, and once for each call", function()
    local file = program.file([[
      local green, wsgi = require "green", require "green.wsgi"
      local used = "127.0.0.1:" .. select(2, assert(green.listen("127.0.0.1:0")):sockname())
      for _ = 1, 3 do wsgi.serve(used, print) end
      os.exit(3)]])
    local p = program.run_greenlua { file }
    os.remove(file)
    assert.equal(3, p.status)
    assert.equal(1, select(2, p.err:gsub("nobody has looked at that", "")), p.err)
  end)
end)

describe("a list with a hole", function()
  it("is refused by all that take lists", function()
    local t = green.spawn(green.sleep, 1)
    local a, b = socket.pair()
    local list = { t, nil, t }
    for name, call in pairs {
      wait = function() green.wait(list) end,
      iwait = function() green.iwait(list) end,
      joinall = function() green.joinall(list) end,
      killall = function() green.killall(list) end,
      writev = function() a:writev { "a", nil, "b" } end,
    } do
      assert.matches("052_second_look_spec.lua:%d+: " .. name
        .. ": %a+ must be a list without holes, but it has", message(call))
    end
    assert.is_false(t:dead())
    t:kill()
    a:close()
    b:close()
  end)
end)

describe("a module below green. that is somebody else's", function()
  it("can be forgotten and required again", function()
    local NAME, n = "green.spec_stranger", 0
    local function search(name)
      return name == NAME and function()
        n = n + 1
        return { n = n }
      end or nil
    end
    table.insert(package.loaders, search)
    local first = require(NAME).n
    package.loaded[NAME] = nil
    local second = require(NAME).n
    table.remove(package.loaders)
    package.loaded[NAME], package.preload[NAME] = nil, nil
    assert.same({ 1, 2 }, { first, second })
  end)
end)

describe("a body that is nil, and a text behind it", function()
  real_it("is a mistake: io.open has given that", function()
    local said
    kit.with(function()
      return 200, {}, io.open "/nowhere"
    end, {}, function(client, server, log)
      assert.equal(500, (client:get "/"))
      server.log:flush()
      said = table.concat(log, "\n")
    end)
    assert.matches('wsgi: the body is nil, and behind it stands "/nowhere: No such file', said)
  end)
end)

describe("env.error", function()
  real_it("tells of a dot where a colon belongs", function()
    local told
    kit.with(function(env)
      told = message(env.error.write, "a line")
      return 200, {}, "ok"
    end, {}, function(client)
      client:get "/"
    end)
    assert.matches('write: self must be a green.wsgi.errors, not "a line"', told)
  end)
end)
