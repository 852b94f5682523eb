-- greenlua spec/calls/run.lua MODE REPORT PLAN [SUBJECT FROM]
--
-- plan: find out what there is and write the plan. interpreted, compiled: try what
-- stands in SUBJECT ("module queue", "class green.Queue"), beginning with the call
-- after number FROM. The report has a line for each thing that is wrong.

local mode, report_path, plan_path, subject, from = ...
local lfs = require "lfs"
local root = lfs.currentdir()
package.path = root .. "/?.lua;" .. package.path

local raw = require "spec.calls.raw"
raw.open(report_path)
if mode ~= "compiled" then
  jit.off()
end

local build = require "spec.calls.build"
local find = require "spec.calls.find"
local green = require "green"
local plan = require "spec.calls.plan"

find.root = root .. "/"
if mode == "compiled" then
  require("jit.opt").start("hotloop=3", "hotexit=2")
end
green.on_error(function() end)

local function classes()
  local names = {}
  for class in pairs(find.classes()) do
    -- Others were made by trying the function that makes classes.
    if class:find("^green%.") then names[#names + 1] = class end
  end
  table.sort(names)
  for _, class in ipairs(names) do
    if find.is_unsealed(class) then
      raw.report("FAIL", class, class, "is not sealed: see green.args.class", "")
    end
    raw.report(build.is_known(class) and "CLASS" or "MISSING", class, build.recipes[class] or "kit")
  end
end

local function explore()
  local skipped, file = {}, io.open(plan_path .. ".skip")
  for label in file and file:lines() or function() end do skipped[label] = true end
  local baselines = plan.explore(skipped)
  build.write_plan(plan_path, baselines)
  classes()
  for _, module in ipairs(find.modules()) do
    raw.report("MODULE", module)
  end
  for holder in pairs(require("spec.calls.kit").holders) do
    raw.report("HOLDER", holder)
  end
end

--- Calls may write files: they do it where nothing stands.
local function away()
  local path = report_path .. ".away"
  assert(lfs.mkdir(path))
  assert(lfs.chdir(path))
end

local try = require "spec.calls.try"
away()
local ok, err = xpcall(function()
  if mode == "plan" then
    explore()
  else
    local baselines = build.read_plan(plan_path)
    try.run(subject, baselines, mode, tonumber(from) or 0)
  end
end, debug.traceback)
if not ok then
  raw.report("BROKEN", subject or mode, err)
end
raw.report("END", subject or mode)
raw.begin(0, "the end of the program", 30)
