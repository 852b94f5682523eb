-- The part `ends`: small programs, made from the seed, whose main chunk ends
-- while everything is alive. No signal, no hang, the status that main gave.

local program = require "spec.support.program"
local storm = require "spec.storm.storm"

local random = math.random

-- -- What a finalizer does ----------------------------------------------------

-- x is what the program has there: finalizers are collected together with it. One
-- may run in the middle of main, so none may end that.
local late_calls = {
  "green.now()", "green.spawn(print)", "green.sleep(0)", "green.threads()", "green.stats()",
  "tostring(green.getcurrent())", "green.spawn_after(1, print)", "green.Queue():put(1)",
  "green.Event():send(1)", "green.timeout(1, green.sleep, 2)", "green.wait(nil, 0.001)",
  "green.use_hub('poll')", "socket.pair()", "green.listen('127.0.0.1:0')", "green.get_hub()",
  "socket.getaddrinfo('localhost', 80, { resolver = 'system' })",
  "signal.handler('USR1', print)", "green.GreenPool(2)",
  "signal.wait('USR2', 0.001)", "coroutine.wrap(green.sleep)(1)", "collectgarbage()",
  "x:close()", "x:write('bye')", "x:read(1)", "x:cancel()", "x:kill()", "x:wait()", "x:send(1)",
  "x:put_nowait(1)", "x:get_nowait()", "x:getting()", "x:release()", "x:balance()", "x:fileno()",
  "x:kill_soon({ force_after = 0 })", "x:spawn(print)", "x:waitall()", "x:stop()", "x:traceback()",
  "x:status()", "x:link(print)", "tostring(x)", "x:shutdown()", "x:acquire()", "x:waiting()",
  "finalizer(nil, function() green.spawn(print) end)", "error('in a finalizer')",
}

local function some_calls()
  local calls = {}
  for i = 1, random(5) do
    calls[i] = "pcall(function() " .. storm.any(late_calls) .. " end)"
  end
  return table.concat(calls, " ")
end

-- -- What a program consists of -----------------------------------------------

local head = [[
local green, socket, signal
local function finalizer(x, fn)
  local p = newproxy(true)
  getmetatable(p).__gc = function() fn(x) end
  return p
end
keep = {}
%s
green = require "green"
socket, signal = require "green.socket", require "green.signal"
green.on_error(function() end)
]]

