-- tpool.Proxy: objects in one native thread, among them those of Debian's C modules, unmodified.

local green = require "green"
local testing = require "green.testing"
local thing = require "spec.support.tpool_thing" -- for the native thread to require
local tpool = require "green.tpool"

local _, plain_it = testing.busted()

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.matches(text, tostring(err), 1, true)
  return err
end

--- Proxies hold a place in a native thread.
local function clean()
  collectgarbage()
  collectgarbage()
  green.sleep(0)
  tpool.killall()
  green.sleep(0) -- what has waited for jobs ends
  green.sleep(0)
end

local function it(title, fn)
  plain_it(title, function()
    fn()
    clean()
  end)
end

describe("tpool.Proxy", function()
  it("calls functions of a module, all in one thread", function()
    local proxy = tpool.Proxy(thing)
    local first = proxy.thread()
    assert.are_not.equal(tpool.thread_id(), first)
    for _ = 1, 10 do
      tpool.execute(function() end)
      assert.equal(first, proxy.thread())
    end
  end)

  it("reads and writes properties, and gives copies of plain values", function()
    local proxy = tpool.Proxy(thing)
    assert.equal(42, proxy.number)
    assert.is_nil(proxy.nothing)
    assert.is_false(proxy.no)
    assert.same({ 1, { 2 } }, proxy.list)
    proxy.number = 43
    assert.equal(43, proxy.number)
    assert.equal(42, thing.number)
    proxy.number = 42
  end)

  it("makes proxies of what stays there, the same one for the same object", function()
    local proxy = tpool.Proxy(thing)
    local counter = proxy.new(5)
    assert.is_true(tpool.is_proxy(counter))
    assert.matches("^green.Proxy{counter 5}$", tostring(counter))
    assert.equal(6, counter:add(1))
    assert.equal(7, counter:add(1))
    assert.equal(7, counter.value)
    assert.equal(counter, counter:me())
    assert.equal(14, proxy.sum(counter, proxy.new(7)))
  end)

  it("goes through iterators, and calls what can be called [b168]", function()
    local proxy = tpool.Proxy(thing)
    local all = {}
    for i, letter in proxy.letters("abc") do
      all[#all + 1] = i .. letter
    end
    assert.same({ "1a", "2b", "3c" }, all)
    local adder = proxy.adder(10)
    assert.equal(11, adder(1))
    assert.equal(13, adder(2))
    assert.equal(12, proxy.callable(2))
    local places = {}
    local steps = tpool.Proxy(function()
      local i = 0
      return function()
        i = i + 1
        return i < 4 and require("green.tpool").thread_id() or nil
      end
    end)
    for id in steps() do
      places[#places + 1] = id
    end
    assert.same({ places[1], places[1], places[1] }, places)
    assert.not_equal(tpool.thread_id(), places[1])
  end)

  it("proxies a function, with all its results [S47]", function()
    local calls = 0
    local proxy = tpool.Proxy(function(n)
      calls = calls + n
      return calls, nil, "x", nil
    end)
    assert.equal(4, select("#", proxy(1)))
    local a, b, c = proxy(1)
    assert.same({ 2, nil, "x" }, { a, b, c })
    assert.equal(0, calls)
    assert.not_equal(tpool.thread_id(), tpool.Proxy(tpool.thread_id)())
  end)

  it("gives nil results and errors as they are", function()
    local proxy = tpool.Proxy(thing)
    local a, b, c = proxy.fails()
    assert.same({ nil, "no such thing", 2 }, { a, b, c })
    raises("raised: text", proxy.raises, "text")
    assert.equal(5, raises("", proxy.raises, { code = 5 }).code)
    raises("no_such_method", function() return proxy.new(1):no_such_method() end)
  end)

  it("keeps a table there where autowrap names the method", function()
    local proxy = tpool.Proxy(thing, { autowrap = { "table" } })
    local kept = proxy.table()
    assert.is_true(tpool.is_proxy(kept))
    kept.x = 1
    assert.equal(1, kept.x)
    assert.is_false(tpool.is_proxy(tpool.Proxy(thing).table()))
  end)

  it("refuses a proxy of another thread, by name", function()
    local one, two = tpool.Proxy(thing), tpool.Proxy(thing)
    local counter = one.new(1)
    local err = raises("arg[2] is green.Proxy{counter 1}, which lives in another native thread",
      function() two.sum(1, counter) end)
    assert.matches("proxy_spec.lua:%d+: ", err)
  end)

  it("lets go of what is garbage, on both sides", function()
    local proxy = tpool.Proxy(thing)
    for _ = 1, 100 do
      proxy.new(0)
    end
    collectgarbage()
    collectgarbage()
    testing.settle_io(function()
      return proxy.alive() == 0
    end)
  end)

  it("says ECLOSED when the thread has ended", function()
    local proxy = tpool.Proxy(thing)
    proxy.thread()
    tpool.killall()
    assert.is_true(green.is_error(raises("its native thread has ended", proxy.thread), "ECLOSED"))
  end)

  it("can be timed out while the thread works on", function()
    local proxy = tpool.Proxy(thing)
    local value, err = green.timeout(0.02, proxy.sleep, 0.1)
    assert.is_nil(value)
    assert.is_true(green.is_timeout(err))
    assert.is_number(proxy.thread())
  end)

  it("says what is wrong with a call", function()
    raises("Proxy: what must be a module, a function or another object, not nil", tpool.Proxy)
    raises("Proxy: what must be a module, a function or another object, not 5", tpool.Proxy, 5)
    raises('Proxy: what must be a module, not its name: tpool.Proxy(require "lfs")', tpool.Proxy,
      "lfs")
    raises("Proxy: autowrap[1] must be a string, not 5", tpool.Proxy, thing, { autowrap = { 5 } })
    raises("Proxy: unknown option 'wrap'", tpool.Proxy, thing, { wrap = {} })
    raises("Proxy: what is a coroutine", tpool.Proxy, coroutine.create(print))
  end)
end)

describe("tpool.Proxy of a C module:", function()
  local function it_with(name, title, fn)
    local ok, module = pcall(require, name)
    if ok then
      it(title, function() fn(module) end)
    else
      pending(title .. " (no Lua module " .. name .. " here)")
    end
  end

  --- Run fn while a 10 ms ticker runs: what fn returned, and how often the ticker has.
  local function beside_a_ticker(fn)
    local ticks = 0
    local ticker = green.spawn(function()
      while true do
        green.sleep(0.01)
        ticks = ticks + 1
      end
    end)
    local result = fn()
    ticker:kill()
    return result, ticks
  end

  it_with("luasql.sqlite3", "lua-sql-sqlite3: a long query stops nobody [S15]", function(luasql)
    local env = tpool.Proxy(luasql).sqlite3()
    local conn = assert(env:connect ":memory:")
    assert(conn:execute "create table t (id integer, name text)")
    for i = 1, 3 do
      assert.equal(1, conn:execute(("insert into t values (%d, 'name %d')"):format(i, i)))
    end
    local cursor = assert(conn:execute "select id, name from t order by id")
    local rows = {}
    local row = cursor:fetch({}, "a")
    while row do
      rows[#rows + 1] = row.id .. row.name
      row = cursor:fetch({}, "a")
    end
    assert.same({ "1name 1", "2name 2", "3name 3" }, rows)
    local none, err = conn:execute "select from"
    assert.is_nil(none)
    assert.matches("syntax error", err)
    local slow = [[with recursive n(i) as (select 1 union all select i + 1 from n
      where i < 3000000) select max(i) as most from n]]
    local most, ticks = beside_a_ticker(function()
      local found = assert(conn:execute(slow))
      local result = found:fetch({}, "a").most
      found:close()
      return result
    end)
    assert.equal(3000000, tonumber(most))
    assert.is_true(ticks > 3, ticks .. " ticks")
    cursor:close()
    assert.is_true(conn:close())
    assert.is_true(env:close())
  end)

  it_with("lfs", "lua-filesystem: folders and files", function(lfs)
    local proxy = tpool.Proxy(lfs)
    local line = debug.getinfo(1, "l").currentline + 1
    local _, misuse = pcall(function() proxy.attributes() end)
    assert.equal(("spec/tpool/proxy_spec.lua:%d: bad argument #1 to 'attributes' (string expected, "
      .. "got no value)"):format(line), misuse)
    local dir = os.tmpname()
    os.remove(dir)
    assert.is_true(proxy.mkdir(dir))
    assert.equal("directory", proxy.attributes(dir, "mode"))
    io.open(dir .. "/file", "w"):close()
    local names = {}
    for name in proxy.dir(dir) do
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ ".", "..", "file" }, names)
    local none, err = proxy.attributes(dir .. "/none")
    assert.is_nil(none)
    assert.matches("No such file", err)
    os.remove(dir .. "/file")
    assert.is_true(proxy.rmdir(dir))
  end)

  it_with("zip", "lua-zip: files of an archive", function(zip)
    local dir = os.tmpname()
    os.remove(dir)
    assert.equal(0, os.execute("mkdir " .. dir .. " && cd " .. dir
      .. " && echo hello > a && echo you > b && zip -q x.zip a b"))
    local proxy = tpool.Proxy(zip)
    local archive = assert(proxy.open(dir .. "/x.zip"))
    local names = {}
    for file in archive:files() do
      names[#names + 1] = file.filename
    end
    assert.same({ "a", "b" }, names)
    local file = assert(archive:open "a")
    assert.equal("hello\n", file:read "*a")
    file:close()
    archive:close()
    os.execute("rm -r " .. dir)
  end)
end)
