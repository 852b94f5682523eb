--- What `greenlua top` shows, as text: how the process does, and its green threads. Private to
-- the library.
-- @module green.backdoor.screen

local core = require "green.core"
local debugging = require "green.debug"
local look = require "green.status.look"
local natives = require "green.debug.natives"
local pacer = require "green.thread.pace"
local plain = require("green.thread.report").plain
local waits = require "green.thread.waits"

local concat, sort = table.concat, table.sort
local format, gsub, sub = string.format, string.gsub, string.sub
local floor, max, min = math.floor, math.max, math.min
local ipairs, pairs = ipairs, pairs

local MOST = 200 -- threads of a screen

local M = {}

-- How threads can be sorted: what makes one come first.
local orders = {
  waited = function(t) return t.wait and t.wait.waited or -1 end,
  stack = function(t) return t.stack or -1 end,
  newest = function(t) return t.id end,
  oldest = function(t) return -t.id end,
}

-- -- The threads --------------------------------------------------------------

--- Keep the first ones by an order: a list that is cut now and then. Parks, in steps.
local function first_threads(order, most)
  local key, list = orders[order] or orders.waited, {}
  local function before(a, b)
    local x, y = key(a), key(b)
    return x > y or x == y and a.id < b.id
  end
  local function cut()
    sort(list, before)
    for i = #list, most + 1, -1 do
      list[i] = nil
    end
  end
  for t in debugging.each_thread { traceback = false } do
    list[#list + 1] = t
    if #list >= 4 * most + 100 then
      cut()
    end
  end
  cut()
  return list
end

local function span(seconds)
  if not seconds then
    return "-"
  elseif seconds < 100 then
    return format("%.1f", seconds)
  end
  return format("%.0f", seconds)
end

local function size(n)
  local unit = n >= 2 ^ 30 and 30 or n >= 2 ^ 20 and 20 or n >= 1024 and 10 or 0
  return format(unit > 0 and "%.1f %s" or "%d %s", n / 2 ^ unit,
    unit == 30 and "GB" or unit == 20 and "MB" or unit == 10 and "KB" or "B")
end

local function row(t)
  local what = t.wait and waits.words(t.wait) or ""
  return format("%8d %-8s %8s %8s  %-22s %s", t.id, t.state, span(t.wait and t.wait.waited),
    t.stack and size(t.stack) or "-", sub(plain(t.name or t.spawned_at or ""), 1, 22), plain(what))
end

-- -- Native threads -----------------------------------------------------------

local MOST_NATIVES = 8

--- A line for each that is at work, the longest first; no more than a few, and the rest as a
-- number. Parks, in steps.
local function native_lines(most)
  local list, lines, pace = {}, {}, pacer()
  for n in natives.each() do
    pace()
    list[#list + 1] = n.state ~= "idle" and n or nil
  end
  sort(list, function(a, b) return a.seconds > b.seconds end)
  for i = 1, min(#list, most) do
    lines[i] = natives.text(list[i])
  end
  if most > 0 and #list > most then
    lines[#lines + 1] = format("and %d more", #list - most)
  end
  return lines
end

-- -- The head -----------------------------------------------------------------

local LEAST = 0.5 -- seconds: the rates of a moment are mostly those of the look itself
local forms = { cpu = "%.1f %%", turns = "%.0f/s", switches = "%.0f/s" }

--- Texts of rates since the last screen, which are kept where it was a moment ago; "-" at first.
local function rates(last, all)
  local loop = all.loop
  local values = { cpu = all.process.cpu * 100, turns = loop.turns, switches = loop.switches }
  local seconds = last.now and all.now - last.now
  if not seconds or seconds >= LEAST then
    last.shown = {}
    for name, form in pairs(forms) do
      last.shown[name] = seconds and format(form, (values[name] - last[name]) / seconds) or "-"
      last[name] = values[name]
    end
    last.now = all.now
  end
  return last.shown
end

local function ms(seconds)
  return format("%.2f ms", (seconds or 0) * 1e3)
end

local function process_lines(all, cpu)
  local p = all.process
  local up = span(p.uptime and max(p.uptime, 0))
  return format("greenlua %d, up %s s, %s, %s\n", p.pid, up, p.backend, p.luajit)
    .. format("cpu %s, resident %s, lua %s, descriptors %s of %s, native threads %s", cpu,
      p.resident and size(p.resident) or "-", size(all.memory.lua), p.fds or "-",
      p.max_fds or "-", p.native_threads or "-")
end

local function loop_line(loop, sockets)
  local latency = loop.latency
  return format("loop latency: p50 %s, p99 %s, most %s; descriptors watched %d, timers %d",
    ms(latency.p50), ms(latency.p99), ms(latency.most), sockets.known, loop.timers)
end

local function server_line(server)
  local latency = server.latency or {}
  return format("server %s: %s requests/s, p50 %s, p99 %s", plain(server.url or "?"),
    server.rate and format("%.1f", server.rate) or "-", ms(latency.p50), ms(latency.p99))
end

local function head(all, last)
  local loop, threads = all.loop, all.threads
  local rate = rates(last, all)
  local lines = {
    process_lines(all, rate.cpu),
    format("threads %d: %d ready, %d at i/o, %d wait; %d made; turns %s, switches %s",
      threads.alive, threads.ready, threads.io, threads.waiting, threads.spawned, rate.turns,
      rate.switches),
    loop_line(loop, all.sockets),
  }
  for _, server in ipairs(all.servers) do
    lines[#lines + 1] = server_line(server)
  end
  for _, pool in ipairs(all.jobs) do
    lines[#lines + 1] = format("native threads of %s: %d at work, %d jobs wait, %d done",
      plain(pool.name), pool.at_work, pool.queued, pool.done)
  end
  return lines
end

-- -- All of it ----------------------------------------------------------------

--- A screen. Parks, in steps.
-- @tparam table last what the last one has left for this one: a table of the caller's
-- @tparam number columns
-- @tparam number rows
-- @tparam string order "waited", "stack", "newest" or "oldest" first
-- @treturn string lines
function M.text(last, columns, rows, order)
  core.measure(true)
  local all = look.look { title = "", threads = 0, peers = true }
  local lines = head(all, last)
  for _, line in ipairs(native_lines(min(MOST_NATIVES, floor(rows / 8)))) do
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = ""
  lines[#lines + 1] = format("%8s %-8s %8s %8s  %-22s %s", "ID", "STATE", "WAITED", "STACK",
    "NAME, PLACE", "WAITS FOR")
  local most = max(1, min(rows - #lines - 1, MOST))
  for _, t in ipairs(first_threads(order, most)) do
    lines[#lines + 1] = row(t)
  end
  return (gsub(concat(lines, "\n") .. "\n", "[^\n]+", function(line)
    return sub(line, 1, columns)
  end))
end

return M
