-- Chunks whose finalizers touch green objects while their state is being closed, for
-- specs that run them in programs of their own. A chunk prints "asked ..." for each
-- moment at which it asked, and any other line for what went wrong.

local assert = require "luassert"
local chunk = require "spec.support.chunk"

-- The child tells what it finds by write(2): print is tested apart.
local PRELUDE = [[
local ffi = require "ffi"
ffi.cdef "long write(int fd, const void *p, size_t n);"
local write, calls, guards = ffi.C.write, {}, {}
local function tell(text)
  write(1, text .. "\n", #text + 1)
end

local fine = { "the runtime has ended", "ECLOSED", "EAGAIN", "cannot wait", "sent already",
  "EPIPE", "ENOTCONN", "ECONNREFUSED" } -- the latter: what was shut down, and port 1
local function judge(name, ok, value, err)
  if ok and (value ~= nil or err == nil) then
    return
  end
  local text = tostring(err)
  if not ok then
    text = tostring(value)
  end
  for _, part in ipairs(fine) do
    if text:find(part, 1, true) then
      return
    end
  end
  tell(name .. ": " .. text)
end

local function ask(when)
  for i = 1, #calls, 2 do
    judge(when .. ", " .. calls[i], pcall(calls[i + 1]))
  end
  tell("asked " .. when)
end

local function at_end(fn)
  local guard = newproxy(true)
  getmetatable(guard).__gc = fn
  guards[#guards + 1] = guard
end

local function call(name, fn)
  calls[#calls + 1] = name
  calls[#calls + 1] = fn
end

--- Every method that obj has, with the arguments given.
local function call_all(what, obj, ...)
  local args, n = { ... }, select("#", ...)
  local seen, methods = {}, getmetatable(obj).__index
  while type(methods) == "table" do
    for name, method in pairs(methods) do
      -- _watch with something that is no function would break its object, then or later.
      local is_asked = name ~= "_watch" or type(args[1]) == "function"
      if type(method) == "function" and is_asked and not seen[name] then
        seen[name] = true
        calls[#calls + 1] = what .. ":" .. name
        calls[#calls + 1] = function()
          pcall(method, obj, unpack(args, 1, n)) -- misuse is no matter here
        end
      end
    end
    methods = (getmetatable(methods) or {}).__index
  end
  call("tostring of " .. what, function() return tostring(obj) end)
end

at_end(function() ask "made before require" end)
local green = require "green"
local socket = require "green.socket"
at_end(function() ask "made after require" end)
]]

local POSTLUDE = [[

at_end(function() ask "made last" end)
at_end(function()
  at_end(function()
    at_end(function() ask "made by a finalizer's finalizer" end)
    ask "made by a finalizer"
  end)
end)
green.sleep(0)
]]

local kinds = {}

kinds["stream sockets"] = [[
  for i = 1, 20 do
    local a, b = socket.pair()
    b:write("one\ntwo\n")
    a:read(1)
    call("write", function() return a:write("bye") end)
    call("read", function() return a:read(1) end)
    call("read_line", function() return a:read_line() end)
    call("read_some", function() return a:read_some(2) end)
    call("shutdown", function() return a:shutdown("write") end)
    call("fileno", function() return a:fileno() end)
    call("sockname", function() return a:sockname() end)
    call("peername", function() return a:peername() end)
    call("peercred", function() return a:peercred() end)
    call("getoption", function() return a:getoption("SO_RCVBUF") end)
    call("wait_writable", function() return a:wait_writable { timeout = 0 } end)
    call("wait_readable", function() return b:wait_readable { timeout = 0 } end)
    call("tostring", function() return tostring(a) end)
    call("dup", function() local copy, err = a:dup() return copy and copy:close() or true, err end)
    if i % 2 == 0 then call("detach", function() return a:detach() end) end
    if i % 3 == 0 then call("close", function() b:close() return a:close() or true end) end
    call("write again", function() return b:write(("x"):rep(100)) end)
    call("read_all", function() return b:read_all(nil, { timeout = 0 }) end)
    call("new pair", function() return socket.pair() end)
    call("tcp", function() return socket.tcp() end)
  end
]]

kinds["every method of sockets"] = [[
  local listener = socket.tcp()
  listener:bind("127.0.0.1", 0)
  listener:listen()
  local udp = socket.udp()
  udp:bind("127.0.0.1", 0)
  local a, b = socket.pair()
  local c = socket.pair("dgram")
  b:write("in the buffer")
  a:read(2)
  for _, s in ipairs { listener, udp, a, b, c } do
    call_all("socket", s)
    call_all("socket, 1", s, 1)
    call_all("socket, x", s, "x")
  end
]]

kinds["in-memory streams"] = [[
  local a, b = require("green.testing").stream_pair()
  b:write("x")
  call_all("stream", a, 1)
  call_all("stream", b, "x")
]]

kinds["a server with connections"] = [[
  local wsgi = require "green.wsgi"
  local kept
  local server = assert(wsgi.new("127.0.0.1:0", function(env)
    kept = env
    if env.PATH_INFO == "/slow" then green.sleep(100) end
    return 200, {}, "x"
  end, { log_output = false })):start()
  local idle = green.connect("127.0.0.1", server.port)
  idle:write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
  idle:read_line()
  local slow = green.connect("127.0.0.1", server.port)
  slow:write("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nxx")
  green.sleep(0.01)
  call("stats", function() return server:stats() end)
  call("address", function() return server:address() end)
  call("tostring", function() return tostring(server) end)
  call("a field of env", function() return kept.REQUEST_METHOD end)
  call("a header", function() return kept.HTTP_HOST or true end)
  call("wsgi.input", function()
    local input = kept["wsgi.input"]
    return not input or input:read(1)
  end)
  call("idle client", function() return idle:write("x") end)
  call("reopen_logs", function() server:reopen_logs() return true end)
  call("stop", function() return server:stop() end)
  call("start", function() pcall(server.start, server) return true end)
  call("another server", function()
    local other = wsgi.new("127.0.0.1:0", function() end, { log_output = false })
    return other and tostring(other) or true
  end)
  call_all("server", server)
]]

kinds["signal handlers"] = [[
  local signal = require "green.signal"
  for _, name in ipairs { "USR1", "USR2", "HUP" } do
    local handler = signal.handler(name, print)
    call("cancel " .. name, function() return handler:cancel() or true end)
    call("name", function() return signal.name(name) end)
  end
  green.spawn(signal.wait, "WINCH")
  call("another", function() return signal.handler("USR1", print) end)
  call("wait", function() return signal.wait("USR1", 0) end)
]]

kinds["lookups"] = [[
  local lookups, system = {}, { resolver = "system" }
  for i = 1, 20 do lookups[i] = green.spawn(socket.getaddrinfo, "localhost", 80, system) end
  green.sleep(0)
  call("another", function() return socket.getaddrinfo("localhost", 80, system) end)
  call("a number", function() return socket.getaddrinfo("127.0.0.1", 80) end)
  call("status", function() return lookups[1]:status() end)
  call("kill_soon", function() return lookups[2]:kill_soon() or true end)
  call("connect", function() return green.connect("localhost", 1) end)
]]

kinds["threads"] = [[
  local core = require "green.core"
  local list = {
    parked = green.spawn(green.sleep, 100),
    returned = green.spawn(function() return 1 end),
    killed = green.spawn(green.sleep, 100),
    raised = green.spawn(function() error "x" end),
    dropped = green.spawn(green.sleep, 100),
    later = green.spawn_after(100, print),
  }
  green.on_error(function() end)
  green.sleep(0)
  list.killed:kill()
  core.drop(list.dropped)
  list.unstarted = green.spawn(print)
  list.main = green.getcurrent()
  for name, t in pairs(list) do
    call("tostring " .. name, function() return tostring(t) end)
    call("status " .. name, function() return t:status() end)
    call("dead " .. name, function() return t:dead() end)
    call("spawn_site " .. name, function() return t:spawn_site() end)
    call("traceback " .. name, function() return t:traceback() end)
    call("name " .. name, function() return t:name("x"):name() end)
    call("link " .. name, function() return t:link(print) or true end)
    call("unlink " .. name, function() return t:unlink(print) end)
    call("kill_soon " .. name, function() return t:kill_soon() or true end)
    call("cancel " .. name, function() return t:cancel() or true end)
    call("drop " .. name, function() return core.drop(t) or true end)
    if name ~= "raised" and name ~= "killed" and name ~= "dropped" then
      call("wait " .. name, function() pcall(t.wait, t, 0) return true end)
    end
    call("force_after " .. name, function()
      pcall(t.kill, t, { force_after = 0 })
      return true
    end)
    call("throw " .. name, function() return t:throw("x") or true end)
    call("status again " .. name, function() return t:status() .. tostring(t) end)
  end
]]

kinds["queues and events"] = [[
  for _, make in ipairs { green.Queue, green.LifoQueue, green.PriorityQueue, green.Event,
    green.LightQueue } do
    local full, empty = make(1), make()
    for _ = 1, 3 do
      green.spawn(function() empty[empty.get and "get" or "wait"](empty) end)
      if full.put then green.spawn(full.put, full, 1) end
    end
    green.sleep(0)
    call("tostring", function() return tostring(full) .. tostring(empty) end)
    if full.put then
      call("counts", function() return full:putting() + empty:getting() + full:qsize() end)
      call("get_nowait", function() return full:get_nowait() end)
      call("put_nowait", function() return empty:put_nowait(1) end)
      call("get", function() return full:get() end)
      call("put", function() return empty:put(1) end)
    else
      call("send", function() return empty:send(1) or true end)
    end
    call_all("queue", full, 1)
    call_all("queue", empty, 1)
    call("a new one", function() return tostring(make()) end)
  end
]]

kinds["locks"] = [[
  local list = { green.Semaphore(0), green.BoundedSemaphore(1), green.CappedSemaphore(0, 0),
    green.RLock(), green.metaphore() }
  list[2]:acquire()
  list[4]:acquire()
  list[5]:inc()
  for _, lock in ipairs(list) do
    green.spawn(lock.acquire or lock.wait, lock)
  end
  green.sleep(0)
  for i, lock in ipairs(list) do
    call("count " .. i, function() return (lock.balance or lock.locked or lock.count)(lock) end)
    call("release " .. i, function()
      pcall(lock.release or lock.dec, lock)
      return true
    end)
    call_all("lock " .. i, lock)
  end
]]

kinds["pools"] = [[
  local pool, pile = green.GreenPool(1), green.GreenPile(1)
  local items = green.Pool { create = function() return {} end, max_size = 1 }
  local dag = green.DAGPool()
  pool:spawn(green.sleep, 100)
  pile:spawn(green.sleep, 100)
  local item = items:get()
  green.spawn(items.get, items)
  green.spawn(pool.spawn, pool, function() end)
  dag:spawn("a", { "b" }, function() end)
  green.sleep(0)
  call("counts", function() return pool:running() + pool:free() + pool:waiting() end)
  call("tostring", function() return tostring(pool) .. tostring(items) .. tostring(dag) end)
  call("items", function() return items:free() + items:waiting() end)
  call("put", function() return items:put(item) or true end)
  call("spawn", function() return pool:spawn(print) end)
  for name, obj in pairs { pool = pool, pile = pile, items = items, dag = dag } do
    call_all(name, obj)
    call_all(name, obj, function() end)
    call_all(name, obj, 2)
  end
]]

kinds["timeouts"] = [[
  local timeout, fired = green.Timeout(100), green.Timeout(0)
  pcall(green.sleep, 0.001)
  fired:cancel()
  call("pending", function() return timeout:pending() end)
  call("fired", function() return fired:fired() end)
  call("cancel", function() return timeout:cancel() or true end)
  call("start", function() return timeout:start() or true end)
  call("a new one", function() return green.Timeout(1):cancel() or true end)
  call("timeout", function() return green.timeout(1, function() return 1 end) end)
  call("with_timeout", function() return green.with_timeout(1, function() return 1 end) end)
  call("shield", function() return green.shield(1, function() return 1 end) end)
  call("finally", function() return green.finally(function() return 1 end, function() end) end)
  call("group", function() return green.group(function() return 1 end) end)
  call("sleeping in a timeout", function() return green.timeout(1, green.sleep, 1) end)
]]

kinds["groups"] = [[
  call("spawning in a group", function()
    return green.group(function(group) group:spawn(print) end) or true
  end)
]]

kinds["the functions of green"] = [[
  local e = green.Event()
  for _, name in ipairs { "now", "stats", "threads", "getcurrent", "get_hub", "use_hub" } do
    call(name, function() return green[name]() end)
  end
  call("use_hub poll", function() return green.use_hub("poll") end)
  call("spawn", function() return green.spawn(print) end)
  call("spawn_n", function() return green.spawn_n(print) or true end)
  call("spawn_after", function() return green.spawn_after(0, print) end)
  call("spawn_after_local", function() return green.spawn_after_local(0, print) end)
  call("sleep", function() return green.sleep(0) end)
  call("sleep longer", function() return green.sleep(1) end)
  call("wait", function() return green.wait(nil, 0) end)
  call("wait for one", function() return green.wait({ e }, 0) end)
  call("iwait", function() return green.iwait({ e }, 0)() end)
  call("joinall", function() return green.joinall({ green.getcurrent() }, 0) end)
  call("listen", function() return green.listen("127.0.0.1:0") end)
  call("connect", function() return green.connect("127.0.0.1", 1) end)
  call("trampoline", function() return green.trampoline(0, { read = true, timeout = 0 }) end)
  call("coroutines", function()
    return coroutine.wrap(function() coroutine.yield(1) end)()
  end)
  call("a wait in a coroutine", function() return coroutine.wrap(green.sleep)(0) end)
  call("require", function() return require "green.pools" end)
]]

local M = { kinds = kinds }

local ASKED = {
  "made last",
  "made after require",
  "made before require",
}

--- The chunk for a kind. `first` stands before all else, `ending` behind it.
function M.code(kind, ending, first)
  return (first or "") .. "\n" .. PRELUDE .. kinds[kind] .. POSTLUDE .. (ending or "")
end

--- Was all asked that is to be, and nothing wrong?
function M.check(r, status)
  assert.is_nil(r.signal, chunk.describe(r))
  assert.equal(status, r.status, chunk.describe(r))
  local wrong = {}
  for line in r.out:gmatch("[^\n]+") do
    if not line:find("^asked ") then
      wrong[#wrong + 1] = line
    end
  end
  assert.same({}, wrong)
  for _, when in ipairs(ASKED) do
    assert.is_truthy(r.out:find("asked " .. when, 1, true), when .. ": " .. chunk.describe(r))
  end
end

return M
