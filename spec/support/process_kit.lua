-- What specs of green.process share: errors, zombies, a child that says when it is there.

local errors = require "green.error"
local luassert = require "luassert"
local process = require "green.process"

local ffi = require "ffi"

ffi.cdef [[
int process_kit_waitid(int idtype, unsigned id, void *info, int options) __asm__("waitid");
int process_kit_kill(int pid, int signo) __asm__("kill");
int process_kit_waitpid(int pid, int *status, int options) __asm__("waitpid");
unsigned process_kit_getuid(void) __asm__("getuid");
]]
local C = ffi.C

local WNOHANG, WEXITED, WNOWAIT = 1, 4, 0x1000000

local M = {}

--- Assert that the results are nil and an error with that code; the error.
function M.fails(code, value, err)
  luassert.is_nil(value)
  luassert.is_true(errors.is_error(err, code), tostring(err))
  return err
end

--- Assert that it raises misuse with that text, in the caller's file.
function M.refuses(text, fn, ...)
  local ok, err = pcall(fn, ...)
  luassert.is_false(ok)
  luassert.is_truthy(tostring(err):find(text, 1, true), tostring(err))
end

--- Has this process a child that runs, or one that nobody has waited for?
function M.has_children()
  return C.process_kit_waitid(0, 0, ffi.new("char[256]"), WEXITED + WNOHANG + WNOWAIT) == 0
end

--- Take a child's end, as a careless library does. Stops the loop.
function M.reap(pid)
  return C.process_kit_waitpid(pid, nil, 0) == pid
end

function M.exists(pid)
  return C.process_kit_kill(pid, 0) == 0
end

function M.is_root()
  return C.process_kit_getuid() == 0
end

--- A child that runs the shell's text, which prints a line when it is as far as that.
function M.spawn_ready(text, opts)
  local command = { "sh", "-c", text, stdout = "pipe" }
  for name, value in pairs(opts or {}) do
    command[name] = value
  end
  local child = assert(process.spawn(command))
  luassert.equal("ready", child.stdout:read_line())
  return child
end

-- A shell that does nothing, in pieces short enough for a trap between them. It has no child
-- that would hold its pipes.
M.for_ever = "echo ready; while :; do :; done"
M.stubborn = "trap '' TERM; echo ready; while :; do :; done"

return M
