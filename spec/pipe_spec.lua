local green = require "green"
local pipe = require "green.pipe"
local socket = require "green.socket"
local stream = require "green.stream"
local testing = require "green.testing"

local ffi = require "ffi"
local make_fifo = dofile("spec/support/fifo.lua")
local fails = dofile("spec/support/sockets.lua").fails
local busted_it = getfenv(1).it
local _, it = testing.busted()

ffi.cdef [[
int spec_pipe_pipe(int fds[2]) __asm__("pipe");
int spec_pipe_open(const char *path, int flags) __asm__("open");
int spec_pipe_close(int fd) __asm__("close");
long spec_pipe_read(int fd, void *p, size_t n) __asm__("read");
long spec_pipe_write(int fd, const void *p, size_t n) __asm__("write");
int spec_pipe_fcntl(int fd, int cmd, ...) __asm__("fcntl");
int spec_pipe_openpty(int *m, int *s, char *name, void *t, void *w) __asm__("openpty");
void spec_pipe_cfmakeraw(void *t) __asm__("cfmakeraw");
int spec_pipe_tcgetattr(int fd, void *t) __asm__("tcgetattr");
int spec_pipe_tcsetattr(int fd, int when, const void *t) __asm__("tcsetattr");
int spec_pipe_dup(int fd) __asm__("dup");
]]
local C = ffi.C
local F_GETFL, F_GETFD, O_NONBLOCK, O_RDWR = 3, 1, 0x800, 2

local function is_open(fd)
  return C.spec_pipe_fcntl(fd, F_GETFD) >= 0
end

local function is_nonblocking(fd)
  return math.floor(C.spec_pipe_fcntl(fd, F_GETFL) / O_NONBLOCK) % 2 == 1
end

--- A pipe as a program inherits one: two numbers that wait.
local function raw_pipe()
  local fds = ffi.new("int[2]")
  assert(C.spec_pipe_pipe(fds) == 0)
  return fds[0], fds[1]
end

--- A terminal: its master and its slave, which pass on bytes as they are.
local function raw_pty()
  local m, s, t = ffi.new("int[1]"), ffi.new("int[1]"), ffi.new("char[256]")
  assert(C.spec_pipe_openpty(m, s, nil, nil, nil) == 0)
  C.spec_pipe_tcgetattr(s[0], t)
  C.spec_pipe_cfmakeraw(t)
  C.spec_pipe_tcsetattr(s[0], 0, t)
  return m[0], s[0]
end

-- -- The interface of streams ---------------------------------------------------

--- Two pipes, one for each direction, as one stream: its primitives are the pipes'.
local Duplex = {}

function Duplex:_fill(want) return self.reader:_fill(want) end
function Duplex:_send(ptr, n) return self.writer:_send(ptr, n) end

function Duplex:_wait(mode, deadline)
  local one = mode == stream.WRITE and self.writer or self.reader
  return one:_wait(mode, deadline)
end

function Duplex:_shutdown(mode)
  if mode ~= stream.WRITE then self.reader:close() end
  if mode ~= stream.READ then self.writer:close() end
  return 0
end

function Duplex:_close()
  self.reader:close()
  self.writer:close()
end

local duplex_mt = stream.class("spec.duplex", Duplex)

local function duplex(reader, writer)
  return setmetatable({ reader = reader, writer = writer, _in = reader._in }, duplex_mt)
end

local function pipes()
  local r1, w1 = assert(pipe.new())
  local r2, w2 = assert(pipe.new())
  return duplex(r1, w2), duplex(r2, w1)
end

local function inherited_pipes()
  local r1, w1 = raw_pipe()
  local r2, w2 = raw_pipe()
  return duplex(pipe.from_fd(r1), pipe.from_fd(w2)), duplex(pipe.from_fd(r2), pipe.from_fd(w1))
end

local function socket_pair()
  local a, b = assert(socket.pair())
  return assert(pipe.from_fd((a:detach()), "rw")), assert(pipe.from_fd((b:detach()), "rw"))
end

describe("green.pipe: new", function()
  testing.check_stream(pipes, { it = busted_it })
end)

describe("green.pipe: ends that were inherited", function()
  testing.check_stream(inherited_pipes, { it = busted_it })
end)

