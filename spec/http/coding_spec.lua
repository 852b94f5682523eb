local coding = require "green.http.coding"
local digest = require "green.digest"
local program = require "spec.support.program"
local testing = require "green.testing"

local it = testing.busted()

local PIECE = 65536

-- Packs what it reads, by a name, with Python's zlib: as HTTP has it, and bare.
local PYTHON = [==[
import sys, zlib
bits = {"gzip": 31, "zlib": 15, "raw": -15}[sys.argv[1]]
packer = zlib.compressobj(int(sys.argv[2]), zlib.DEFLATED, bits)
sys.stdout.buffer.write(packer.compress(sys.stdin.buffer.read()) + packer.flush())
]==]

local commands = {
  gzip = { "gzip", "-c" },
  br = { "brotli", "-c" },
  zlib = { "python3", "-c", PYTHON, "zlib", "9" },
  raw = { "python3", "-c", PYTHON, "raw", "1" },
  stored = { "python3", "-c", PYTHON, "zlib", "0" },
}
local coding_of = { gzip = "gzip", br = "br", zlib = "deflate", raw = "deflate",
  stored = "deflate" }

--- What that command of the table makes of a text.
local function pack(name, text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local run = program.run { "sh", "-c", 'path=$1; shift; exec "$@" <"$path"', "sh", path,
    unpack(commands[name]) }
  os.remove(path)
  assert.equal(0, run.status, run.err)
  return run.out
end

--- All pieces that one call begins, checked and added to a list. true; or nil, err.
local function drain(decoder, pieces, piece, err)
  while piece and piece ~= "" do
    assert.is_true(#piece <= PIECE)
    pieces[#pieces + 1] = piece
    piece, err = decoder:more()
  end
  return piece and true, err
end

--- Undo a coding of a body that comes in chunks of some bytes. The text; or nil, err, and
-- what had come before it.
local function undo(value, body, step, ...)
  local decoder = assert(coding.decoder(value, ...))
  local pieces = {}
  for at = 1, #body, step or math.max(1, #body) do
    local ok, err = drain(decoder, pieces, decoder:feed(body:sub(at, at + (step or #body) - 1)))
    if not ok then return nil, err, table.concat(pieces) end
  end
  local piece, err = decoder:finish()
  while piece and piece ~= "" do
    pieces[#pieces + 1] = piece
    piece, err = decoder:finish()
  end
  if not piece then return nil, err, table.concat(pieces) end
  return table.concat(pieces)
end

local function refused(code, _, err)
  assert.is_nil(_)
  assert.equal(code, err and err.code, tostring(err))
  return err
end

local WORDS = ("The quick brown fox jumps over the lazy dog. "):rep(40)

describe("green.http.coding", function()
  it("undoes what gzip, brotli and zlib have made", function()
    for _, text in ipairs { "", "x", WORDS, digest.random(1000), digest.random(200000),
      WORDS:rep(300) .. digest.random(70000) } do
      for name in pairs(commands) do
        local body = pack(name, text)
        for _, step in ipairs { #body, 1000, #body < 5000 and 1 or 10000 } do
          assert.is_true(text == undo(coding_of[name], body, step), name .. " by " .. step)
        end
      end
    end
  end)

  it("undoes several, the last that was applied first", function()
    local body = pack("br", pack("raw", pack("gzip", WORDS)))
    assert.equal(WORDS, undo("gzip, deflate, br", body))
    assert.equal(WORDS, undo("x-gzip,, Deflate ,identity\t,BR", body, 1))
    refused("EPROTO", undo("br, deflate, gzip", body))
    refused("ETOOBIG", coding.decoder "gzip, deflate, br, gzip, gzip, gzip")
    assert.equal(WORDS, undo("gzip, gzip, gzip, gzip, gzip",
      pack("gzip", pack("gzip", pack("gzip", pack("gzip", pack("gzip", WORDS)))))))
  end)

  it("has nothing to do where there is no coding", function()
    assert.is_nil(coding.decoder "")
    assert.is_nil(coding.decoder "identity, ")
  end)

  it("names a coding that it does not know", function()
    local err = refused("EOPNOTSUPP", coding.decoder "gzip, zstd")
    assert.equal('decode: the content coding "zstd" is not known (EOPNOTSUPP)', tostring(err))
    assert.equal("zstd", err.coding)
  end)

  it("takes a body without a byte, which is what a HEAD or a 204 has", function()
    for _, name in ipairs { "gzip", "deflate", "br", "gzip, br" } do
      assert.equal("", undo(name, ""))
    end
  end)

  it("tells a body that is cut short from one that is whole, at each byte", function()
    for name in pairs(commands) do
      local body = pack(name, WORDS:sub(1, 300))
      for n = 1, #body - 1 do
        local err = refused("EEOF", undo(coding_of[name], body:sub(1, n)))
        assert.is_truthy(tostring(err):find("the body ended too early", 1, true))
      end
    end
  end)

  it("takes members of gzip behind each other, and nothing else", function()
    local body = pack("gzip", "one") .. pack("gzip", "") .. pack("gzip", "two")
    for step = 1, #body do assert.equal("onetwo", undo("gzip", body, step)) end
    for name in pairs(commands) do
      local err, before = select(2, undo(coding_of[name], pack(name, "text") .. "garbage"))
      assert.equal("EPROTO", err.code)
      assert.equal("text", before)
    end
  end)

  it("never takes a wrong body for a right one where there is a checksum", function()
    local text = digest.random(60) .. WORDS:sub(1, 60)
    for _, name in ipairs { "gzip", "zlib" } do
      local body = pack(name, text)
      for at = 1, #body do
        for _, mask in ipairs { 1, 16, 128, 255 } do
          local byte = string.char(bit.bxor(body:byte(at), mask))
          local got, err = undo(coding_of[name], body:sub(1, at - 1) .. byte .. body:sub(at + 1))
          assert.is_true(got == text or err ~= nil and (err.code == "EPROTO"
            or err.code == "EEOF"), ("%s: byte %d, %d: %s"):format(name, at, mask, tostring(err)))
        end
      end
    end
  end)

  it("ends well on any garbage", function()
    for i = 1, 300 do
      local body = digest.random(i)
      for _, name in ipairs { "gzip", "deflate", "br", "br, gzip" } do
        local whole, err = undo(name, body)
        local cut, cut_err = undo(name, body, 1)
        assert.equal(whole, cut)
        assert.equal(err and err.code, cut_err and cut_err.code)
      end
    end
  end)

  it("stops a bomb at the limit", function()
    local zeros = ("\0"):rep(1000000)
    for name in pairs(commands) do
      local body = pack(name, zeros)
      assert.equal(#zeros, #undo(coding_of[name], body, nil, #zeros))
      local _, err, before = undo(coding_of[name], body, nil, #zeros - 1)
      assert.equal("ETOOBIG", err.code)
      assert.equal(#zeros - 1, err.limit)
      assert.is_true(#before < #zeros)
      if name ~= "stored" then
        err = select(2, undo(coding_of[name], body, 100, nil, 50))
        assert.equal("ETOOBIG", err.code)
        assert.equal(50, err.limit)
      end
      assert.equal(#zeros, #undo(coding_of[name], body, nil, nil, 100000))
    end
  end)

  it("stops one that is inside another", function()
    local body = pack("gzip", pack("gzip", ("\0"):rep(20000000)))
    local _, err, before = undo("gzip, gzip", body, nil, 1000)
    assert.equal("ETOOBIG", err.code)
    assert.equal("", before)
    local empty = pack("gzip", "")
    body = pack("gzip", empty:rep(20000)) -- the text is empty, the form in between is long
    assert.equal("ETOOBIG", select(2, undo("gzip, gzip", body, nil, 1000)).code)
    assert.equal("", undo("gzip, gzip", body))
    local run = program.run { "python3", "-c", [=[
import gzip, sys
sys.stdout.buffer.write(gzip.compress(gzip.compress(gzip.compress(b"") * 3500000, 1)))]=] }
    assert.equal("ETOOBIG", select(2, undo("gzip, gzip, gzip", run.out)).code) -- by itself
  end)

  it("keeps what was fed and not yet asked for", function()
    local body = pack("gzip", WORDS:rep(100))
    local decoder = assert(coding.decoder "gzip")
    local pieces = {}
    for at = 1, #body, 50 do
      pieces[#pieces + 1] = decoder:feed(body:sub(at, at + 49)) -- never more
    end
    local piece = assert(decoder:finish())
    while piece ~= "" do
      pieces[#pieces + 1] = piece
      piece = assert(decoder:finish())
    end
    assert.is_true(WORDS:rep(100) == table.concat(pieces))
  end)

  it("repeats its error, and is closed behind its end", function()
    local decoder = assert(coding.decoder "gzip")
    local err = refused("EPROTO", decoder:feed "hello")
    assert.equal(err, refused("EPROTO", decoder:feed "again"))
    assert.equal(err, refused("EPROTO", decoder:more()))
    assert.equal(err, refused("EPROTO", decoder:finish()))
    decoder:close()
    decoder = assert(coding.decoder "br")
    decoder:close()
    decoder:close()
    refused("ECLOSED", decoder:feed "x")
    decoder = assert(coding.decoder "deflate")
    assert.equal("", decoder:finish())
    refused("ECLOSED", decoder:finish())
    refused("ECLOSED", decoder:more())
  end)

  it("loads its libraries when they are first used", function()
    local script = [[
      local function mapped()
        local names = {}
        for line in io.lines "/proc/self/maps" do
          names[line:match "lib(%a+)%.so" or ""] = true
        end
        return tostring(names.z) .. " " .. tostring(names.brotlidec)
      end
      local coding = require "green.http.coding"
      print(mapped())
      assert(coding.decoder "gzip")
      print(mapped())
      print(coding.accept())
      print(mapped())]]
    local run = program.run_greenlua { "-e", script }
    assert.equal("nil nil\ntrue nil\ngzip, deflate, br\ntrue true\n", run.out, run.err)
  end)

  it("offers what there is a library for, and names the package of the others", function()
    local script = [[
      local coding = require "green.http.coding"
      print(coding.accept())
      print((select(2, coding.decoder "gzip")))
      print((select(2, coding.decoder "gzip, br")))]]
    local function without(env)
      return program.run_greenlua { "-e", script, env = env }.out
    end
    local out = without { GREENLUA_LIBBROTLI = "/nowhere.so" }
    assert.is_truthy(out:find("^gzip, deflate\nnil\n"), out)
    assert.is_truthy(out:find("libbrotli1", 1, true) and out:find("(ENOLIBRARY)", 1, true), out)
    out = without { GREENLUA_LIBZ = "/nowhere.so" }
    assert.is_truthy(out:find("^br\n"), out)
    assert.is_truthy(out:find("zlib1g", 1, true), out)
    out = without { GREENLUA_LIBZ = "/nowhere.so", GREENLUA_LIBBROTLI = "/nowhere.so" }
    assert.is_truthy(out:find("^nil\n"), out)
  end)

  it("works interpreted, and in a child of a fork", function()
    local body = digest.base64(pack("gzip", "hello"))
    local script = [[
      local coding, digest = require "green.http.coding", require "green.digest"
      local decoder = assert(coding.decoder "gzip")
      local body = digest.unbase64 "]] .. body .. [["
      io.write(decoder:feed(body:sub(1, 12)))
      local pid = require("green").fork(function()
        print(assert(decoder:feed(body:sub(13))), #decoder:finish())
      end)
      print(require("green.process").wait(pid))]]
    local run = program.run_greenlua { "-joff", "-e", script }
    assert.equal("hello\t0\n", run.out:match("^[^\n]*\n"), run.out .. run.err)
  end)
end)
