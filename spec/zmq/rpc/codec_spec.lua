-- Arguments and results as one frame, and errors as frames.

local buffer = require "string.buffer"
local codecs = require "green.zmq.rpc.codec"
local envelope = require "green.zmq.rpc.envelope"
local errors = require "green.error"
local failure = require "green.zmq.rpc.failure"

local function round(codec, ...)
  local list, n = codecs.unpack(codec, codecs.pack(codec, ...))
  assert(list, n)
  return n, unpack(list, 1, n)
end

local kinds = {
  JSON = codecs.of(nil, "spec"),
  ["a codec without null"] = codecs.of({ encode = buffer.encode, decode = buffer.decode }, "spec"),
}

describe("green.zmq.rpc.codec", function()
  for kind, codec in pairs(kinds) do
    it("keeps values and their number, nil in the middle and at the end too: " .. kind, function()
      assert.are.same({ 0 }, { round(codec) })
      assert.are.same({ 1 }, { round(codec, nil) })
      assert.are.same({ n = 6, 5, 1, nil, "x", nil, nil },
        { n = select("#", round(codec, 1, nil, "x", nil, nil)),
          round(codec, 1, nil, "x", nil, nil) })
      assert.are.same({ 3, false, { a = { 1, 2 } }, "\0\"\\" },
        { round(codec, false, { a = { 1, 2 } }, "\0\"\\") })
    end)

    it("says why what is cut has no values: " .. kind, function()
      local text = codecs.pack(codec, 1, "two", { three = 3 })
      for n = 0, #text - 1 do
        local list, why = codecs.unpack(codec, text:sub(1, n))
        assert(list == nil and type(why) == "string" or type(why) == "number")
      end
    end)
  end

  -- Not with LuaJIT's own: compiled, it ends the process now and then (docs/design.md).
  it("says why what is random has no values: JSON", function()
    local codec = kinds.JSON
    for _ = 1, 20000 do
      local bytes = {}
      for i = 1, math.random(0, 12) do
        bytes[i] = string.char(math.random(0, 255))
      end
      local list, n = codecs.unpack(codec, table.concat(bytes))
      assert(list == nil and type(n) == "string" or n >= 0 and n <= 255)
    end
  end)

  it("refuses what is no list, and lists that are too long", function()
    local json = kinds.JSON
    for _, text in ipairs { "1", '"x"', "null", '{"a":1}', "[" .. ("1,"):rep(255) .. "1]",
      ("["):rep(200) .. ("]"):rep(200) } do
      assert.is_nil(codecs.unpack(json, text), text)
    end
    for _, n in ipairs { -1, 1.5, 256, 1e9, "1", false } do
      local other = kinds["a codec without null"]
      assert.is_nil(codecs.unpack(other, buffer.encode { n = n }))
    end
    assert.error_matches(function() codecs.pack(json, unpack({}, 1, 256)) end, "256 values")
  end)

  it("raises for what cannot be encoded", function()
    assert.error_matches(function() codecs.pack(kinds.JSON, print) end, "function")
    assert.error_matches(function()
      codecs.pack(codecs.of({ encode = function() return 1 end, decode = print }, "spec"), 1)
    end, "not given a string")
  end)

  it("is not disturbed by what a program does with cjson", function()
    local cjson = require "cjson"
    cjson.decode_invalid_numbers(false)
    cjson.encode_max_depth(1)
    local ok = pcall(codecs.pack, kinds.JSON, { { { 1 } } })
    cjson.decode_invalid_numbers(true)
    cjson.encode_max_depth(1000)
    assert.is_true(ok)
  end)

  it("names the Debian package where cjson is missing", function()
    local loaded, preload = package.loaded.cjson, package.preload.cjson
    package.loaded.cjson = nil
    package.preload.cjson = function() error "none" end
    local ok, err = pcall(codecs.of, nil, "rpc.client")
    package.loaded.cjson, package.preload.cjson = loaded, preload
    assert.is_false(ok)
    assert.matches("rpc.client: JSON needs the library lua%-cjson %(Debian's package", err)
  end)

  it("checks what it is given", function()
    assert.error_matches(function() codecs.of("json", "rpc.client") end,
      "rpc.client: codec must be a table with encode and decode, not \"json\"")
    assert.error_matches(function() codecs.of({ encode = print }, "rpc.client") end,
      "rpc.client: codec must be a table with encode and decode, not a table without decode")
    assert.error_matches(function() codecs.of({ decode = print }, "rpc.client") end,
      "rpc.client: codec must be a table with encode and decode, not a table without encode")
    assert.error_matches(function() codecs.of({ encode = print, decode = "x" }, "rpc.worker") end,
      "rpc.worker: codec.decode must be a function, not \"x\"")
  end)
end)

