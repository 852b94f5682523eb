--- Starting a program. Private to green.process.

local core = require "green.core"
local args = require "green.args"
local child = require "green.process.child"
local command = require "green.process.command"
local errors = require "green.error"
local owned = require "green.process.owned"
local plan = require "green.process.plan"
local wiring = require "green.process.wiring"

local api = require "green.ffi.child"
local ffi = require "ffi"

local KILL = 9
local GRACE = 2 -- seconds from TERM to KILL

local M = {}

--- The options of a spawn.
M.known = { stdin = true, stdout = true, stderr = true, grace = true, kill_group = true,
  owned = true }
for name in pairs(plan.known) do
  M.known[name] = true
end

M.inherited = { stdin = "null", stdout = "inherit", stderr = "inherit" }

local steps = {
  folder = "cannot enter the folder %s",
  setgroups = "cannot set the groups",
  setgid = "cannot set the group",
  setuid = "cannot set the user",
  session = "cannot have a session or group of its own",
  terminal = "cannot have the terminal",
  limits = "cannot set the limits",
  descriptors = "cannot set the descriptors",
}

--- Why it could not be started; name: the step that failed.
local function failure(name, code, argv, opts, where)
  local text = select(2, core.errtext(code))
  if name == "exec" then
    text = code == core.codes.ENOENT and "no such program" or "cannot be executed: " .. text
  elseif steps[name] then
    text = steps[name]:format(command.shown { opts.cwd or "" }) .. ": " .. text
  end
  return nil, errors.new(code, ("%s %s"):format(where, command.shown(argv)), text,
    { step = name, command = argv })
end

local function grace_of(opts, where)
  if opts.grace == nil then
    return GRACE
  end
  return math.min(args.number(opts.grace, 0, where, "grace"), 1e9)
end

--- Is all of a group of its own to end with it? Of a terminal's: unless said otherwise.
local function kills_group_of(opts, where)
  args.optional(opts.kill_group, "boolean", where, "kill_group")
  if opts.kill_group and type(opts.group) == "number" then
    args.misuse("%s: kill_group needs a group of its own, not another's", where)
  elseif opts.kill_group == nil then
    return opts.pty ~= nil and opts.pty ~= false
  end
  return opts.kill_group
end

--- Does it lead a group, its own?
local function leads_of(p, opts)
  return p.flags ~= 0 and (p.flags ~= ffi.C.GREEN_CHILD_GROUP or type(opts.group) ~= "number")
end

--- Which number it is to have, and whose it is.
local function start(c, self, kept, w, opts)
  local pointer = plan.finish(kept, w.fds)
  if opts.owned ~= false then
    self._record = owned.add(c, self._grace, self._group)
  end
  wiring.flush(w)
  local code = core.spawn_child(c, pointer)
  if code < 0 then
    owned.release(self._record)
    return code
  end
  self.pid = api.pid(c)
  wiring.finish(w)
  self._writers = wiring.start(w)
  return 0
end

--- Start a program of words and options that M.known allows.
-- @tparam table defaults of stdin, stdout and stderr
-- @return the child; or nil, err
function M.start(list, opts, defaults, where)
  local argv, kept = plan.new(list, opts, where)
  local grace = grace_of(opts, where)
  args.optional(opts.owned, "boolean", where, "owned")
  local kills_group = kills_group_of(opts, where)
  if kills_group and kept.plan.flags == 0 then
    kept.plan.flags = ffi.C.GREEN_CHILD_GROUP
  end
  if #kept.places == 0 then
    return failure("exec", core.codes.ENOENT, argv, opts, where)
  end
  local c = core.object("child")
  local self = child.new(c, argv, grace, leads_of(kept.plan, opts), kills_group)
  local w, err = wiring.new(opts, defaults, where)
  if not w then
    return nil, err
  end
  child.wire(self, w.ours)
  local ok, code = pcall(start, c, self, kept, w, opts)
  if ok and code == 0 then
    return self
  end
  wiring.undo(w)
  if not ok then -- no memory
    api.stop(c, KILL, 0, 0)
    error(code, 0)
  end
  local step = api.step(c)
  return failure(step ~= nil and ffi.string(step) or nil, code, argv, opts, where)
end

return M
