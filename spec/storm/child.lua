-- fork and what belongs to it, for programs that know nothing of greenlua; pipes
-- that are read and written without the loop.

local ffi = require "ffi"

ffi.cdef [[
int storm_fork(void) __asm__("fork");
int storm_waitpid(int pid, int *status, int options) __asm__("waitpid");
int storm_pipe2(int *fds, int flags) __asm__("pipe2");
int storm_close(int fd) __asm__("close");
long storm_read(int fd, void *p, size_t n) __asm__("read");
long storm_write(int fd, const void *p, size_t n) __asm__("write");
int storm_kill(int pid, int signo) __asm__("kill");
int storm_getpid(void) __asm__("getpid");
unsigned storm_alarm(unsigned seconds) __asm__("alarm");
]]
local C = ffi.C

local O_CLOEXEC, O_NONBLOCK, WNOHANG, KILL = 0x80000, 0x800, 1, 9

local M = {}

function M.pipe()
  local fds = ffi.new("int[2]")
  assert(C.storm_pipe2(fds, O_CLOEXEC + O_NONBLOCK) == 0)
  return fds[0], fds[1]
end

function M.close(fd)
  C.storm_close(fd)
end

function M.write(fd, text)
  C.storm_write(fd, text, #text)
end

--- What stands in a pipe now.
function M.read(fd)
  local chunk = ffi.new("char[4096]")
  local n = tonumber(C.storm_read(fd, chunk, 4096))
  return n > 0 and ffi.string(chunk, n) or ""
end

function M.fork()
  local pid = C.storm_fork()
  assert(pid >= 0, "fork failed")
  return pid
end

function M.kill(pid)
  C.storm_kill(pid, KILL)
end

M.getpid = C.storm_getpid

--- End this process in that many seconds, whatever it does then.
function M.limit(seconds)
  C.storm_alarm(seconds)
end

--- Has it ended? Its status; a negative number for a signal; nil: it runs.
function M.status(pid)
  local box = ffi.new("int[1]")
  if C.storm_waitpid(pid, box, WNOHANG) ~= pid then
    return nil
  end
  local signal = bit.band(box[0], 127)
  return signal ~= 0 and -signal or bit.rshift(box[0], 8)
end

--- Processor seconds that a process has used.
function M.cpu(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read("*a") or ""
  if file then file:close() end
  local user, system = text:match("%) %S" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  return user and (user + system) / 100 or 0
end

return M