describe("green.zmq.rpc.failure", function()
  local json = kinds.JSON

  local function cross(err)
    local frames = failure.write("12345678", json, err)
    assert.are.equal(4, #frames)
    assert.are.equal(envelope.ERROR, envelope.read(frames[1]).kind)
    return failure.read(json, frames, 1, "call s.m")
  end

  it("takes an error object across with its code, message and plain fields", function()
    local err = cross(errors.new("ENOENT", "open", "no such file", { path = "/x", tries = 3,
      fn = print, list = {} }))
    assert.are.same({ "ENOENT", "no such file", "call s.m", true },
      { err.code, err.message, err.op, err.sent })
    assert.are.same({ code = "ENOENT", message = "no such file", op = "open", path = "/x",
      tries = 3 }, err.remote)
    assert.is_true(err:is("ENOENT"))
  end)

  it("calls all else EREMOTE", function()
    assert.are.equal("call s.m: file:1: bang (EREMOTE)", tostring(cross("file:1: bang")))
    local err = cross({})
    assert.are.equal("EREMOTE", err.code)
    assert.is_true(err:is "EREMOTE")
    assert.are.equal("EREMOTE", cross(nil).code)
    assert.are.equal("an error without a text",
      cross(setmetatable({}, { __tostring = function() error "no" end })).message)
    assert.are.equal(2000, #cross(("x"):rep(1e6)).message)
  end)

  it("knows what a broker says: no remote, and sent only where it may have been done", function()
    local head = envelope.write(envelope.ERROR, "12345678")
    local err = failure.read(json, { head, "EBUSY", "full" }, 1, "op")
    assert.are.same({ "EBUSY", false }, { err.code, err.sent })
    assert.is_nil(err.remote)
    head = envelope.write(envelope.ERROR, "12345678", true)
    assert.is_true(failure.read(json, { head, "ECONNRESET", "lost" }, 1, "op").sent)
  end)

  it("has codes with numbers, which err.names names", function()
    for _, code in ipairs { "ENOSERVICE", "ENOMETHOD", "EREMOTE" } do
      local err = failure.read(json, { envelope.write(envelope.ERROR, "12345678"), code, "m" }, 1,
        "op")
      assert.is_true(err:is(code))
      assert.is_number(err.number, code)
      assert.are.equal(errors.codes[code], err.number)
      assert.are.equal(code, errors.names[err.number])
    end
  end)

  it("takes whatever stands in the frames for an error", function()
    local head = envelope.write(envelope.ERROR, "12345678")
    for _, frames in ipairs { { head }, { head, "E" }, { head, "low", "x" }, { head, "", "" },
      { head, "EX", "m", "[]", "more" }, { head, "E" .. ("X"):rep(64), "" } } do
      assert.are.equal("EPROTO", failure.read(json, frames, 1, "op").code)
    end
    for _, text in ipairs { "", "1", "[1]", "[{", '[{"code":1}]', "[[1]]" } do
      local err = failure.read(json, { head, "EX", "m", text }, 1, "op")
      assert.are.same({ "EX", "m", "EX" }, { err.code, err.message, err.remote.code })
    end
  end)
end)
