-- What specs of sockets share: connected pairs of every family, and the calls
-- that park, each as a table that says how to make it wait and how to end that.

local errors = require "green.error"
local luassert = require "luassert"
local socket = require "green.socket"

local M = {}

--- Assert that the results are nil and an error with that code; the error.
function M.fails(code, value, err)
  luassert.is_nil(value)
  luassert.is_true(errors.is_error(err, code), tostring(err))
  return err
end

local n_paths = 0

--- A path that nothing else has; whoever uses it removes it.
function M.path()
  local path = os.tmpname()
  os.remove(path)
  n_paths = n_paths + 1
  return ("%s-%d.sock"):format(path, n_paths)
end

--- A listener on a free port, and that port.
function M.listener(family, host, backlog)
  local l = assert(socket.tcp(family))
  assert(l:bind(host, 0))
  assert(l:listen(backlog))
  return l, select(2, l:sockname())
end

local function connected(family, host)
  local l, port = M.listener(family, host)
  local a = assert(socket.tcp(family))
  assert(a:connect(host, port))
  local b = assert(l:accept())
  l:close()
  return a, b
end

function M.tcp()
  return connected("inet", "127.0.0.1")
end

function M.tcp6()
  return connected("inet6", "::1")
end

function M.unix()
  local path = M.path()
  local l = assert(socket.unix())
  assert(l:bind(path))
  assert(l:listen())
  local a = assert(socket.unix())
  assert(a:connect(path))
  local b = assert(l:accept())
  l:close()
  os.remove(path)
  return a, b
end

--- Is there an IPv6 loopback?
function M.has_ipv6()
  local s = socket.tcp("inet6")
  local ok = s and s:bind("::1", 0)
  if s then s:close() end
  return ok == true
end

--- The kinds of stream sockets: { name, make_pair, why it must be skipped }.
M.kinds = {
  { "a socket pair", socket.pair },
  { "TCP over IPv4", M.tcp },
  { "TCP over IPv6", M.tcp6, not M.has_ipv6() and "this machine has no ::1" or nil },
  { "a UNIX socket", M.unix },
}

--- Write until the buffers of both ends are full. The system moves what was sent
-- from one to the other in its own time.
function M.stuff(s)
  local block = ("x"):rep(65536)
  repeat
    repeat
      local n = s:send(block, { timeout = 0 })
    until not n
  until not s:wait_writable({ timeout = 0.003 })
end

--- Read everything that is there.
function M.drain(s)
  while s:read_some(nil, { timeout = 0 }) do
    s:read_some(1, { timeout = 0 })
  end
end

-- -- Calls that park ----------------------------------------------------------
--
-- open() makes c, call(c, timeout) is the call, ready(c) lets it finish, ok(...)
-- checks its results, shut(c) closes what it waits on, done(c) closes the rest.

local function close_pair(c)
  c.a:close()
  c.b:close()
end

local function open_pair()
  local c = {}
  c.a, c.b = M.tcp()
  return c
end

local function shut_a(c)
  c.a:close()
end

local function is_true(value, err)
  assert(value == true, tostring(err or value))
end

local function is_x(value, err)
  assert(value == "x", tostring(err or value))
end

--- A call on a connected stream that waits for an "x" from the other end.
local function reading(name, fn)
  return {
    name = name,
    open = open_pair,
    call = fn,
    ready = function(c)
      assert(c.b:write("x"))
      c.b:shutdown("write")
    end,
    ok = is_x,
    shut = shut_a,
    done = close_pair,
  }
end

local function writing(name, fn, ok)
  return {
    name = name,
    open = function()
      local c = {}
      c.a, c.b = assert(socket.pair()) -- full stays full: TCP moves on by itself
      M.stuff(c.a)
      return c
    end,
    call = fn,
    ready = function(c)
      M.drain(c.b)
    end,
    ok = ok or is_true,
    shut = shut_a,
    done = close_pair,
  }
end

local function datagram(name, fn)
  return {
    name = name,
    open = function()
      local c = {}
      c.a, c.b = assert(socket.udp()), assert(socket.udp())
      assert(c.a:bind("127.0.0.1", 0))
      assert(c.b:connect("127.0.0.1", select(2, c.a:sockname())))
      return c
    end,
    call = fn,
    ready = function(c)
      assert(c.b:send("x"))
    end,
    ok = is_x,
    shut = shut_a,
    done = close_pair,
  }
