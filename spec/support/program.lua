-- Runs programs as children, on pipes or on a terminal of their own, and talks
-- to them. It stops the loop while it waits: the child is what is tested.

local ffi = require "ffi"

ffi.cdef [[
typedef struct program_pollfd { int fd; short events; short revents; } program_pollfd;
int program_pipe2(int *fds, int flags) __asm__("pipe2");
int program_close(int fd) __asm__("close");
long program_read(int fd, void *p, size_t n) __asm__("read");
long program_write(int fd, const void *p, size_t n) __asm__("write");
int program_poll(program_pollfd *p, unsigned long n, int ms) __asm__("poll");
int program_kill(int pid, int signo) __asm__("kill");
int program_waitpid(int pid, int *status, int options) __asm__("waitpid");
int program_openpt(int flags) __asm__("posix_openpt");
int program_grantpt(int fd) __asm__("grantpt");
int program_unlockpt(int fd) __asm__("unlockpt");
const char *program_ptsname(int fd) __asm__("ptsname");
int program_fcntl(int fd, int cmd, ...) __asm__("fcntl");
int program_ioctl(int fd, unsigned long request, void *p) __asm__("ioctl");
int program_spawnp(int *pid, const char *file, const void *actions, const void *attr,
                   const char *const *argv, const char *const *env) __asm__("posix_spawnp");
int program_actions_init(void *a) __asm__("posix_spawn_file_actions_init");
int program_actions_destroy(void *a) __asm__("posix_spawn_file_actions_destroy");
int program_actions_dup2(void *a, int fd, int to) __asm__("posix_spawn_file_actions_adddup2");
int program_actions_open(void *a, int fd, const char *path, int flags, unsigned mode)
  __asm__("posix_spawn_file_actions_addopen");
int program_attr_init(void *a) __asm__("posix_spawnattr_init");
int program_attr_destroy(void *a) __asm__("posix_spawnattr_destroy");
int program_attr_setflags(void *a, short flags) __asm__("posix_spawnattr_setflags");
int program_attr_setsigdefault(void *a, const void *set)
  __asm__("posix_spawnattr_setsigdefault");
int program_sigaddset(void *set, int signo) __asm__("sigaddset");
int program_clock_gettime(int clock, long *time) __asm__("clock_gettime");
extern const char *const *environ;
void __asan_init(void);
void __tsan_init(void);
]]
local C = ffi.C

local O_RDWR, O_NOCTTY, O_CLOEXEC, POLLIN = 2, 256, 0x80000, 1
local F_SETFD, FD_CLOEXEC, TIOCSWINSZ = 2, 1, 0x5414
local SETSIGDEF, SETSID, WNOHANG = 4, 0x80, 1
local PATIENCE = 30 -- seconds; only a failing spec waits so long

local M = { INT = 2, KILL = 9, PIPE = 13, TERM = 15 }

--- The binary that is tested, and the folder of what was built with it.
M.greenlua = os.getenv("GREENLUA_BIN") or os.getenv("GREENLUA") or "build/greenlua"
M.build = os.getenv("GREENLUA_BUILD") or M.greenlua:match("^(.*)/[^/]*$") or "."

--- Is this a build with a sanitizer? Their allocators lock, and know nothing of
-- forks: a child may hang when a native thread of its parent was at work.
M.is_sanitized = pcall(function() return C.__asan_init end)
  or pcall(function() return C.__tsan_init end)

--- Seconds of a clock that nobody sets: the wall's may jump over all our patience.
local function now()
  local time = ffi.new("long[2]")
  C.program_clock_gettime(1, time) -- CLOCK_MONOTONIC
  return tonumber(time[0]) + tonumber(time[1]) / 1e9
end

M.now = now

local Program = {}
Program.__index = Program

local function pipe()
  local fds = ffi.new("int[2]")
  assert(C.program_pipe2(fds, O_CLOEXEC) == 0)
  return fds[0], fds[1]
end

