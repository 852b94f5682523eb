local core = require "green.core"
local green = require "green"
local socket = require "green.socket"
local testing = require "green.testing"

local ffi = require "ffi"

local sockets = dofile("spec/support/sockets.lua")
local fails = sockets.fails
local busted_it = getfenv(1).it
local _, it = testing.busted()

ffi.cdef [[
int spec_socket_open(const char *path, int flags) __asm__("open");
int spec_socket_close(int fd) __asm__("close");
int spec_socket_fcntl(int fd, int cmd, ...) __asm__("fcntl");
]]
local raw_close = ffi.C.spec_socket_close
local F_GETFD, F_GETFL, O_NONBLOCK = 1, 3, 0x800

local function is_open(fd)
  return ffi.C.spec_socket_fcntl(fd, F_GETFD) >= 0
end

local function collect()
  collectgarbage()
  collectgarbage()
end

for _, kind in ipairs(sockets.kinds) do
  local name, make_pair, skipped = unpack(kind)
  describe("green.socket: " .. name, function()
    if skipped then
      busted_it("is a stream", function()
        pending(skipped)
      end)
      return
    end
    testing.check_stream(make_pair, { it = busted_it })

    it("carries megabytes both ways at once [b74]", function()
      local a, b = make_pair()
      local block = ("0123456789abcdef"):rep(64 * 1024)
      local function pump(from, to)
        local writer = green.spawn(function()
          assert(from:write(block, block, block))
          from:shutdown("write")
        end)
        local text = assert(to:read_all())
        writer:wait()
        return text == block:rep(3)
      end
      local other = green.spawn(pump, b, a)
      assert.is_true(pump(a, b))
      assert.is_true(other:wait())
      a:close()
      b:close()
    end)

    it("copes with a peer that reads a byte at a time [b73]", function()
      local a, b = make_pair()
      a:setoption("so_sndbuf", 2048)
      b:setoption("so_rcvbuf", 2048)
      local text = ("0123456789"):rep(2000)
      local writer = green.spawn(a.write, a, text)
      local got = {}
      for i = 1, #text do
        got[i] = b:read_some(1)
      end
      assert.is_true(writer:wait())
      assert.equal(text, table.concat(got))
      a:close()
      b:close()
    end)

    it("writes lists that are longer than one system call takes", function()
      local a, b = make_pair()
      local list = {}
      for i = 1, 3000 do
        list[i] = i % 7 == 0 and "" or i % 5 == 0 and ("x"):rep(i) or i
      end
      local writer = green.spawn(function()
        assert(a:writev(list))
        a:close()
      end)
      assert.equal(table.concat(list), b:read_all())
      writer:wait()
      b:close()
    end)
  end)
end

