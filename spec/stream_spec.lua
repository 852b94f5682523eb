local core = require "green.core"
local errors = require "green.error"
local green = require "green"
local stream = require "green.stream"
local testing = require "green.testing"

local ffi = require "ffi"
local buf_api = require "green.ffi.buf"

local it = testing.busted()
local codes = core.codes

-- A stream of the least size: it gives the pieces it was made with, then its
-- end (a status), and takes as many bytes as it is told to at a time.
local own = {}

function own:_fill()
  local piece = table.remove(self.pieces, 1)
  if not piece then
    return self.ending
  elseif piece == "" then
    return codes.EAGAIN
  end
  assert(buf_api.append(self._in, piece, #piece) == 0)
  return #piece
end

function own:_send(ptr, n)
  n = math.min(n, self.takes)
  if n == 0 then
    return codes.EPIPE
  end
  self.sent[#self.sent + 1] = ffi.string(ptr, n)
  return n
end

function own:_wait(_mode, deadline)
  self.waits = self.waits + 1
  return core.park(nil, deadline or green.now() + 1) == codes.ETIMEDOUT and 0 or codes.ECANCELED
end

function own:_shutdown(mode)
  self.ended = mode
  return 0
end

function own:_close()
  self.closed = true
end

local class = stream.class("spec.stream", own)

local function new(pieces, ending)
  return setmetatable({
    _in = ffi.gc(ffi.new("green_buf"), buf_api.reset),
    pieces = pieces or {},
    ending = ending or 0,
    takes = 1000,
    sent = {},
    waits = 0,
  }, class)
end

local function fails(code, value, err)
  assert.is_nil(value)
  assert.is_true(errors.is_error(err, code), tostring(err))
  return err
end

describe("green.stream", function()
  it("tells what a kind of stream knows of a failure", function()
    local knowing = {}
    for name, method in pairs(own) do
      knowing[name] = method
    end
    function knowing:_why(status)
      if status == codes.EPIPE then
        return "the pipe is " .. self.state, { state = self.state, written = "ours" }
      end
    end
    local s = setmetatable(new({}, codes.EPIPE), stream.class("spec.knowing", knowing))
    s.state, s.takes = "blocked", 0
    local err = fails("EPIPE", s:read(1))
    assert.equal("read: the pipe is blocked (EPIPE)", tostring(err))
    assert.equal("blocked", err.state)
    assert.equal("read_all: the pipe is blocked (EPIPE)", tostring(fails("EPIPE", s:read_all())))
    err = fails("EPIPE", s:write "x")
    assert.equal("write: the pipe is blocked (EPIPE)", tostring(err))
    assert.equal("blocked", err.state)
    assert.equal(0, err.written) -- which is write's own
    s.ending = codes.EIO
    assert.equal("read: input/output error (EIO)", tostring(fails("EIO", s:read(1))))
  end)

  it("reads exactly n bytes out of any pieces", function()
    local s = new({ "ab", "c", "", "defg" })
    assert.equal("abcde", s:read(5))
    assert.equal("fg", s:read(2))
    assert.equal("", s:read(0))
    assert.is_nil(s:read(1))
  end)

  it("tells what there was when it ends amidst a read", function()
    local err = fails("EEOF", new({ "abc" }):read(4))
    assert.equal("abc", err.partial)
    err = fails("ECONNRESET", new({ "abc" }, codes.ECONNRESET):read(4))
    assert.equal("abc", err.partial)
    err = fails("EEOF", new({ "ab" }):read_until(";"))
    assert.equal("ab", err.partial)
  end)

  it("takes a reset between messages for the end, but not in read_all [b80]", function()
    local function reset(...)
      return new({ ... }, codes.ECONNRESET)
    end
    for _, call in ipairs({ "read_some", "read_line" }) do
      local s = reset()
      assert.same({ n = 0 }, { n = select("#", s[call](s)) - 1 })
    end
    assert.is_nil(reset():read(1))
    assert.is_nil(reset():read_until(";"))
    local err = fails("ECONNRESET", reset("abc"):read_all())
    assert.equal("abc", err.partial)
  end)

  it("gives one nil at the end, again and again [b81]", function()
    local s = new()
    for _ = 1, 2 do
      assert.equal(1, select("#", s:read(1)))
      assert.equal(1, select("#", s:read_some()))
      assert.equal(1, select("#", s:read_line()))
      assert.equal(1, select("#", s:read_until("x")))
      assert.equal("", s:read_all())
    end
  end)

  it("strips LF and CRLF, and nothing else, from lines", function()
    local s = new({ "a\nb\r\n\n\r\nc\rd\n\r\r\ne" })
    local lines = {}
    for line in s:lines() do
      lines[#lines + 1] = line
    end
    assert.same({ "a", "b", "", "", "c\rd", "\r", "e" }, lines)
  end)

  it("finds delimiters that are split over pieces, wherever they are", function()
    local text = "one--split--two"
    for size = 1, #text do
      local pieces = {}
      for i = 1, #text, size do
        pieces[#pieces + 1] = text:sub(i, i + size - 1)
      end
      local s = new(pieces)
      assert.equal("one", s:read_until("--split--"))
      assert.equal("two", s:read_all())
    end
  end)

  it("keeps the delimiter when asked", function()
    local s = new({ "a;b;" })
    assert.equal("a;", s:read_until(";", { include = true }))
    assert.equal("b", s:read_until(";"))
  end)

  it("limits what it collects, and loses nothing by it", function()
    local s = new({ "abc", "def;" })
    fails("ETOOBIG", s:read_until(";", { max = 5 }))
    assert.equal("abcdef", s:read_until(";", { max = 6 }))
    s = new({ "abc", "def\n" })
    fails("ETOOBIG", s:read_line({ max = 5 }))
    assert.equal("abcdef", s:read_line({ max = 6 }))
    s = new({ "abc", "def" })
    fails("ETOOBIG", s:read_all(5))
    assert.equal("abcdef", s:read_all(6))
  end)

  it("limits lines to 64 KB unless told otherwise", function()
    local long = ("x"):rep(65536)
    assert.equal(65536, #new({ long, "\n" }):read_line())
    fails("ETOOBIG", new({ long, "x\n" }):read_line())
    fails("ETOOBIG", new({ long, "x", "x" }):read_line())
  end)

  it("raises errors out of its loops", function()
    assert.is_true(pcall(new({ "a" }, codes.EIO):chunks()))
    local ok, err = pcall(new({}, codes.EIO):chunks())
    assert.is_false(ok)
    assert.is_true(err:is("EIO"))
    ok, err = pcall(new({}, codes.EIO):lines())
    assert.is_false(ok)
    assert.is_true(err:is("EIO"))
  end)

  it("writes all, however little is taken at a time [b73]", function()
    local s = new()
    s.takes = 1
    assert.is_true(s:write("abc", 12, "", "d"))
    assert.is_true(s:writev({ "e", 5 }))
    assert.equal("abc12de5", table.concat(s.sent))
    assert.equal(1, s:send("xyz"))
  end)

  it("tells how much of a failed write is gone", function()
    local s = new()
    function s:_send(_, n)
      return #self.sent < 3 and own._send(self, "y", math.min(n, 1)) or codes.EPIPE
    end
    local err = fails("EPIPE", s:write("abcdef"))
    assert.equal(3, err.written)
    assert.equal("write: broken pipe (EPIPE)", tostring(err))
  end)

  it("refuses what is no string or number, whatever its place", function()
    local s = new()
    assert.has_error(function() s:write("a", nil, "b") end,
      "write: piece 2 must be a string or a number, not nil")
    assert.has_error(function() s:write({}, "b") end,
      "write: piece 1 must be a string or a number, not a table")
    assert.has_error(function() s:writev({ "a", false }) end,
      "writev: piece 2 must be a string or a number, not false")
    assert.same({}, s.sent)
  end)

  it("names the nearest option and direction", function()
    local s = new()
    assert.error_matches(function() s:read(1, { timout = 1 }) end, "did you mean 'timeout'")
    assert.error_matches(function() s:read_line({ maximum = 1 }) end, "unknown option 'maximum'")
    assert.error_matches(function() s:write("x", { timeou = 1 }) end, "did you mean 'timeout'")
    assert.error_matches(function() s:shutdown("wite") end, "did you mean 'write'")
    assert.error_matches(function() s:read(-1) end, "n must be a whole number of at least 0")
    assert.error_matches(function() s:read("*l") end,
      'n must be a number of bytes, not "%*l"; a line is read_line%(%), the rest read_all%(%)$')
    assert.error_matches(function() s:read("a") end, "the rest read_all")
    assert.error_matches(function() s:read("10") end, "n must be a whole number of at least 0")
    assert.error_matches(function() s:read_some("x") end, "most must be a whole number")
    assert.error_matches(function() s:settimeout(-1) end, "seconds must be a number")
    assert.error_matches(function() s:read_until("") end, "delimiter")
  end)

  it("reads the clock only when it has to wait", function()
    local s = new({ "a", "", "b" })
    s:settimeout(5)
    assert.equal("a", s:read(1))
    assert.equal(0, s.waits)
    assert.equal("b", s:read(1))
    assert.equal(1, s.waits)
  end)

  it("lets others run between calls that need not wait", function()
    local turns, done = 0, false
    green.spawn(function()
      while not done do
        turns = turns + 1
        green.sleep(0)
      end
    end)
    local pieces = {}
    for i = 1, 1000 do
      pieces[i] = "x"
    end
    local s = new(pieces)
    for _ = 1, 1000 do
      s:read(1)
    end
    done = true
    assert.is_true(turns >= 10)
  end)

  it("shuts down what it is told to and closes", function()
    local s = new()
    s:shutdown("read")
    assert.equal(1, s.ended)
    s:shutdown()
    assert.equal(3, s.ended)
    s:close()
    assert.is_true(s.closed)
  end)

  it("knows what is a stream", function()
    assert.is_true(stream.is_stream(new()))
    assert.is_false(stream.is_stream({}))
    assert.is_false(stream.is_stream("read"))
    assert.is_false(stream.is_stream(io.stdout))
    for _, value in ipairs { 5LL, require("ffi").new "int[1]", newproxy(), newproxy(true) } do
      assert.is_false(stream.is_stream(value))
    end
  end)
end)

describe("green.stream with two readers", function()
  it("gives the second one an error that names both [S60] [b74]", function()
    local a, b = testing.stream_pair()
    local first = green.spawn(b.read, b, 1):name("first")
    green.sleep(0)
    green.getcurrent():name("second")
    local err = fails("EBUSY", b:read_some())
    green.getcurrent():name("test")
    assert.matches("two green threads read at once: first .* and second ", err.message)
    a:write("x")
    assert.equal("x", first:wait())
  end)

  it("lets a reader and a writer be [S60] [b74]", function()
    local a, b = testing.stream_pair({ capacity = 4 })
    local reader = green.spawn(a.read, a, 1)
    local writer = green.spawn(a.write, a, "0123456789")
    green.sleep(0)
    assert.equal("0123456789", b:read(10))
    assert.is_true(writer:wait())
    b:write("x")
    assert.equal("x", reader:wait())
  end)

  it("gives a second writer an error that names both", function()
    local a, b = testing.stream_pair({ capacity = 4 })
    local first = green.spawn(a.write, a, "0123456789"):name("first")
    green.sleep(0)
    for _, call in ipairs({ "write", "send" }) do
      local err = fails("EBUSY", a[call](a, "x"))
      assert.matches("two green threads write at once: first ", err.message)
    end
    fails("EBUSY", a:writev({ "x" }))
    assert.equal("0123456789", b:read(10))
    assert.is_true(first:wait())
    b:close()
  end)

  it("queues readers when debugging says so [S60]", function()
    local old = stream.allow_multiple_readers(true)
    local a, b = testing.stream_pair()
    local got = {}
    local threads = {}
    for i = 1, 4 do
      threads[i] = green.spawn(function()
        got[i] = b:read(2)
      end)
    end
    green.sleep(0)
    threads[2]:kill()
    for _, piece in ipairs({ "1", "13", "34", "4" }) do
      a:write(piece)
      testing.settle()
    end
    for i = 1, 4 do
      pcall(threads[i].wait, threads[i])
    end
    assert.is_false(old)
    assert.is_true(stream.allow_multiple_readers(false))
    assert.same({ [1] = "11", [3] = "33", [4] = "44" }, got)
  end)

  it("forgets a reader whose wait was refused", function()
    local a, b = testing.stream_pair()
    local ok, err = pcall(string.gsub, "x", "x", function()
      b:read(1)
    end)
    assert.is_false(ok)
    assert.matches("cannot wait inside string.gsub", tostring(err))
    a:write("y")
    assert.equal("y", b:read(1))
  end)
end)
