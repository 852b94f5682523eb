-- Who woke a thread with many values got the thread's stack overflow raised in his own
-- face, or the wake was lost and the thread, like those behind it, waited for ever.
-- A waiter at the end of its stack gets all the values, or its own stack overflow.

local chunk = require "spec.support.chunk"

local PRELUDE = [[
local green, core = require "green", require "green.core"
green.on_error(function() end)
-- A finalizer that finds no stack left, in a step of the collector that a trace ends in,
-- crashes LuaJIT (a plain luajit too): here the collector works between the tries.
collectgarbage("stop")
local N = %d -- values
local VALUES = {}
for i = 1, N do VALUES[i] = i end

local function deep(n, fn)
  if n == 0 then return fn() end
  local a, b, c, d, e = 1, 2, 3, 4, 5
  local r = deep(n - 1, fn)
  return r, a, b, c, d, e
end

--- A thread that stands n calls deep in fn().
local function diver(n, fn)
  return green.spawn(function() return (deep(n, fn)) end)
end

local function works(n)
  collectgarbage()
  local t = diver(n, function() green.sleep(0) return 1 end)
  return pcall(t.wait, t)
end

local low, high = 100, 80000
while high - low > 1 do
  local middle = math.floor((low + high) / 2)
  if works(middle) then low = middle else high = middle end
end
local DEEPEST = low

local problems = {}
local function problem(...)
  problems[#problems + 1] = table.concat({ ... }, " ")
end

--- Its end: fn's result, which must be n, or an overflow of its own.
local function check(what, t, n)
  local ok, value, err = pcall(t.wait, t, 0.2) -- it is ready, or lost
  if ok and value == n then return "got" end
  if not ok and (tostring(value):find("stack overflow", 1, true)
    or tostring(value):find("error in error handling", 1, true)) then return "overflow" end
  problem(what, tostring(ok), tostring(value), tostring(err), t:status())
end

--- wait() in divers and in a shallow thread, in this order of arrival; then wake.
local function try(order, depth, wait, wake, n)
  local list = {}
  for i = 1, #order do
    local is_deep = order:sub(i, i) == "d"
    list[i] = is_deep and diver(depth, wait) or green.spawn(wait)
    green.sleep(0)
  end
  local ok, err = pcall(wake, #order)
  if not ok then problem(order, tostring(depth - DEEPEST), "the waker got:", tostring(err)) end
  green.sleep(0)
  for i = 1, #order do
    local what = ("%%s, %%d of %%s"):format(depth - DEEPEST, i, order)
    local how = check(what, list[i], n)
    if how == "overflow" and order:sub(i, i) == "s" then
      problem(what, "the shallow one got an overflow")
    end
    list[i]:kill_soon()
  end
  if not pcall(green.sleep, 0) then problem("the waker's next wait") end
  collectgarbage()
end

local function run(make)
  for _, order in ipairs { "d", "ds", "sd", "dsd", "sds" } do
    for depth = DEEPEST - 40, DEEPEST, order == "d" and 1 or 3 do
      local wait, wake, n = make()
      try(order, depth, wait, wake, n)
      if #problems > 3 then break end
    end
  end
  print(#problems == 0 and "fine" or #problems .. ": " .. table.concat(problems, "\n", 1,
    math.min(8, #problems)))
end
]]

local KINDS = {
  ["Event:send"] = [[
    local e = green.Event()
    return function() return select("#", e:wait()) end,
      function() e:send(unpack(VALUES)) end, N
  ]],
  ["Event:send_exception"] = [[
    local e = green.Event()
    local err = { "the event's" }
    return function()
        local _, got = pcall(e.wait, e)
        return rawequal(got, err) and 1 or error(got, 0)
      end, function() e:send_exception(err) end, 1
  ]],
  ["core.wake"] = [[
    local q = core.waitq()
    return function() return select("#", core.park(q)) - 1 end,
      function(n) for _ = 1, n do assert(core.wake(q, unpack(VALUES))) end end, N
  ]],
  ["core.wake_all"] = [[
    local q = core.waitq()
    return function() return select("#", core.park(q)) - 1 end,
      function(n) core.wake_all(q, unpack(VALUES)) end, N
  ]],
  ["Queue:put"] = [[
    local q = green.Queue()
    return function() return q:get() end,
      function(n) for _ = 1, n do q:put("x") end end, "x"
  ]],
  ["Semaphore:release"] = [[
    local s = green.Semaphore(0)
    return function() return s:acquire() end,
      function(n) for _ = 1, n do s:release() end end, true
  ]],
  ["the end of a thread"] = [[
    local e = green.Event()
    local t = green.spawn(function() e:wait() return unpack(VALUES) end)
    green.sleep(0)
    return function() return select("#", t:wait()) end,
      function() e:send(1) end, N
  ]],
  ["a wait in a coroutine"] = [[
    local e = green.Event()
    return function()
        return coroutine.wrap(function() return (select("#", e:wait())) end)()
      end,
      function() e:send(unpack(VALUES)) end, N
  ]],
}

-- What a waiter that overflows by a kill or a throw does is told by its waiters.
local ENDS = {
  kill = "t:kill()",
  kill_soon = "t:kill_soon()",
  throw = "t:throw('thrown')",
  ["an expired timeout"] = "green.sleep(0.02)",
}

describe("who wakes a thread with a very deep stack gets no error of it:", function()
  for name, code in pairs(KINDS) do
    -- core's own functions pass few.
    for _, n in ipairs(name:find("^core") and { 1, 8 } or { 1, 30, 100, 240 }) do
      if code:find("VALUES", 1, true) or n == 1 then
        it(("%s, with %d values"):format(name, n), function()
          chunk.prints("fine\n", PRELUDE:format(n) .. "run(function()\n" .. code .. "end)")
        end)
      end
    end
  end

  it("with thousands of values, which the shallow ones get", function()
    chunk.prints("fine\n", PRELUDE:format(7000) .. [[
      local e = green.Event()
      local deep_one = diver(DEEPEST - 50, function() return select("#", e:wait()) end)
      local list = {}
      for i = 1, 3 do
        list[i] = green.spawn(function() return select("#", e:wait()) end)
      end
      green.sleep(0)
      local ok, err = pcall(e.send, e, unpack(VALUES))
      if not ok then problem("send", tostring(err)) end
      local how = check("the deep one", deep_one, N)
      for i = 1, 3 do
        if check("shallow " .. i, list[i], N) ~= "got" then problem("shallow", i) end
      end
      print(#problems == 0 and "fine" or table.concat(problems, "\n"))
    ]])
  end)

  for name, code in pairs(ENDS) do
    it(name, function()
      chunk.prints("fine\n", PRELUDE:format(1) .. ([[
        local q = green.Queue()
        for depth = DEEPEST - 40, DEEPEST do
          local t = green.spawn(function()
            return green.timeout(0.01, function()
              return (deep(depth, function() green.sleep(60) return 1 end))
            end)
          end)
          local waiter = green.spawn(function() return pcall(t.wait, t, 5) end)
          green.sleep(0)
          local ok, err = pcall(function() %s end)
          if not ok then problem(tostring(depth - DEEPEST), tostring(err)) end
          pcall(t.wait, t, 1)
          if not t:dead() then problem(tostring(depth - DEEPEST), t:status()) t:kill_soon() end
          if not waiter:wait(5) and not waiter:dead() then problem("the waiter waits on") end
          collectgarbage()
        end
        print(#problems == 0 and "fine" or table.concat(problems, "\n"))
      ]]):format(code))
    end)
  end
end)
