--- testing.settle and its like: let the other green threads run until nothing happens any
-- more. Private to green.testing.
-- @module green.testing.settle

local core = require "green.core"
local args = require "green.args"
local ffi = require "ffi"
local thread = require "green.thread"

local SETTLE_TURNS = 10000
local QUIET_TURNS = 3 -- in a row, until nothing moves any more

local M = {}

-- Seconds of the real clock, for settle_io; only a failing spec waits so long.
M.patience = 20

--- Let every other green thread run until it waits for something. Time stands
-- still on a virtual clock. Raises when they do not come to rest. Parks.
function M.settle()
  local quiet = 0
  for _ = 1, SETTLE_TURNS do
    thread.sleep(0)
    quiet = core.stats().ready == 0 and quiet + 1 or 0
    if quiet == 2 then
      return
    end
  end
  args.misuse("settle: green threads still run after %d turns", SETTLE_TURNS)
end

-- -- The system ---------------------------------------------------------------

ffi.cdef [[
void *green_testing_opendir(const char *) __asm__("opendir");
struct green_testing_dirent {
  uint64_t ino; int64_t off; uint16_t len; uint8_t type; char name[256];
};
struct green_testing_dirent *green_testing_readdir(void *) __asm__("readdir64");
int green_testing_dirfd(void *) __asm__("dirfd");
int green_testing_closedir(void *) __asm__("closedir");
int green_testing_ioctl(int, unsigned long, void *) __asm__("ioctl");
int green_testing_getsockopt(int, int, int, void *, unsigned *) __asm__("getsockopt");
int green_testing_poll(void *, unsigned long, int) __asm__("poll");
int green_testing_clock_gettime(int, long *) __asm__("clock_gettime");
]]
local C = ffi.C
local SIOCOUTQ, SIOCOUTQNSD = 0x5411, 0x894B
local SOL_SOCKET, SO_PROTOCOL, IPPROTO_TCP = 1, 38, 6
local CLOCK_MONOTONIC = 1

--- The numbers of all open descriptors.
function M.descriptors()
  local found = {}
  local dir = C.green_testing_opendir("/proc/self/fd")
  if dir == nil then
    return found
  end
  local own = C.green_testing_dirfd(dir)
  local entry = C.green_testing_readdir(dir)
  while entry ~= nil do
    local fd = tonumber(ffi.string(entry.name)) -- nil: "." and ".."
    if fd ~= own then
      found[#found + 1] = fd
    end
    entry = C.green_testing_readdir(dir)
  end
  C.green_testing_closedir(dir)
  return found
end

local function is_tcp(fd)
  local protocol, size = ffi.new("int[1]"), ffi.new("unsigned[1]", 4)
  return C.green_testing_getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, protocol, size) == 0
    and protocol[0] == IPPROTO_TCP
end

--- Has a TCP socket of ours sent what the other side's system has not taken?
-- What it could not send, because nobody reads there, does not count.
local function is_sending(fd)
  local unacknowledged, unsent = ffi.new("int[1]"), ffi.new("int[1]")
  return is_tcp(fd) and C.green_testing_ioctl(fd, SIOCOUTQ, unacknowledged) == 0
    and C.green_testing_ioctl(fd, SIOCOUTQNSD, unsent) == 0
    and unacknowledged[0] > unsent[0]
end

local function is_under_way()
  for _, fd in ipairs(M.descriptors()) do
    if is_sending(fd) then
      return true
    end
  end
  return false
end

--- Seconds of a clock that nobody sets and no spec replaces.
function M.seconds()
  local time = ffi.new("long[2]")
  C.green_testing_clock_gettime(CLOCK_MONOTONIC, time)
  return tonumber(time[0]) + tonumber(time[1]) / 1e9
end

-- -- Settling with the system -------------------------------------------------

--- Take a turn. Returns whether anything moved. Where nothing did, the processor
-- is left to others for a moment: to the system, native threads, children.
local function turn()
  thread.sleep(0)
  if core.stats().ready > 0 then
    return true
  end
  C.green_testing_poll(nil, 0, 1)
  return is_under_way()
end

local function rest()
  local due, quiet = M.seconds() + M.patience, 0
  while quiet < QUIET_TURNS do
    quiet = turn() and 0 or quiet + 1
    if M.seconds() > due then
      args.misuse("settle_io: no rest in %d s", M.patience)
    end
  end
end

local function wait_for(is_done)
  local due = M.seconds() + M.patience
  local value = is_done()
  while not value do
    turn()
    value = is_done()
    if not value and M.seconds() > due then
      args.misuse("settle_io: what was waited for did not happen in %d s", M.patience)
    end
  end
  return value
end

--- Let other green threads run, and what they have sent arrive, until all wait
-- and nothing is under way between sockets of this process; or, for what native
-- threads, other processes and deadlines do, until is_done() gives something.
-- Turns and readiness decide, not time: a busy machine takes longer, and the
-- outcome is the same. Raises when it takes more than 20 s. Parks.
-- @tparam[opt] function is_done called between turns; must not park
-- @return what is_done gave
function M.settle_io(is_done)
  if is_done == nil then
    return rest()
  end
  args.callable(is_done, "settle_io", "is_done")
  return wait_for(is_done)
end

return M
