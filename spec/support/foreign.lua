-- Chunks about coroutines that greenlua did not resume: `raw` are Lua's functions,
-- kept from before `require "green"`, as other libraries and schedulers have them.
-- Each prints what plain Lua would print, wherever it runs.

local M = {}

local PRELUDE = [[
local raw = {}
for name, fn in pairs(coroutine) do raw[name] = fn end
local green = require "green"
local REFUSAL = "cannot wait in a coroutine that greenlua did not resume"

local function same(a, b)
  if a ~= b then error(("%s, not %s"):format(tostring(a), tostring(b)), 2) end
end

local function refused(fn, ...)
  local ok, err = pcall(fn, ...)
  same(ok, false)
  same(tostring(err):match(REFUSAL), REFUSAL)
end

local function collect() for _ = 1, 3 do collectgarbage() end end
]]

--- Where a chunk can run. %s: the chunk.
M.places = {
  ["the main chunk"] = "%s",
  ["a green thread"] = "green.spawn(function() %s end):wait()",
  ["a coroutine of the main chunk"] = "coroutine.wrap(function() %s end)()",
  ["a coroutine of a green thread"] = [[
    green.spawn(function() coroutine.wrap(function() %s end)() end):wait()]],
  ["a foreign coroutine"] = "assert(raw.resume(raw.create(function() %s end)))",
}

