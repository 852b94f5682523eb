local ffi = require "ffi"
local green = require "green"
local program = require "spec.support.program"
local socket = require "green.socket"
local testing = require "green.testing"

local it, real_it = testing.busted()

ffi.cdef [[
int spec_hub_close(int fd) __asm__("close");
int spec_hub_fileno(void *file) __asm__("fileno");
int spec_hub_kill(int pid, int signo) __asm__("kill");
typedef struct spec_hub_greenlua spec_hub_greenlua;
spec_hub_greenlua *spec_hub_new(const void *options) __asm__("greenlua_new");
void spec_hub_free(spec_hub_greenlua *g) __asm__("greenlua_free");
int spec_hub_dostring(spec_hub_greenlua *g, const char *code, const char *name)
  __asm__("greenlua_dostring");
const char *spec_hub_error(const spec_hub_greenlua *g) __asm__("greenlua_error");
]]

local STOP, CONT = 19, 18
local backends = { "epoll", "poll", "select" }

local function raised(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return err
end

--- Run fn with another backend, then go back.
local function with_hub(name, fn)
  local before = green.get_hub()
  assert.is_true(green.use_hub(name))
  local ok, err = pcall(fn)
  assert.is_true(green.use_hub(before))
  if not ok then
    error(err, 0)
  end
end

describe("the hub", function()
  describe("use_hub", function()
    real_it("changes the backend while threads wait on sockets and deadlines [S31]", function()
      local a, b = socket.pair()
      local reader = green.spawn(a.read_some, a)
      local sleeper = green.spawn(green.sleep, 0.02)
      testing.settle()
      local before = green.get_hub()
      for _, name in ipairs(backends) do
        assert.is_true(green.use_hub(name))
        assert.are.equal(name, green.get_hub())
        testing.settle()
        assert.are.equal("parked", reader:status())
      end
      b:write("hello")
      assert.are.equal("hello", reader:wait())
      sleeper:wait()
      assert.is_true(green.use_hub(nil))
      assert.are.equal("epoll", green.get_hub())
      green.use_hub(before)
      a:close()
      b:close()
    end)

    it("says what is wrong with a name, and changes nothing [b13]", function()
      local before = green.get_hub()
      local value, err = green.use_hub("warp")
      assert.is_nil(value)
      assert.is_true(err:is("EINVAL"))
      assert.matches("warp", tostring(err))
      value, err = green.use_hub("kqueue")
      assert.is_nil(value)
      assert.is_true(err:is("ENOSYS"))
      assert.matches("empty", raised(green.use_hub, ""))
      assert.are.equal(before, green.get_hub())
    end)
  end)

  describe("GREENLUA_HUB", function()
    for _, name in ipairs(backends) do
      it("chooses " .. name .. " [S31]", function()
        local p = program.run_greenlua {
          "-e", "print(require('green').get_hub())", env = { GREENLUA_HUB = name } }
        assert.are.equal(name .. "\n", p.out)
        assert.are.equal(0, p.status)
      end)
    end

    it("that is unknown is one clear line [b13]", function()
      local p = program.run_greenlua { "-e", "print(1)", env = { GREENLUA_HUB = "warp" } }
      assert.are.equal("", p.out)
      assert.matches("GREENLUA_HUB=warp", p.err)
      assert.are.equal(1, select(2, p.err:gsub("\n", "\n")))
      assert.are_not.equal(0, p.status)
    end)

    it("is the only variable that is asked [S31]", function()
      local p = program.run_greenlua {
        "-e", "print(require('green').get_hub())",
        env = { GREENLUA_HUB = "", LIBEV_FLAGS = "1" } }
      assert.are.equal("epoll\n", p.out)
    end)
  end)

  describe("a descriptor closed behind its back", function()
    for _, name in ipairs(backends) do
      real_it("leaves the others alone on " .. name, function()
        with_hub(name, function()
          local a, b = socket.pair()
          local c, d = socket.pair()
          local victim = green.spawn(function()
            return select(2, a:read_some())
          end)
          local other = green.spawn(c.read_some, c)
          testing.settle()
          ffi.C.spec_hub_close(a:fileno())
          testing.settle()
          d:write("fine")
          assert.are.equal("fine", other:wait())
          if name ~= "epoll" then -- which does not tell
            assert.is_true(victim:wait(1):is("EBADF"))
          end
          local e, f = socket.pair() -- one gets the number again
          testing.settle()
          assert.is_true(victim:dead())
          assert.is_true(green.is_error(victim:wait()))
          a:close()
          assert.is_true(e:write("x"))
          assert.are.equal("x", f:read_some())
          for _, s in ipairs { b, c, d, e, f } do
            s:close()
          end
        end)
      end)
    end
  end)

  it("is not stopped by SIGSTOP and SIGCONT [b8]", function()
    for _, name in ipairs(backends) do
      local p = program.start_greenlua {
        "-e", [[
          local green = require "green"
          print "ready"
          io.stdout:flush()
          local t0 = green.now()
          green.sleep(0.05)
          print(green.now() - t0 >= 0.05)
        ]], env = { GREENLUA_HUB = name } }
      p:expect("ready")
      ffi.C.spec_hub_kill(p.pid, STOP)
      p:listen(5)
      ffi.C.spec_hub_kill(p.pid, CONT)
      p:wait()
      assert.are.equal("ready\ntrue\n", p.out)
      assert.are.equal(0, p.status)
    end
  end)

  it("lets data that has arrived beat a timeout that is due", function()
    local a, b = socket.pair()
    local got
    local t = green.spawn(function()
      got = { green.timeout(5, a.read_some, a) }
    end)
    testing.settle()
    b:write("in time")
    testing.advance(10) -- both are due when the loop polls again
    t:wait()
    assert.are.same({ "in time" }, got)
    a:close()
    b:close()
  end)

  real_it("gives I/O its turn beside a spinner [b3]", function()
    local a, b = socket.pair()
    local stop = false
    local spinner = green.spawn(function()
      while not stop do
        green.sleep(0)
      end
    end)
    local echo = green.spawn(function()
      for _ = 1, 20 do
        b:write(b:read_some())
      end
    end)
    for i = 1, 20 do
      a:write(tostring(i))
      assert.are.equal(tostring(i), a:read_some())
    end
    stop = true
    spinner:wait()
    echo:wait()
    a:close()
    b:close()
  end)

  real_it("lets the next reader inherit what the first was killed waiting for [b10]", function()
    local a, b = socket.pair()
    local first = green.spawn(a.read_some, a)
    testing.settle()
    first:kill()
    local second = green.spawn(a.read_some, a)
    b:write("x")
    assert.are.equal("x", second:wait())
    a:close()
    b:close()
  end)

  real_it("counts a sleep from the call, not from the last poll", function()
    local t0 = os.clock() -- of the processor's time: a busy machine takes longer
    while os.clock() - t0 < 0.01 do -- this thread keeps the loop from polling
    end
    local started = green.now()
    green.sleep(0.005)
    assert.is_true(green.now() - started >= 0.005)
  end)

  it("refuses a bad descriptor each time it is tried [b9]", function()
    for _ = 1, 3 do
      for _, fd in ipairs { -1, 9999 } do
        local value, err = socket.from_fd(fd)
        assert.is_nil(value)
        assert.is_true(err:is("EBADF"))
      end
    end
  end)

  real_it("takes a regular file for ready, which epoll cannot watch [b15]", function()
    local file = assert(io.tmpfile())
    local fd = ffi.C.spec_hub_fileno(file)
    for _, name in ipairs(backends) do
      with_hub(name, function()
        assert.is_true(green.trampoline(fd, { timeout = 5 }))
        assert.is_true(green.trampoline(fd, { write = true, timeout = 5 }))
      end)
    end
    file:close()
  end)

  it("tells what it has and did", function()
    local before = green.stats()
    local t = green.spawn_after(1, function() end)
    local now = green.stats()
    assert.are.equal(before.threads + 1, now.threads)
    assert.are.equal(before.timers + 1, now.timers)
    t:wait()
    now = green.stats()
    assert.are.equal(before.threads, now.threads)
    assert.are.equal(before.timers, now.timers)
    assert.is_true(now.turns > before.turns)
    assert.is_true(now.switches > before.switches)
  end)

  describe("a second runtime in the process", function()
    local C = ffi.C
    jit.off(true, true)

    local function run(g, code)
      return C.spec_hub_dostring(g, code, "=second"), ffi.string(C.spec_hub_error(g))
    end

    it("has threads, a loop and globals of its own [b16]", function()
      local g, h = C.spec_hub_new(nil), C.spec_hub_new(nil)
      assert.is_true(g ~= nil and h ~= nil)
      assert.are.equal(0, (run(g, "x = 1 require('green').sleep(0.001)")))
      assert.are.equal(0, (run(h, "assert(x == nil) x = 2 require('green').sleep(0)")))
      assert.are.equal(0, (run(g, [[
        assert(x == 1)
        local green = require "green"
        assert(#green.threads() == 1)
        green.spawn(green.sleep, 0.001):wait()
      ]])))
      local r, err = run(h, "local function culprit() error('oops') end culprit()")
      assert.are.equal(1, r)
      assert.matches("second:1: oops", err)
      assert.matches("culprit", err)
      C.spec_hub_free(g)
      assert.are.equal(0, (run(h, "assert(x == 2)")))
      C.spec_hub_free(h)
    end)

    it("refuses to be run inside its own run, and is none the worse", function()
      local g = C.spec_hub_new(nil)
      local r = run(g, ([[
        jit.off(true, true)
        local ffi = require "ffi"
        local green = require "green"
        ffi.cdef [=[
          int nested_dostring(void *, const char *, const char *) __asm__("greenlua_dostring");
          int nested_turn(void *, int) __asm__("greenlua_turn");
        ]=]
        local me = ffi.cast("void *", %s)
        assert(ffi.C.nested_dostring(me, "ran = true", "=nested") == -16)
        assert(ffi.C.nested_turn(me, 0) == -16)
        green.sleep(0.001)
        assert(not ran)
        assert(#green.threads() == 1)
        finished = true
      ]]):format(tostring(ffi.cast("uintptr_t", ffi.cast("void *", g)))))
      assert.are.equal(0, r)
      assert.are.equal(0, (run(g, "assert(finished)")))
      C.spec_hub_free(g)
    end)
  end)
end)
