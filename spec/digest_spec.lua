local digest = require "green.digest"
local green = require "green"
local program = require "spec.support.program"
local testing = require "green.testing"

local fails = dofile("spec/support/sockets.lua").fails
local it = testing.busted()

local KINDS = { "md5", "sha1", "sha224", "sha256", "sha384", "sha512" }
local SIZES = { md5 = 16, sha1 = 20, sha224 = 28, sha256 = 32, sha384 = 48, sha512 = 64 }

--- A file with that text; its path.
local function file_with(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

local function output_of(...)
  local run = program.run { ... }
  assert.equal(0, run.status, run.err)
  return run.out
end

--- Random texts of many lengths, in files; their paths.
local function samples()
  local texts, paths = {}, {}
  for _, n in ipairs { 0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000, 65536, 300001 } do
    texts[#texts + 1] = digest.random(n)
    paths[#paths + 1] = file_with(texts[#texts])
  end
  return texts, paths
end

--- The digests that openssl finds, in order.
local function of_openssl(paths, ...)
  local words, list = { "openssl", "dgst", "-r", ... }, {}
  for _, path in ipairs(paths) do words[#words + 1] = path end
  for hex in output_of(unpack(words)):gmatch("(%x+) %*") do list[#list + 1] = hex end
  return list
end

--- The message of the error that fn raises.
local function message_of(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

describe("green.digest", function()
  it("digests as openssl does", function()
    local texts, paths = samples()
    for _, kind in ipairs(KINDS) do
      for i, hex in ipairs(of_openssl(paths, "-" .. kind)) do
        assert.equal(hex, digest.hex(digest[kind](texts[i])), kind .. " of " .. #texts[i])
        assert.equal(hex, digest.new(kind):update(texts[i]):hex())
      end
    end
    for _, path in ipairs(paths) do os.remove(path) end
  end)

  it("makes HMACs as openssl does, with keys of every length", function()
    local texts, paths = samples()
    for _, kind in ipairs(KINDS) do
      for _, n in ipairs { 1, 63, 64, 65, 127, 128, 129, 500 } do
        local key = digest.random(n)
        local found = of_openssl(paths, "-" .. kind, "-mac", "hmac", "-macopt",
          "hexkey:" .. digest.hex(key))
        assert.equal(#texts, #found)
        for i, hex in ipairs(found) do
          assert.equal(hex, digest.hex(digest.hmac(kind, key, texts[i])), kind .. " " .. n)
        end
      end
    end
    for _, path in ipairs(paths) do os.remove(path) end
  end)

  it("gives bytes", function()
    for _, kind in ipairs(KINDS) do
      assert.equal(SIZES[kind], #digest[kind](""))
      assert.equal(SIZES[kind], #digest.hmac(kind, "", ""))
      assert.equal(SIZES[kind], #digest.new(kind):bytes())
    end
    assert.equal("\169\153\62\54", digest.sha1("abc"):sub(1, 4))
    assert.equal("\0", digest.unhex "00")
  end)

  it("digests pieces as it digests the whole, and may be asked in between", function()
    local text = digest.random(1000)
    for _, kind in ipairs(KINDS) do
      local d, keyed = digest.new(kind), digest.new(kind, { key = "k" })
      for i = 1, #text, 77 do
        assert.equal(digest[kind](text:sub(1, i - 1)), d:bytes())
        assert.equal(digest.hmac(kind, "k", text:sub(1, i - 1)), keyed:bytes())
        assert.equal(d, d:update(text:sub(i, i + 76)))
        keyed:update(text:sub(i, i + 76))
      end
      assert.equal(digest.hex(digest[kind](text)), d:hex())
      assert.equal(digest.hex(digest.hmac(kind, "k", text)), keyed:hex())
    end
  end)

  it("copies a digest that is under way", function()
    for _, opts in ipairs { false, { key = "secret" } } do
      local a = digest.new("sha256", opts or nil):update "one"
      local b = a:copy():update "two"
      a:update "three"
      local function whole(text)
        return digest.new("sha256", opts or nil):update(text):hex()
      end
      assert.equal(whole "onethree", a:hex())
      assert.equal(whole "onetwo", b:hex())
      assert.equal("sha256", b.kind)
    end
  end)

  it("prints as what it is, without its key", function()
    assert.equal("green.digest{md5}", tostring(digest.new "md5"))
    assert.equal("green.digest{hmac sha512}", tostring(digest.new("sha512", { key = "hunter2" })))
  end)

  it("compares", function()
    assert.is_true(digest.equal("", ""))
    assert.is_true(digest.equal("a\0b", "a\0b"))
    assert.is_false(digest.equal("a\0b", "a\0c"))
    assert.is_false(digest.equal("abc", "ab"))
  end)

  it("has base64 as openssl has it, and reads it", function()
    for n = 0, 50 do
      local bytes = digest.random(n)
      local text = digest.base64(bytes)
      assert.equal(bytes, digest.unbase64(text))
      assert.equal(bytes, digest.unbase64url(digest.base64url(bytes)))
      assert.equal(bytes, digest.unhex(digest.hex(bytes)))
      assert.equal(bytes, digest.unhex(digest.hex(bytes):upper()))
    end
    local bytes = digest.random(5000)
    local path = file_with(bytes)
    assert.equal(digest.base64(bytes), output_of("openssl", "base64", "-A", "-in", path))
    os.remove(path)
  end)

  it("has base64 with padding and base64url without, or as told", function()
    assert.equal("+/8=", digest.base64 "\251\255")
    assert.equal("+/8", digest.base64("\251\255", { padding = false }))
    assert.equal("-_8", digest.base64url "\251\255")
    assert.equal("-_8=", digest.base64url("\251\255", { padding = true }))
    assert.equal("\251\255", digest.unbase64 "+/8=")
    assert.equal("\251\255", digest.unbase64("+/8", { padding = false }))
    assert.equal("\251\255", digest.unbase64url "-_8=")
    fails("EINVAL", digest.unbase64 "+/8")
    fails("EINVAL", digest.unbase64url("-_8", { padding = true }))
  end)

  it("says where a text is wrong, and shows none of it", function()
    for text, at in pairs { ["hunter2!"] = 8, ["Zh=="] = 2, ["Zg==\n"] = 3, [" Zg=="] = 1,
      ["Zg="] = 4, ["-_8="] = 1 } do
      local err = fails("EINVAL", digest.unbase64(text))
      assert.equal(at, err.at, text)
      assert.is_nil(tostring(err):find(text, 1, true))
    end
    local err = fails("EINVAL", digest.unhex "6x")
    assert.equal("unhex: not hexadecimal digits: wrong at byte 2 (EINVAL)", tostring(err))
    err = fails("EINVAL", digest.unhex "666")
    assert.equal("unhex: not hexadecimal digits: it ends too early (EINVAL)", tostring(err))
  end)

  it("never shows a secret in a message", function()
    for _, call in ipairs { { digest.sha256, 918273 }, { digest.hmac, "md5", 918273, "" },
      { digest.hmac, "md5", "", 918273 }, { digest.new, "md5", { key = 918273 } },
      { digest.equal, 918273, "" }, { digest.equal, "", 918273 }, { digest.hex, 918273 },
      { digest.unhex, 918273 }, { digest.base64, 918273 }, { digest.unbase64url, 918273 } } do
      local message = message_of(unpack(call))
      assert.is_truthy(message:find("must be a string, not a number", 1, true), message)
      assert.is_nil(message:find("918273", 1, true))
    end
  end)

  it("names the kind that was meant", function()
    assert.is_truthy(message_of(digest.new, "sha25"):find("did you mean 'sha256'?", 1, true))
    assert.is_truthy(message_of(digest.hmac, "SHA256", "", ""):find("unknown kind 'SHA256'", 1,
      true))
    assert.is_truthy(message_of(digest.new, "md5", { keys = "" }):find("did you mean 'key'?", 1,
      true))
  end)

  it("has random bytes, other ones each time and in a child", function()
    assert.equal("", digest.random(0))
    local seen = {}
    for _ = 1, 100 do
      local bytes = digest.random(16)
      assert.equal(16, #bytes)
      assert.is_nil(seen[bytes])
      seen[bytes] = true
    end
    assert.equal(2 ^ 20, #digest.random(2 ^ 20))
    message_of(digest.random, 2 ^ 20 + 1)
    local run = program.run_greenlua { "-e", [[
      local digest, process = require "green.digest", require "green.process"
      digest.random(16)
      local pid = require("green").fork(function() print(digest.hex(digest.random(16))) end)
      process.wait(pid)
      print(digest.hex(digest.random(16)))]] }
    local a, b = run.out:match("^(%x+)\n(%x+)\n$")
    assert.is_true(a ~= nil and a ~= b, run.out .. run.err)
  end)

  it("works in a finalizer in the middle of another's digest", function()
    local want = digest.hmac("sha256", "key", "text")
    local function collect()
      local trap = newproxy(true)
      getmetatable(trap).__gc = function()
        digest.hmac("sha512", "other", "text")
        digest.unbase64 "!"
      end
    end
    for i = 1, 2000 do
      collect()
      assert.equal(want, digest.hmac("sha256", "key", "text"))
      assert.equal(3, select(2, digest.unhex("66" .. "x6")).at)
      if i % 100 == 0 then collectgarbage() end
    end
  end)

  it("works where nothing may wait, and in green threads", function()
    local t = green.spawn(function()
      return (("abc"):gsub(".+", function(text) return digest.hex(digest.md5(text)) end))
    end)
    assert.equal("900150983cd24fb0d6963f7d28e17f72", t:wait())
  end)
end)
