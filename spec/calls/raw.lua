-- A child's way out: nothing of what is tested stands between it and its report.

local ffi = require "ffi"

ffi.cdef [[
int calls_open(const char *path, int flags, int mode) __asm__("open");
int calls_dup3(int fd, int to, int flags) __asm__("dup3");
int calls_close(int fd) __asm__("close");
long calls_write(int fd, const void *p, size_t n) __asm__("write");
long calls_pwrite(int fd, const void *p, size_t n, long at) __asm__("pwrite");
unsigned calls_alarm(unsigned seconds) __asm__("alarm");
int calls_getpid(void) __asm__("getpid");
void calls_exit(int status) __asm__("_exit");
]]
local C = ffi.C

local O_WRONLY, O_CREAT, O_APPEND, O_CLOEXEC = 1, 0x40, 0x400, 0x80000
local REPORT, PROGRESS = 900, 901 -- beyond every descriptor that a wrong call may hit
local WIDTH = 400 -- bytes of a progress line

local M = {}

local function open(path, flags, to)
  local fd = C.calls_open(path, flags, 420)
  assert(fd >= 0, path)
  assert(C.calls_dup3(fd, to, O_CLOEXEC) == to)
  C.calls_close(fd)
end

--- Reports go to path, the call that is under way to path .. ".at".
function M.open(path)
  open(path, O_WRONLY + O_CREAT + O_APPEND, REPORT)
  open(path .. ".at", O_WRONLY + O_CREAT, PROGRESS)
end

--- One line of the report: fields, told apart by tabs.
function M.report(...)
  local words = { ... }
  for i, word in ipairs(words) do
    words[i] = tostring(word):gsub("[%c]", " "):sub(1, 600)
  end
  local line = table.concat(words, "\t") .. "\n"
  C.calls_write(REPORT, line, #line)
end

--- This call begins; it has some seconds, else SIGALRM ends the process.
function M.begin(index, title, seconds)
  local line = ("%d\t%s"):format(index, title):sub(1, WIDTH - 1)
  line = line .. (" "):rep(WIDTH - 1 - #line) .. "\n"
  C.calls_pwrite(PROGRESS, line, WIDTH, 0)
  C.calls_alarm(seconds)
end

--- The lowest free descriptor: how many are open, nearly.
function M.free_fd()
  local fd = C.calls_open("/dev/null", O_CLOEXEC, 0)
  C.calls_close(fd)
  return fd
end

M.getpid = C.calls_getpid
M.exit = C.calls_exit

return M
