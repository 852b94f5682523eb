--- Running programs to their end: one, or several whose outputs are the next one's inputs.
-- Private to green.process.

local core = require "green.core"
local args = require "green.args"
local command = require "green.process.command"
local errors = require "green.error"
local spawn = require "green.process.spawn"
local talk = require "green.process.talk"
local thread = require "green.thread"

local M = {}

local known = { check = true, input = true }
for _, names in ipairs { spawn.known, talk.known } do
  for name in pairs(names) do
    known[name] = true
  end
end
known.owned = nil
M.known = known

local TAIL = 200 -- bytes of stderr in a message

--- The end of what it said on standard error, in one line.
local function tail_of(text)
  text = (text or ""):sub(-TAIL - 1):gsub("%s+$", ""):gsub("%s*\n%s*", " | ")
  return #text > TAIL and "..." .. text:sub(-TAIL) or text
end

--- The error of a program that did not end with status 0.
local function exit_failure(result, op, argv, stderr)
  local tail = tail_of(stderr)
  return nil, errors.new("EEXITSTATUS", op,
    tostring(result) .. (tail ~= "" and ": " .. tail or ""), {
      command = argv, result = result, status = result.status, signal = result.signal,
      stdout = result.stdout, stderr = result.stderr,
    })
end
M.exit_failure = exit_failure

--- The result; with check nil, err for one that is not ok.
local function checked(result, opts, op, argv)
  if not opts.check or result.ok then
    return result
  end
  return exit_failure(result, op, argv, result.stderr)
end

--- See green.process.
function M.run(spec, more)
  local list, opts = command.split(command.table_of(spec, more, "run"), known, "run")
  args.optional(opts.check, "boolean", "run", "check")
  if opts.input ~= nil and opts.stdin ~= nil then
    args.misuse("run: input or stdin, not both")
  end
  talk.prepare(opts.input, opts, "run")
  core.waiter() -- where that raises, nothing is started
  thread.checkpoint()
  local defaults = { stdin = opts.input ~= nil and "pipe" or "null", stdout = "pipe",
    stderr = "pipe" }
  local child, err = spawn.start(list, opts, defaults, "run")
  if not child then
    return nil, err
  end
  local op = "run " .. child.shown
  local result
  result, err = talk.one(child, opts.input, opts, "run", op)
  child:close()
  if not result then
    err.command = child.argv
    return nil, err
  end
  return checked(result, opts, op, child.argv)
end

return M
