-- Random acts on a dictionary, beside a table that does the same.

local kit = require "spec.support.shared_kit"
local shared = require "green.shared"
local testing = require "green.testing"

local _, it = testing.busted()

local KEYS, ROUNDS = 40, 30000
local GONE, LONG = 1e-9, 1000 -- seconds: expired when the call is over, and never here

local random = math.random

local function any_value()
  local what = random(6)
  if what == 1 then
    return random(1000) / 8
  elseif what == 2 then
    return random(2) == 1
  end
  return string.char(random(0, 255)):rep(random(4) == 1 and random(9000) or random(60))
end

local function any_exptime()
  local what = random(4)
  return what == 1 and GONE or what == 2 and LONG or what == 3 and 0 or nil
end

--- What is there of a key in the model: { value = } or { list = }.
local function put(model, key, value, exptime)
  if exptime == GONE then
    model[key] = nil
  else
    model[key] = { value = value }
  end
end

local function code_of(value, err)
  return value == nil and err and err.code or nil
end

local acts = {}

function acts.set(dict, model, key)
  local value, exptime = any_value(), any_exptime()
  put(model, key, value, exptime)
  return { true, nil, false }, { dict:set(key, value, exptime) }
end

function acts.add(dict, model, key)
  local value, exptime = any_value(), any_exptime()
  local want = model[key] and "EEXIST"
  if not want then
    put(model, key, value, exptime)
  end
  return want, code_of(dict:add(key, value, exptime))
end

function acts.replace(dict, model, key)
  local value, exptime = any_value(), any_exptime()
  local want = not model[key] and "ENOENT"
  if not want then
    put(model, key, value, exptime)
  end
  return want or nil, code_of(dict:replace(key, value, exptime))
end

function acts.delete(dict, model, key)
  model[key] = nil
  return true, (dict:delete(key))
end

function acts.get(dict, model, key)
  local there = model[key]
  if there and there.list then
    return "EINVAL", code_of(dict:get(key))
  end
  return there and there.value, (dict:get(key))
end

function acts.incr(dict, model, key)
  local by, init = random(10), random(2) == 1 and random(10) or nil
  local there = model[key]
  local sum, err = dict:incr(key, by, init)
  if not there and not init then
    return "ENOENT", code_of(sum, err)
  elseif there and type(there.value) ~= "number" then
    return "EINVAL", code_of(sum, err)
  end
  model[key] = { value = (there and there.value or init) + by }
  return model[key].value, sum
end

function acts.expire(dict, model, key)
  local exptime = random(3) == 1 and GONE or LONG
  local want = not model[key] and "ENOENT" or nil
  if exptime == GONE then
    model[key] = nil
  end
  return want, code_of(dict:expire(key, exptime))
end

local function push(name, at)
  return function(dict, model, key)
    local value = any_value()
    local there = model[key]
    local n, err = dict[name](dict, key, value)
    if there and not there.list then
      return "EINVAL", code_of(n, err)
    end
    there = there or { list = {} }
    model[key] = there
    table.insert(there.list, at or #there.list + 1, value)
    return #there.list, n
  end
end
acts.lpush, acts.rpush = push("lpush", 1), push("rpush")

local function pop(name, at)
  return function(dict, model, key)
    local there = model[key]
    local value, err = dict[name](dict, key)
    if there and not there.list then
      return "EINVAL", code_of(value, err)
    elseif not there then
      return nil, value
    end
    local want = table.remove(there.list, at or #there.list)
    if #there.list == 0 then
      model[key] = nil
    end
    return want, value
  end
end
acts.lpop, acts.rpop = pop("lpop", 1), pop("rpop")

function acts.llen(dict, model, key)
  local there = model[key]
  if there and not there.list then
    return "EINVAL", code_of(dict:llen(key))
  end
  return there and #there.list or 0, dict:llen(key)
end

function acts.get_keys(dict, model)
  local want, keys = {}, dict:get_keys(0)
  for key in pairs(model) do
    want[#want + 1] = key
  end
  table.sort(want)
  table.sort(keys)
  return want, keys
end

function acts.flush_all(dict, model)
  if random(20) > 1 then
    return nil, nil
  end
  for key in pairs(model) do
    model[key] = nil
  end
  return true, dict:flush_all()
end

function acts.flush_expired(dict)
  dict:flush_expired(random(5))
end

local names = {}
for name in pairs(acts) do names[#names + 1] = name end
table.sort(names)

--- Texts of up to 9,000 bytes as what a message can show.
local function short(value)
  if type(value) == "string" and #value > 60 then
    return ("%d times %d"):format(#value, value:byte())
  end
  return value
end

describe("green.shared.dict", function()
  it("does what a table does", function()
    local dict, model = assert(shared.dict(kit.name(), 2 ^ 24)), {}
    local free = dict:free_space()
    for round = 1, ROUNDS do
      local name = names[random(#names)]
      local want, got = acts[name](dict, model, "key " .. random(KEYS))
      if want ~= got then
        assert.same({ round, name, short(want) }, { round, name, short(got) })
      end
    end
    dict:flush_all()
    dict:flush_expired()
    assert.equal(free, dict:free_space())
  end)
end)
