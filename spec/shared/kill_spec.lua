-- Processes that share a dictionary, and are killed or stopped at any time. What is left when
-- one is killed at each instruction: spec/c/base/dict_mend_test.c.

local green = require "green"
local kit = require "spec.support.shared_kit"
local process = require "green.process"
local shared = require "green.shared"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local _, it = testing.busted()

local ffi = require "ffi"
ffi.cdef "int spec_shared_nap(unsigned us) __asm__(\"usleep\");"

local KEYS = 200

--- Values that tell whether they are whole: text of one letter, as long as the key says.
local function value_of(key, letter)
  return letter:rep(key * 10)
end

local function is_whole(key, value)
  return value == nil or value == value_of(key, value:sub(1, 1))
end

--- One act on a dictionary: is all as it must be?
local function act(dict, random)
  local key, what = random(KEYS), random(10)
  if what <= 4 then
    dict:set(key, value_of(key, string.char(96 + random(26))), random(3) == 1 and 1e-9 or 100)
  elseif what <= 7 then
    local value, err = dict:get(key)
    return err and err:is "EBUSY" or is_whole(key, value)
  elseif what == 8 then
    dict:rpush("list", "element")
  elseif what == 9 then
    local value, err = dict:lpop("list")
    return err and err:is "EBUSY" or value == nil or value == "element"
  else
    dict:delete(key)
  end
  return true
end

local function act_for_ever(dict, seed)
  math.randomseed(seed)
  while act(dict, math.random) do end
end

--- All that is there is whole, and the dictionary can be used.
local function assert_well(dict)
  for key = 1, KEYS do
    assert.is_true(is_whole(key, (kit.patiently(dict.get, dict, key))))
  end
  assert.is_true((kit.patiently(dict.set, dict, "last", "value")))
  assert.equal("value", (kit.patiently(dict.get, dict, "last")))
  assert.is_truthy(kit.patiently(dict.flush_all, dict))
  assert.is_truthy(kit.patiently(dict.flush_expired, dict))
  assert.same({}, kit.patiently(dict.get_keys, dict))
end

describe("green.shared.dict, when processes are killed", function()
  it("is well, and goes on", function()
    local dict = assert(shared.dict(kit.name(), 2 ^ 18))
    local free = dict:free_space()
    for round = 1, 60 do
      local pids = {}
      for i = 1, 2 do
        pids[i] = assert(green.fork(function() act_for_ever(dict, round * 10 + i) end))
      end
      ffi.C.spec_shared_nap(math.random(3000)) -- anywhere: there is no event to wait for
      for i = 1, 2 do
        process.kill(pids[i], "KILL")
        assert.same({ "signal", 9 }, { process.wait(pids[i]) })
      end
      assert_well(dict)
      assert.equal(free, dict:free_space())
    end
  end)

  it("gives up where a holder of its lock does not run", function()
    local dict = assert(shared.dict(kit.name(), 2 ^ 18))
    local pid = assert(green.fork(function() act_for_ever(dict, 1) end))
    local err
    repeat
      process.kill(pid, "STOP")
      ffi.C.spec_shared_nap(math.random(300))
      _, err = dict:get("key")
      if not err then
        process.kill(pid, "CONT")
        ffi.C.spec_shared_nap(math.random(300))
      end
    until err -- it stands where it has the lock
    assert.equal("EBUSY", err.code)
    assert.equal("locked by a process that does not run", err.message)
    fails("EBUSY", dict:set("key", 1))
    fails("EBUSY", dict:incr("key", 1, 0))
    fails("EBUSY", dict:ttl("key"))
    fails("EBUSY", dict:expire("key", 1))
    fails("EBUSY", dict:rpush("key", 1))
    fails("EBUSY", dict:lpop("key"))
    fails("EBUSY", dict:llen("key"))
    fails("EBUSY", dict:flush_all())
    fails("EBUSY", dict:flush_expired())
    fails("EBUSY", dict:get_keys())
    process.kill(pid, "KILL") -- a stopped one dies, too
    process.wait(pid)
    assert_well(dict)
  end)
end)
