--- What the system says of this process, by the names that Prometheus's clients have for it.
-- @module green.metrics.process

local ffi = require "ffi"
local C = require "green.ffi.usage"

local ipairs = ipairs -- scripts may put their own there

-- field, kind, name, help
local known = {
  { "resident", "gauge", "process_resident_memory_bytes", "Resident memory size in bytes." },
  { "size", "gauge", "process_virtual_memory_bytes", "Virtual memory size in bytes." },
  { "started", "gauge", "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds." },
  { "fds", "gauge", "process_open_fds", "Number of open file descriptors." },
  { "max_fds", "gauge", "process_max_fds", "Maximum number of open file descriptors." },
  { "threads", "gauge", "process_threads", "Number of threads that the system runs." },
}

local M = {}

--- A struct with what there is, -1 where the system does not say. Does not park.
function M.usage()
  local u = ffi.new("green_usage")
  C.get(u)
  return u
end

--- For a registry.
function M.collect(emit)
  local u = M.usage()
  if u.cpu_user >= 0 then
    emit("counter", "process_cpu_seconds_total",
      "Total user and system CPU time spent in seconds.", u.cpu_user + u.cpu_system)
  end
  for _, one in ipairs(known) do
    local value = u[one[1]]
    if value >= 0 then
      emit(one[2], one[3], one[4], value)
    end
  end
end

return M
