local kit = require "spec.support.shared_kit"
local shared = require "green.shared"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local _, it = testing.busted()

local ffi = require "ffi"
ffi.cdef "int spec_shared_usleep(unsigned us) __asm__(\"usleep\");"

local function new(size)
  return assert(shared.dict(kit.name(), size or 100000))
end

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(tostring(err):find("dict_spec.lua:%d+: "), tostring(err))
  assert.truthy(tostring(err):find(text, 1, true), tostring(err))
end

local NOTHING_LEFT = 1e-9 -- seconds: it has expired when the call is over

--- Fill a dictionary: how many keys have found room.
local function fill(dict, value)
  local n = 0
  while dict:safe_set("key " .. n, value) do
    n = n + 1
  end
  return n
end

describe("green.shared.dict", function()
  it("keeps strings, numbers and booleans as they are", function()
    local dict = new()
    for _, value in ipairs { "", "text", "a\0b", ("x"):rep(4096), ("x"):rep(4097), ("y"):rep(50000),
      0, -0.5, 1e308, 2 ^ 53, math.huge, true, false } do
      assert.same({ true, nil, false }, { dict:set("key", value) })
      assert.equal(value, (dict:get("key")))
    end
    dict:set("key", 0 / 0)
    local nan = dict:get("key")
    assert.is_true(nan ~= nan)
  end)

  it("has nil for what is not there, and deletes by it", function()
    local dict = new()
    assert.same({}, { dict:get("key") })
    dict:set("key", 1)
    assert.is_true((dict:set("key", nil)))
    assert.same({}, { dict:get("key") })
    dict:set("key", 1)
    assert.same({ true }, { dict:delete("key") })
    assert.same({ true }, { dict:delete("key") })
    assert.same({}, { dict:get("key") })
  end)

  it("takes any bytes as a key, and a number as its text", function()
    local dict = new(2 ^ 20)
    local longest = ("k"):rep(65535)
    for i, key in ipairs { "", "\0", "\0\0", longest } do
      dict:set(key, i)
    end
    assert.equal(1, (dict:get("")))
    assert.equal(3, (dict:get("\0\0")))
    assert.equal(4, (dict:get(longest)))
    dict:set(17, "seventeen")
    assert.equal("seventeen", (dict:get("17")))
    fails("ENAMETOOLONG", dict:set(longest .. "k", 1))
    fails("ENAMETOOLONG", dict:get(longest .. "k"))
    fails("ENAMETOOLONG", dict:incr(longest .. "k", 1, 0))
    fails("ENAMETOOLONG", dict:lpush(longest .. "k", 1))
    fails("ENAMETOOLONG", dict:lpop(longest .. "k"))
    fails("ENAMETOOLONG", dict:llen(longest .. "k"))
    fails("ENAMETOOLONG", dict:ttl(longest .. "k"))
    fails("ENAMETOOLONG", dict:expire(longest .. "k", 1))
  end)

  it("refuses what cannot be shared, and says what to do", function()
    local dict = new()
    raises("set: value must be a string, a number, a boolean or nil, not a table; encode it",
      dict.set, dict, "key", {})
    raises("not a function; code stays in its thread", dict.set, dict, "key", print)
    raises("make a number or a string of it", dict.set, dict, "key", 1LL)
    raises("add: value must be a string, a number or a boolean, not nil", dict.add, dict, "key")
    raises("replace: value must be", dict.replace, dict, "key", nil)
    raises("lpush: value must be", dict.lpush, dict, "key", {})
    raises("get: key must be a string or a number, not nil", dict.get, dict)
    raises("set: exptime must be a number of at least 0", dict.set, dict, "key", 1, -1)
    raises("set: flags must be a whole number from 0 to 4294967295", dict.set, dict, "key", 1, 1,
      2 ^ 32)
    raises("incr: init_ttl must be nil where init is, not 5", dict.incr, dict, "key", 1, nil, 5)
    raises("expire: exptime must be", dict.expire, dict, "key")
    raises("call it with a colon", dict.get, "key")
    assert.same({}, { dict:get("key") })
  end)

  it("gives flags back, if there are any", function()
    local dict = new()
    dict:set("key", "value", 0, 2 ^ 32 - 1)
    assert.same({ "value", 2 ^ 32 - 1 }, { dict:get("key") })
    dict:set("key", "value", 0, 0)
    assert.same({ "value" }, { dict:get("key") })
    assert.equal(1, select("#", dict:get("key")))
  end)

  it("adds what is not there, and replaces what is", function()
    local dict = new()
    local err = fails("ENOENT", dict:replace("key", 1))
    assert.equal("not found", err.message)
    assert.is_true((dict:add("key", 1)))
    err = fails("EEXIST", dict:add("key", 2))
    assert.equal("exists", err.message)
    fails("EEXIST", dict:safe_add("key", 2))
    assert.is_true((dict:replace("key", 3)))
    assert.equal(3, (dict:get("key")))
    dict:expire("key", NOTHING_LEFT)
    fails("ENOENT", dict:replace("key", 4))
    assert.is_true((dict:safe_add("key", 5)))
    assert.equal(5, (dict:get("key")))
  end)

  it("lets keys expire", function()
    local dict = new()
    dict:set("key", "value", 1000)
    local ttl = dict:ttl("key")
    assert.is_true(ttl > 900 and ttl <= 1000)
    dict:set("key", "value", NOTHING_LEFT)
    assert.same({}, { dict:get("key") })
    assert.same({ "value", nil, true }, { dict:get_stale("key") })
    fails("ENOENT", dict:ttl("key"))
    fails("ENOENT", dict:expire("key", 5))
    dict:set("key", "value")
    assert.equal(0, dict:ttl("key"))
    assert.same({ "value", nil, false }, { dict:get_stale("key") })
    dict:set("key", "value", math.huge)
    assert.equal(0, dict:ttl("key"))
    assert.is_true(dict:expire("key", 2000))
    assert.is_true(dict:ttl("key") > 1500)
    assert.is_true(dict:expire("key", 0))
    assert.equal(0, dict:ttl("key"))
  end)

  it("has a key for as long as was said", function()
    local dict = new()
    dict:set("key", "value", 0.05)
    local last -- what it said of the rest of its time, while it was there
    repeat
      local ttl = dict:ttl("key")
      assert.is_true(not ttl or ttl > 0 and ttl <= 0.05)
      last = ttl or last
      ffi.C.spec_shared_usleep(1000) -- the clock is the system's: nothing else moves it
    until not dict:get("key")
    assert.is_truthy(last)
  end)

  it("adds to numbers", function()
    local dict = new()
    local err = fails("ENOENT", dict:incr("n", 1))
    assert.equal("not found", err.message)
    assert.same({ 11, nil, false }, { dict:incr("n", 1, 10) })
    assert.same({ 12 }, { dict:incr("n") })
    assert.same({ 11.5 }, { dict:incr("n", -0.5) })
    assert.equal(0, dict:ttl("n"))
    assert.equal(1, (dict:incr("m", 1, 0, 1000)))
    assert.equal(2, (dict:incr("m", 1, 0, 5)))
    assert.is_true(dict:ttl("m") > 900) -- it is as old as before
    dict:expire("m", NOTHING_LEFT)
    assert.equal(6, (dict:incr("m", 1, 5)))
    dict:set("s", "1")
    err = fails("EINVAL", dict:incr("s", 1))
    assert.equal("not a number", err.message)
  end)

  it("makes room by what was not used for the longest time", function()
    local dict = new(8192)
    local n = fill(dict, "value")
    assert.is_true(n > 20)
    local err = fails("ENOMEM", dict:safe_set("more", "value"))
    assert.equal("no memory", err.message)
    fails("ENOMEM", dict:safe_add("more", "value"))
    assert.equal("value", (dict:get("key 0"))) -- used
    assert.same({ true, nil, true }, { dict:set("more", "value") })
    assert.equal("value", (dict:get("key 0")))
    assert.is_nil((dict:get("key 1")))
    assert.same({ true, nil, true }, { dict:add("and more", "value") })
    assert.equal("value", (dict:get("key 0")))
    local _, _, forcible = dict:incr("a number", 1, 0)
    assert.is_true(forcible)
  end)

  it("has no room for what is larger than it, and loses nothing by trying", function()
    local dict = new(8192)
    local n = fill(dict, "value")
    fails("ENOMEM", dict:set("large", ("x"):rep(8192)))
    for i = 0, n - 1 do
      assert.equal("value", (dict:get("key " .. i)))
    end
    assert.same({ true, nil, true }, { dict:set("large", ("x"):rep(4000)) })
    assert.equal(4000, #dict:get("large"))
  end)

  it("lets what has expired go first", function()
    local dict = new(8192)
    local n = fill(dict, "value")
    dict:expire("key " .. n - 1, NOTHING_LEFT) -- the last that would have to go
    assert.same({ true, nil, false }, { dict:safe_set("key x", "value") })
    assert.equal("value", (dict:get("key 0")))
  end)

  it("says what is wrong with a list", function()
    local dict = new()
    dict:lpush("list", 1)
    assert.equal("value is a list", fails("EINVAL", dict:get("list")).message)
    fails("EINVAL", dict:get_stale("list"))
    assert.equal("not a number", fails("EINVAL", dict:incr("list", 1)).message)
    assert.is_true((dict:set("list", "none")))
    assert.equal("none", (dict:get("list")))
  end)
end)
