--- Where the time and the memory of a program go: CPU time, waits, and where memory is made, by
-- green thread, function and line.
--
-- It looks now and then (vm/profile.c), and costs nothing while it is off.
-- @module green.profile

local core = require "green.core"
local args = require "green.args"
local errors = require "green.error"
local options = require "green.args.options"
local result = require "green.profile.result"

-- Scripts may put their own in their places.
local format, time = string.format, os.time
local ipairs, require, tostring = ipairs, require, tostring

local M = {}

local known = { kind = true, period = true, bytes = true }
local signal_known = { kind = true, period = true, bytes = true, path = true }
local names = { "cpu", "wait", "alloc" }
local periods = { cpu = 0.005, wait = 0.01, alloc = 512 * 1024 }

local began = { cpu = 0, wait = 0, alloc = 0 } -- when; all there, so that none has to be made

-- -- Options --------------------------------------------------------------------

local function check_kind(kind, where)
  if kind ~= nil and not periods[args.type(kind, "string", where, "kind")] then
    args.misuse("%s: kind must be 'cpu', 'wait' or 'alloc', not %s", where, args.shown(kind))
  end
  return kind or "cpu"
end

local function check_range(value, least, most, where, name)
  args.number(value, least, where, name)
  if value > most then
    args.wrong(where, name, format("a number of at most %d", most), value)
  end
  return value
end

--- kind, period
local function check_options(opts, where)
  local kind = check_kind(opts.kind, where)
  local is_alloc = kind == "alloc"
  if opts.period ~= nil and is_alloc then
    args.misuse("%s: memory has no period (%s), but bytes: a sample each so many", where,
      args.shown(opts.period))
  elseif opts.bytes ~= nil and not is_alloc then
    args.misuse("%s: bytes (%s) are of kind 'alloc'; '%s' has a period, in seconds", where,
      args.shown(opts.bytes), kind)
  elseif opts.period ~= nil then
    return kind, check_range(opts.period, 0.0001, 3600, where, "period")
  elseif opts.bytes ~= nil then
    return kind, check_range(opts.bytes, 64, 2 ^ 40, where, "bytes")
  end
  return kind, periods[kind]
end

-- -- Start and stop -------------------------------------------------------------

local function failure(code, kind)
  local text
  local owner = core.profile_owner()
  if code == core.codes.EBUSY and owner == 0 then
    text = "LuaJIT's profiler is in use: by jit.profile or jit.p"
  elseif code == core.codes.EBUSY then
    text = format("LuaJIT's profiler is one a process, and another has it: the runtime of the "
      .. "thread %d, for its blocking detector or its profiler", owner)
  elseif code == core.codes.EALREADY then
    local _, seconds = core.profile_state(kind)
    text = format("a profile of kind '%s' has been on for %.1f s", kind, seconds)
  end
  return nil, errors.new(code, "profile", text)
end

local function start(kind, period)
  local code = core.profile_start(kind, period)
  if code < 0 then
    return failure(code, kind)
  end
  began[kind] = time()
  return true
end

--- Begin to look. Each kind is on or off by itself. Does not park.
-- @tparam[opt] table opts `kind` "cpu": where CPU time goes; "wait": where green threads wait;
-- "alloc": where memory of Lua's is made. `period` seconds from look to look (cpu 0.005, wait
-- 0.01); `bytes` of memory from sample to sample (524288)
-- @return true; or nil, err: EBUSY (another runtime of the process has LuaJIT's profiler: the
-- text says which), EALREADY (one of this kind is on)
function M.start(opts)
  opts = options.check(opts, known, "profile.start")
  return start(check_options(opts, "profile.start"))
end

--- Look no more. Does not park.
-- @tparam[opt] string kind of the one to end (the only one that is on)
-- @return what was seen (see the page); or nil, err: ENOENT (none is on), EINVAL (several are: say
-- which)
function M.stop(kind)
  if kind == nil then
    for _, name in ipairs(names) do
      if core.profile_state(name) then
        if kind then
          return nil, errors.new("EINVAL", "profile", format("both '%s' and '%s' are on: say which",
            kind, name))
        end
        kind = name
      end
    end
  else
    check_kind(kind, "profile.stop")
  end
  local seen = kind and core.profile_stop(kind)
  if not seen then
    return nil, errors.new("ENOENT", "profile", kind and format("no profile of kind '%s' is on",
      kind) or "no profile is on")
  end
  return result.new(kind, seen, began[kind])
end

--- For how many seconds has one been on? Does not park.
-- @tparam[opt="cpu"] string kind
-- @treturn number or nil: it is not on
function M.is_on(kind)
  local _, seconds = core.profile_state(check_kind(kind, "profile.is_on"))
  return seconds
end

-- -- By signal ------------------------------------------------------------------

--- "out.svg", "out-2.svg", ...: the first that is not there.
local function save_next(seen, path)
  local stem, ending = path:match("^(.*)(%.%a+)$")
  for i = 1, 1000 do
    local name = i == 1 and path or format("%s-%d%s", stem, i, ending)
    local ok, err = seen:save(name)
    if ok then
      return name
    elseif not err:is("EEXIST") then
      return nil, err
    end
  end
  return nil, errors.new("EEXIST", "write " .. path, "there are 1000 of that name")
end

local function say(what)
  core.complain(format("greenlua: profile: %s\n", what))
end

local function finish(kind, path)
  local seen, err = M.stop(kind)
  local name
  if seen then
    name, err = save_next(seen, path)
  end
  say(name and format("%s written to %s", kind, name) or tostring(err))
end

--- From now on a signal begins a profile, and the next one ends it and writes it to a file, in a
-- green thread; a line on standard error says so. Does not park.
-- @param name of the signal, "USR1", or its number
-- @tparam table opts as of start, and `path`: the file; where it is there already "-2", "-3" and
-- so on stand before the name's end
-- @return the signal's handler, with `cancel`; or nil, err: EINVAL (it cannot be caught)
function M.on_signal(name, opts)
  local signal = require "green.signal"
  signal.number(name, "profile.on_signal")
  opts = options.check(opts, signal_known, "profile.on_signal")
  local kind, period = check_options(opts, "profile.on_signal")
  local path = opts.path
  result.check_path(path, "profile.on_signal")
  return signal.handler(name, function()
    if core.profile_state(kind) then
      return finish(kind, path)
    end
    local ok, err = start(kind, period)
    say(ok and format("%s from now on, until the next signal", kind) or tostring(err))
  end)
end

return M
