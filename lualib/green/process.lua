--- Other processes: programs that are run, started, talked to; forks of this one.
-- @module green.process

local args = require "green.args"
local commands = require "green.process.command"
local fork = require "green.process.fork"
local pipeline = require "green.process.pipeline"
local run = require "green.process.run"
local spawn = require "green.process.spawn"

local M = {
  fork = fork.fork,
  wait = fork.wait,
  kill = fork.kill,
  getpid = fork.getpid,
}

--- Run a program to its end. When the thread is killed, or out of time, meanwhile, the
-- program is ended first: TERM, and KILL when it still runs after `grace` seconds. Parks.
--
-- A list of words never meets a shell. The program is looked for in the PATH that it will
-- have, of which parts that are no absolute paths do not count.
-- @tparam table command `{ "cmd", "arg", ..., option = value, ... }`; or a string
-- @tparam[opt] table opts options may stand here, too; behind a string, `shell` true is one of
-- them. Options: those of spawn, and `check` true: an end that is not status 0 is an error;
-- `timeout` seconds; `input`, a string or a list of
-- strings; `max_output` bytes of each output (64 MB); `linger` seconds that the outputs are
-- read after its end, while others hold them (1). Outputs are collected unless said otherwise
-- @treturn table `stdout`, `stderr`, and what child:wait gives: `status` or `signal`, `ok`,
-- `usage`; or nil, err: what spawn says; ETIMEDOUT, ETOOBIG and, with check, EEXITSTATUS, with
-- `command`, `stdout`, `stderr` and `result`; ECHILD
function M.run(command, opts)
  return run.run(command, opts)
end

--- Start a program. It ends with the green thread that started it, and with the program:
-- TERM, and KILL after `grace` seconds. Does not park.
-- @tparam table command `{ "cmd", "arg", ..., option = value, ... }`; or a string
-- @tparam[opt] table opts options may stand here, too; behind a string, `shell` true is one of
-- them. Options:
--
--   * `stdin` ("null"), `stdout` ("inherit"), `stderr` ("inherit"): "pipe" (child.stdin,
--     child.stdout, child.stderr), "null", "inherit", for stderr "stdout"; a file of Lua's, a
--     stream, a number of a descriptor
--   * `pty` true, or `{ rows =, cols = }`: a terminal of its own, child.pty, instead
--   * `cwd`; `env`: all of its variables; `extend_env`: some beside ours (false: not that one)
--   * `session` true, `group` true or the number of one; `kill_group` true: a group of its own,
--     and all of it is ended
--   * `gid`, `uid`, `groups`: numbers; without groups it has none but gid
--   * `limits`: `{ nofile = 64, cpu = { 1, 2 } }`, soft and hard
--   * `grace` seconds from TERM to KILL (2); `owned` false: it outlives its owner
-- @return the child; or nil, err: ENOENT (no such program, no such folder), EACCES, EPERM,
-- EAGAIN, EMFILE, ENOMEM; `err.step` says what could not be done
function M.spawn(command, opts)
  local list, options = commands.split(commands.table_of(command, opts, "spawn"), spawn.known,
    "spawn")
  return spawn.start(list, options, spawn.inherited, "spawn")
end

local popen_modes = { r = "stdout", w = "stdin" }

--- Start a program, and read what it writes, or write what it reads. Does not park.
-- @tparam table command as spawn
-- @tparam[opt="r"] string mode "r" or "w"
-- @return the stream
-- @return the child; or nil, err as spawn
function M.popen(command, mode)
  if type(command) == "string" then
    commands.table_of(command, nil, "popen")
  end
  local name = popen_modes[mode == nil and "r" or mode]
  if not name then
    args.wrong("popen", "mode", "'r' or 'w'", mode)
  end
  local list, options = commands.split(command, spawn.known, "popen")
  if options[name] ~= nil or options.pty then
    args.misuse("popen: %s is the stream", options.pty and "a pty" or name)
  end
  options[name] = "pipe"
  local child, err = spawn.start(list, options, spawn.inherited, "popen")
  if not child then
    return nil, err
  end
  return child[name], child
end

--- Run several programs to their ends, each reading what the one before writes. Parks.
-- @tparam table list `{ { "cmd", "arg", ... }, ..., option = value }`. The commands may
-- have options of spawn of their own, but for stdin and stdout. Options here: `check`,
-- `timeout`, `input`, `stdin`, `stdout`, `max_output`, `linger` as run's
-- @treturn table `stdout` of the last one, `stderr` of all, and `statuses`, what child:wait
-- gives of each; `ok`: all are, where those before the last may be ended by SIGPIPE; what else
-- run gives is the last one's. Or nil, err as run; the op says which failed
function M.pipe(list)
  return pipeline.run(list)
end

return M
