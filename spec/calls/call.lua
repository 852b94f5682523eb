-- The places where calls are made: what they raise must name this file and the
-- line. Each call runs in a green thread of its own and is cut short if it waits.

local find = require "spec.calls.find"
local green = require "green"

local HERE = debug.getinfo(1, "S").short_src .. ":%d: "
local WAIT = 0.001 -- seconds, for a call that may wait legally
local PATIENCE = 20 -- seconds, for one that does not give in to a timeout

local M = {}

local function pack(...)
  return { n = select("#", ...), ... }
end

local function line()
  return debug.getinfo(2, "l").currentline
end

-- -- Sites: function(fn, args) -> results of pcall, with `place` ---------------

local sites = {}

--- pcall(s.read, s, "x"): no Lua function of the caller's between.
function sites.direct(fn, args)
  local at, r = line(), pack(pcall(fn, unpack(args, 1, args.n)))
  r.place = HERE:format(at)
  return r
end

--- An ordinary call.
function sites.plain(fn, args)
  local at
  local function body()
    at = line() + 1
    local r = pack(fn(unpack(args, 1, args.n)))
    return unpack(r, 1, r.n)
  end
  local r = pack(pcall(body))
  r.place = HERE:format(at)
  return r
end

--- Inside a comparison of table.sort: a C frame that cannot be left.
function sites.sort(fn, args)
  local r
  pcall(table.sort, { 1, 2 }, function()
    r = r or sites.plain(fn, args)
    return false
  end)
  return r
end

--- In a coroutine of the program's own.
function sites.coroutine(fn, args)
  local r
  coroutine.wrap(function()
    r = sites.plain(fn, args)
  end)()
  return r
end

--- In a finalizer.
function sites.finalizer(fn, args)
  local r
  do
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
      r = sites.plain(fn, args)
    end
  end
  for _ = 1, 3 do
    collectgarbage()
  end
  return r
end

M.sites = sites

-- -- Loops for the compiler ---------------------------------------------------

local loops = {}

--- A new function for each use: its trace knows nothing of other calls.
local function new_loop(n)
  if not loops[n] then
    local names = {}
    for i = 1, n do names[i] = "a" .. i end
    local list = n > 0 and ", " .. table.concat(names, ", ") or ""
    loops[n] = ("local count, fn%s = ...\nlocal said = {}\nfor i = 1, count do\n"
      .. "local ok, err = pcall(fn%s)\nif not ok then said[err == nil and 'nil' or err] = i end"
      .. "\nend\nreturn said"):format(list, list)
  end
  return assert(loadstring(loops[n], "@spec/calls/hot.lua"))
end

--- count calls in a loop; the errors they raised: error -> true. Their place.
function M.loop(count, fn, args)
  local said = new_loop(args.n)(count, fn, unpack(args, 1, args.n))
  return said, "spec/calls/hot.lua:4: "
end

-- -- A call in a thread of its own ---------------------------------------------

--- Is it what a timeout raises? Nothing of the value's own runs.
function M.is_timeout(value)
  return type(value) == "table" and (rawget(value, "is_timeout") == true
    or find.class_of(value) ~= nil and rawget(value, "code") == "ETIMEDOUT")
end

--- body(prepare()) in a green thread of its own; body is cut short when it waits.
-- What it returned (a table); or nil and "waited", "killed", "stuck" (a timeout does
-- not end it), or what it raised.
function M.apart(prepare, body)
  local result, cut
  local thread = green.spawn(function()
    local given = prepare()
    result, cut = green.timeout(WAIT, body, given)
  end)
  local ok, err = pcall(thread.wait, thread, PATIENCE)
  if result and result[1] == false and M.is_timeout(result[2]) then
    return nil, "waited"
  elseif result then
    return result
  elseif not thread:dead() then
    thread:kill_soon({ force_after = 0.1 })
    return nil, "stuck"
  elseif cut then
    return nil, "waited"
  end
  return nil, not ok and type(err) == "string" and err or "killed"
end

return M