local function spawn(argv, actions, flags)
  local attr, set = ffi.new("char[1024]"), ffi.new("char[256]")
  local words = ffi.new("const char *[?]", #argv + 1)
  for i, word in ipairs(argv) do
    words[i - 1] = word
  end
  local pid = ffi.new("int[1]")
  C.program_attr_init(attr)
  C.program_sigaddset(set, M.PIPE) -- who started us may ignore it, or INT
  C.program_sigaddset(set, M.INT)
  C.program_attr_setsigdefault(attr, set)
  C.program_attr_setflags(attr, SETSIGDEF + flags)
  local err = C.program_spawnp(pid, argv[1], actions, attr, words, C.environ)
  C.program_attr_destroy(attr)
  C.program_actions_destroy(actions)
  assert(err == 0, ("cannot run %s: error %d"):format(argv[1], err))
  return pid[0]
end

local function new_actions()
  local actions = ffi.new("char[512]")
  C.program_actions_init(actions)
  return actions
end

local function on_pipes(argv)
  local actions = new_actions()
  local theirs_in, stdin = pipe()
  local stdout, theirs_out = pipe()
  local stderr, theirs_err = pipe()
  for number, fd in pairs { [0] = theirs_in, [1] = theirs_out, [2] = theirs_err } do
    C.program_actions_dup2(actions, fd, number)
  end
  local pid = spawn(argv, actions, 0)
  for _, fd in ipairs { theirs_in, theirs_out, theirs_err } do
    C.program_close(fd)
  end
  return { pid = pid, stdin = stdin, stdout = stdout, stderr = stderr }
end

local function on_terminal(argv, columns)
  local master = C.program_openpt(O_RDWR + O_NOCTTY)
  assert(master >= 0 and C.program_grantpt(master) == 0 and C.program_unlockpt(master) == 0)
  C.program_fcntl(master, F_SETFD, ffi.cast("int", FD_CLOEXEC))
  C.program_ioctl(master, TIOCSWINSZ, ffi.new("unsigned short[4]", { 24, columns or 80, 0, 0 }))
  local actions = new_actions()
  C.program_actions_open(actions, 0, C.program_ptsname(master), O_RDWR, 0)
  C.program_actions_dup2(actions, 0, 1)
  C.program_actions_dup2(actions, 0, 2)
  return { pid = spawn(argv, actions, SETSID), stdin = master, stdout = master }
end

--- Start a program.
-- @param argv its words; `env` sets variables (false unsets), `tty` runs it on a
-- terminal, with `columns`; `patience` seconds it may be waited for (30)
function M.start(argv)
  local words = { "env" }
  for name, value in pairs(argv.env or {}) do
    if not value then
      table.insert(words, 2, "-u")
      table.insert(words, 3, name)
    else
      words[#words + 1] = name .. "=" .. value
    end
  end
  for _, word in ipairs(argv) do
    words[#words + 1] = word
  end
  local self = argv.tty and on_terminal(words, argv.columns) or on_pipes(words)
  self.out, self.err = "", ""
  self.patience = argv.patience or PATIENCE
  return setmetatable(self, Program)
end

local function close(self, name)
  local fd = self[name]
  if not fd then
    return
  end
  self[name] = nil
  if fd ~= self.stdin and fd ~= self.stdout then
    C.program_close(fd)
  end
end

--- Take what one of its outputs has. Returns whether it may have more.
local chunk = ffi.new("char[65536]")
local function take(self, name, into)
  local n = tonumber(C.program_read(self[name], chunk, 65536))
  if n <= 0 then
    close(self, name)
    return
  end
  self[into] = self[into] .. ffi.string(chunk, n)
end

--- Wait up to ms for output and take it. Returns whether any can still come.
local function pump(self, ms)
  local fds = ffi.new("program_pollfd[2]")
  fds[0].fd, fds[0].events = self.stdout or -1, POLLIN
  fds[1].fd, fds[1].events = self.stderr or -1, POLLIN
  C.program_poll(fds, 2, ms)
  if fds[0].revents ~= 0 then
    take(self, "stdout", "out")
  end
  if fds[1].revents ~= 0 then
    take(self, "stderr", "err")
  end
  return self.stdout ~= nil or self.stderr ~= nil
end

local function give_up(self, what)
  C.program_kill(self.pid, M.KILL)
  self:wait()
  error(("%s; it wrote:\n%s\n%s"):format(what, self.out, self.err), 3)
end

--- Read until a plain text has come on an output ("out" or "err") behind what
-- the last expect found. Returns what came before it.
function Program:expect(text, from)
  from = from or "out"
  local seen = "seen_" .. from
  local due = now() + self.patience
  while true do
    local start = self[seen] or 1
    local at, to = self[from]:find(text, start, true)
    if at then
      self[seen] = to + 1
      return self[from]:sub(start, at - 1)
    end
    local more = pump(self, 100)
    if now() > due or not more and not self[from]:find(text, start, true) then
      give_up(self, ("'%s' never came"):format(text))
    end
  end
end

--- Take what comes within some milliseconds.
function Program:listen(ms)
  pump(self, ms)
  return self
end

--- What a program that has ended did not read is lost.
function Program:write(text)
  while #text > 0 do
    local n = tonumber(C.program_write(self.stdin, text, #text))
    if n <= 0 then
      break
    end
    text = text:sub(n + 1)
  end
  return self
end

function Program:close_stdin()
  close(self, "stdin")
  return self
end

--- Stop reading its output, as `head` does.
function Program:close_stdout()
  close(self, "stdout")
  return self
end

function Program:kill(signo)
  C.program_kill(self.pid, signo)
  return self
end

--- Has it ended? Its status then is in `status`, or the signal in `signal`.
function Program:poll()
  local status = ffi.new("int[1]")
  if not self.ended and C.program_waitpid(self.pid, status, WNOHANG) == self.pid then
    self.ended = true
    self.signal = bit.band(status[0], 127)
    self.signal = self.signal ~= 0 and self.signal or nil
    self.status = not self.signal and bit.rshift(status[0], 8) or nil
  end
  return self.ended
end

--- Do something again and again, some milliseconds apart, until it has ended.
function Program:insist(action)
  local due = now() + self.patience
  repeat
    action()
    pump(self, 20)
    if now() > due then
      give_up(self, "it does not end")
    end
  until self:poll()
  return self:wait()
end

--- Let it end: no more input, all of its output. Returns itself.
function Program:wait()
  local due = now() + self.patience
  if self.stderr then
    self:close_stdin()
  end
  while not self:poll() do
    pump(self, 10)
    if now() > due then
      give_up(self, "it does not end")
    end
  end
  while self.stdout or self.stderr do
    local was = self.out .. self.err
    pump(self, 100)
    if was == self.out .. self.err then
      break -- its children may have the pipes still
    end
  end
  self:close()
  return self
end

function Program:close()
  for _, name in ipairs { "stdin", "stdout", "stderr" } do
    close(self, name)
  end
end

--- Run a program to its end. `input` is what it reads.
function M.run(argv)
  local program = M.start(argv)
  program:write(argv.input or "")
  return program:wait()
end

--- The same for greenlua with these words.
function M.run_greenlua(argv)
  table.insert(argv, 1, M.greenlua)
  return M.run(argv)
end

function M.start_greenlua(argv)
  table.insert(argv, 1, M.greenlua)
  return M.start(argv)
end

--- A file with that text; the caller removes it.
function M.file(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

return M