describe("green.pipe: sockets", function()
  testing.check_stream(socket_pair, { it = busted_it, half_close = false })
end)

-- -- What pipes do ----------------------------------------------------------------

describe("green.pipe", function()
  it("reads lines that come in pieces, with both ends of line [b87]", function()
    local r, w = assert(pipe.new())
    local got = {}
    local reader = green.spawn(function()
      for line in r:lines() do got[#got + 1] = line end
    end)
    for _, piece in ipairs { "on", "e\ntw", "o\r", "\n", "\nthree" } do
      w:write(piece)
      testing.settle_io()
    end
    w:close()
    reader:wait()
    r:close()
    assert.same({ "one", "two", "", "three" }, got)
  end)

  it("hands on each write at once [b87]", function()
    local r, w = assert(pipe.new())
    for i = 1, 3 do
      w:write(i)
      assert.equal(tostring(i), r:read_some())
    end
    r:close()
    w:close()
  end)

  it("carries more than a pipe holds, both ways at once [b87]", function()
    local a, b = pipes()
    local block = ("0123456789abcdef"):rep(64 * 1024)
    local function pump(from, to)
      local writer = green.spawn(function()
        assert(from:write(block, block))
        from:shutdown("write")
      end)
      local text = assert(to:read_all())
      writer:wait()
      return text == block .. block
    end
    local other = green.spawn(pump, b, a)
    assert.is_true(pump(a, b))
    assert.is_true(other:wait())
    a:close()
    b:close()
  end)

  it("reads and writes in its direction alone", function()
    local r, w = assert(pipe.new())
    fails("EBADF", r:write("x"))
    fails("EBADF", w:read_some())
    assert.is_true(r:shutdown("write")) -- there was none
    assert.is_true(w:write("x"))
    assert.is_true(w:shutdown("write"))
    fails("ECLOSED", w:write("x"))
    assert.equal("x", r:read_all())
    r:close()
  end)

  it("prints what it is", function()
    local r, w = assert(pipe.new())
    assert.equal(("green.pipe{%d, read}"):format(r:fileno()), tostring(r))
    assert.equal(("green.pipe{%d, write}"):format(w:fileno()), tostring(w))
    r:close()
    w:close()
    assert.equal("green.pipe{closed}", tostring(r))
    fails("ECLOSED", r:fileno())
  end)

  it("hands its descriptor over, and what was read and not taken", function()
    local r, w = assert(pipe.new())
    w:write("line\nrest")
    assert.equal("line", r:read_line())
    local fd, rest = r:detach()
    assert.equal("rest", rest)
    assert.is_true(is_open(fd))
    fails("ECLOSED", r:detach())
    local again = assert(pipe.from_fd(fd))
    w:write("more")
    assert.equal("more", again:read_some())
    again:close()
    w:close()
  end)

  it("changes how much the system keeps", function()
    local r, w = assert(pipe.new())
    local before = assert(r:room())
    assert.is_true(before >= 4096)
    assert.is_true(w:room(2 * before) >= 2 * before)
    assert.equal(w:room(), r:room())
    assert.has_error(function() r:room(0) end)
    fails("EOPNOTSUPP", w:window())
    fails("EOPNOTSUPP", w:resize(1, 1))
    r:close()
    w:close()
    fails("ECLOSED", r:room())
  end)

  it("closes its descriptor once when it is collected", function()
    local r, w = assert(pipe.new())
    local fd = r:fileno()
    r = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_false(is_open(fd))
    fails("EPIPE", w:write("x"))
    w:close()
  end)
end)

describe("green.pipe.from_fd", function()
  it("leaves the description that others have as it was", function()
    local fd, out = raw_pipe()
    local others = C.spec_pipe_dup(fd)
    local r = assert(pipe.from_fd(fd))
    assert.equal(fd, r:fileno())
    local t = green.spawn(r.read_some, r)
    testing.settle_io()
    C.spec_pipe_write(out, "x", 1)
    assert.equal("x", t:wait())
    assert.is_true(is_nonblocking(fd))
    assert.is_false(is_nonblocking(others))
    r:close()
    assert.is_false(is_open(fd))
    C.spec_pipe_close(others)
    C.spec_pipe_close(out)
  end)

  it("copies a file of Lua's, which stays", function()
    local file = assert(io.popen("echo one; echo two"))
    local r = assert(pipe.from_fd(file))
    assert.equal("one\ntwo\n", r:read_all())
    r:close()
    assert.equal("file", io.type(file))
    assert.is_true(file:close())
    fails("EBADF", pipe.from_fd(file))
  end)

  it("copies the numbers that all programs have", function()
    local null = C.spec_pipe_open("/dev/null", O_RDWR)
    local w = assert(pipe.from_fd(null, "w"))
    w:close()
    assert.is_false(is_open(null))
    local ok = pipe.from_fd(0)
    if ok then
      assert.is_true(ok:fileno() > 2)
      ok:close()
    end
    assert.is_true(is_open(0))
  end)

  it("refuses regular files by name, and leaves them", function()
    local file = assert(io.open("README.md"))
    local err = fails("EOPNOTSUPP", pipe.from_fd(file))
    assert.matches("a regular file.*green%.fs", tostring(err))
    fails("EOPNOTSUPP", pipe.open("README.md"))
    fails("EOPNOTSUPP", pipe.open("."))
    assert.matches("^#", file:read("*l"))
    file:close()
  end)

  it("refuses what is not open, or not for that direction", function()
    local fd, out = raw_pipe()
    fails("EBADF", pipe.from_fd(fd, "w"))
    fails("EBADF", pipe.from_fd(out, "rw"))
    fails("EBADF", pipe.from_fd(999999))
    assert.is_true(is_open(fd) and is_open(out))
    C.spec_pipe_close(fd)
    C.spec_pipe_close(out)
    assert.error_matches(function() pipe.from_fd("x") end, "from_fd: fd must be")
    assert.error_matches(function() pipe.from_fd(0, "a") end, "unknown mode 'a'")
  end)
end)

describe("green.pipe.open", function()
  it("waits for a FIFO's first writer, and ends with its last", function()
    local fifo = make_fifo()
    local r = assert(pipe.open(fifo.path))
    fails("EAGAIN", r:read_some(nil, { timeout = 0 }))
    local t = green.spawn(r.read_all, r)
    testing.settle_io()
    assert.equal("parked", t:status())
    local w = assert(pipe.open(fifo.path, "w"))
    w:write("words")
    w:close()
    assert.equal("words", t:wait())
    r:close()
    fifo:remove()
  end)

  it("says that nobody reads a FIFO, which is no reason to wait", function()
    local fifo = make_fifo()
    local err = fails("ENXIO", pipe.open(fifo.path, "w"))
    assert.matches(fifo.path, tostring(err), 1, true)
    fifo:remove()
    fails("ENOENT", pipe.open(fifo.path))
    assert.error_matches(function() pipe.open("a\0b") end, "NUL")
  end)

  it("reads devices that never wait, and lets others run meanwhile", function()
    local zero = assert(pipe.open("/dev/zero"))
    local turns = 0
    local t = green.spawn(function()
      while true do
        turns = turns + 1
        green.sleep(0)
      end
    end)
    for _ = 1, 1000 do
      assert.equal(16, #zero:read_some(16))
    end
    t:kill()
    zero:close()
    assert.is_true(turns > 0)
  end)
end)

describe("green.pipe: terminals", function()
  local function terminal()
    local m, s = raw_pty()
    return assert(pipe.from_fd(m)), assert(pipe.from_fd(s)), s
  end

  it("carry bytes both ways, and the window's size", function()
    local master, slave = terminal()
    assert.is_true(master:isatty() and slave:isatty())
    local t = green.spawn(slave.read, slave, 5)
    testing.settle_io()
    master:write("hello")
    assert.equal("hello", t:wait())
    slave:write("there")
    assert.equal("there", master:read(5))
    assert.is_true(master:resize(33, 111))
    assert.same({ 33, 111 }, { slave:window() })
    fails("EOPNOTSUPP", master:shutdown("write"))
    master:close()
    slave:close()
    assert.is_false(master:isatty())
  end)

  it("end for the master when nobody has them open any more", function()
    local master, slave = terminal()
    slave:write("last words")
    slave:close()
    assert.equal("last words", master:read_all())
    assert.is_nil(master:read_some())
    master:close()
  end)
end)
