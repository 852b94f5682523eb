--- A command as C starts it: the plan of green_child_spawn. Private to green.process.

local args = require "green.args"
local command = require "green.process.command"

local api = require "green.ffi.child"
local ffi = require "ffi"

local C = ffi.C
local texts_t = ffi.typeof("const char *[?]")
local numbers_t = ffi.typeof("int32_t[?]")
local ids_t = ffi.typeof("uint32_t[?]")
local limits_t = ffi.typeof("green_child_limit[?]")
local plan_t = ffi.typeof("green_child_plan")
local plan_ptr = ffi.typeof("const green_child_plan *")

local ID_MOST = 2 ^ 32 - 2 -- the number above means "as it is"
local PID_MOST = 2 ^ 31 - 1

local M = {}

--- A list of strings as C has it. The strings must be kept by other means.
local function texts(list)
  local all = texts_t(#list + 1)
  for i, text in ipairs(list) do
    all[i - 1] = text
  end
  return all
end

-- -- Who it is ------------------------------------------------------------------

local function put_groups(plan, kept, groups, where)
  args.list(groups, where, "groups", "numbers")
  kept.groups = ids_t(math.max(#groups, 1))
  for i = 1, #groups do
    kept.groups[i - 1] = args.integer(groups[i], 0, where, "groups", ID_MOST)
  end
  plan.groups, plan.n_groups = kept.groups, #groups
end

local function id(value, where, name)
  return value == nil and -1 or args.integer(value, 0, where, name, ID_MOST)
end

--- A user without a group would keep ours, and all of our supplementary ones.
local function put_ids(plan, kept, opts, where)
  plan.uid, plan.gid = id(opts.uid, where, "uid"), id(opts.gid, where, "gid")
  plan.n_groups = -1
  if opts.gid ~= nil or opts.groups ~= nil then
    put_groups(plan, kept, opts.groups == nil and {} or opts.groups, where)
  end
  if opts.gid == nil and (opts.uid ~= nil or opts.groups ~= nil) then
    local name = opts.uid ~= nil and "uid" or "groups"
    args.misuse("%s: %s must not be %s alone: uid and groups need a gid", where, name,
      args.shown(opts[name]))
  end
end

-- -- What it may use --------------------------------------------------------------

local function limit(value, where, name)
  return args.number(value, 0, where, name)
end

local function put_limit(one, name, value, where)
  local resource = type(name) == "string" and api.resource(name) or -1
  if resource < 0 then
    args.misuse("%s: unknown limit %s", where, args.shown(name))
  end
  local label = "limits." .. name
  one.resource = resource
  if type(value) == "table" then
    one.soft, one.hard = limit(value[1], where, label), limit(value[2], where, label)
  else
    one.soft = limit(value, where, label)
    one.hard = one.soft
  end
end

local function put_limits(plan, kept, limits, where)
  if limits == nil then
    return
  end
  args.plain(limits, where, "limits")
  local n = 0
  for _ in pairs(limits) do
    n = n + 1
  end
  kept.limits = limits_t(math.max(n, 1))
  local i = 0
  for name, value in pairs(limits) do
    put_limit(kept.limits[i], name, value, where)
    i = i + 1
  end
  plan.limits, plan.n_limits = kept.limits, n
end

-- -- Where it stands --------------------------------------------------------------

local function flags_of(opts, where)
  args.optional(opts.session, "boolean", where, "session")
  if opts.session or opts.pty then
    return C.GREEN_CHILD_SESSION + (opts.pty and C.GREEN_CHILD_TERMINAL or 0), 0
  elseif opts.group == nil or opts.group == false then
    return 0, 0
  end
  local group = opts.group == true and 0
    or args.integer(opts.group, 1, where, "group", PID_MOST)
  return C.GREEN_CHILD_GROUP, group
end

local function folder_of(opts, where)
  if opts.cwd == nil then
    return nil
  end
  args.type(opts.cwd, "string", where, "cwd")
  return command.check_text(opts.cwd, where, "cwd")
end

--- The options that make a plan.
M.known = {
  shell = true, cwd = true, env = true, extend_env = true, session = true, group = true,
  pty = true, uid = true, gid = true, groups = true, limits = true,
}

--- The words of the command, and all but the descriptors of its plan.
-- @treturn table argv
-- @treturn table what is to be kept while the plan is used
function M.new(list, opts, where)
  local argv = command.words(list, opts.shell, where)
  local env, path = command.environment(opts, where)
  local kept = { argv = argv, env = env, places = command.places(argv[1], path) }
  kept.folder = folder_of(opts, where)
  local plan = plan_t()
  kept.plan = plan
  kept.argv_c, kept.places_c = texts(argv), texts(kept.places)
  plan.argv, plan.paths = kept.argv_c, kept.places_c
  if env then
    kept.env_c = texts(env)
    plan.envp = kept.env_c
  end
  plan.folder = kept.folder
  plan.flags, plan.group = flags_of(opts, where)
  put_ids(plan, kept, opts, where)
  put_limits(plan, kept, opts.limits, where)
  return argv, kept
end

--- Say which numbers of ours are the child's 0, 1, 2, ... A pointer for core.spawn_child.
function M.finish(kept, fds)
  kept.fds = numbers_t(#fds + 1)
  for i = 0, #fds do
    kept.fds[i] = fds[i]
  end
  kept.plan.fds, kept.plan.n_fds = kept.fds, #fds + 1
  kept.pointer = plan_ptr(kept.plan)
  return kept.pointer
end

return M