describe("green.socket connect", function()
  -- What fails, and the codes it may fail with: the system's, at the first call.
  local failures = {
    { "a port nobody listens on", function()
      local l, port = sockets.listener("inet", "127.0.0.1")
      l:close()
      return socket.tcp():connect("127.0.0.1", port)
    end, "ECONNREFUSED" },
    { "an address of another family", function()
      return socket.tcp("inet6"):connect("127.0.0.1", 1)
    end, "EAFNOSUPPORT", "EINVAL", "ENETUNREACH" },
    { "a broadcast address", function()
      return socket.tcp():connect("255.255.255.255", 1, { timeout = 8 })
    end, "ENETUNREACH", "EACCES", "EHOSTUNREACH" },
    { "a UNIX path that is not there", function()
      return socket.unix():connect(sockets.path())
    end, "ENOENT" },
    { "a UNIX path whose listener is gone", function()
      local path = sockets.path()
      local l = socket.unix()
      l:bind(path)
      l:close()
      local ok, err = socket.unix():connect(path)
      os.remove(path)
      return ok, err
    end, "ECONNREFUSED" },
    { "a bad port", function()
      return socket.tcp():connect("127.0.0.1", 65536)
    end, "EINVAL" },
    { "a number that is no address", function()
      return socket.tcp():connect("0177.0.0.1", 80)
    end, "EINVAL" },
  }

  for _, failure in ipairs(failures) do
    it("says what is wrong with " .. failure[1] .. " [S05]", function()
      local ok, err = failure[2]()
      assert.is_nil(ok)
      local known = false
      for i = 3, #failure do
        known = known or err:is(failure[i])
      end
      assert.is_true(known, tostring(err))
      collect()
    end)
  end

  it("gives true when it worked, and a timeout when nobody answers [S05] [b70] [b72]", function()
    local l, port = sockets.listener("inet", "127.0.0.1", 0)
    local queued = {}
    repeat -- a full queue does not answer
      local s = socket.tcp()
      queued[#queued + 1] = s
      local ok, err = s:connect("127.0.0.1", port, { timeout = 0.01 })
      assert.is_true(ok or err:is("ETIMEDOUT"))
    until not ok
    local s = socket.tcp()
    s:settimeout(0.005)
    local err = fails("ETIMEDOUT", s:connect("127.0.0.1", port))
    assert.equal(("connect 127.0.0.1:%d: timed out (ETIMEDOUT)"):format(port), tostring(err))
    local killed = green.spawn(socket.tcp().connect, socket.tcp(), "127.0.0.1", port)
    testing.settle_io()
    killed:kill()
    for _, one in ipairs(queued) do
      one:close()
    end
    s:close()
    l:close()
    collect()
  end)

  it("never waits with a timeout of 0", function()
    local l, port = sockets.listener("inet", "127.0.0.1")
    local s = socket.tcp()
    local ok, err = s:connect("127.0.0.1", port, { timeout = 0 })
    assert.is_true(ok or err:is("EINPROGRESS"))
    assert.is_true(s:wait_writable({ timeout = 8 }))
    ok, err = s:connect("127.0.0.1", port)
    assert.is_true(ok or err:is("EISCONN"))
    s:close()
    l:close()
  end)
end)

describe("green.socket timeouts", function()
  it("can go to 0 and back [b71]", function()
    local a, b = socket.pair()
    b:settimeout(0)
    fails("EAGAIN", b:read_some())
    b:settimeout(0.005)
    fails("ETIMEDOUT", b:read_some())
    b:settimeout(nil)
    a:write("x")
    assert.equal("x", b:read_some())
    a:close()
    b:close()
  end)

  it("hold for a read of nothing: it waits for something [b70]", function()
    local a, b = socket.pair()
    fails("ETIMEDOUT", b:read_some(0, { timeout = 0.005 }))
    a:write("x")
    assert.equal("", b:read_some(0))
    assert.equal("x", b:read_some())
    a:close()
    assert.is_nil(b:read_some(0))
    b:close()
  end)

  it("look once even when they are 0 [b83]", function()
    local a, b = socket.pair()
    fails("EAGAIN", b:wait_readable({ timeout = 0 }))
    a:write("x")
    assert.is_true(b:wait_readable({ timeout = 0 }))
    assert.is_true(a:wait_writable({ timeout = 0 }))
    sockets.stuff(a)
    fails("EAGAIN", a:wait_writable({ timeout = 0 }))
    a:close()
    b:close()
  end)

  it("leave nobody behind whom a later write could wake [b75]", function()
    local a, b = socket.pair()
    local woken, is_asleep
    local t = green.spawn(function()
      fails("ETIMEDOUT", b:read_some(nil, { timeout = 0.003 }))
      is_asleep = true
      woken = { green.timeout(0.02, green.sleep, 3600) }
    end)
    testing.settle_io(function() return is_asleep end)
    a:write("x")
    t:wait()
    assert.is_true(woken[2]:is("ETIMEDOUT"))
    assert.equal("x", b:read_some())
    a:close()
    b:close()
  end)
end)

describe("green.socket with two threads", function()
  it("gives a second reader an error that names both, in every call [S60] [b74]", function()
    local a, b = socket.pair()
    local first = green.spawn(b.read, b, 1):name("first")
    testing.settle()
    local calls = { "read", "read_some", "read_line", "read_all", "wait_readable", "accept" }
    for _, call in ipairs(calls) do
      local err = fails("EBUSY", b[call](b, call == "read" and 1 or nil))
      assert.matches("at once: first .*socket_spec.* and .*running", err.message)
    end
    fails("EBUSY", b:read_until("x"))
    assert.is_true(b:write("a reader and a writer are fine"))
    a:write("x")
    assert.equal("x", first:wait())
    a:close()
    b:close()
  end)

  it("lets readers queue when debugging says so [S60]", function()
    local old = socket.allow_multiple_readers(true)
    local a, b = socket.pair()
    local readers = {}
    for i = 1, 3 do
      readers[i] = green.spawn(b.read_some, b)
    end
    testing.settle()
    for i = 1, 3 do
      a:write(i)
      assert.equal(tostring(i), readers[i]:wait(8))
    end
    socket.allow_multiple_readers(old)
    a:close()
    b:close()
  end)

  it("keeps what two threads write apart: the second is refused", function()
    local a, b = socket.pair()
    local first = green.spawn(a.write, a, ("1"):rep(2000000))
    testing.settle()
    fails("EBUSY", a:write("2"))
    fails("EBUSY", a:writev({ "2" }))
    fails("EBUSY", a:send("2"))
    local reader = green.spawn(b.read_all, b)
    assert.is_true(first:wait())
    a:close()
    assert.equal(("1"):rep(2000000), reader:wait())
    b:close()
  end)

  it("wakes everybody when it closes, at once [b79]", function()
    local a, b = socket.pair()
    sockets.stuff(b)
    local reader, writer = green.spawn(b.read, b, 1), green.spawn(b.write, b, "x")
    testing.settle()
    b:close()
    fails("ECLOSED", reader:wait(1))
    fails("ECLOSED", writer:wait(1))
    b:close()
    assert.is_true(b:shutdown()) -- [b86]
    a:close()
  end)
end)

describe("green.socket ends", function()
  it("are silent after a reset: reading ends, writing fails [b80]", function()
    local a, b = sockets.tcp()
    a:setoption("so_linger", 0)
    a:close()
    assert(b:wait_readable({ timeout = 30 }))
    assert.equal(1, select("#", b:read_some()))
    fails("EPIPE", b:write("x"))
    b:close()
  end)

  it("read the same at the end as before it [b81]", function()
    local a, b = socket.pair()
    a:write("x")
    a:close()
    assert.equal("string", type(b:read_some()))
    for _ = 1, 3 do
      assert.equal(1, select("#", b:read_some()))
    end
    b:close()
  end)

  it("shut down in silence what is closed or not connected [b86]", function()
    local s = socket.tcp()
    assert.is_true(s:shutdown())
    s:close()
    assert.is_true(s:shutdown("write"))
  end)
end)

describe("green.socket descriptors", function()
  it("are refused when they are bad, each time, and leave no watcher [S11] [b9]", function()
    local before = core.stats()
    for _ = 1, 2 do
      fails("EBADF", socket.from_fd(-1))
      fails("EBADF", socket.from_fd(9999))
    end
    local a, b = socket.pair()
    raw_close(b:fileno())
    local _, err = b:wait_readable()
    assert.is_true(err:is("EBADF"))
    _, err = b:wait_readable()
    assert.is_true(err:is("EBADF") or err:is("ECLOSED"))
    b:close()
    a:close()
    local after = core.stats()
    assert.equal(before.fds, after.fds)
    assert.equal(before.waits, after.waits)
  end)

  it("are closed exactly once by the collector [b77]", function()
    local fd = socket.tcp():fileno()
    collect()
    assert.is_false(is_open(fd))
    local other = socket.tcp()
    assert.equal(fd, other:fileno())
    collect()
    assert.is_true(is_open(fd))
    other:close()
    local third = socket.tcp()
    assert.equal(fd, third:fileno())
    other = nil -- luacheck: ignore
    collect()
    assert.is_true(is_open(fd))
    third:close()
  end)

  it("are let go by the hub when their user drops the socket [b85]", function()
    local fd
    do
      local a, b = socket.pair()
      fd = b:fileno()
      a:write("x")
      assert.equal("x", b:read_some())
      assert.is_nil((b:read_some(nil, { timeout = 0.001 })))
      a:close()
    end
    green.sleep(0)
    collect()
    assert.is_false(is_open(fd))
  end)

  it("wake those who wait for a number that is handed out anew [b78]", function()
    local a, b = socket.pair()
    local fd = b:fileno()
    local stale = green.spawn(b.read, b, 1)
    testing.settle()
    raw_close(fd)
    local other = socket.udp()
    assert.equal(fd, other:fileno())
    fails("ECLOSED", stale:wait(1))
    b:close()
    assert.is_true(is_open(fd))
    other:close()
    a:close()
  end)

  it("dup: independent, non-blocking, with the same timeout [b76] [b82]", function()
    local a, b = socket.pair()
    b:settimeout(0.005)
    local copy = b:dup()
    assert.equal(0.005, copy:gettimeout())
    assert.is_true(bit.band(ffi.C.spec_socket_fcntl(copy:fileno(), F_GETFL), O_NONBLOCK) ~= 0)
    fails("ETIMEDOUT", copy:read_some())
    b:close()
    a:write("x")
    assert.equal("x", copy:read_some())
    fails("EAGAIN", a:read_some(nil, { timeout = 0 }))
    copy:close()
    assert.is_nil(a:read_some())
    a:close()
    fails("ECLOSED", copy:dup())
  end)

  it("can be handed over, with what was read already", function()
    local a, b = socket.pair()
    a:write("line\nrest")
    assert.equal("line", b:read_line())
    local fd, rest = b:detach()
    assert.equal("rest", rest)
    fails("ECLOSED", b:read_some())
    fails("ECLOSED", b:detach())
    fails("ECLOSED", b:fileno())
    b:close()
    collect()
    assert.is_true(is_open(fd))
    local again = socket.from_fd(fd)
    a:write("more")
    assert.equal("more", again:read_some())
    again:close()
    a:close()
  end)

  it("taken over keep their kind", function()
    local s = socket.from_fd(socket.udp():detach())
    assert.is_function(s.recvfrom)
    s:close()
    local null = ffi.C.spec_socket_open("/dev/null", 0)
    local nothing, err = socket.from_fd(null)
    assert.is_nil(nothing)
    assert.matches("^from_fd " .. null .. ": ", tostring(err))
    assert.is_true(is_open(null))
    raw_close(null)
  end)
end)
