-- Chunks in which package.loaded forgets the library, and it is required again.

local M = {}

M.PRELUDE = [[
local raw = { require = require, print = print, dofile = dofile }
local green = require "green"
for _, name in ipairs { "wsgi", "signal", "queue", "greenpool", "semaphore", "socket", "process",
  "locals", "wait", "event", "dagpool", "group", "trampoline", "testing" } do
  require("green." .. name)
end
local function clear()
  for name in pairs(package.loaded) do
    if name == "green" or name:find "^green%." then package.loaded[name] = nil end
  end
end
local function again() clear() return require "green" end
local function same(a, b, what)
  if not rawequal(a, b) then error(tostring(what) .. ": " .. tostring(a) .. ", not "
    .. tostring(b), 2) end
end
]]

--- Each prints "fine".
M.chunks = {
  ["gives the same modules, whoever requires them"] = [[
    local before = {}
    for name, module in pairs(package.loaded) do before[name] = module end
    for _, req in ipairs { require, raw.require } do
      clear()
      for name, module in pairs(before) do same(req(name), module, name) end
    end
    clear()
    green.spawn(function() same(require "green", green) end):wait()
    same(coroutine.wrap(function() clear() return require "green" end)(), green)
  ]],

  ["wraps nothing twice"] = [[
    local function places()
      local all = { print = print, require = require, dofile = dofile, exit = os.exit }
      for name, fn in pairs(coroutine) do all["coroutine." .. name] = fn end
      for name, fn in pairs(io) do all["io." .. name] = fn end
      for name, fn in pairs(getmetatable(io.stdout).__index) do all["file." .. name] = fn end
      return all
    end
    local before = places()
    for _ = 1, 50 do
      again()
      for name, fn in pairs(places()) do same(fn, before[name], name) end
    end
    local gen = coroutine.wrap(function() green.sleep(0.001) coroutine.yield(1) end)
    same(gen(), 1)
  ]],

  ["puts its functions back into the globals, where they were taken out"] = [[
    local own = { print = print, require = require, dofile = dofile }
    for name, fn in pairs(raw) do _G[name] = fn end
    again()
    for name, fn in pairs(own) do same(_G[name], fn, name) end
  ]],

  ["threads from before go on, with all that they hold"] = [[
    local s, ended, cleaned = green.Semaphore(1), {}, false
    local t = green.spawn(s.with, s, function()
      return green.finally(function()
        return green.timeout(10, function() green.sleep(0.01) return "done" end)
      end, function() cleaned = true end)
    end)
    t:link(function() ended[#ended + 1] = "link" end)
    green.sleep(0)
    local new = again()
    same(new.is_thread(t), true)
    same(t:wait(), "done")
    green.sleep(0.001)
    same(#ended, 1) same(cleaned, true) same(s:balance(), 1)
  ]],

  ["what a thread from before holds is given back when it is abandoned"] = [[
    local s, pool = green.Semaphore(1), green.GreenPool(1)
    local t = green.spawn(s.with, s, function()
      while true do pcall(green.sleep, 60) end
    end)
    local member = pool:spawn(function() while true do pcall(green.sleep, 60) end end)
    green.sleep(0)
    local old = green.on_error(function() end)
    again()
    t:kill { force_after = 0.01 }
    member:kill { force_after = 0.01 }
    green.sleep(0.1)
    same(s:balance(), 1) same(pool:free(), 1)
    green.on_error(old)
  ]],

  ["errors that nobody waits for are told once, to whom was told before"] = [[
    local n = 0
    green.on_error(function() n = n + 1 end)
    local before = green.spawn(error, "x")
    local new = again()
    new.spawn(error, "y")
    green.sleep(0.001)
    same(n, 2)
  ]],

  ["objects from before are of the classes from after"] = [[
    local _, err = green.connect("127.0.0.1", 1)
    local a, b = require("green.socket").pair()
    local timeout, q = green.Timeout(10), green.Queue()
    local new = again()
    local socket = require "green.socket"
    same(new.is_error(err), true) same(socket.is_socket(a), true)
    same(getmetatable(q), getmetatable(new.Queue()))
    same(new.is_timeout(timeout), true)
    timeout:cancel()
    local c, d = socket.pair()
    a:write "x" d:write "y"
    same(b:read_some(), "x") same(c:read_some(), "y")
    same(select(2, pcall(new.timeout, 0.001, error, err)), err)
  ]],

  ["a server goes on"] = [[
    local wsgi = require "green.wsgi"
    local server = assert(wsgi.new("127.0.0.1:0", function() return 200, {}, "hello" end,
      { log_output = false })):start()
    local function get(net)
      local c = assert(net.connect("127.0.0.1", server.port))
      c:write "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      return c:read_all():match "hello"
    end
    same(get(green), "hello")
    same(get(again()), "hello")
    clear()
    same(get(require "green"), "hello")
    server:stop()
  ]],

  ["a module of one's own in the place of one of ours is taken"] = [[
    again()
    package.loaded["green.queue"] = { Queue = "mine" }
    same(require "green.queue".Queue, "mine")
    package.loaded["green.queue"] = nil
    local kept = package.preload["green.queue"]
    package.preload["green.queue"] = function() return { Queue = "also mine" } end
    same(require "green.queue".Queue, "also mine")
    package.preload["green.queue"], package.loaded["green.queue"] = kept, nil
    same(require "green.queue".Queue, green.Queue)
  ]],
}

return M
