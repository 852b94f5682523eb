-- Native threads that run Lua, under plain luajit with the installed rock.

local program = require "spec.support.program"

local LUAJIT = os.getenv("LUAJIT_BIN") or "luajit"

local function run(code)
  return program.run { LUAJIT, "-e", [[
    local green, tpool = require "green", require "green.tpool"
  ]] .. code, patience = 60 }
end

local function output(code)
  local r = run(code)
  assert.equal("", r.err)
  assert.equal(0, r.status)
  return r.out
end

describe("native threads under plain luajit", function()
  it("call functions, with modules, waits and errors", function()
    assert.equal("6\ttrue\ntrue\nfalse\tEMINE\n", output [[
      local one, insert = 1, table.insert
      print(tpool.execute(function(t)
        insert(t, one)
        local sum = 0
        for _, n in ipairs(t) do sum = sum + n end
        return sum, require("green.tpool").inside()
      end, { 2, 3 }))
      print(tpool.execute(function() return require("green").sleep(0.001) == nil end))
      local ok, err = pcall(tpool.execute, function() error({ code = "EMINE" }) end)
      print(ok, err.code)
    ]])
  end)

  it("are told to stop", function()
    assert.equal("true\n7\n", output [[
      local pool = tpool.pool { threads = 1, killable = true, grace = 30 }
      local _, err = green.timeout(0.05, pool.execute, pool, function()
        while true do pcall(function() while true do end end) end
      end)
      print(green.is_timeout(err))
      print(pool:execute(function() return 7 end))
    ]])
  end)

  it("have channels, shared data and proxies", function()
    assert.equal("3\tx\nnumber\n", output [[
      local channel, data = tpool.channel(1), tpool.share { name = "x" }
      local t = green.spawn(tpool.execute, function()
        for i = 1, 3 do channel:put(i) end
        channel:put(data.name)
        channel:close()
      end)
      local last, name
      for value in channel:values() do last, name = name, value end
      t:wait()
      print(last, name)
      local time = tpool.Proxy(os).time
      collectgarbage()
      collectgarbage()
      print(type(time()))
    ]])
  end)

  it("run workers", function()
    assert.equal("12\ntrue\n", output [[
      local channel = tpool.channel(4)
      local workers = assert(green.workers(2, function(worker)
        worker.args:put(worker.index * 4)
        worker:wait()
      end, { args = channel }))
      print(channel:get() + channel:get())
      print(workers:stop())
    ]])
  end)

  -- The finalizer that ends the program cannot park; it said so on stderr.
  it("are told of the program's end, whatever they do", function()
    assert.equal("out\n", output [[
      local started = tpool.channel(4)
      local function begin(fn)
        green.spawn(tpool.execute, fn)
        started:get()
      end
      begin(function() started:put(1) while true do end end)
      begin(function() started:put(1) while true do io.type(1) end end)
      begin(function() started:put(1) require("green").sleep(1000) end)
      print("out")
    ]])
  end)

  it("are waited for where they are workers", function()
    assert.equal("out\nended\n", output [[
      local started = tpool.channel(1)
      assert(green.workers(1, function(worker)
        worker.args:put(1)
        pcall(require("green").sleep, 1000)
        io.stdout:write("ended\n")
        io.stdout:flush()
      end, { args = started }))
      started:get()
      io.stdout:write("out\n")
      io.stdout:flush()
    ]])
  end)
end)
