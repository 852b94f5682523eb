-- Native threads that run Lua: calls and what becomes of them, channels, shared data, proxies.
-- Memory is short here; the states of the native threads have their own.

local green = require "green"
local kit = require "spec.oom.kit"
local certs = require "spec.support.certs"
local socket = require "green.socket"
local tls = require "green.tls"
local tpool = require "green.tpool"

--- Nothing may stay under way: jobs are done, or were never sent.
local function quiet(pool)
  local deadline = green.now() + 20
  while pool:stats().pending > 0 do
    assert(green.now() < deadline, "a job does not end")
    green.sleep(0.001)
  end
end

local function all_quiet()
  quiet(tpool)
  assert(tpool.execute(function(x) return x end, 5) == 5, "execute has failed")
end

local function add(t, b)
  return { t[1] + b, "text" }
end

kit.run("tpool: execute", function()
  local one = 1
  local r = tpool.execute(function(t, b)
    return { t[1] + b + one, "text" }
  end, { 1, { "two" } }, 3)
  assert(r[1] == 5 and r[2] == "text")
end, all_quiet)

kit.run("tpool: an error of a job", function()
  local ok, err = pcall(tpool.execute, function()
    error({ code = "EMINE", list = { 1, 2 } })
  end)
  assert(not ok and (kit.is_memory(err) or err.code == "EMINE"))
end, all_quiet)

kit.run("tpool: a timeout, and a kill", function()
  local function linger() require("green.core") end
  local _, err = green.timeout(0.0001, tpool.execute, linger)
  assert(err == nil or kit.is_memory(err) or err.code == "ETIMEDOUT")
  local t = green.spawn(tpool.execute, linger)
  green.sleep(0)
  t:kill()
  assert(t:dead())
end, all_quiet)

kit.run("tpool: a pool of one's own, and its end", function()
  local pool = tpool.pool { threads = 1 }
  local t = green.spawn(function() return pool:execute(add, { 1 }, 2)[1] end)
  green.sleep(0)
  pool:close()
  local ok, err = pcall(t.wait, t)
  assert(ok and err == 3 or kit.is_memory(err) or err.code == "ECLOSED")
end, all_quiet)

kit.run("tpool: channels", function()
  local channel = tpool.channel(1)
  local t = green.spawn(function()
    return channel:get()
  end)
  green.sleep(0)
  assert(channel:put({ 1, { 2 } }, 1))
  local value = t:wait(1)
  assert(value[2][1] == 2)
  channel:put(channel)
  local late = green.spawn(channel.put, channel, 2)
  green.sleep(0)
  late:kill()
  channel:close()
end)

kit.run("tpool: shared data", function()
  local data = tpool.share { list = { 1, 2 }, name = "x" }
  assert(data.list[2] == 2 and data.name == "x")
  assert(tpool.unshare(data).name == "x")
end)

kit.run("tpool: proxies", function()
  local proxy = tpool.Proxy(require "spec.support.tpool_thing")
  local counter = proxy.new(1)
  assert(counter:add(2) == 3)
end, all_quiet)

kit.run("tpool: a socket that is moved there and back", function()
  local a, b = socket.pair()
  if not a then error(b, 0) end
  local c = tpool.execute(function(s)
    s:write("x\n")
    return require("green.tpool").move(s)
  end, tpool.move(b))
  assert(a:read_line() == "x")
  a:close()
  c:close()
end, all_quiet)

-- -- What is moved comes back, or is closed: not lost -----------------------------

local channel = tpool.channel(1)
local near, far -- far goes
local count = 0

local function renew()
  far = channel:get_nowait() or far -- a get that found no memory has left it there
  collectgarbage()
  collectgarbage()
  if near and tostring(far):find "closed" then
    near:settimeout(20)
    local text, err = near:read_line()
    assert(text == nil and not (err and err:is("ETIMEDOUT")), "the descriptor was lost")
    near:close()
    near = nil
  end
  if not near then
    local a, b = assert(socket.pair())
    local server = green.spawn(tls.server, b, certs.server "a")
    near = assert(tls.client(a, certs.client "a.test"))
    far = server:wait()
  end
  far:settimeout(20)
  count = count + 1
  near:write("mark ", count, "\n")
  repeat
    local line = assert(far:read_line())
  until line == "mark " .. count
  near:write("kept\nkept\n")
  assert(far:read_line() == "kept")
end

renew()
kit.run("tpool: a TLS connection that is moved", function()
  local token = tpool.move(far)
  local put = channel:put(token)
  token = nil -- luacheck: ignore
  far = put and channel:get() or far
  assert(far:read_line() == "kept")
end, renew)

kit.finish()
