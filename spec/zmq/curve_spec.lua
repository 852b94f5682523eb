-- Keys of CURVE, Z85, and certificates in files, which pyzmq reads and writes as well.

local fails = require("spec.support.sockets").fails
local folder = require "spec.support.folder"
local fs = require "green.fs"
local peers = require "spec.support.zmq_peers"
local testing = require "green.testing"
local zmq = require "green.zmq"

local _, it = testing.busted()
local dir = folder.each(before_each, after_each)

local function raises(text, fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  assert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
  return tostring(err)
end

-- RFC 32's, and the keys of libzmq's manual.
local PUBLIC, SECRET = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
  "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

describe("Z85", function()
  it("has five letters for four bytes", function()
    assert.are.equal("HelloWorld", zmq.z85_encode("\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B"))
    assert.are.equal("\x86\x4F\xD2\x6F\xB5\x59\xF7\x5B", zmq.z85_decode "HelloWorld")
    assert.are.equal("", zmq.z85_encode "")
    assert.are.equal("", zmq.z85_decode "")
  end)

  it("that is none is EINVAL, with the place and nothing of the text", function()
    local err = fails("EINVAL", zmq.z85_decode "Hello World")
    assert.are.equal(6, err.at)
    assert.are.equal("z85_decode: not Z85: wrong at byte 6 (EINVAL)", tostring(err))
    err = fails("EINVAL", zmq.z85_decode "Hell")
    assert.are.equal("z85_decode: not Z85: its length is no multiple of 5 (EINVAL)", tostring(err))
  end)

  it("wants a multiple of four bytes", function()
    raises("z85_encode: bytes must be a multiple of 4, not 3", zmq.z85_encode, "abc")
    raises("z85_encode: bytes must be a string, not 1234", zmq.z85_encode, 1234)
    raises("z85_decode: text must be a string, not nil", zmq.z85_decode)
  end)
end)

describe("keys", function()
  it("come in pairs, new each time", function()
    local public, secret = zmq.curve_keypair()
    assert.are.equal(40, #public)
    assert.are.equal(40, #secret)
    assert.are_not.equal(public, secret)
    assert.are_not.equal(public, (zmq.curve_keypair()))
    assert.are.equal(32, #zmq.z85_decode(public))
  end)

  it("have a public half that the secret one gives", function()
    assert.are.equal(PUBLIC, zmq.curve_public(SECRET))
    assert.are.equal(PUBLIC, zmq.curve_public(zmq.z85_decode(SECRET)))
    local public, secret = zmq.curve_keypair()
    assert.are.equal(public, zmq.curve_public(secret))
  end)

  it("that are none are EINVAL, and not shown", function()
    for _, wrong in ipairs { "", "short", SECRET .. "x", ("~"):rep(40), ("#"):rep(40) } do
      local err = fails("EINVAL", zmq.curve_public(wrong))
      assert.are.equal("curve_public: not a key: 40 letters of Z85, or 32 bytes (EINVAL)",
        tostring(err))
    end
    raises("curve_public: secret must be a string, not a table", zmq.curve_public, {})
  end)

  it("that are secret are nowhere but in the text that is given", function()
    local ffi = require "ffi"
    local keys = require "green.zmq.key"
    local setting = require "green.zmq.setting"
    local function upvalue(fn, name)
      for i = 1, 60 do
        local found, value = debug.getupvalue(fn, i)
        if found == name then
          return value, i
        end
      end
    end
    --- The memory that fn made by a type, which is one of its upvalues.
    local function memory_of(fn, name, ...)
      local make, at = upvalue(fn, name)
      local list = {}
      jit.off(fn)
      jit.flush() -- compiled code has the upvalue in it
      debug.setupvalue(fn, at, function(...)
        list[#list + 1] = make(...)
        return list[#list]
      end)
      fn(...)
      debug.setupvalue(fn, at, make)
      jit.on(fn)
      return list
    end
    local function assert_wiped(list)
      assert.are.equal(1, #list)
      local bytes = ffi.string(ffi.cast("const char *", list[1]), ffi.sizeof(list[1]))
      assert.is_nil(bytes:find "[^%z]")
    end
    assert_wiped(memory_of(keys.curve_keypair, "keys_t"))
    assert_wiped(memory_of(keys.curve_public, "keys_t", SECRET))
    assert_wiped(memory_of(keys.z85_encode, "chars_t", zmq.z85_decode(SECRET)))
    assert_wiped(memory_of(keys.z85_decode, "chars_t", SECRET))
    assert_wiped(memory_of(keys.z85_decode, "chars_t", SECRET:sub(1, 39) .. "~"))
    local ctx = assert(zmq.Context {})
    local s = assert(ctx:socket("PULL", { curve_secretkey = SECRET, plain_password = "secret" }))
    for _, name in ipairs { "curve_secretkey", "plain_password" } do
      assert.is_string((s:get(name)))
      local room = upvalue(setting.methods.get, "room")
      assert.is_nil(ffi.string(room, 4096):find "[^%z]")
    end
    assert(ctx:term(10))
  end)

  it("are there, as libzmq says", function()
    assert.is_true(zmq.has "curve")
    assert.is_false(zmq.has "nonsense")
  end)
end)

describe("certificates", function()
  it("are two new files, the user's alone, with both keys in the secret one", function()
    local public_path, secret_path = zmq.create_certificates(dir(), "server",
      { name = "the server" })
    assert.are.equal(dir() .. "/server.key", public_path)
    assert.are.equal(dir() .. "/server.key_secret", secret_path)
    for _, path in ipairs { public_path, secret_path } do
      assert.are.equal(tonumber("600", 8), fs.stat(path).mode % 512)
    end
    local public, none, metadata = zmq.load_certificate(public_path)
    assert.is_nil(none)
    assert.are.same({ name = "the server" }, metadata)
    local again, secret
    again, secret, metadata = zmq.load_certificate(secret_path)
    assert.are.equal(public, again)
    assert.are.equal(public, zmq.curve_public(secret))
    assert.are.same({ name = "the server" }, metadata)
    assert.is_nil(fs.read_file(public_path):find(secret, 1, true))
  end)

  it("do not take the place of others", function()
    local public_path, secret_path = zmq.create_certificates(dir(), "one")
    local before = fs.read_file(secret_path)
    fails("EEXIST", zmq.create_certificates(dir(), "one"))
    assert.are.equal(before, fs.read_file(secret_path))
    assert(fs.unlink(secret_path))
    local public = fs.read_file(public_path)
    fails("EEXIST", zmq.create_certificates(dir(), "one"))
    assert.is_false(fs.exists(secret_path))
    assert.are.equal(public, fs.read_file(public_path))
    fails("ENOENT", zmq.create_certificates(dir() .. "/nowhere", "one"))
  end)

  it("have metadata of one line, and no keys among it", function()
    raises('a name of metadata must be letters, digits and . _ -, not "a b"',
      zmq.create_certificates,
      dir(), "x", { ["a b"] = "c" })
    raises("a name of metadata must be", zmq.create_certificates, dir(), "x",
      { ["public-key"] = "c" })
    raises("note must be a text of one line", zmq.create_certificates, dir(), "x",
      { note = "a\ncurve\n    public-key = \"" .. PUBLIC .. "\"" })
    raises("name must be the name of a file", zmq.create_certificates, dir(), "../x")
    assert.are.same({}, fs.readdir(dir()))
  end)

  it("of a folder are a table of public keys", function()
    local first = zmq.load_certificate((zmq.create_certificates(dir(), "a")))
    local second = zmq.load_certificate((zmq.create_certificates(dir(), "b")))
    assert(fs.write_file(dir() .. "/readme", "not one"))
    assert.are.same({ [first] = true, [second] = true }, zmq.load_certificates(dir()))
    fails("ENOENT", zmq.load_certificates(dir() .. "/nowhere"))
  end)

  it("that are none are EKEYINVALID, with the file and nothing of the key", function()
    local path = dir() .. "/x.key"
    for text, why in pairs {
      [""] = "no public key in it",
      ["metadata\n    public-key = \"" .. PUBLIC .. "\"\n"] = "no public key in it",
      ["curve\n    public-key = \"short\"\n"] = "its public key is not 40 letters of Z85",
      ["curve\n    public-key = \"" .. ("~"):rep(40)
        .. "\"\n"] = "its public key is not 40 letters of Z85",
      ["curve\n    public-key = \"" .. PUBLIC .. "\"\n    secret-key = \"hunter2\"\n"]
        = "its secret key is not 40 letters of Z85",
    } do
      assert(fs.write_file(path, text))
      local err = fails("EKEYINVALID", zmq.load_certificate(path))
      assert.are.equal(path, err.path)
      assert.is_truthy(tostring(err):find(path .. ": " .. why, 1, true), tostring(err))
      assert.is_nil(tostring(err):find("hunter2", 1, true))
      fails("EKEYINVALID", zmq.load_certificates(dir()))
    end
    assert(fs.write_file(path, ("x"):rep(70000)))
    fails("ETOOBIG", zmq.load_certificate(path))
  end)

  it("are read with any quotes, comments and line ends", function()
    local path = dir() .. "/x.key"
    assert(fs.write_file(path,
      "# hello\r\nmetadata\r\n    a = 'b = c'\r\n\r\ncurve\r\n\tpublic-key='" .. PUBLIC
      .. "'\r\n#   secret-key = \"x\"\r\n"))
    local public, secret, metadata = zmq.load_certificate(path)
    assert.are.equal(PUBLIC, public)
    assert.is_nil(secret)
    assert.are.same({ a = "b = c" }, metadata)
  end)

  it("of ours are pyzmq's", function()
    peers.need_pyzmq()
    local public_path, secret_path = zmq.create_certificates(dir(), "ours", { name = "x",
      mail = "a@b" })
    local said = peers.python([[
import zmq.auth
public, none = zmq.auth.load_certificate(args[0])
assert none is None
say(public.decode(), *[k.decode() for k in zmq.auth.load_certificate(args[1])])
say(*[k.decode() for k in zmq.auth.load_certificates(args[2])])
]], public_path, secret_path, dir())
    local public, secret = zmq.load_certificate(secret_path)
    assert.are.equal(("%s %s %s\n%s"):format(public, public, secret, public), said)
  end)

  it("of pyzmq's are ours", function()
    peers.need_pyzmq()
    local said = peers.python([[
import zmq.auth
paths = zmq.auth.create_certificates(args[0], "theirs", {"name": "y", "mail": "c@d"})
say(*[k.decode() for k in zmq.auth.load_certificate(paths[1])])
]], dir())
    local public, secret, metadata = zmq.load_certificate(dir() .. "/theirs.key_secret")
    assert.are.equal(said, public .. " " .. secret)
    assert.are.same({ name = "y", mail = "c@d" }, metadata)
    assert.are.equal(public, (zmq.load_certificate(dir() .. "/theirs.key")))
    assert.are.same({ [public] = true }, zmq.load_certificates(dir()))
  end)
end)
