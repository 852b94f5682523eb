-- A finalizer may use the connection whose replies are being made values of: each reply is told
-- once, as it came.

local core = require "green.core"
local errors = require "green.error"
local ffi = require "ffi"
local finalizers = require "spec.support.finalizers"

local buf_api = require "green.ffi.buf"
local C = require "green.ffi.resp"

--- A connection's input with these bytes, and what takes the next reply from it.
local function input(bytes)
  local buf, resp = ffi.gc(ffi.new("green_buf"), buf_api.reset), ffi.new("green_resp")
  local buf_ptr = ffi.cast(ffi.typeof("green_buf *"), buf)
  local resp_ptr = ffi.cast(ffi.typeof("green_resp *"), resp)
  C.init(resp)
  assert(buf_api.append(buf, bytes, #bytes) == 0)
  return function(most)
    assert(buf and resp, "their pointers do not keep them")
    local list = {}
    local n, status = core.resp_take(resp_ptr, buf_ptr, list, 0, most or 1, "null", errors.mt)
    return n, list, status
  end, buf
end

local function bulk(text)
  return ("$%d\r\n%s\r\n"):format(#text, text)
end

local function text_of(i, size)
  return ("%05d "):format(i):rep(size)
end

local makers = {
  texts = function(i) return bulk(text_of(i, 10)) end,
  ["long texts"] = function(i) return bulk(text_of(i, 1000)) end,
  lists = function(i) return "*3\r\n" .. bulk(text_of(i, 10)):rep(3) end,
  maps = function(i) return "%2\r\n" .. bulk(text_of(i, 9)) .. bulk(text_of(i, 10)):rep(3) end,
  errors = function(i) return "-ERR " .. text_of(i, 10) .. "\r\n" end,
}

--- Which reply is this? Each part of it must say the same.
local function number_of(value)
  if type(value) == "string" then
    local first = value:sub(1, 6)
    assert(value == first:rep(#value / 6), value)
    return tonumber(first)
  elseif value.message then
    return number_of(value.message:sub(5))
  end
  local number
  for key, part in pairs(value) do
    number = number or number_of(part)
    assert.equal(number, number_of(part))
    assert.is_true(type(key) == "number" or number_of(key) == number)
  end
  return number
end

describe("replies of Redis:", function()
  for name, make in pairs(makers) do
    it(name .. " are told once, and whole, where a finalizer takes the next of them", function()
      local n, all, bytes = 300, {}, {}
      for i = 1, n do bytes[i] = make(i) end
      local take = input(table.concat(bytes))
      local function keep(got, list)
        for i = 1, got do all[#all + 1] = list[i] end
        return got
      end
      finalizers.amidst(8000, function(where)
        if where:find("resp_take", 1, true) then keep(take()) end
      end, function()
        while keep(take(5)) > 0 do end
      end)
      local seen = {}
      for _, value in ipairs(all) do
        local i = number_of(value)
        assert.is_nil(seen[i])
        seen[i] = true
      end
      assert.equal(n, #seen)
    end)
  end

  it("a finalizer may throw away what is left of them", function()
    local bytes = {}
    for i = 1, 100 do bytes[i] = makers.lists(i) end
    local all = table.concat(bytes)
    local take, buf, hits = nil, nil, 0
    finalizers.amidst(8000, function(where)
      if take and where:find("resp_take", 1, true) then
        hits = hits + 1
        buf_api.reset(buf)
      end
    end, function()
      for _ = 1, 50 do
        take, buf = input(makers.texts(7) .. all)
        local n, list = take(101)
        for i = 1, n do assert.equal(i == 1 and 7 or i - 1, number_of(list[i])) end
        take = nil
      end
    end)
    assert.is_true(hits > 10, hits .. " finalizers ran there")
  end)
end)
