--- TLS handshakes of an HTTP server that failed: told to its error log, and to a function of
-- the option tls, `on_failure`.
--
-- C keeps the latest of them (greenc/httpd/failure.c); a green thread takes them. Whoever
-- makes thousands fail shall not fill the log: it gets so many lines a minute, and then how
-- many more there were.
-- @module green.wsgi.failed

local accept = require "green.wsgi.accept"
local addr = require "green.socket.addr"
local core = require "green.core"
local failure = require "green.tls.failure"
local thread = require "green.thread"

local ffi = require "ffi"
local C = require "green.ffi.httpd"

-- Scripts may put their own in their places.
local error, gsub, huge, tonumber, tostring, xpcall =
  error, string.gsub, math.huge, tonumber, tostring, xpcall

local ETLSPLAIN = core.codes.ETLSPLAIN
local QUEUE = core.QUEUE

local M = { lines = 10, period = 60 } -- in the log, in so many seconds; specs set them

--- The lines of that level of a server's log.
local function lines_of(server, level)
  local all = server.failed_lines
  all[level] = all[level] or { since = -huge, count = 0, skipped = 0, lost = 0 }
  return all[level]
end

--- May there be a line more now?
local function has_room(lines)
  local now = core.now()
  if now >= lines.since + M.period then
    lines.since, lines.count = now, 0
  end
  lines.count = lines.count + 1
  return lines.count <= M.lines
end

--- Those that there was no line for, nor room in C.
local function say_skipped(server, level, lines)
  local lost = level == "info" and tonumber(server.httpd.failures_lost) or 0
  local n = lines.skipped + lost - lines.lost
  if n > 0 then
    server.log[level](server.log, "TLS handshakes: %d more failed", n)
    lines.skipped, lines.lost = 0, lost
  end
end

--- A line in a server's log about a handshake, as a log's method of that name. Or it is
-- counted, and told with the next one. Does not park.
-- @tparam string level "info" or "error"
function M.log(server, level, text, ...)
  local lines = lines_of(server, level)
  if has_room(lines) then
    say_skipped(server, level, lines)
    server.log[level](server.log, text, ...)
  else
    lines.skipped = lines.skipped + 1
  end
end

--- Call the user's function. Parks if it does.
local function call(self, err, address)
  local ok, raised = xpcall(self.on_failure, thread.note_traceback, err, address)
  if not ok and core.data(core.current()).kill_error then
    error(raised, 0)
  elseif not ok then
    local trace = thread.traceback_of(raised)
    M.log(self.server, "error", "on_failure: %s%s", tostring(raised), trace and "\n" .. trace or "")
  end
end

local function tell(self, raw)
  local err = failure.told(raw.code, raw.alert, ffi.string(raw.text))
  local address = addr.of(raw.who)
  -- What is plain was answered, with a line in the access log; a function that refuses knows.
  if raw.code ~= ETLSPLAIN and not raw.refused then
    M.log(self.server, "info", "TLS handshake with %s: %s", addr.format(raw.who),
      gsub(err.message, "%c", " "))
  end
  if self.on_failure then
    call(self, err, address)
  end
end

local function take_all(self)
  local httpd, raw = self.server.httpd, ffi.new("green_httpd_failure")
  local queue, status = core.pointer(C.failed(httpd)), 0
  while status == 0 do
    while C.take_failure(httpd, raw) do
      tell(self, raw)
    end
    status = core.park(queue, nil, QUEUE)
  end
end

local function teller(self)
  accept.persist(take_all, self)
end

--- Tell of a server's failed handshakes from here on, if anybody listens. Returns the green
-- thread that does, which a stop ends, or false.
-- @tparam ?function on_failure on_failure(err, address)
function M.start(server, on_failure)
  if not on_failure and not server.log.wants_info then
    return false
  end
  server.httpd.keeps_failures = true
  return thread.spawn(teller, { server = server, on_failure = on_failure, stopping = false,
    log = server.log })
end

return M
