-- Runs children that try calls, two at a time, and goes on behind a call that ends
-- the process. In the process of the spec.

local lfs = require "lfs"
local program = require "spec.support.program"

local AT_ONCE = 2
local ENDS = 25 -- ends of its process before a subject is given up

local M = {}

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

--- A folder of our own.
local function new_folder()
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  return path
end

M.folder = new_folder()
M.plan = M.folder .. "/plan"
local count = 0

function M.remove_folder()
  os.execute("rm -rf " .. M.folder)
end

-- -- One child ----------------------------------------------------------------

local function start(mode, subject, from)
  count = count + 1
  local report = ("%s/%d"):format(M.folder, count)
  local p = program.start_greenlua {
    "spec/calls/run.lua", mode, report, M.plan, subject, tostring(from or 0),
    env = { GREENLUA_HISTORY = "" },
  }
  p:close_stdin()
  p.report, p.mode, p.subject = report, mode, subject
  return p
end

--- The last thing it wrote, and how it ended.
local function epitaph(p)
  local how = p.signal == 14 and "does not end" or p.signal and "ends the process: signal "
    .. p.signal or "ends the process: status " .. tostring(p.status)
  local said = p.err:match("ERROR: (AddressSanitizer[^\n]*)") or p.err:match("runtime error[^\n]*")
    or p.err:sub(-200)
  return how, said
end

--- Lines of its report; if a call ended it, that one is the last, and its number.
local function finish(p)
  p:wait()
  local lines = {}
  for line in read(p.report):gmatch("[^\n]+") do lines[#lines + 1] = line end
  if p.status == 0 and read(p.report):find("END\t", 1, true) then
    return lines
  end
  local at, title = read(p.report .. ".at"):match("^(%d+)\t(.-)%s*$")
  local how, said = epitaph(p)
  lines[#lines + 1] = ("FAIL\t%s\t%s\t%s\t%s"):format(p.subject, title or "at the start",
    how .. " (" .. p.mode .. ")", said:gsub("%c", " "))
  return lines, tonumber(at), title
end

-- -- All of them --------------------------------------------------------------

--- Find out what there is. Lines of the report.
function M.explore()
  local lines = {}
  for _ = 1, ENDS do
    local p = start("plan", "plan")
    while not p:poll() do p:listen(20) end
    local more, at, title = finish(p)
    for _, line in ipairs(more) do
      if at or line:find("^FAIL") or #more > 1 then lines[#lines + 1] = line end
    end
    if not at then
      return lines
    end
    local file = io.open(M.plan .. ".skip", "a")
    file:write(title:match("^plan ([^(]*)"), "\n")
    file:close()
  end
  return lines
end

--- Try these subjects in that mode. Lines of all reports.
function M.try(mode, subjects)
  local lines, running, next_one, ends = {}, {}, 1, {}
  local function launch(subject, from)
    running[#running + 1] = start(mode, subject, from)
  end
  local function reap(i)
    local p = table.remove(running, i)
    local more, at = finish(p)
    for _, line in ipairs(more) do lines[#lines + 1] = line end
    ends[p.subject] = (ends[p.subject] or 0) + 1
    if at and at > 0 and ends[p.subject] < ENDS then
      launch(p.subject, at)
    end
  end
  while next_one <= #subjects or #running > 0 do
    while #running < AT_ONCE and next_one <= #subjects do
      launch(subjects[next_one])
      next_one = next_one + 1
    end
    for i = #running, 1, -1 do
      if running[i]:poll() then reap(i) else running[i]:listen(10) end
    end
  end
  return lines
end

return M
