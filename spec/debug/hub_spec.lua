local green = require "green"
local core = require "green.core"
local dbg = require "green.debug"
local testing = require "green.testing"

local it, real_it = testing.busted()

describe("green.debug.format_hub_timers", function()
  it("lists sleeps, timeouts of waits, starts and scopes, the earliest first", function()
    local all = {
      green.spawn(function() green.sleep(4) end):name("sleeper"),
      green.spawn(function() return green.Event():wait(1) end):name("waiter"),
      green.spawn(function() green.timeout(3, function() green.Event():wait() end) end)
        :name("limited"),
      green.spawn(function() green.shield(5, function() green.Event():wait(0.5) end) end)
        :name("shielded"),
      green.spawn_after(2, function() end):name("late"),
    }
    testing.settle()
    local text = dbg.format_hub_timers()
    assert.matches("^6 timers\n", text)
    local order = {}
    for due, what in text:gmatch("in ([%d.]+) s: (%a+ of #%d+ %a+) %(") do
      order[#order + 1] = due .. " " .. what:gsub("#%d+ ", "")
    end
    assert.same({ "0.5 wait of shielded", "1.0 wait of waiter", "2.0 start of late",
      "3.0 timeout of limited", "4.0 sleep of sleeper", "5.0 shield of shielded" }, order)
    green.joinall(all)
    assert.equal("0 timers\n", dbg.format_hub_timers())
  end)

  it("has tracebacks if hub_timer_stacks says so", function()
    local t = green.spawn(function() green.sleep(1) end)
    testing.settle()
    assert.not_matches("stack traceback", dbg.format_hub_timers())
    assert.is_false(dbg.hub_timer_stacks(true))
    assert.matches("\n    stack traceback:\n.*hub_spec.lua", dbg.format_hub_timers())
    assert.not_matches("stack traceback", dbg.format_hub_timers { traceback = false })
    assert.is_true(dbg.hub_timer_stacks())
    assert.matches("stack traceback", dbg.format_hub_timers { traceback = true })
    t:kill()
  end)
end)

describe("green.debug.format_hub_listeners", function()
  real_it("lists descriptors, what they are, and who reads, writes and watches", function()
    local l = assert(green.listen("127.0.0.1:0"))
    local _, port = l:sockname()
    local c = assert(green.connect("127.0.0.1", port))
    local s = assert(l:accept())
    local all = {
      green.spawn(function() c:read_some() end):name("reader"),
      green.spawn(function() c:write(("x"):rep(2 ^ 24)) end):name("writer"),
      green.spawn(function() green.wait { c } end):name("watcher"),
    }
    testing.settle()
    local text = dbg.format_hub_listeners()
    assert.matches(("\nfd %d, tcp listening on 127.0.0.1:%d: nobody waits\n"):format(
      core.fd_of(l._s), port), "\n" .. text)
    local block = text:match(("fd %d, tcp 127.0.0.1:%d:\n(.-)\nfd"):format(
      core.fd_of(c._s), port))
    assert.matches("  read by #%d+ reader %(parked", block)
    assert.matches("  watched by #%d+ ", block)
    assert.matches("  written by #%d+ writer %(parked", block)
    assert.not_matches("stack traceback", text)
    assert.is_false(dbg.hub_listener_stacks(true))
    assert.matches("read by #%d+ reader %b()\n    stack traceback:.-read_some",
      dbg.format_hub_listeners())
    assert.is_true(dbg.hub_listener_stacks(false))
    green.killall(all)
    for _, x in ipairs { s, c, l } do
      x:close()
    end
  end)

  real_it("tells connections that are idle, without a green thread", function()
    local server = assert(require("green.wsgi").new("127.0.0.1:0", function() return 200 end,
      { access_log = false, error_log = false })):start()
    local c = assert(green.connect(server.host, server.port))
    c:write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert.is_truthy(c:read_some())
    testing.settle_io()
    local _, from = c:sockname()
    assert.matches(("tcp 127.0.0.1:%d:\n  idle: "):format(from), dbg.format_hub_listeners())
    assert.matches("and %d+ of the library's own\n$", dbg.format_hub_timers())
    c:close()
    server:stop()
  end)
end)
