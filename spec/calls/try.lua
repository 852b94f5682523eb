-- Tries the calls of a subject, one after the other, and reports what is wrong.

local all = require "spec.calls.all"
local build = require "spec.calls.build"
local call = require "spec.calls.call"
local cases = require "spec.calls.cases"
local judge = require "spec.calls.judge"
local kit = require "spec.calls.kit"
local last = require "spec.calls.last"
local raw = require "spec.calls.raw"
local watch = require "spec.calls.watch"

local TIMES = 100 -- a wrong call is made, compiled
local SECONDS = 30 -- for a call, on a busy machine
local FDS = 200 -- open descriptors before garbage is collected

local M = {}
local index, from, mode = 0, 0, "interpreted"
local reported = {}

-- -- Reports ------------------------------------------------------------------

local function complain(case, why, message)
  local about = case.f.about
  local key = table.concat({ case.f.label, why, case.wrong and case.wrong.name or "" }, "\t")
  reported[key] = (reported[key] or 0) + 1
  if reported[key] <= 2 then
    raw.report("FAIL", ("%s:%d"):format(about.file, about.line), case.title, why, message or "")
  end
end

local function show(err)
  local ok, text = pcall(tostring, err)
  return ok and text or "(cannot be shown)"
end

local function check(case, err, place, args)
  case.args = args
  local why = judge.judge(err, place, case)
  if why then
    complain(case, why, show(err))
  end
end

-- -- A call -------------------------------------------------------------------

local function make_args(slots, case)
  local args = { n = #slots }
  for i, slot in ipairs(slots) do
    local value, wrong = cases.make(slot)
    args[i] = value
    if slot.entry and case.wrong then case.wrong.value = wrong end
  end
  return args
end

--- body(args) in a green thread; nil, how.
local function with_args(case, body)
  return call.apart(function()
    local ok, args = pcall(make_args, case.slots, case)
    if not ok then
      return { broken = args }
    end
    args.fn = case.f.text and build.value(case.f.text) or case.f.fn
    return args
  end, function(args)
    if args.broken then
      return args
    end
    local r = body(args)
    r.args = args
    return r
  end)
end

local function once(case)
  return with_args(case, function(args)
    return call.sites[case.site](args.fn, args) or { false, "never called", place = "" }
  end)
end

local function in_a_loop(case, count)
  local r = with_args(case, function(args)
    local said, place = call.loop(count, args.fn, args)
    return { said = said, place = place }
  end)
  build.clean()
  for err in pairs(r and r.said or {}) do
    check(case, err, r.place, r.args)
  end
end

local function tidy()
  if raw.free_fd() > FDS then
    collectgarbage()
    collectgarbage()
  end
  if mode == "compiled" and index % 20 == 0 then
    jit.flush()
  end
end

local function is_long(case)
  local long = kit.long[case.f.label]
  return long and (case.missing or case.wrong and long[case.wrong.entry[1]])
end

--- Try it, and judge.
local function try(case)
  index = index + 1
  if index <= from or is_long(case) then
    return
  end
  case.title = ("%s(%s)%s"):format(case.f.label, cases.show(case.slots),
    case.site ~= "plain" and " in " .. case.site or "")
  case.name, case.about = case.f.name, case.f.about
  raw.begin(index, case.title, SECONDS)
  local r, how = once(case)
  build.clean()
  if how == "stuck" then
    complain(case, "does not end", "")
  elseif r and r.broken then
    complain(case, "cannot be tried", show(r.broken))
  elseif r and not r[1] then
    check(case, r[2], r.place, r.args)
  end
  if mode == "compiled" and r and not r.broken then
    in_a_loop(case, kit.dear[case.f.label] and 3 or TIMES)
  end
  tidy()
  return r
end

-- -- A function ---------------------------------------------------------------

--- What right arguments do: good, and what a refusal says (a matter of state).
local function baseline(f, base)
  local slots = {}
  for i, text in ipairs(base) do slots[i] = { text = text } end
  if f.object then table.insert(slots, 1, { text = ("O%q"):format(f.class) }) end
  local r, how = with_args({ f = f, slots = slots }, function(args)
    return call.sites.plain(args.fn, args)
  end)
  build.clean()
  if r and r[1] == false then
    return false, judge.said(r[2], r.place)
  end
  return how == "waited" or r and r[1] or false
end

local function try_function(f, base)
  raw.begin(index, f.label .. ", called as it should be", SECONDS)
  local good, said = baseline(f, base)
  watch.options(f, base)
  cases.each(f, base, mode, function(slots, wrong, extra)
    local case = { f = f, slots = slots, wrong = wrong, good = good, base_said = said,
      site = index % 2 == 0 and "plain" or "direct" }
    for key, value in pairs(extra or {}) do case[key] = value end
    try(case)
  end)
end

--- Try all of a subject, from the call after that number.
function M.run(subject, baselines, how, after)
  mode, from = how, after
  local late = {}
  watch.learn()
  for _, f in ipairs(all.functions()) do
    if f.subject == subject then
      local base = baselines[f.label]
      if base then
        try_function(f, base)
        late[#late + 1] = { f, base }
      else
        complain({ f = f, title = f.label }, "was not tried")
      end
    end
  end
  for _, each in ipairs(mode ~= "compiled" and late or {}) do
    raw.begin(0, each[1].label .. ", kept for the end", SECONDS)
    call.apart(function() last.keep(each[1], each[2]) end, type)
  end
  last.wait(subject)
  raw.report("COUNT", subject, index, os.clock())
end

return M