--- Name -> what is printed, and the chunk.
M.chunks = {
  ["yields go to whoever resumed it, and values come back"] = {
    "true\t1\tnil\t3\ntrue\ta\tnil\tc\ntrue\tend\nfalse\tcannot resume dead coroutine\n", [[
    local co = raw.create(function(...)
      coroutine.yield(...)
      local a, b, c = coroutine.yield("a", nil, "c")
      same(a, 1) same(b, nil) same(c, 3)
      return "end"
    end)
    print(raw.resume(co, 1, nil, 3))
    print(raw.resume(co))
    print(raw.resume(co, 1, nil, 3))
    print(raw.resume(co))
  ]] },

  ["wrap makes generators"] = { "1 2 3\n", [[
    local list = {}
    for i in raw.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do
      list[#list + 1] = i
    end
    print(table.concat(list, " "))
  ]] },

  ["nests with those of ours, in any order"] = { "f1 o1 f2 o2 f2 o2 end\n", [[
    local list = {}
    local function say(text) list[#list + 1] = text end
    local foreign = raw.wrap(function()
      say "f1"
      local own = coroutine.wrap(function()
        say "o1"
        local inner = raw.wrap(function()
          while true do say "f2" coroutine.yield() end
        end)
        for _ = 1, 2 do
          inner()
          say "o2"
          coroutine.yield()
        end
      end)
      own()
      coroutine.yield()
      own()
      coroutine.yield()
    end)
    foreign() foreign() foreign()
    say "end"
    print(table.concat(list, " "))
  ]] },

  ["running, status and isyieldable tell of it"] = { "normal suspended\ntrue\t2\ndead\n", [[
    local co
    co = raw.create(function()
      same(coroutine.running(), co)
      same(raw.running(), co)
      same(coroutine.status(co), "running")
      same(coroutine.isyieldable(), true)
      local seen = coroutine.wrap(function() return coroutine.status(co) end)()
      coroutine.yield(seen)
      coroutine.yield(2)
    end)
    local _, seen = raw.resume(co)
    print(seen .. " " .. coroutine.status(co))
    print(coroutine.resume(co)) -- asking has not made it a green thread's own
    raw.resume(co)
    print(coroutine.status(co))
  ]] },

  ["can change hands between resumers and green threads"] = { "1 2 3 4 5 6\n", [[
    local list = {}
    local co = raw.create(function() for i = 1, 6 do coroutine.yield(i) end end)
    local function step(resume)
      list[#list + 1] = select(2, assert(resume(co)))
    end
    local function other(resume)
      local t = green.spawn(step, resume)
      -- A foreign coroutine cannot wait for it: its turn comes later.
      if not pcall(t.wait, t) then t:kill_soon() step(resume) end
    end
    step(raw.resume) step(coroutine.resume)
    other(coroutine.resume) step(raw.resume)
    other(raw.resume) step(coroutine.resume)
    print(table.concat(list, " "))
  ]] },

  ["a wait raises, has no effect, and it goes on"] = { "true\twent on\ntrue\tend\n", [[
    local q, s = green.Queue(), green.Semaphore(0)
    local co = raw.create(function()
      refused(green.sleep, 1)
      refused(green.sleep)
      refused(q.get, q)
      refused(s.acquire, s)
      refused(green.timeout, 1, green.sleep, 1)
      refused(coroutine.wrap(function() green.sleep(1) end))
      same(q:getting(), 0)
      q:put(1) -- need not wait
      same(q:get(), 1)
      coroutine.yield("went on")
      refused(green.sleep, 1)
      return "end"
    end)
    print(raw.resume(co))
    print(raw.resume(co))
  ]] },

  ["errors pass to its resumer, objects as they are"] = { "false\ttrue\n", [[
    local err = {}
    local co = raw.create(function() coroutine.yield() error(err) end)
    raw.resume(co)
    local ok, same_err = raw.resume(co)
    print(ok, rawequal(err, same_err))
  ]] },

  ["with a hook works"] = { "true\t3\ntrue\n", [[
    local n = 0
    local co = raw.create(function()
      local sum = 0
      for i = 1, 2 do sum = sum + i coroutine.yield() end
      return sum
    end)
    debug.sethook(co, function() n = n + 1 end, "", 1)
    raw.resume(co) raw.resume(co)
    print(raw.resume(co))
    debug.sethook(co)
    debug.sethook()
    print(n > 0)
  ]] },

  ["dropped inside a scope takes that along"] = { "true\ntrue\n", [[
    local core = require "green.core"
    local function drop(scope, ...)
      local co, args = raw.create(scope), { ... }
      args[#args + 1] = function() coroutine.yield() end
      assert(raw.resume(co, unpack(args)))
    end
    jit.off(drop)
    collect()
    local timers = core.stats().timers
    drop(green.timeout, 5)
    drop(green.shield, 5)
    drop(green.with_timeout, 5)
    drop(green.timeout, 5, green.timeout, 3)
    drop(green.finally, function() end)
    collect()
    print(core.stats().timers == timers)
    local s = green.Semaphore(1)
    drop(s.with, s)
    collect()
    print(s:balance() == 1)
  ]] },
}

--- Chunks for places that can wait: name -> what is printed, and the chunk.
M.waiting = {
  ["schedulers of others go on between waits"] = { "30 30 30\n", [[
    local counts = { 0, 0, 0 }
    local function scheduler(k)
      local ready = {}
      for i = 1, 10 do
        ready[i] = raw.create(function()
          for _ = 1, 3 do counts[k] = counts[k] + 1 coroutine.yield(i) end
        end)
      end
      while #ready > 0 do
        for i = #ready, 1, -1 do
          assert(raw.resume(ready[i]))
          if raw.status(ready[i]) == "dead" then table.remove(ready, i) end
        end
        green.sleep(0)
      end
    end
    local list = {}
    for k = 1, 3 do list[k] = green.spawn(scheduler, k) end
    for _, t in ipairs(list) do t:wait() end
    print(table.concat(counts, " "))
  ]] },

  ["its yields are no checkpoints: a kill is raised where its resumer waits"] = {
    "1 2 3 killed\n", [[
    local list = {}
    local t = green.spawn(function()
      local gen = raw.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
      green.getcurrent():kill_soon()
      for _ = 1, 3 do list[#list + 1] = gen() end
      green.sleep(0)
      list[#list + 1] = "not reached"
    end)
    pcall(t.wait, t)
    list[#list + 1] = t:status()
    print(table.concat(list, " "))
  ]] },

  ["a yield at the top stays a turn for the others"] = { "a b a b a b\n", [[
    local list, threads = {}, {}
    for k, name in ipairs { "a", "b" } do
      threads[k] = green.spawn(function()
        for _ = 1, 3 do
          list[#list + 1] = name
          raw.resume(raw.create(function() coroutine.yield() end))
          coroutine.yield()
        end
      end)
    end
    for _, t in ipairs(threads) do t:wait() end
    print(table.concat(list, " "))
  ]] },
}

--- What holds at a place of M.places: what -> { what is printed, the whole chunk }.
function M.cases(place)
  local found = {}
  local function add(cases)
    for what, case in pairs(cases) do
      found[what] = { case[1], PRELUDE .. M.places[place]:gsub("%%s", function()
        return case[2]
      end) }
    end
  end
  add(M.chunks)
  if place ~= "a foreign coroutine" then
    add(M.waiting)
  end
  return found
end

return M