end

--- A UNIX datagram socket whose peer does not read.
local function sending(name, fn)
  return {
    name = name,
    open = function()
      local c = {}
      c.a, c.b = socket.pair("dgram")
      while c.a:send("y", { timeout = 0 }) do
        c.sent = true
      end
      return c
    end,
    call = fn,
    ready = function(c)
      while c.b:recv(10, { timeout = 0 }) do
        c.sent = false
      end
    end,
    ok = function(n, err)
      assert(n == 1, tostring(err))
    end,
    shut = shut_a,
    done = close_pair,
  }
end

local accept = {
  name = "accept",
  open = function()
    local c = {}
    c.a, c.port = M.listener("inet", "127.0.0.1")
    c.b = assert(socket.tcp())
    return c
  end,
  call = function(c, timeout)
    return c.a:accept({ timeout = timeout })
  end,
  ready = function(c)
    assert(c.b:connect("127.0.0.1", c.port))
  end,
  ok = function(conn, address)
    assert(conn, tostring(address))
    assert(address.host == "127.0.0.1")
    conn:close()
  end,
  shut = shut_a,
  done = close_pair,
}

--- A UNIX listener whose queue is full, until someone accepts.
local connect = {
  name = "connect",
  open = function()
    local c = { path = M.path(), queued = {} }
    c.listener = assert(socket.unix())
    assert(c.listener:bind(c.path))
    assert(c.listener:listen(0))
    local ok
    repeat
      local s = assert(socket.unix())
      c.queued[#c.queued + 1] = s
      ok = s:connect(c.path, { timeout = 0 })
    until not ok
    c.a = assert(socket.unix())
    return c
  end,
  call = function(c, timeout)
    return c.a:connect(c.path, { timeout = timeout })
  end,
  ready = function(c)
    for _ = 1, #c.queued do
      local conn = c.listener:accept({ timeout = 0 })
      if conn then conn:close() end
    end
  end,
  ok = is_true,
  shut = shut_a,
  done = function(c)
    c.a:close()
    c.listener:close()
    os.remove(c.path)
    for _, s in ipairs(c.queued) do s:close() end
  end,
}

M.parking = {
  accept,
  connect,
  reading("read", function(c, timeout)
    return c.a:read(1, { timeout = timeout })
  end),
  reading("read_some", function(c, timeout)
    return c.a:read_some(1, { timeout = timeout })
  end),
  reading("read_until", function(c, timeout)
    local value, err = c.a:read_until("x", { timeout = timeout })
    return value == "" and "x" or value, err
  end),
  reading("read_line", function(c, timeout)
    return c.a:read_line({ timeout = timeout })
  end),
  reading("read_all", function(c, timeout)
    return c.a:read_all(100, { timeout = timeout })
  end),
  reading("lines", function(c, timeout)
    local ok, value = pcall(c.a:lines({ timeout = timeout }))
    if ok then return value end
    if not errors.is_error(value) or value:is("ECANCELED") then error(value, 0) end
    return nil, value
  end),
  reading("chunks", function(c, timeout)
    local ok, value = pcall(c.a:chunks(1, { timeout = timeout }))
    if ok then return value end
    if not errors.is_error(value) or value:is("ECANCELED") then error(value, 0) end
    return nil, value
  end),
  reading("wait_readable", function(c, timeout)
    local ok, err = c.a:wait_readable({ timeout = timeout })
    return ok and "x", err
  end),
  writing("write", function(c, timeout)
    return c.a:write("x", { timeout = timeout })
  end),
  writing("writev", function(c, timeout)
    return c.a:writev({ "x", 1 }, { timeout = timeout })
  end),
  writing("send", function(c, timeout)
    return c.a:send("x", { timeout = timeout })
  end, function(n, err)
    assert(n == 1, tostring(err))
  end),
  writing("wait_writable", function(c, timeout)
    return c.a:wait_writable({ timeout = timeout })
  end),
  datagram("recv of a datagram", function(c, timeout)
    return c.a:recv(10, { timeout = timeout })
  end),
  datagram("recvfrom", function(c, timeout)
    return c.a:recvfrom(10, { timeout = timeout })
  end),
  sending("send of a datagram", function(c, timeout)
    return c.a:send("x", { timeout = timeout })
  end),
}

return M