-- Each makes a thing x.
local things = {
  { name = "end_sockets", text = "local x, b = socket.pair() keep[#keep + 1] = b" },
  { name = "end_sockets", text = "local x = socket.pair() green.spawn(x.read, x, 1)" },
  { name = "end_sockets", text = "local x = socket.udp() x:bind('127.0.0.1', 0)" },
  { name = "end_servers", text = "local x = green.listen('127.0.0.1:0') green.spawn(x.accept, x)" },
  { name = "end_servers", text = [[
local l = assert(green.listen("127.0.0.1:0"))
local x = green.spawn(require("green.wsgi").server, l, function()
  green.sleep(0.001)
  return 200, {}, "hello\n"
end)
green.sleep(0)
local conn = green.connect("127.0.0.1", (select(2, l:sockname())))
if conn then
  conn:write("GET / HTTP/1.1\r\nHost: a\r\n" .. (math.random() < 0.5 and "\r\n" or ""))
  keep[#keep + 1] = conn
end]] },
  { name = "end_signals", text = "local x = signal.handler('USR1', green.sleep)" },
  { name = "end_signals", text = "local x = green.spawn(signal.wait, 'USR2')" },
  { name = "end_lookups",
    text = "local x = green.spawn(socket.getaddrinfo, 'localhost', 80, { resolver = 'system' })" },
  { name = "end_lookups",
    text = "local x = socket.getaddrinfo('localhost', 80, { resolver = 'system' })" },
  { name = "end_threads", text = "local x = green.spawn(green.sleep, 60)" },
  { name = "end_threads", text = "local x = green.spawn_after(0.01, green.sleep, 60)" },
  { name = "end_threads", text = [[
local x = green.spawn(function()
  while true do pcall(green.sleep, 60) end
end)
green.sleep(0)
x:kill_soon { force_after = math.random() < 0.5 and 0 or 9 }]] },
  { name = "end_threads", text = [[
local x = green.spawn(green.finally, function() green.sleep(60) end,
  function() green.sleep(0.001) end)]] },
  { name = "end_threads", text = [[
local x = coroutine.wrap(function() green.timeout(1, coroutine.yield) end)
x()]] },
  { name = "end_queues", text = "local x = green.Queue(0) green.spawn(x.put, x, 1)" },
  { name = "end_queues", text = "local x = green.Queue() green.spawn(x.get, x)" },
  { name = "end_queues", text = "local x = green.Event() green.spawn(x.wait, x)" },
  { name = "end_queues", text = "local x = green.Semaphore(0) green.spawn(x.acquire, x)" },
  { name = "end_queues", text = "local x = green.CappedSemaphore(0, 0) green.spawn(x.with, x)" },
  { name = "end_queues", text = "local x = green.RLock() green.spawn(x.with, x, green.sleep, 9)" },
  { name = "end_queues", text = "local x = green.GreenPool(1) x:spawn(green.sleep, 60)" },
  { name = "end_queues", text = "local x = green.iwait { green.Event(), green.Queue() }" },
}
things = storm.only(things)

local function block()
  local text = storm.any(things).text
  if storm.chance(0.6) then
    local before = storm.chance(0.3) and "keep[#keep + 1] = x\n" or ""
    text = ("%s\n%skeep[#keep + 1] = finalizer(x, function(x) %s end)"):format(
      text, before, some_calls())
  end
  if storm.chance(0.5) then
    text = text .. "\nkeep[#keep + 1] = x"
  end
  return "pcall(function()\n" .. text .. "\nend)\n"
end

local last = {
  { text = "", status = 0 },
  { text = "green.sleep(0.002)", status = 0 },
  { text = "error('on purpose', 0)", status = 1 },
  { text = "error(setmetatable({}, { __tostring = function() return 'made' end }))", status = 1 },
  { text = "os.exit(3)", status = 3 },
  { text = "green.spawn(os.exit, 4) green.sleep(60)", status = 4 },
  { text = "collectgarbage() collectgarbage()", status = 0 },
  { text = "keep = nil collectgarbage() green.sleep(0)", status = 0 },
  { text = "local x = finalizer(nil, function() pcall(green.sleep, 1) end)", status = 0 },
  { text = "green.timeout(0.001, green.sleep, 60)", status = 0 },
}

local function write_program()
  local early = storm.chance(0.5)
    and ("keep[1] = finalizer(nil, function(x) %s end)"):format(some_calls()) or ""
  local text = { head:format(early) }
  for _ = 1, random(12) do
    text[#text + 1] = block()
    if storm.chance(0.3) then text[#text + 1] = "green.sleep(0)\n" end
  end
  local ending = storm.any(last)
  text[#text + 1] = ending.text .. "\n"
  return table.concat(text), ending.status
end

-- -- Running it ---------------------------------------------------------------

local function tail(text)
  return text:sub(-2000)
end

local function judge(r, wanted)
  if r.err:find("Sanitizer", 1, true) or r.err:find("runtime error", 1, true) then
    return "a sanitizer speaks:\n" .. r.err:sub(1, 3000)
  elseif r.signal then
    return ("it died of signal %d"):format(r.signal)
  elseif r.status ~= wanted then
    return ("status %s, not %d\n%s"):format(tostring(r.status), wanted, tail(r.err))
  end
end

return function()
  storm.acts = storm.acts + 1
  local text, wanted = write_program()
  local path = program.file(text)
  local ok, r = pcall(program.run_greenlua, { path })
  local wrong = not ok and tail(tostring(r)) or ok and judge(r, wanted)
  if wrong then -- the file stays, to be looked at
    storm.fail("%s: %s", path, wrong)
    return
  end
  os.remove(path)
end
