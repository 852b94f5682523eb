-- A FIFO that is read only when the spec says so: a log's slow reader.

local ffi = require "ffi"

ffi.cdef [[
int fifo_make(const char *path, unsigned mode) __asm__("mkfifo");
int fifo_open(const char *path, int flags, ...) __asm__("open");
long fifo_read(int fd, void *p, size_t n) __asm__("read");
int fifo_close(int fd) __asm__("close");
]]
local C = ffi.C

local READ, NONBLOCK, CLOEXEC = 0, 2048, 524288
local chunk = ffi.new("char[65536]")

local Fifo = {}
Fifo.__index = Fifo

--- From now on it has a reader.
function Fifo:open()
  self.fd = C.fifo_open(self.path, READ + NONBLOCK + CLOEXEC)
  assert(self.fd >= 0)
  return self
end

--- What it holds, at most n bytes.
function Fifo:read(n)
  local parts = {}
  while n > 0 do
    local got = tonumber(C.fifo_read(self.fd, chunk, math.min(n, 65536)))
    if got <= 0 then
      break
    end
    parts[#parts + 1] = ffi.string(chunk, got)
    n = n - got
  end
  return table.concat(parts)
end

--- The reader goes.
function Fifo:close()
  if self.fd then
    C.fifo_close(self.fd)
    self.fd = nil
  end
end

function Fifo:remove()
  self:close()
  os.remove(self.path)
end

--- A new one, without a reader.
return function()
  local path = os.tmpname()
  os.remove(path)
  assert(C.fifo_make(path, 384) == 0) -- rw-------
  return setmetatable({ path = path }, Fifo)
end
